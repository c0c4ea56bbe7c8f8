"""DICOM Segmentation objects through highdicom (``pip install usfast[dicom]``)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import choice
from usfast.errors import FormatError
from usfast.io.atomic import replacing
from usfast.io.foreign import decoding
from usfast.io.limits import check_memory, check_size
from usfast.labels.files.segments import OVERLAPS, Segment, Segmentation, colour_of, merged
from usfast.volume import Grid, Volume

__all__ = ["read_dicom_seg", "write_dicom_seg"]

_SEG = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # segmentation, label map segmentation
_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
_TISSUE = ("85756007", "SCT", "Tissue")
_NOTE = "usfast label "
_PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")  # transfer syntaxes without compression
_TERMINOLOGY = "TerminologyEntry"


def read_dicom_seg(path: str | Path, *, overlap: str = "refuse") -> Segmentation:
    """Read a DICOM Segmentation whose frames lie on a regular grid.

    Parameters
    ----------
    path : str or Path
    overlap : {"refuse", "first", "last"}
        Where two segments claim one voxel.

    Returns
    -------
    Segmentation
        Labels are segment numbers, or those that usfast wrote; the grid encloses the frames of the file, which
        leaves out empty ones. Fractional segments count from 0.5.

    Raises
    ------
    FormatError
        If the file is no such object, promises more than it holds or memory does, or segments overlap.
    ImportError
        If highdicom is not installed.
    """
    path = Path(path)
    choice("overlap", overlap, OVERLAPS)
    highdicom = _highdicom()
    _check_promises(path)
    with decoding(path, "highdicom"):
        image = highdicom.seg.segread(str(path))
        geometry = image.get_volume_geometry()
    if geometry is None:
        raise FormatError(f"{path}: the frames do not lie on one regular grid")
    shape = tuple(int(n) for n in geometry.spatial_shape)
    check_memory(path, "the segmentation", shape, 4)
    segments = [_segment(image, number) for number in image.segment_numbers]
    labels = [segment.label for segment in segments]
    if len(set(labels)) != len(labels):
        segments = [
            Segment(int(number), s.name, s.colour, s.tags)
            for number, s in zip(image.segment_numbers, segments, strict=True)
        ]
    out = np.zeros(shape, np.uint8 if max(s.label for s in segments) < 256 else np.uint16)

    def masks() -> Iterator[tuple[int, str, NDArray[np.bool_]]]:
        for number, segment in zip(image.segment_numbers, segments, strict=True):
            array = np.asarray(image.get_volume(segment_numbers=[number], rescale_fractional=True).array)
            yield segment.label, segment.name, array.reshape(shape) >= 0.5

    with decoding(path, "highdicom"):
        merged(masks(), out, overlap, str(path))
    return Segmentation(_placed(out, np.asarray(geometry.affine, np.float64)), segments)


def write_dicom_seg(segmentation: Segmentation, path: str | Path, *, source: Any = None) -> None:
    """Write a binary DICOM Segmentation.

    Segments are coded by the ``TerminologyEntry`` of their tags, as 3D Slicer writes it, and as SNOMED "Tissue"
    where they have none. Segment numbers run from 1 in the order of the segments; the label stands in each
    segment's description.

    Parameters
    ----------
    segmentation : Segmentation
        With one segment at least and one labelled voxel.
    path : str or Path
    source : pydicom Dataset, optional
        An image of the recording, for patient, study and frame of reference. Default: none; the object then has a
        study of its own and no patient.

    Raises
    ------
    ValueError
        If nothing is labelled.
    ImportError
        If highdicom is not installed.
    OSError
    """
    highdicom = _highdicom()
    from pydicom.uid import generate_uid

    path = Path(path)
    if not isinstance(segmentation, Segmentation):
        raise TypeError(f"segmentation must be a Segmentation, not {type(segmentation).__name__}")
    volume, segments = segmentation.labels, segmentation.segments
    if not volume.array.any():
        raise ValueError("nothing is labelled: a DICOM Segmentation holds one labelled voxel at least")
    numbers = np.zeros(int(max(s.label for s in segments)) + 1, np.uint8 if len(segments) < 256 else np.uint16)
    numbers[[segment.label for segment in segments]] = np.arange(1, len(segments) + 1)
    stand_in = _stand_in(volume, source)
    placed = highdicom.Volume(
        numbers[volume.array],
        _affine(volume.grid),
        coordinate_system="PATIENT",
        frame_of_reference_uid=stand_in.FrameOfReferenceUID,
    )
    written = highdicom.seg.Segmentation(
        [stand_in],
        placed,
        "BINARY",
        [_description(highdicom, number, segment) for number, segment in enumerate(segments, 1)],
        series_instance_uid=generate_uid(),
        series_number=1,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="usfast",
        manufacturer_model_name="usfast",
        software_versions="usfast",
        device_serial_number="0",
        content_label="LABELS",
    )
    for keyword in ("SourceImageSequence", "ReferencedSeriesSequence"):
        if keyword in written:  # they would point to the stand-in, which is in no archive
            delattr(written, keyword)
    with replacing(path) as draft:
        written.save_as(str(draft))


def _highdicom() -> Any:
    try:
        return import_module("highdicom")
    except ImportError as error:
        raise ImportError("DICOM Segmentations need highdicom: pip install usfast[dicom]") from error


def _check_promises(path: Path) -> None:
    """Refuse a file that is no segmentation, or too short for the frames that it promises."""
    import pydicom

    present = path.stat().st_size
    with decoding(path, "pydicom"):
        head = pydicom.dcmread(path, stop_before_pixels=True)
        kind = str(head.get("SOPClassUID", ""))
        if kind not in _SEG:
            raise FormatError(f"{path}: not a DICOM Segmentation (SOP class {kind or 'missing'})")
        sizes = [int(head.get(key) or 0) for key in ("NumberOfFrames", "Rows", "Columns", "BitsAllocated")]
        syntax = str(head.file_meta.get("TransferSyntaxUID", ""))
    frames, rows, columns, bits = sizes
    if min(sizes) < 1:
        raise FormatError(f"{path}: {frames} frames of {columns} x {rows} pixels of {bits} bits: nothing to read")
    check_size(path, "the pixels", frames * rows * columns * bits // 8, present, compressed=syntax not in _PLAIN)
    check_memory(path, "the frames", (frames, rows, columns), 2)


def _placed(array: NDArray[np.unsignedinteger[Any]], affine: NDArray[np.float64]) -> Volume:
    """Return an array (Z, Y, X) as a volume with right-handed axes; `affine` takes array indices to LPS mm."""
    axes, origin = affine[:3, 2::-1].copy(), affine[:3, 3]
    if np.linalg.det(axes) < 0:  # highdicom may order slices against their normal
        origin = origin + (len(array) - 1) * axes[:, 2]
        axes[:, 2] *= -1
        array = array[::-1]
    spacing = np.linalg.norm(axes, axis=0)
    return Volume(array, spacing, origin, axes / spacing)


def _affine(grid: Grid) -> NDArray[np.float64]:
    matrix = grid.voxel_to_world
    matrix[:3, :3] = matrix[:3, 2::-1]
    return matrix


def _segment(image: Any, number: int) -> Segment:
    """Return what the file says of a segment."""
    item = image.get_segment_description(number)
    note = str(item.get("SegmentDescription", ""))
    text = note.removeprefix(_NOTE)
    own = note.startswith(_NOTE) and text.isascii() and text.isdigit() and 0 < int(text[:9]) < 65536
    label = int(text) if own else int(number)
    tags = {}
    codes = [
        "^".join(str(getattr(part, key)) for key in ("CodingSchemeDesignator", "CodeValue", "CodeMeaning"))
        for part in (item.SegmentedPropertyCategoryCodeSequence[0], item.SegmentedPropertyTypeCodeSequence[0])
    ]
    tags[_TERMINOLOGY] = f"DICOM~{codes[0]}~{codes[1]}~^^~~^^~^^"
    return Segment(label, str(item.get("SegmentLabel", f"label {label}")), _rgb(item) or colour_of(label), tags)


def _description(highdicom: Any, number: int, segment: Segment) -> Any:
    category, kind = _codes(segment.tags.get(_TERMINOLOGY, ""))
    item = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.name[:64],
        segmented_property_category=highdicom.sr.CodedConcept(*category),
        segmented_property_type=highdicom.sr.CodedConcept(*kind),
        algorithm_type="MANUAL",
    )
    item.SegmentDescription = f"{_NOTE}{segment.label}"
    item.RecommendedDisplayCIELabValue = _cielab(segment.colour)
    return item


def _codes(entry: str) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """Return category and type as (value, scheme, meaning) from Slicer's ``context~category~type~...``."""
    found = []
    for part in entry.split("~")[1:3]:
        words = part.split("^")
        usable = len(words) == 3 and all(words) and len(words[1]) <= 16 and len(words[0]) <= 16
        found.append((words[1], words[0], words[2][:64]) if usable else _TISSUE)
    return (found[0], found[1]) if len(found) == 2 else (_TISSUE, _TISSUE)


