"""The face: formats by path, parts, progress, what cannot be written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from usfast import FormatError, Sweep, io

MakeSweep = Callable[..., Sweep]


@pytest.mark.parametrize("name", ["a.igs.mha", "a.npz", "a.h5", "folder"])
def test_progress_and_parts(tmp_path: Path, make_sweep: MakeSweep, name: str) -> None:
    io.write_sweep(make_sweep(5), tmp_path / name)
    calls: list[tuple[int, int]] = []
    io.read_sweep(tmp_path / name, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (5, 5)
    calls.clear()
    parts = io.iter_sweep(tmp_path / name, chunk=2, progress=lambda done, total: calls.append((done, total)))
    assert [(len(part), part.meta["first_frame"]) for part in parts] == [(2, 0), (2, 2), (1, 4)]
    assert calls == [(2, 5), (4, 5), (5, 5)]


def test_wrong_arguments(tmp_path: Path, make_sweep: MakeSweep) -> None:
    with pytest.raises(ValueError, match="chunk"):
        io.iter_sweep(tmp_path, chunk=0)
    with pytest.raises(FormatError, match="sweeps are written as"):
        io.write_sweep(make_sweep(), tmp_path / "a.png")
    with pytest.raises(FormatError, match="sweeps are written as"):
        io.write_sweep(make_sweep(), tmp_path / "a.dcm")
    with pytest.raises(FileNotFoundError, match=r"gone\.mha"):
        io.read_sweep(tmp_path / "gone.mha")
    (tmp_path / "a.xyz").write_text("hello")
    with pytest.raises(FormatError, match="not a known kind"):
        io.read_sweep(tmp_path / "a.xyz")


def test_configuration_may_be_read_before(data_dir: Path) -> None:
    folder = data_dir / "tracked/plus_nwire"
    path = folder / "PlusDeviceSet_NwirePhantomFreehand_vtkVolumeReconstructorTest2.xml"
    first = next(io.iter_sweep(folder / "NwirePhantomFreehand.igs.mha", io.read_config(path), chunk=3))
    same = next(io.iter_sweep(folder / "NwirePhantomFreehand.igs.mha", path, chunk=3))
    assert (first.image_to_world == same.image_to_world).all()
    assert len(first) == 3 and first.valid.all()


def test_other_frames_can_be_asked_for(data_dir: Path) -> None:
    folder = data_dir / "tracked/plus_nwire"
    config = io.read_config(folder / "PlusDeviceSet_NwirePhantomFreehand_vtkVolumeReconstructorTest2.xml")
    sweep = io.read_sweep(folder / "NwirePhantomFreehandCropped.igs.mha", config, image_frame="CroppedImage")
    assert sweep.meta["image_to_world"] == "CroppedImageToReference"
    assert sweep.valid.all()


def test_a_short_sweep_on_a_long_one(tmp_path: Path, make_sweep: MakeSweep) -> None:
    path = tmp_path / "a.igs.mhd"
    io.write_sweep(make_sweep(9), path, compress=False)
    io.write_sweep(make_sweep(2), path, compress=False)
    assert len(io.read_sweep(path)) == 2
