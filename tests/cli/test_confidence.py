from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from usfast import Sweep, Volume, compound, confidence, geometry, io
from usfast.confidence.agreement import agreeing_maps
from usfast.confidence.attenuation import attenuation_map
from usfast.confidence.directed import directed_map

Run = Callable[..., Any]


def _ok(result: Any) -> str:
    assert result.exit_code == 0, result.output
    return str(result.output)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (20, 16), np.uint8)


def _written(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        return np.asarray(np.load(path))
    return np.asarray(tifffile.imread(path)) if path.suffix == ".tif" else iio.imread(path) / 65535


@pytest.mark.parametrize("out", ["m.npy", "m.tif", "m.png"])
def test_images(usfast: Run, image: np.ndarray, tmp_path: Path, out: str) -> None:
    iio.imwrite(tmp_path / "a.png", image)
    said = _ok(usfast("confidence", tmp_path / "a.png", "-o", tmp_path / out, "--overlay", tmp_path / "o.png",
                      "--alpha", 1.5, "--beta", 80, "--gamma", 0.06, "--sink-mode", "mid"))  # fmt: skip
    expected = confidence.confidence_map(image, 1.5, 80, 0.06, sink_mode="mid")
    np.testing.assert_allclose(_written(tmp_path / out), expected, atol=1e-5)
    assert iio.imread(tmp_path / "o.png").shape[0] > 200
    for words in (out, "1 of 16 x 20 pixels", "random walk", "on average", "ms each"):
        assert words in said
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["a.png", out, "o.png"])


def test_colours_16_bits_and_stacks(usfast: Run, image: np.ndarray, tmp_path: Path) -> None:
    out = tmp_path / "m.npy"
    iio.imwrite(tmp_path / "rgb.png", np.repeat(image[..., None], 3, axis=-1))
    _ok(usfast("confidence", tmp_path / "rgb.png", "-o", out))
    expected = confidence.confidence_map(image).astype(np.float32)
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)
    iio.imwrite(tmp_path / "deep.png", image.astype(np.uint16) * 257)
    _ok(usfast("confidence", tmp_path / "deep.png", "-o", out))
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)
    stack = np.stack([image, image[::-1]]).astype(np.float32)
    for name, write in (("s.npy", np.save), ("s.tif", tifffile.imwrite)):
        write(tmp_path / name, stack)
        _ok(usfast("confidence", tmp_path / name, "-o", tmp_path / "m.tif"))
        np.testing.assert_allclose(tifffile.imread(tmp_path / "m.tif")[0], expected, atol=1e-6)


@pytest.mark.parametrize(("method", "function"), [("directed", directed_map), ("attenuation", attenuation_map)])
def test_other_methods(usfast: Run, image: np.ndarray, tmp_path: Path, method: str, function: Any) -> None:
    np.save(tmp_path / "a.npy", image)
    _ok(usfast("confidence", tmp_path / "a.npy", "-o", tmp_path / "m.npy", "--method", method))
    np.testing.assert_allclose(np.load(tmp_path / "m.npy"), function(image), atol=1e-6)


@pytest.mark.parametrize("out", ["m.npz", "m.igs.mha", "m.igs.nrrd"])
def test_sweeps_keep_poses(usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path, out: str) -> None:
    _ok(usfast("confidence", sweep_file, "-o", tmp_path / out, "--overlay", tmp_path / "o.png"))
    maps = io.read_sweep(tmp_path / out)
    np.testing.assert_allclose(maps.frames, confidence.confidence_map(small_sweep.frames), atol=1e-6)
    np.testing.assert_array_equal(maps.valid, small_sweep.valid)
    np.testing.assert_allclose(maps.image_to_world[0], small_sweep.image_to_world[0])


def test_the_clip_rectangle_of_a_config_counts(
    usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path
) -> None:
    config = tmp_path / "config.xml"
    config.write_text(
        '<PlusConfiguration version="2.1"><VolumeReconstruction OutputSpacing="1 1 1" ImageCoordinateFrame="Image" '
        'ReferenceCoordinateFrame="Reference" ClipRectangleOrigin="4 3" ClipRectangleSize="20 15"/></PlusConfiguration>'
    )
    rows, columns = slice(3, 19), slice(4, 25)
    expected = np.zeros(small_sweep.frames.shape, np.float32)
    expected[:, rows, columns] = confidence.confidence_map(small_sweep.frames[:, rows, columns])
    for out in ("m.igs.mha", "m.npz"):
        _ok(usfast("confidence", sweep_file, "-c", config, "-o", tmp_path / out))
        np.testing.assert_allclose(io.read_sweep(tmp_path / out).frames, expected, atol=1e-6)
    _ok(usfast("compound", sweep_file, "-c", config, "-o", tmp_path / "v.nrrd", "--weight", "confidence"))
    weighted = compound.compound(small_sweep, config=config, mode="weighted", weights=expected)
    np.testing.assert_allclose(io.read_volume(tmp_path / "v.nrrd").array, weighted.volume.array, atol=1e-3)