def _stand_in(volume: Volume, source: Any) -> Any:
    """Return a dataset with what highdicom takes over from a source image: patient, study, frame of reference."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    out = Dataset()
    out.file_meta = FileMetaDataset()
    out.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out.SOPClassUID, out.SOPInstanceUID, out.SeriesInstanceUID = _ULTRASOUND, generate_uid(), generate_uid()
    out.StudyInstanceUID, out.FrameOfReferenceUID = generate_uid(), generate_uid()
    for keyword in (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
        "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator",
    ):  # fmt: skip
        setattr(out, keyword, "")
    if source is not None:
        for keyword in (
            "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
            "AccessionNumber", "ReferringPhysicianName", "StudyInstanceUID", "FrameOfReferenceUID",
        ):  # fmt: skip
            if keyword in source:
                setattr(out, keyword, getattr(source, keyword))
    out.Modality = "US"
    out.Rows, out.Columns, out.SamplesPerPixel = volume.array.shape[1], volume.array.shape[2], 1
    place = {
        "ImagePositionPatient": volume.origin,
        "ImageOrientationPatient": volume.direction[:, :2].T.ravel(),
        "PixelSpacing": volume.spacing[1::-1],
    }
    for keyword, values in place.items():  # decimal strings of 16 characters at the most
        setattr(out, keyword, [float(f"{value:.9g}") for value in values])
    out.SliceThickness = float(f"{volume.spacing[2]:.9g}")
    return out


def _rgb(item: Any) -> tuple[float, float, float] | None:
    value = item.get("RecommendedDisplayCIELabValue")
    if value is None or len(value) != 3:
        return None
    from skimage.color import lab2rgb

    lab = [int(value[0]) / 65535 * 100, int(value[1]) / 257 - 128, int(value[2]) / 257 - 128]
    red, green, blue = np.clip(lab2rgb([[lab]])[0, 0], 0, 1).tolist()
    return (red, green, blue)


def _cielab(colour: tuple[float, float, float]) -> list[int]:
    """Return DICOM's 16 bit L*a*b* of a colour (PS3.3 C.10.7.1.1)."""
    from skimage.color import rgb2lab

    light, a, b = rgb2lab([[colour]])[0, 0]
    scaled = (light / 100 * 65535, (a + 128) * 257, (b + 128) * 257)
    return [int(np.clip(round(float(value)), 0, 65535)) for value in scaled]
