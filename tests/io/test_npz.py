"""Sweeps as .npz."""

import dataclasses
import io as python_io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError, Sweep, io

MakeSweep = Callable[..., Sweep]
CheckSame = Callable[..., None]


def full(sweep: Sweep) -> Sweep:
    labels = np.arange(sweep.frames.size, dtype=np.int32).reshape(sweep.frames.shape)
    mask = np.indices(sweep.image_size).sum(0) > 3
    return dataclasses.replace(sweep, labels=labels, mask=mask)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_round_trip(tmp_path: Path, make_sweep: MakeSweep, check_same: CheckSame, compress: bool, dtype: str) -> None:
    for sweep in (make_sweep(dtype=dtype), full(make_sweep(dtype=dtype))):
        io.write_sweep(sweep, tmp_path / "a.npz", compress=compress)
        read = io.read_sweep(tmp_path / "a.npz")
        check_same(read, sweep)
        assert read.meta["note"] == sweep.meta["note"]
        check_same(Sweep.concatenate(list(io.iter_sweep(tmp_path / "a.npz", chunk=2))), sweep)


def test_fortran_order_and_other_dtypes(tmp_path: Path, make_sweep: MakeSweep) -> None:
    frames = np.asfortranarray(np.arange(60, dtype=">u2").reshape(3, 4, 5))
    poses = np.asfortranarray(make_sweep(3).image_to_world)
    np.savez(tmp_path / "a.npz", frames=frames, image_to_world=poses)
    read = io.read_sweep(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.frames, frames)
    np.testing.assert_array_equal(read.image_to_world, poses)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"frames": np.zeros((2, 3, 4))}, "no array 'image_to_world'"),
        ({"image_to_world": np.zeros((2, 4, 4))}, "no array 'frames'"),
        ({"frames": np.zeros((2, 3)), "image_to_world": np.zeros((2, 4, 4))}, "frames has shape"),
        ({"frames": np.zeros((2, 3, 4)), "image_to_world": np.zeros((3, 4, 4))}, "image_to_world has shape"),
        ({"frames": np.zeros((2, 3, 4), complex), "image_to_world": np.zeros((2, 4, 4))}, "frames has"),
        ({"frames": np.zeros((2, 3, 4), object), "image_to_world": np.zeros((2, 4, 4))}, "plain|[Oo]bject"),
        ({"frames": np.zeros((2, 3, 4)), "image_to_world": np.zeros((2, 4, 4)), "meta": "["}, "JSON"),
        ({"frames": np.zeros((2, 3, 4)), "image_to_world": np.zeros((2, 4, 4)), "meta": 3}, "meta"),
        ({"frames": np.zeros((2, 3, 4)), "image_to_world": np.zeros((2, 4, 4)), "labels": 3}, "labels"),
    ],
)
def test_wrong_arrays(tmp_path: Path, arrays: dict[str, object], match: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=match):
        io.read_sweep(tmp_path / "a.npz")


def test_an_array_that_promises_too_much(tmp_path: Path) -> None:
    stream = python_io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 20, 1)}
    np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("frames.npy", stream.getvalue() + bytes(50))
    with pytest.raises(FormatError, match="should be 1099511627776 bytes"):
        io.read_sweep(tmp_path / "a.npz")


def test_not_a_zip(tmp_path: Path) -> None:
    for content in (b"", b"PK\3\4", b"nonsense"):
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(FormatError, match=r"a\.npz"):
            io.read_sweep(tmp_path / "a.npz")


def test_meta_that_is_no_json(tmp_path: Path, make_sweep: MakeSweep) -> None:
    sweep = dataclasses.replace(make_sweep(), meta={"f": lambda: None})
    with pytest.raises(FormatError, match="meta cannot be written"):
        io.write_sweep(sweep, tmp_path / "a.npz")
    numbers = {"a": np.arange(2), "b": np.float32(0.5), "p": Path("x"), "t": (1, 2)}
    io.write_sweep(dataclasses.replace(make_sweep(), meta=numbers), tmp_path / "a.npz")
    read = io.read_sweep(tmp_path / "a.npz").meta
    assert (read["a"], read["b"], read["p"], read["t"]) == ([0, 1], 0.5, "x", [1, 2])


def test_unmarked_nan_pose_is_refused(tmp_path):
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[1] = np.nan
    path = tmp_path / "a.npz"
    np.savez(path, frames=np.zeros((3, 4, 5), np.uint8), image_to_world=poses)
    with pytest.raises(FormatError, match="frame 1 is not finite"):
        io.read_sweep(path)
    np.savez(path, frames=np.zeros((3, 4, 5), np.uint8), image_to_world=poses, valid=[True, False, True])
    assert io.read_sweep(path).valid.tolist() == [True, False, True]
