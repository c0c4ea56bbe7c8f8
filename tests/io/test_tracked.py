"""Named transforms of PLUS sequences and the chain from the image to the reference."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError, GeometryError
from usfast.io import PlusConfig, read_config, read_transforms

UNIT = "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"
WriteMha = Callable[..., Path]


def shift(z: float) -> str:
    return f"1 0 0 0 0 1 0 0 0 0 1 {z} 0 0 0 1"


def calibration(scale: float = 0.1) -> PlusConfig:
    return PlusConfig(Path("config.xml"), {("Image", "Probe"): np.diag([scale, scale, scale, 1.0])})


def test_statuses_and_missing_fields(write_mha: WriteMha) -> None:
    fields = f"""Seq_Frame00_ProbeToTrackerTransform = {UNIT}
Seq_Frame00_ProbeToTrackerTransformStatus = OK
Seq_Frame1_ProbeToTrackerTransformStatus = ok
Seq_Frame1_ProbeToTrackerTransform = 1 -8.43482e-005 0 0 0 1 0 0 0 0 1 2 0 0 0 1
Seq_Frame002_ProbeToTrackerTransform = {shift(3)}
Seq_Frame0003_ProbeToTrackerTransform = {shift(4)}
Seq_Frame0003_ProbeToTrackerTransformStatus = OUT_OF_VIEW
Seq_Frame0003_FrameNumber = 17
Seq_Frame0003_Timestamp = 2.5
Recorder = a b = c
"""
    tracked = read_transforms(write_mha(bytes(60), size="4 3 5", fields=fields))
    assert tracked.statuses["ProbeToTracker"] == ["OK", "OK", "UNKNOWN", "OUT_OF_VIEW", "MISSING"]
    assert tracked.status_counts()["ProbeToTracker"]["OK"] == 2
    assert tracked.transforms["ProbeToTracker"][1, 0, 1] == -8.43482e-5
    assert np.isnan(tracked.transforms["ProbeToTracker"][4]).all()
    assert tracked.fields == {"FrameNumber": [None, None, None, "17", None]}
    assert tracked.header == {"Recorder": "a b = c"}
    assert tracked.timestamps is not None and tracked.timestamps[3] == 2.5
    assert np.isnan(tracked.timestamps[:3]).all()
    chain = tracked.chain(calibration())
    assert chain.name == "ImageToTracker"
    assert chain.ok.tolist() == [True, True, False, False, False]
    np.testing.assert_array_equal(chain.matrices[1, :3, 3], [0, 0, 2])


def test_singular_and_non_finite_transforms_are_not_ok(write_mha: WriteMha) -> None:
    values = [UNIT, "nan " + UNIT[2:], "0 " + UNIT[2:], "1e400 " + UNIT[2:], shift(2)]
    fields = "".join(
        f"Seq_Frame{i:04d}_ImageToWorldTransform = {value}\nSeq_Frame{i:04d}_ImageToWorldTransformStatus = OK\n"
        for i, value in enumerate(values)
    )
    chain = read_transforms(write_mha(bytes(60), size="4 3 5", fields=fields)).chain()
    assert chain.ok.tolist() == [True, False, False, False, True]


def fields_of(**transforms: str) -> str:
    return "".join(
        f"Seq_Frame0000_{name}Transform = {value}\nSeq_Frame0000_{name}TransformStatus = OK\n"
        for name, value in transforms.items()
    )


def test_file_overrides_configuration(write_mha: WriteMha) -> None:
    fields = fields_of(ImageToProbe=shift(5), ProbeToReference=UNIT)
    chain = read_transforms(write_mha(bytes(12), size="4 3 1", fields=fields)).chain(calibration())
    np.testing.assert_array_equal(chain.matrices[0, :3, 3], [0, 0, 5])
    inverse = fields_of(ProbeToImage=shift(5), ProbeToReference=UNIT)
    chain = read_transforms(write_mha(bytes(12), size="4 3 1", fields=inverse)).chain(calibration())
    np.testing.assert_array_equal(chain.matrices[0, :3, 3], [0, 0, -5])


def test_reference_by_default_and_by_name(write_mha: WriteMha) -> None:
    fields = fields_of(ImageToTracker=shift(1), ReferenceToTracker=shift(3), TrackerToWorld=shift(10))
    tracked = read_transforms(write_mha(bytes(12), size="4 3 1", fields=fields))
    assert tracked.chain().name == "ImageToReference"
    assert tracked.chain().matrices[0, 2, 3] == -2
    assert tracked.chain(reference_frame="World").matrices[0, 2, 3] == 11
    assert tracked.chain(image_frame="Reference", reference_frame="Tracker").name == "ReferenceToTracker"
    with pytest.raises(GeometryError, match=r"'Phantom'.*Known frames: Image, Reference, Tracker, World"):
        tracked.chain(reference_frame="Phantom")
    with pytest.raises(GeometryError, match="'Probe' to 'Reference' or 'Tracker' or 'World'"):
        tracked.chain(image_frame="Probe")


def test_two_ways_between_frames_are_refused(write_mha: WriteMha) -> None:
    fields = fields_of(ImageToReference=UNIT, ProbeToReference=UNIT)
    tracked = read_transforms(write_mha(bytes(12), size="4 3 1", fields=fields))
    with pytest.raises(GeometryError, match=r"ImageToProbe.*configuration"):
        tracked.chain(calibration())


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        (
            "Seq_Frame0000_ProbeToTrackerTransform = 1 2 3\n",
            "Seq_Frame0000_ProbeToTrackerTransform must be 16",
        ),
        ("Seq_Frame0000_ProbeToTrackerTransform = 5\n", "must be 16 numbers"),
        ("Seq_Frame0000_ProbeToTrackerTransform = " + "x " * 16 + "\n", "must be 16 numbers"),
        (f"Seq_Frame0000_ProbeTransform = {UNIT}\n", "ProbeTransform"),
        ("Seq_Frame0000_Timestamp = soon\n", "Seq_Frame0000_Timestamp must be a number"),
        ("Seq_Frame0007_Timestamp = 1\n", "Seq_Frame0007 has fields.*2 frames"),
        ("Seq_Frame99999999999_Timestamp = 1\n", "line 11"),
        ("Seq_Frame-1_Timestamp = 1\n", "line 11"),
        ("no separator\n", "line 11: 'no separator' is not Key = Value"),
    ],
)
def test_wrong_fields_are_named(write_mha: WriteMha, fields: str, match: str) -> None:
    with pytest.raises(FormatError, match=match) as caught:
        read_transforms(write_mha(fields=fields))
    assert "test.igs.mha" in str(caught.value)


def test_poses_without_images(data_dir: Path) -> None:
    path = data_dir / "tracked/plus_temporal/WaterTankBottomTranslationTrackerBuffer-trimmed.igs.mha"
    tracked = read_transforms(path)
    assert tracked.frames == 801
    assert tracked.status_counts()["ProbeToTracker"] == {"OK": 801}
    assert tracked.image_status[0] == "INVALID"
    assert tracked.timestamps is not None and tracked.timestamps[0] == 7415.679586


def test_spine_chain_is_the_product_of_its_transforms(data_dir: Path) -> None:
    folder = data_dir / "tracked/plus_spine"
    config = read_config(folder / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml")
    tracked = read_transforms(folder / "SpinePhantomFreehand.igs.mha")
    chain = tracked.chain(config)
    assert chain.ok.all() and len(chain.ok) == 21
    expected = (
        np.linalg.inv(tracked.transforms["ReferenceToTracker"])
        @ tracked.transforms["ProbeToTracker"]
        @ config.transforms["Image", "Probe"]
    )
    np.testing.assert_allclose(chain.matrices, expected, rtol=0, atol=1e-10)


def test_status_invalid_off_the_chain_does_not_matter(data_dir: Path) -> None:
    folder = data_dir / "tracked/plus_nwire"
    config = read_config(folder / "PlusDeviceSet_NwirePhantomFreehand_vtkVolumeReconstructorTest2.xml")
    tracked = read_transforms(folder / "NwirePhantomFreehand.igs.mha")
    assert tracked.status_counts()["StylusToTracker"] == {"INVALID": 97}
    assert tracked.chain(config).ok.all()


def test_every_real_sequence_has_a_header(data_dir: Path) -> None:
    files = sorted((data_dir / "tracked").rglob("*.igs.mha"))
    assert len(files) > 8
    for path in files:
        assert read_transforms(path).frames > 0
