import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from usfast import Grid, Sweep, compound, geometry, io

Run = Callable[..., Any]


def _ok(result: Any) -> str:
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_the_file_holds_what_the_library_computes(
    usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path
) -> None:
    out = tmp_path / "v.nrrd"
    weight = tmp_path / "w.nrrd"
    output = _ok(
        usfast("compound", sweep_file, "-o", out, "--spacing", "0.5,0.6,0.7", "--method", "gaussian",
               "--kernel-size", 3, "--sigma", 0.8, "--fill", "mean", "--fill-size", 3, "--threads", 1,
               "--weight-out", weight)
    )  # fmt: skip
    expected = compound.compound(
        small_sweep, (0.5, 0.6, 0.7), "gaussian", kernel_size=3, sigma=0.8, fill="mean", fill_size=3
    )
    volume = io.read_volume(out)
    np.testing.assert_array_equal(volume.array, expected.volume.array)
    assert volume.grid == expected.volume.grid
    np.testing.assert_array_equal(io.read_volume(weight).array, expected.weight)
    size = " x ".join(map(str, volume.grid.size))
    for said in (str(out), size, "0.5 x 0.6 x 0.7 mm", "7 used, 1 without", "MB", "Mpixel/s", "% more"):
        assert said in output
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sweep.igs.mha", "v.nrrd", "w.nrrd"]


def test_uint8_rounds_and_clips(usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path) -> None:
    out = tmp_path / "v.mha"
    _ok(usfast("compound", sweep_file, "-o", out, "--spacing", 0.7, "--dtype", "uint8"))
    expected = compound.compound(small_sweep, 0.7).volume.array
    array = io.read_volume(out).array
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, np.clip(np.rint(expected), 0, 255))


