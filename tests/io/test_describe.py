"""`describe` tells what a file holds without decoding pixels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError, Sweep, Volume, io

MakeSweep = Callable[..., Sweep]


@pytest.mark.parametrize("name", ["a.igs.mha", "a.igs.nrrd", "a.h5", "a.npz", "folder"])
def test_sweeps(tmp_path: Path, make_sweep: MakeSweep, name: str) -> None:
    sweep = make_sweep()
    io.write_sweep(sweep, tmp_path / name)
    found = io.describe(tmp_path / name)
    assert found.kind == "sweep"
    assert (found.frames, found.size, found.dtype, found.valid) == (5, (6, 7), "uint8", 4)
    assert sweep.timestamps is not None
    assert found.time == (sweep.timestamps[0], sweep.timestamps[-1])
    assert found.problem is None and found.image_to_world is not None


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii.gz"])
def test_volumes(tmp_path: Path, suffix: str) -> None:
    io.write_volume(Volume(np.zeros((2, 3, 4), np.float32), (0.5, 1, 2), (7, 8, 9)), tmp_path / f"v{suffix}")
    found = io.describe(tmp_path / f"v{suffix}")
    assert (found.kind, found.size, found.spacing, found.origin) == (
        "volume",
        (4, 3, 2),
        (0.5, 1, 2),
        (7, 8, 9),
    )


def test_damaged_pixels_do_not_matter(tmp_path: Path, make_sweep: MakeSweep) -> None:
    path = tmp_path / "a.igs.mha"
    io.write_sweep(make_sweep(), path)
    content = bytearray(path.read_bytes())
    content[-100:] = bytes(100)
    path.write_bytes(content)
    assert io.describe(path).frames == 5
    with pytest.raises(FormatError):
        io.read_sweep(path)


def test_poses_without_images(data_dir: Path) -> None:
    found = io.describe(data_dir / "tracked/plus_temporal/WaterTankBottomTranslationTrackerBuffer-trimmed.igs.mha")
    assert (found.kind, found.frames, found.size, found.dtype) == ("poses", 801, (), None)
    assert found.transforms["StylusToTracker"] == {"OK": 801}
    assert found.problem is not None and "Known frames: Probe, Reference, Stylus, Tracker" in found.problem
    assert found.frame_rate is not None and 10 < found.frame_rate < 1000


def test_calibration_solves_the_problem(data_dir: Path) -> None:
    folder = data_dir / "tracked/plus_spine"
    path = folder / "SpinePhantomFreehand.igs.mha"
    assert io.describe(path).image_to_world is None
    found = io.describe(path, folder / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml")
    assert (found.image_to_world, found.valid, found.problem) == ("ImageToReference", 21, None)
    assert (found.orientation, found.size) == ("MFA", (820, 616))


def test_every_real_file(data_dir: Path) -> None:
    for path in sorted([*data_dir.rglob("*.mha"), *data_dir.rglob("*.nii.gz"), *data_dir.rglob("*.dcm")]):
        assert io.describe(path).path == str(path)


def test_unknown_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(FormatError, match=r"a\.txt.*not a known kind"):
        io.describe(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError, match="gone"):
        io.describe(tmp_path / "gone.nii")
