"""Rubbish in: one line, exit 2, nothing written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from usfast import Sweep, io

Run = Callable[..., Any]


def _empty(path: Path, _: Sweep) -> None:
    path.write_bytes(b"")


def _noise(path: Path, _: Sweep) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def _truncated(path: Path, sweep: Sweep) -> None:
    io.write_sweep(sweep, path)
    data = path.read_bytes()
    path.write_bytes(data[:-1500])


def _header_cut(path: Path, sweep: Sweep) -> None:
    io.write_sweep(sweep, path)
    path.write_bytes(path.read_bytes()[:300])


def _huge(path: Path, sweep: Sweep) -> None:
    io.write_sweep(sweep, path)
    path.write_bytes(path.read_bytes().replace(b"32 24 8", b"32 24 1099511627776"))


def _negative(path: Path, sweep: Sweep) -> None:
    io.write_sweep(sweep, path)
    path.write_bytes(path.read_bytes().replace(b"32 24 8", b"32 -24 8"))


def _nothing_valid(path: Path, sweep: Sweep) -> None:
    io.write_sweep(Sweep(sweep.frames, sweep.image_to_world, valid=np.zeros(8, bool)), path)


def _folder(path: Path, _: Sweep) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_empty, _noise, _truncated, _header_cut, _huge, _negative, _nothing_valid, _folder])
@pytest.mark.parametrize("suffix", [".igs.mha", ".igs.nrrd"])
def test_sequences(usfast: Run, small_sweep: Sweep, tmp_path: Path, make: Any, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    make(path, small_sweep)
    _refused(usfast("compound", path, "-o", tmp_path / "v.nrrd", "--spacing", 1), tmp_path, path)
    if make is not _nothing_valid:
        _refused(usfast("convert", path, tmp_path / "v.npz"), tmp_path, path)


def _refused(result: Any, folder: Path, *kept: Path) -> None:
    assert result.exit_code == 2, result.output
    assert result.output.startswith("usfast: ") and result.output.count("\n") == 1, result.output
    assert "Traceback" not in result.output
    assert {file for file in folder.iterdir()} == set(kept)


@pytest.mark.parametrize(
    ("frames", "poses", "words"),
    [
        ((8, 24, 32), (7, 4, 4), "(8, 4, 4)"),
        ((8, 24, 32), (8, 3, 4), "image_to_world"),
        ((8, 24), (8, 4, 4), ""),
        ((0, 24, 32), (0, 4, 4), ""),
    ],
)
def test_arrays_that_do_not_fit(
    usfast: Run, tmp_path: Path, frames: tuple[int, ...], poses: tuple[int, ...], words: str
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, frames=np.ones(frames, np.uint8), image_to_world=np.ones(poses))
    result = usfast("compound", path, "-o", tmp_path / "v.nrrd", "--spacing", 1)
    _refused(result, tmp_path, path)
    assert words in result.output


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_poses_without_meaning(usfast: Run, tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, frames=np.ones((3, 9, 9), np.uint8), image_to_world=np.full((3, 4, 4), value))
    _refused(usfast("compound", path, "-o", tmp_path / "v.nrrd", "--spacing", 1), tmp_path, path)


@pytest.mark.parametrize("spacing", ["0", "-1", "nan", "inf", "0.0001", "abc", "1,2", "1,2,0", ""])
def test_spacings(usfast: Run, sweep_file: Path, tmp_path: Path, spacing: str) -> None:
    result = usfast("compound", sweep_file, "-o", tmp_path / "v.nrrd", "--spacing", spacing)
    _refused(result, tmp_path, sweep_file)


@pytest.mark.parametrize(
    "options",
    [
        ["--spacing", "1", "--clip", "1,2,3"],
        ["--spacing", "1", "--clip", "100,100,5,5"],
        ["--spacing", "1", "--fan", "40,-40,16,0,1,20"],
        ["--spacing", "1", "--mask", "nothing.png"],
        ["--spacing", "1", "--weights", "nothing.png"],
        ["--spacing", "1", "--weights", "a.png", "--mode", "mean"],
        ["--spacing", "1", "--mode", "weighted"],
        ["--spacing", "1", "--mode", "vote"],
        ["--spacing", "1", "--method", "gaussian", "--kernel-size", "4"],
        ["--spacing", "1", "--method", "gaussian", "--sigma", "0"],
        ["--spacing", "1", "--fill", "mean", "--fill-size", "4"],
        ["--spacing", "1", "--threads", "0"],
        ["--spacing", "1", "--reference-frame", "Mars"],
        ["--spacing", "1", "-c", "nothing.xml"],
        ["--spacing", "1", "--figure", "a.xyz"],
        ["--compat", "plus"],
        ["--compat", "plus", "-c", "a.xml", "--spacing", "1"],
        [],
    ],
    ids=" ".join,
)
def test_options(usfast: Run, sweep_file: Path, tmp_path: Path, options: list[str]) -> None:
    _refused(usfast("compound", sweep_file, "-o", tmp_path / "v.nrrd", *options), tmp_path, sweep_file)


def test_a_mask_of_another_size(usfast: Run, sweep_file: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    iio.imwrite(mask, np.ones((5, 5), np.uint8))
    result = usfast("compound", sweep_file, "-o", tmp_path / "v.nrrd", "--spacing", 1, "--mask", mask)
    _refused(result, tmp_path, sweep_file, mask)
    mask.write_bytes(b"no picture at all")
    result = usfast("compound", sweep_file, "-o", tmp_path / "v.nrrd", "--spacing", 1, "--mask", mask)
    _refused(result, tmp_path, sweep_file, mask)


@pytest.mark.parametrize("out", ["no/such/folder/v.nrrd", "v.xyz", "sweep.igs.mha", "sweep.igs.mha/v.nrrd", "."])
def test_outputs_are_checked_before_the_work(
    usfast: Run, sweep_file: Path, tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object, **__: object) -> None:
        pytest.fail("the long work began")

    monkeypatch.setattr(io, "read_sweep", work)
    _refused(usfast("compound", sweep_file, "-o", tmp_path / out, "--spacing", 1), tmp_path, sweep_file)


@pytest.mark.parametrize("content", [b"", b"NRRD0004\n", b"ObjectType = Image\nNDims = 3\n", b"\x00" * 4000])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz", ".txt"])
def test_volumes(usfast: Run, tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    for command in (["info", path], ["show", path, "-o", tmp_path / "a.png"]):
        _refused(usfast(*command), tmp_path, path)
