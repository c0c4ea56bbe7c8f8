"""Label volumes by the ending of the name, and DICOM Segmentations where highdicom is installed."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from usfast import FormatError, Volume, io
from usfast.labels.files.label_files import read_labels, write_labels
from usfast.labels.files.segments import Segment, Segmentation
from usfast.phantom.trajectories import rigid_motion

TERM = "DICOM~SCT^85756007^Tissue~SCT^71616004^Muscle~^^~~^^~^^"


def leg(dtype=np.uint16):
    array = np.zeros((6, 5, 7), dtype)
    array[1, 2:4, 1:3], array[2, 1:3, 2:5], array[4, 1, 1] = 3, 200, 3
    turn = rigid_motion([0, 0, 0], [10.0, 20.0, 30.0])[:3, :3]
    return Volume(array, (0.5, 0.7, 1.2), (1.0, -2.0, 3.5), turn)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".nrrd", ".seg.nrrd"])
def test_round_trip(tmp_path, suffix):
    path = tmp_path / f"leg{suffix}"
    write_labels(leg(), path, names={3: "soleus"})
    read = read_labels(path, names={3: "soleus", 200: "tibia"} if suffix != ".seg.nrrd" else None)
    np.testing.assert_array_equal(read.labels.array, leg().array)
    assert read.names[3] == "soleus"
    for name in ("spacing", "origin", "direction"):
        np.testing.assert_allclose(getattr(read.labels, name), getattr(leg(), name), atol=1e-5)


def test_whole_numbers_in_floating_point_are_labels(tmp_path):
    io.write_volume(Volume(leg().array.astype(np.float32), 1.0), tmp_path / "a.nii.gz")
    read = read_labels(tmp_path / "a.nii.gz")
    assert read.labels.array.dtype == np.uint8
    np.testing.assert_array_equal(read.labels.array, leg().array)


@pytest.mark.parametrize(("value", "match"), [(0.5, "whole numbers"), (-1.0, "from -1"), (1e30, "must be from 0")])
def test_no_labels(tmp_path, value, match):
    io.write_volume(Volume(np.full((2, 2, 2), value, np.float32), 1.0), tmp_path / "a.mha")
    with pytest.raises(FormatError, match=match):
        read_labels(tmp_path / "a.mha")


def test_bad_names(tmp_path):
    with pytest.raises(FormatError, match="labels are written as"):
        write_labels(leg(), tmp_path / "leg.png")
    (tmp_path / "leg.txt").write_text("labels")
    with pytest.raises(FormatError, match="a volume is one of"):
        read_labels(tmp_path / "leg.txt")
    with pytest.raises(ValueError, match="brings its names"):
        write_labels(Segmentation.of(leg()), tmp_path / "leg.mha", names={1: "x"})
    with pytest.raises(TypeError, match="Volume"):
        write_labels(leg().array, tmp_path / "leg.mha")


def test_real_labels(data_dir, tmp_path):
    path = data_dir / "volumes" / "trus_prostate" / "train_fixed_labels_case000000.nii.gz"
    with pytest.raises(FormatError, match="4 axes"):  # three maps in one file
        read_labels(path)
    gland = Volume.from_sitk(sitk.ReadImage(str(path))[..., 0])
    io.write_volume(gland, tmp_path / "gland.nii.gz")
    read = read_labels(tmp_path / "gland.nii.gz", names={1: "prostate"})
    write_labels(read, tmp_path / "gland.seg.nrrd")
    again = read_labels(tmp_path / "gland.seg.nrrd")
    np.testing.assert_array_equal(again.labels.array, gland.array)
    assert again.names == {1: "prostate"}


def test_without_highdicom(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "highdicom", None)
    with pytest.raises(ImportError, match=r"usfast\[dicom\]"):
        write_labels(leg(), tmp_path / "leg.dcm")


@pytest.fixture
def dicom(tmp_path):
    pytest.importorskip("highdicom")
    from usfast.labels.files.dicom_seg import write_dicom_seg

    segments = [Segment(3, "soleus", (0.5, 0.2, 0.9), {"TerminologyEntry": TERM}), Segment(200, "tibia", (0, 1, 0))]
    path = tmp_path / "leg.dcm"
    write_dicom_seg(Segmentation(leg(), segments), path)
    return path


def test_dicom_round_trip(dicom):
    read = read_labels(dicom)
    assert read.names == {3: "soleus", 200: "tibia"}
    assert read.segments[0].tags["TerminologyEntry"] == TERM
    np.testing.assert_allclose(read.segments[0].colour, (0.5, 0.2, 0.9), atol=0.01)
    # Empty slices are not stored: those that are lie where they were.
    first = leg().grid.world_to_voxel @ [*read.labels.origin, 1.0]
    np.testing.assert_allclose(first[:3], [0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(read.labels.direction, leg().direction, atol=1e-6)
    np.testing.assert_array_equal(read.labels.array, leg().array[1:5])


def test_dicom_takes_patient_and_frame_of_reference_from_the_recording(dicom, tmp_path):
    import pydicom

    from usfast.labels.files.dicom_seg import write_dicom_seg

    source = pydicom.dcmread(dicom)
    source.PatientName = "Some^One"
    write_dicom_seg(Segmentation.of(leg()), tmp_path / "b.dcm", source=source)
    written = pydicom.dcmread(tmp_path / "b.dcm")
    assert written.PatientName == "Some^One"
    assert written.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert written.StudyInstanceUID == source.StudyInstanceUID
    assert "SourceImageSequence" not in written


def test_hostile_dicom(dicom, tmp_path):
    import pydicom

    from usfast.labels.files.dicom_seg import read_dicom_seg, write_dicom_seg

    content = dicom.read_bytes()
    for cut in (0, 100, 400, len(content) // 2):
        (tmp_path / "cut.dcm").write_bytes(content[:cut])
        with pytest.raises(FormatError):
            read_dicom_seg(tmp_path / "cut.dcm")
    for change, match in (({"NumberOfFrames": 10**6, "Rows": 60000}, "truncated"), ({"Rows": 0}, "nothing to read")):
        image = pydicom.dcmread(dicom)
        for key, value in change.items():
            setattr(image, key, value)
        image.save_as(tmp_path / "hostile.dcm")
        with pytest.raises(FormatError, match=match):
            read_dicom_seg(tmp_path / "hostile.dcm")
    image = pydicom.dcmread(dicom)
    image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    image.save_as(tmp_path / "us.dcm")
    with pytest.raises(FormatError, match="not a DICOM Segmentation"):
        read_dicom_seg(tmp_path / "us.dcm")
    with pytest.raises(ValueError, match="nothing is labelled"):
        write_dicom_seg(Segmentation.of(Volume(np.zeros((2, 2, 2), np.uint8), 1.0), {1: "a"}), tmp_path / "no.dcm")