def test_maps_of_a_sweep_that_agree(usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path) -> None:
    _ok(usfast("confidence", sweep_file, "-o", tmp_path / "m.npy", "--agree", 2))
    maps = confidence.confidence_map(small_sweep.frames)
    np.testing.assert_allclose(np.load(tmp_path / "m.npy"), agreeing_maps(small_sweep, maps, 2.0), atol=1e-5)


@pytest.mark.parametrize(("beam", "lateral"), [("y", "x"), ("z", "x"), ("x", "z")])
def test_volumes_slice_by_slice(usfast: Run, tmp_path: Path, beam: str, lateral: str) -> None:
    array = np.random.default_rng(9).integers(0, 256, (7, 8, 9), np.uint8)
    io.write_volume(Volume(array, (0.5, 0.6, 0.7), origin=(1, 2, 3)), tmp_path / "v.nrrd")
    _ok(usfast("confidence", tmp_path / "v.nrrd", "-o", tmp_path / "m.mha", "--beam", beam, "--lateral", lateral,
               "--overlay", tmp_path / "o.png"))  # fmt: skip
    maps = io.read_volume(tmp_path / "m.mha")
    assert maps.array.dtype == np.float32 and maps.grid == io.read_volume(tmp_path / "v.nrrd").grid
    axes = tuple("zyx".index(axis) for axis in (beam, lateral))
    expected = confidence.confidence_map(np.ascontiguousarray(np.moveaxis(array, axes, (1, 2))))
    np.testing.assert_allclose(np.moveaxis(maps.array, axes, (1, 2)), expected, atol=1e-6)


@pytest.mark.parametrize(("beam", "axis"), [("y", 1), ("z", 0)])
def test_volumes_as_a_whole(usfast: Run, tmp_path: Path, beam: str, axis: int) -> None:
    array = np.random.default_rng(9).integers(0, 256, (7, 8, 9), np.uint8)
    io.write_volume(Volume(array, (0.5, 0.6, 0.7), origin=(1, 2, 3)), tmp_path / "v.nrrd")
    said = _ok(usfast("confidence", tmp_path / "v.nrrd", "-o", tmp_path / "m.nrrd", "--3d", "--beam", beam,
                      "--gamma", 0.1, "--overlay", tmp_path / "o.png"))  # fmt: skip
    maps = io.read_volume(tmp_path / "m.nrrd")
    assert maps.array.dtype == np.float32 and maps.grid == io.read_volume(tmp_path / "v.nrrd").grid
    expected = confidence.confidence_volume(array, gamma=0.1, axis=axis)
    np.testing.assert_allclose(maps.array, expected, atol=3e-6)
    assert "random walk" in said


def test_a_masked_volume_as_a_whole(usfast: Run, tmp_path: Path) -> None:
    array = np.random.default_rng(9).integers(0, 256, (5, 16, 14), np.uint8)
    mask = np.zeros((16, 14), np.uint8)
    mask[2:14, 3:12] = 255
    io.write_volume(Volume(array, 1.0), tmp_path / "v.nrrd")
    iio.imwrite(tmp_path / "mask.png", mask)
    _ok(usfast("confidence", tmp_path / "v.nrrd", "-o", tmp_path / "m.nrrd", "--3d", "--mask", tmp_path / "mask.png"))
    found = io.read_volume(tmp_path / "m.nrrd").array
    assert not found[:, mask == 0].any()
    expected = confidence.confidence_volume(array[:, 2:14, 3:12])
    np.testing.assert_allclose(found[:, 2:14, 3:12], expected, atol=3e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--method", "directed"], "--3d does not go with --method directed"),
        (["--sink-mode", "mid"], "--sink-mode does not go with --3d"),
        (["--mode", "RF"], "--mode does not go with --3d"),
        (["--agree", "1"], "--agree does not go with --3d"),
        ([], "--3d is for volumes"),
    ],
)
def test_what_does_not_go_with_3d(
    usfast: Run, image: np.ndarray, tmp_path: Path, options: list[str], words: str
) -> None:
    iio.imwrite(tmp_path / "a.png", image)
    _refused(usfast("confidence", tmp_path / "a.png", "-o", tmp_path / "m.npy", "--3d", *options), words)


