"""What write_sweep writes as a PLUS sequence comes back, and other readers accept it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usfast import FormatError, Sweep, io

MakeSweep = Callable[..., Sweep]
CheckSame = Callable[..., None]
SUFFIXES = [".igs.mha", ".igs.mhd", ".igs.nrrd", ".igs.nhdr"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_round_trip(
    tmp_path: Path, make_sweep: MakeSweep, check_same: CheckSame, suffix: str, compress: bool, dtype: str
) -> None:
    sweep = make_sweep(dtype=dtype)
    path = tmp_path / f"sweep{suffix}"
    io.write_sweep(sweep, path, compress=compress)
    check_same(io.read_sweep(path), sweep)
    assert io.read_transforms(path).statuses["ImageToReference"].count("INVALID") == 1
    assert len(list(tmp_path.iterdir())) == (2 if suffix in (".igs.mhd", ".igs.nhdr") else 1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 9),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 99),
    chunk=st.integers(1, 10),
    suffix=st.sampled_from(SUFFIXES),
    compress=st.booleans(),
)
def test_any_size_in_any_parts(
    tmp_path: Path,
    make_sweep: MakeSweep,
    check_same: CheckSame,
    count: int,
    height: int,
    width: int,
    seed: int,
    chunk: int,
    suffix: str,
    compress: bool,
) -> None:
    sweep = make_sweep(count, height, width, seed=seed)
    path = tmp_path / f"sweep{suffix}"
    io.write_sweep(sweep, path, compress=compress)
    parts = list(io.iter_sweep(path, chunk=chunk))
    assert all(len(part) <= chunk for part in parts)
    check_same(Sweep.concatenate(parts), sweep)


@pytest.mark.parametrize("suffix", [".igs.mha", ".nrrd"])
def test_fields_of_the_recording_come_back(tmp_path: Path, make_sweep: MakeSweep, suffix: str) -> None:
    sweep = make_sweep(4)
    meta = {"header": {"Operator": "Ä. B."}, "frame_fields": {"FrameNumber": ["3", "4", None, "6\\n"]}}
    path = tmp_path / f"a{suffix}"
    io.write_sweep(dataclasses.replace(sweep, meta=meta), path)
    read = io.read_sweep(path)
    assert read.meta["header"] == meta["header"]
    assert read.meta["frame_fields"]["FrameNumber"] == meta["frame_fields"]["FrameNumber"]
    io.write_sweep(read[2:0:-1], path)  # a part, turned round: found again by timestamp
    again = io.read_sweep(path)
    assert again.meta["frame_fields"]["FrameNumber"] == [None, "4"]
    parts = list(io.iter_sweep(path, chunk=1))
    assert [part.meta["frame_fields"]["FrameNumber"] for part in parts] == [[None], ["4"]]


def test_fields_that_cannot_be_matched_warn(tmp_path: Path, make_sweep: MakeSweep) -> None:
    sweep = dataclasses.replace(make_sweep(4), timestamps=None, meta={"frame_fields": {"A": ["1"] * 9}})
    with pytest.warns(UserWarning, match="the fields A are not written"):
        io.write_sweep(sweep, tmp_path / "a.mha")


def test_unknown_poses_are_written_as_invalid(tmp_path: Path, make_sweep: MakeSweep) -> None:
    sweep = make_sweep(3)
    poses = sweep.image_to_world.copy()
    poses[1] = np.nan
    path = tmp_path / "a.igs.mha"
    io.write_sweep(dataclasses.replace(sweep, image_to_world=poses), path)
    assert io.read_sweep(path).valid.tolist() == [True, False, True]


def test_name_of_the_transform_is_kept(tmp_path: Path, make_sweep: MakeSweep) -> None:
    path = tmp_path / "a.igs.mha"
    io.write_sweep(dataclasses.replace(make_sweep(), meta={"image_to_world": "ImageToTracker"}), path)
    assert io.read_sweep(path).meta["image_to_world"] == "ImageToTracker"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_simpleitk_reads_the_same_pixels(tmp_path: Path, make_sweep: MakeSweep, suffix: str) -> None:
    import SimpleITK as sitk

    sweep = make_sweep()
    io.write_sweep(sweep, tmp_path / f"a{suffix}")
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"a{suffix}")))
    if suffix in (".igs.nrrd", ".igs.nhdr"):  # ITK takes a list axis of NRRD for the components of a pixel
        pixels = np.moveaxis(pixels, -1, 0)
    np.testing.assert_array_equal(pixels, sweep.frames)


def test_nothing_is_dropped_silently(tmp_path: Path, make_sweep: MakeSweep) -> None:
    sweep = make_sweep()
    masked = dataclasses.replace(sweep, mask=np.ones(sweep.image_size, bool))
    with pytest.raises(FormatError, match="mask"):
        io.write_sweep(masked, tmp_path / "a.mha")
    labelled = dataclasses.replace(sweep, labels=np.zeros(sweep.frames.shape, np.uint8))
    with pytest.raises(FormatError, match="labels"):
        io.write_sweep(labelled, tmp_path / "a.nrrd")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "header", [{"a b": "1"}, {"A": "1\nElementDataFile = /etc/passwd"}, {"DimSize": "9 9 9"}, {"": "x"}]
)
def test_fields_cannot_break_the_header(tmp_path: Path, make_sweep: MakeSweep, header: dict[str, str]) -> None:
    sweep = dataclasses.replace(make_sweep(), meta={"header": header})
    with pytest.raises(FormatError, match="cannot be written"):
        io.write_sweep(sweep, tmp_path / "a.mha")
    assert not list(tmp_path.iterdir())


def test_spine_through_every_format(tmp_path: Path, data_dir: Path, check_same: CheckSame) -> None:
    folder = data_dir / "tracked/plus_spine"
    sweep = io.read_sweep(
        folder / "SpinePhantomFreehand.igs.mha",
        folder / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml",
    )[:3]
    for name in ("a.igs.mha", "a.igs.nhdr", "a.npz", "a.h5", "folder"):
        io.write_sweep(sweep, tmp_path / name)
        check_same(io.read_sweep(tmp_path / name), sweep)
