import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from usfast.confidence import confidence_map
from usfast.transforms import ConfidenceChannel, ConfidenceChanneld, channel
from usfast.transforms.map_cache import MapCache


def _image(shape: tuple[int, ...] = (1, 14, 12), dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "expected"), [(np.uint8, np.float32), (np.int16, np.float32), (np.float32, np.float32), (float, float)]
)
def test_the_map_is_the_last_channel(dtype: Any, expected: Any) -> None:
    image = _image(dtype=dtype)
    found = ConfidenceChannel(gamma=0.06)(image)
    assert found.dtype == expected
    np.testing.assert_array_equal(found[0], image[0])
    np.testing.assert_array_equal(found[1], confidence_map(image[0], gamma=0.06).astype(np.float32))


def test_colours_are_averaged() -> None:
    image = _image((3, 14, 12))
    found = ConfidenceChannel()(image)
    assert found.shape == (4, 14, 12)
    np.testing.assert_array_equal(found[3], confidence_map(image.mean(axis=0)).astype(np.float32))


@pytest.mark.parametrize(("depth", "lateral"), [(-2, -1), (2, 3), (2, 1), (1, 3), (-3, -2)])
def test_volumes_slice_by_slice(depth: int, lateral: int) -> None:
    image = _image((1, 7, 8, 9))
    found = ConfidenceChannel(depth_axis=depth, lateral_axis=lateral)(image)[1]
    moved = np.moveaxis(image, (depth, lateral), (-2, -1))[0]
    expected = np.stack([confidence_map(one) for one in moved]).astype(np.float32)
    back = np.moveaxis(expected[None], (-2, -1), (depth, lateral))[0]
    np.testing.assert_allclose(found, back, atol=1e-6)


def test_samples() -> None:
    sample = {"image": _image(), "label": 1}
    found = ConfidenceChanneld("image", alpha=1.0)(sample)
    np.testing.assert_array_equal(found["image"], ConfidenceChannel(1.0)(sample["image"]))
    assert found["label"] == 1


@pytest.mark.parametrize(
    ("arguments", "shape", "words"),
    [
        ({}, (14, 12), "shape"),
        ({}, (1, 0, 12), "shape"),
        ({"depth_axis": 0}, (1, 4, 5), "depth_axis"),
        ({"depth_axis": -3}, (1, 4, 5), "depth_axis"),
        ({"lateral_axis": 3}, (1, 4, 5), "lateral_axis"),
        ({"depth_axis": -1}, (1, 4, 5), "one axis"),
    ],
)
def test_wrong_axes(arguments: dict[str, Any], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ConfidenceChannel(**arguments)(np.zeros(shape))


def test_sinks_cannot_come_from_a_mask() -> None:
    with pytest.raises(ValueError, match="sink_mode"):
        ConfidenceChannel(sink_mode="mask")


def test_the_second_epoch_only_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transform = ConfidenceChannel(cache_dir=tmp_path / "deep" / "maps")
    image = _image()
    first = transform(image)
    (file,) = (tmp_path / "deep" / "maps").iterdir()
    assert file.suffix == ".npy"

    def compute(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(channel, "confidence_map", compute)
    np.testing.assert_array_equal(transform(image.copy()), first)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(transform))(image), first)  # as worker processes do
    others = [image + 1, image.astype(np.float64), image[:, ::-1], image[:, :7], image.reshape(1, 12, 14)]
    for other in others:
        with pytest.raises(AssertionError):
            transform(other)
    for name, value in (("alpha", 2.5), ("beta", 80), ("gamma", 0.0), ("mode", "RF"), ("sink_mode", "mid")):
        with pytest.raises(AssertionError):
            ConfidenceChannel(**{name: value}, cache_dir=transform.cache.folder)(image)  # type: ignore


@pytest.mark.parametrize("damage", ["", "noise", "cut", "pickle", "shape", "dtype", "npz"])
def test_damaged_files_are_made_anew(tmp_path: Path, damage: str) -> None:
    cache, image, expected = MapCache(tmp_path), np.zeros((3, 4)), np.full((3, 4), 0.5, np.float32)
    path = cache.path(image, ())
    cache.get(image, (), lambda: expected)
    whole = path.read_bytes()
    if damage in ("", "noise", "cut"):
        path.write_bytes({"": b"", "noise": b"no array", "cut": whole[:-5]}[damage])
    else:
        with open(path, "wb") as stream:
            if damage == "npz":
                np.savez(stream, expected)
            else:
                other = {"pickle": np.array([{}]), "shape": expected.T, "dtype": expected.astype(float)}[damage]
                np.save(stream, other, allow_pickle=True)
    np.testing.assert_array_equal(cache.get(image, (), lambda: expected), expected)
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        ConfidenceChannel(cache_dir=tmp_path / "file" / "maps")(_image())
