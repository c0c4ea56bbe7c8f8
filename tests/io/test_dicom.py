"""Ultrasound DICOM."""

from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError, io


def write(path: Path, frames: np.ndarray, **changes: object) -> Path:
    """Write frames (N, H, W) as an uncompressed cine loop with some attributes changed."""
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = frames.dtype.itemsize * 8
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits, bits - 1, 0
    data.PixelData = frames.tobytes()
    for name, value in changes.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_cine_loop(tmp_path: Path, dtype: type) -> None:
    frames = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    path = write(tmp_path / "a.dcm", frames, PixelSpacing=[0.2, 0.1], FrameTime="40")
    sweep = io.read_sweep(path)
    np.testing.assert_array_equal(sweep.frames, frames)
    assert sweep.frames.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    assert sweep.timestamps is not None and sweep.timestamps.tolist() == [0, 0.04]
    assert sweep.meta["tracked"] is False
    assert sweep.meta["pixel_spacing_mm"] == [0.1, 0.2]
    np.testing.assert_array_equal(sweep.image_to_world[1], np.diag([0.1, 0.2, 1, 1]))
    assert [len(part) for part in io.iter_sweep(path, chunk=1)] == [1, 1]


def test_frame_time_vector(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", np.zeros((3, 2, 2), np.uint8), FrameTimeVector=["0", "30", "50"])
    stamps = io.read_sweep(path).timestamps
    assert stamps is not None
    np.testing.assert_allclose(stamps, [0, 0.03, 0.08])


def test_inverted_and_signed(tmp_path: Path) -> None:
    frames = np.array([[[0, 1], [254, 255]]], np.uint8)
    path = write(tmp_path / "a.dcm", frames, PhotometricInterpretation="MONOCHROME1")
    assert io.read_sweep(path).frames.ravel().tolist() == [255, 254, 1, 0]
    path = write(tmp_path / "b.dcm", frames, PixelRepresentation=1)
    assert io.read_sweep(path).frames.ravel().tolist() == [0, 1, -2, -1]


def test_no_pixel_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", np.zeros((1, 2, 2), np.uint8))
    sweep = io.read_sweep(path)
    assert sweep.meta["pixel_spacing_mm"] is None and sweep.timestamps is None


def test_a_file_is_known_by_its_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "IM0001", np.zeros((1, 2, 2), np.uint8))
    assert io.describe(path).format == "DICOM"


@pytest.mark.parametrize(
    "changes",
    [
        {"NumberOfFrames": 2_000_000_000},
        {"NumberOfFrames": -1},
        {"Rows": 0},
        {"Rows": 60000, "Columns": 60000},
        {"SamplesPerPixel": 7},
        {"BitsAllocated": 1},
        {"PixelData": bytes(2)},
    ],
)
def test_hostile_headers(tmp_path: Path, changes: dict[str, object]) -> None:
    path = write(tmp_path / "a.dcm", np.zeros((2, 3, 4), np.uint8), **changes)
    with pytest.raises(FormatError, match=r"a\.dcm"):
        io.read_sweep(path)


def test_not_dicom(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"nonsense")
    with pytest.raises(FormatError, match=r"a\.dcm"):
        io.read_sweep(tmp_path / "a.dcm")


def test_a_missing_decoder_is_named(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_decoder(*_: object, **__: object) -> None:
        raise RuntimeError("Unable to decompress: missing dependencies")

    monkeypatch.setattr("pydicom.pixels.iter_pixels", lambda path: iter(no_decoder, 0))
    with pytest.raises(FormatError, match=r"JPEG Baseline.*missing dependencies.*pylibjpeg"):
        io.read_sweep(data_dir / "dicom/examples_ybr_color.dcm")


def test_real_files(data_dir: Path) -> None:
    colour = io.read_sweep(data_dir / "dicom/US1_UNCI.dcm")
    assert colour.frames.shape == (1, 480, 640) and colour.frames.dtype == np.uint8
    palette = io.read_sweep(data_dir / "dicom/examples_palette.dcm")
    assert palette.frames.shape == (1, 350, 800)
    np.testing.assert_allclose(palette.meta["pixel_spacing_mm"], [0.2622878766] * 2)
    cine = io.read_sweep(data_dir / "dicom/examples_ybr_color.dcm")
    assert cine.frames.shape == (30, 240, 320) and cine.frames.dtype == np.uint8
    assert cine.timestamps is not None
    np.testing.assert_allclose(cine.timestamps[1], 0.033333)
    assert 5 < cine.frames.mean() < 50


def test_luminance_equals_that_of_the_decoded_colours(data_dir: Path) -> None:
    import pydicom

    path = data_dir / "dicom/US1_UNCI.dcm"
    colours = pydicom.dcmread(path).pixel_array
    expected = np.rint(colours @ [0.299, 0.587, 0.114])
    np.testing.assert_array_equal(io.read_sweep(path).frames[0], expected)
