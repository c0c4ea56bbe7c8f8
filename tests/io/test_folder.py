"""Sweeps as folders of images with poses.csv."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import imageio.v3
import numpy as np
import pytest

from usfast import FormatError, Sweep, io

MakeSweep = Callable[..., Sweep]
CheckSame = Callable[..., None]
UNIT = "1,0,0,0,0,1,0,0,0,0,1,{},0,0,0,1\n"


def write_images(path: Path, count: int = 11, shape: tuple[int, ...] = (4, 5)) -> None:
    for index in range(count):
        imageio.v3.imwrite(path / f"f{index}.png", np.full(shape, index, np.uint8))


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_round_trip(tmp_path: Path, make_sweep: MakeSweep, check_same: CheckSame, dtype: str) -> None:
    plain = make_sweep(dtype=dtype)
    labels = np.arange(plain.frames.size, dtype=np.int16).reshape(plain.frames.shape)
    full = dataclasses.replace(plain, labels=labels, mask=np.indices(plain.image_size).sum(0) > 3)
    for name, sweep in (
        ("plain", plain),
        ("full", full),
        ("untimed", dataclasses.replace(plain, timestamps=None)),
    ):
        io.write_sweep(sweep, tmp_path / name)
        read = io.read_sweep(tmp_path / name)
        check_same(read, sweep)
        assert read.meta["note"] == sweep.meta["note"]
        check_same(Sweep.concatenate(list(io.iter_sweep(tmp_path / name, chunk=2))), sweep)


def test_unknown_poses_survive(tmp_path: Path, make_sweep: MakeSweep) -> None:
    sweep = make_sweep()
    poses = sweep.image_to_world.copy()
    poses[1] = np.nan
    io.write_sweep(dataclasses.replace(sweep, image_to_world=poses), tmp_path / "a")
    assert np.isnan(io.read_sweep(tmp_path / "a").image_to_world[1]).all()


def test_natural_order_without_header(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "poses.csv").write_text("".join(UNIT.format(index) for index in range(11)))
    sweep = io.read_sweep(tmp_path)
    assert sweep.frames[:, 0, 0].tolist() == list(range(11))
    assert sweep.image_to_world[:, 2, 3].tolist() == list(range(11))


def test_header_names_files_times_and_validity(tmp_path: Path) -> None:
    write_images(tmp_path)
    names = ",".join(f"m{row}{column}" for row in range(4) for column in range(4))
    rows = [f"{stamp},f{index}.png,{valid},{UNIT.format(index)}" for index, stamp, valid in
            ((7, 0.5, "true"), (2, 0.75, "0"), (3, 1.5, "1"))]  # fmt: skip
    (tmp_path / "poses.csv").write_text(f"Timestamp,filename,valid,{names}\n" + "".join(rows))
    sweep = io.read_sweep(tmp_path)
    assert sweep.frames[:, 0, 0].tolist() == [7, 2, 3]
    assert sweep.valid.tolist() == [True, False, True]
    assert sweep.timestamps is not None and sweep.timestamps.tolist() == [0.5, 0.75, 1.5]


def test_quaternions(tmp_path: Path) -> None:
    write_images(tmp_path, 2)
    half = np.sqrt(0.5)
    (tmp_path / "poses.csv").write_text(
        "tx,ty,tz,qw,qx,qy,qz,spacing_x,spacing_y\n"
        f"1,2,3,{half},0,0,{half},0.1,0.2\n"  # a quarter turn about z: x becomes y
        "0,0,0,0,0,0,0,1,1\n"
    )
    sweep = io.read_sweep(tmp_path)
    assert sweep.valid.tolist() == [True, False]
    expected = [[0, -0.2, 0, 1], [0.1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(sweep.image_to_world[0], expected, atol=1e-15)


def test_colour_and_mask(tmp_path: Path) -> None:
    write_images(tmp_path, 2, (4, 5, 3))
    mask = np.zeros((4, 5), np.uint8)
    mask[1] = 255
    imageio.v3.imwrite(tmp_path / "mask.png", mask)
    (tmp_path / "poses.csv").write_text(UNIT.format(0) + UNIT.format(1))
    sweep = io.read_sweep(tmp_path)
    assert sweep.frames.shape == (2, 4, 5)
    assert sweep.mask is not None and sweep.mask.sum() == 5


@pytest.mark.parametrize(
    ("table", "match"),
    [
        (UNIT.format(0), "11 images, but 1 poses"),
        ("", "empty"),
        ("1,2,3\n", "line 1: 3 cells, not 16"),
        (UNIT.format(0) + "1,2\n", "line 2"),
        (UNIT.format(0) + UNIT.format("x"), "line 2"),
        ("a,b\n1,2\n", "needed are m00"),
        ("tx,ty,tz,qw,qx,qy,qz,valid\n" + "0,0,0,1,0,0,0,maybe\n", "line 2: valid"),
        ("tx,ty,tz,qw,qx,qy,qz,filename\n" + "0,0,0,1,0,0,0,../../x.png\n", "plain file name"),
        ("tx,ty,tz,qw,qx,qy,qz,filename\n" + "0,0,0,1,0,0,0,/etc/passwd\n", "plain file name"),
        ("tx,ty,tz,qw,qx,qy,qz,filename\n", "no pose"),
    ],
)
def test_wrong_tables(tmp_path: Path, table: str, match: str) -> None:
    write_images(tmp_path)
    (tmp_path / "poses.csv").write_text(table)
    with pytest.raises(FormatError, match=match):
        io.read_sweep(tmp_path)


def test_missing_things_are_named(tmp_path: Path) -> None:
    write_images(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"poses\.csv"):
        io.read_sweep(tmp_path)
    (tmp_path / "poses.csv").write_text("tx,ty,tz,qw,qx,qy,qz,filename\n0,0,0,1,0,0,0,gone.png\n")
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        io.read_sweep(tmp_path)


def test_images_must_match(tmp_path: Path) -> None:
    write_images(tmp_path, 2)
    imageio.v3.imwrite(tmp_path / "f1.png", np.zeros((4, 6), np.uint8))
    (tmp_path / "poses.csv").write_text(UNIT.format(0) + UNIT.format(1))
    with pytest.raises(FormatError, match=r"f1\.png.*\(4, 6\)"):
        io.read_sweep(tmp_path)
    (tmp_path / "f1.png").write_bytes(b"nonsense")
    with pytest.raises(FormatError, match=r"f1\.png"):
        io.read_sweep(tmp_path)


def test_existing_folders_are_kept(tmp_path: Path, make_sweep: MakeSweep) -> None:
    (tmp_path / "a").mkdir()
    io.write_sweep(make_sweep(), tmp_path / "a")
    with pytest.raises(FileExistsError):
        io.write_sweep(make_sweep(), tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    assert not list(tmp_path.iterdir())