def test_figure(usfast: Run, sweep_file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "f.png"
    _ok(usfast("compound", sweep_file, "-o", tmp_path / "v.nrrd", "--spacing", 1, "--figure", picture))
    assert iio.imread(picture).shape[0] > 300


def test_several_sweeps_become_one(usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path) -> None:
    shifted = small_sweep.image_to_world.copy()
    shifted[:, 0, 3] += 4
    second = replace(small_sweep, image_to_world=shifted)
    io.write_sweep(second, tmp_path / "b.npz")
    out = tmp_path / "v.nrrd"
    _ok(usfast("compound", sweep_file, tmp_path / "b.npz", "-o", out, "--spacing", 1))
    both = Sweep.concatenate([small_sweep, second])
    np.testing.assert_array_equal(io.read_volume(out).array, compound.compound(both, 1.0).volume.array)


def test_clip_fan_and_mask(usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path) -> None:
    picture = np.full((24, 32), 255, np.uint8)
    picture[:, :4] = 0
    iio.imwrite(tmp_path / "mask.png", picture)
    out = tmp_path / "v.nrrd"
    _ok(
        usfast("compound", sweep_file, "-o", out, "--spacing", 0.5, "--clip", "2,3,25,15",
               "--fan", "-40,40,16,-5,6,25", "--mask", tmp_path / "mask.png")
    )  # fmt: skip
    shape = small_sweep.image_size
    mask = geometry.rectangle_mask(shape, (2, 3), (25, 15)) & (picture > 0)
    mask &= geometry.fan_mask(shape, (16, -5), (-40, 40), (6, 25))
    expected = compound.compound(replace(small_sweep, mask=mask), 0.5)
    np.testing.assert_array_equal(io.read_volume(out).array, expected.volume.array)


def test_mask_auto(usfast: Run, small_sweep: Sweep, tmp_path: Path) -> None:
    frames = small_sweep.frames.copy()
    frames[:, :, :10] = 0
    io.write_sweep(replace(small_sweep, frames=frames), tmp_path / "dark.npz")
    out = tmp_path / "v.nrrd"
    _ok(usfast("compound", tmp_path / "dark.npz", "-o", out, "--spacing", 0.5, "--mask", "auto"))
    assert io.read_volume(out).grid.size[0] == 22


def test_weights(usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(1, 255, small_sweep.image_size, np.uint8)
    iio.imwrite(tmp_path / "weights.png", picture)
    out = tmp_path / "v.nrrd"
    _ok(usfast("compound", sweep_file, "-o", out, "--spacing", 1, "--weights", tmp_path / "weights.png"))
    expected = compound.compound(small_sweep, 1.0, mode="weighted", weights=picture.astype(np.float32))
    np.testing.assert_array_equal(io.read_volume(out).array, expected.volume.array)


def test_votes(usfast: Run, small_sweep: Sweep, tmp_path: Path) -> None:
    labels = (small_sweep.frames > 127).astype(np.uint8)
    io.write_sweep(replace(small_sweep, labels=labels), tmp_path / "labels.npz")
    out = tmp_path / "v.nrrd"
    _ok(usfast("compound", tmp_path / "labels.npz", "-o", out, "--spacing", 1, "--mode", "vote"))
    assert io.read_volume(out).array.dtype.kind == "u"


def test_plus_references(usfast: Run, data_dir: Path, tmp_path: Path) -> None:
    references = data_dir / "tracked" / "igsio_recon_refs"
    sweep = data_dir / "tracked" / "plus_spine" / "SpinePhantomFreehand.igs.mha"
    (config,) = references.glob("NNMEAN*.xml")
    _ok(usfast("compound", sweep, "-c", config, "-o", tmp_path / "v.mha", "--compat", "plus"))
    reference = io.read_volume(references / "VolumeReconstructorTestNNMEANvolumeRef.mha")
    np.testing.assert_array_equal(io.read_volume(tmp_path / "v.mha").array, reference.array)


def test_interrupt_leaves_the_old_file(
    usfast: Run, sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "v.nrrd"
    out.write_bytes(b"old")
    monkeypatch.setattr(compound, "compound", interrupted)
    result = usfast("compound", sweep_file, "-o", out, "--spacing", 1)
    assert result.exit_code == 130
    assert "interrupted; nothing was written" in result.output
    assert out.read_bytes() == b"old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sweep.igs.mha", "v.nrrd"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (MemoryError("a grid of 9 voxels"), "a grid of 9 voxels"),
    ],
)
def test_a_failed_write_leaves_the_old_files(
    usfast: Run,
    sweep_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    words: str,
) -> None:
    write = io.write_volume

    def second_fails(volume: Any, path: Path) -> None:
        if "w.nrrd" in str(path):
            raise error
        write(volume, path)

    (tmp_path / "v.nrrd").write_bytes(b"old")
    monkeypatch.setattr(io, "write_volume", second_fails)
    result = usfast(
        "compound", sweep_file, "-o", tmp_path / "v.nrrd", "--spacing", 1, "--weight-out", tmp_path / "w.nrrd"
    )
    assert result.exit_code == 2
    assert words in result.output
    assert (tmp_path / "v.nrrd").read_bytes() == b"old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sweep.igs.mha", "v.nrrd"]


def test_warnings_of_the_reader_are_shown(usfast: Run, sweep_file: Path, tmp_path: Path) -> None:
    output = _ok(usfast("compound", sweep_file, "-o", tmp_path / "v.nrrd", "--spacing", 1))
    assert "warning: 1 of 8 frames have no usable ImageToReference" in output


def test_a_grid_too_big_is_refused_with_one_that_fits(usfast: Run, sweep_file: Path, tmp_path: Path) -> None:
    result = usfast("compound", sweep_file, "-o", tmp_path / "v.nrrd", "--spacing", 0.0001)
    assert result.exit_code == 2
    assert "would fit" in result.output and result.output.count("\n") == 1
    assert Grid.enclosing(io.read_sweep(sweep_file), 0.0001).voxels > 10**12