def test_masks(usfast: Run, image: np.ndarray, tmp_path: Path) -> None:
    mask = np.zeros_like(image)
    mask[2:18, 3:12] = 255
    iio.imwrite(tmp_path / "a.png", image)
    iio.imwrite(tmp_path / "mask.png", mask)
    _ok(usfast("confidence", tmp_path / "a.png", "-o", tmp_path / "m.npy", "--mask", tmp_path / "mask.png"))
    found = np.load(tmp_path / "m.npy")
    assert (found[mask == 0] == 0).all() and (found[2:17, 3:12] > 0).all()
    np.testing.assert_allclose(found[2:18, 3:12], confidence.confidence_map(image[2:18, 3:12]), atol=1e-6)
    iio.imwrite(tmp_path / "sector.png", np.where(mask > 0, image // 2 + 100, 0).astype(np.uint8))
    _ok(usfast("confidence", tmp_path / "sector.png", "-o", tmp_path / "m.npy", "--mask", "auto"))
    assert (np.load(tmp_path / "m.npy")[mask == 0] == 0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "m.npz"], "must end in .npy"),
        (["-o", "a.png"], "overwrite an input"),
        (["-o", "no/m.npy"], "no such folder"),
        (["-o", "m.npy", "--overlay", "o.xyz"], "figure's name"),
        (["-o", "m.npy", "--mask", "none.png"], "none.png"),
        (["-o", "m.npy", "--method", "attenuation", "--beta", "80"], "--beta does not go with"),
        (["-o", "m.npy", "--method", "directed", "--sink-mode", "mid"], "--sink-mode does not go with"),
        (["-o", "m.npy", "--beta", "nan"], "beta"),
        (["-o", "m.npy", "--threads", "0"], "threads"),
        (["-o", "m.npy", "--agree", "1"], "--agree is for tracked sweeps"),
    ],
)
def test_one_line_for_bad_input(
    usfast: Run, image: np.ndarray, tmp_path: Path, options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    iio.imwrite("a.png", image)
    _refused(usfast("confidence", "a.png", *options), words)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def _refused(result: Any, words: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.output.startswith("usfast: ") and result.output.count("\n") == 1, result.output
    assert words in result.output


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy", "a.igs.mha", "a.nrrd", "a.nii.gz", "a.xyz"])
@pytest.mark.parametrize("content", [None, b"", b"\x00" * 3000, b"NRRD0004\n"])
def test_files_that_are_none(usfast: Run, tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for out in ("m.npy", "m.npz", "m.nrrd"):
        _refused(usfast("confidence", tmp_path / name, "-o", tmp_path / out), "")
    assert not (tmp_path / "m.npy").exists()


def test_arrays_that_are_no_image(usfast: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for array in (np.zeros(5), np.zeros((2, 2, 2, 2)), np.zeros((0, 3)), np.array(["a"]), np.array([{}])):
        np.save(path, array, allow_pickle=True)
        _refused(usfast("confidence", path, "-o", tmp_path / "m.npy"), "a.npy")


def test_a_stack_does_not_fit_a_png(usfast: Run, image: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([image, image]))
    _refused(usfast("confidence", tmp_path / "a.npy", "-o", tmp_path / "m.png"), "2 maps")


def test_axes_of_a_volume(usfast: Run, tmp_path: Path) -> None:
    io.write_volume(Volume(np.zeros((3, 4, 5), np.uint8), 1.0), tmp_path / "v.nrrd")
    result = usfast("confidence", tmp_path / "v.nrrd", "-o", tmp_path / "m.nrrd", "--beam", "x", "--lateral", "x")
    _refused(result, "--beam and --lateral")


def test_compounding_weighted_by_confidence(usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path) -> None:
    out, weight = tmp_path / "v.nrrd", tmp_path / "w.nrrd"
    _ok(usfast("compound", sweep_file, "-o", out, "--spacing", 0.6, "--weight", "confidence", "--weight-out", weight))
    maps = confidence.confidence_map(small_sweep.frames).astype(np.float32)
    expected = compound.compound(small_sweep, 0.6, mode="weighted", weights=maps)
    np.testing.assert_allclose(io.read_volume(out).array, expected.volume.array, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(io.read_volume(weight).array, expected.weight, rtol=1e-5, atol=1e-6)
    _ok(usfast("compound", sweep_file, "-o", out, "--spacing", 1, "--weight", "confidence", "--clip", "4,3,20,15"))
    mask = geometry.rectangle_mask((24, 32), (4, 3), (20, 15))
    clipped = replace(small_sweep, mask=mask)
    maps = np.zeros(small_sweep.frames.shape, np.float32)
    rows, columns = (slice(min(where), max(where) + 1) for where in np.nonzero(mask))
    maps[:, rows, columns] = confidence.confidence_map(small_sweep.frames[:, rows, columns])
    expected = compound.compound(clipped, 1, mode="weighted", weights=maps)
    np.testing.assert_allclose(io.read_volume(out).array, expected.volume.array, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [["--mode", "mean"], ["--weights", "sweep.igs.mha"], ["--compat", "plus", "-c", "sweep.igs.mha"]],
    ids=" ".join,
)
def test_weights_that_contradict(usfast: Run, sweep_file: Path, tmp_path: Path, options: list[str]) -> None:
    result = usfast(
        "compound", sweep_file, "-o", tmp_path / "v.nrrd", "--spacing", 1, "--weight", "confidence", *options
    )
    _refused(result, "--")
