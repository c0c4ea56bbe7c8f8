"""Pixels of PLUS sequences: encodings, element types, orientations, damaged data."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError, io

WriteMha = Callable[..., Path]
PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("compressed", [False, True])
def test_raw_and_compressed(write_mha: WriteMha, compressed: bool, newline: str) -> None:
    data = PIXELS.tobytes()
    sweep = io.read_sweep(
        write_mha(zlib.compress(data) if compressed else data, compressed=compressed, newline=newline)
    )
    np.testing.assert_array_equal(sweep.frames, PIXELS)
    assert sweep.frames.dtype == np.uint8
    assert sweep.image_to_world[1, 2, 3] == 1
    assert sweep.timestamps is not None and sweep.timestamps.tolist() == [0.5, 1.5]
    assert sweep.valid.all()
    assert sweep.meta["image_to_world"] == "ImageToReference"


TYPES = {
    "CHAR": "i1",
    "USHORT": "u2",
    "SHORT": "i2",
    "UINT": "u4",
    "INT": "i4",
    "FLOAT": "f4",
    "DOUBLE": "f8",
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_element_types(write_mha: WriteMha, kind: str, order: str) -> None:
    values = (PIXELS.astype("f8") - 5).astype(order + TYPES[kind])
    path = write_mha(values.tobytes(), kind=f"MET_{kind}")
    text = path.read_bytes().replace(b"OrderMSB = False", b"OrderMSB = " + str(order == ">").encode())
    path.write_bytes(text)
    sweep = io.read_sweep(path)
    assert sweep.frames.dtype == np.float32
    np.testing.assert_array_equal(sweep.frames, values.astype("f4"))
    frames = io.read_frames(path)
    assert frames.dtype == np.dtype(TYPES[kind])
    np.testing.assert_array_equal(frames, values)


@pytest.mark.parametrize("code", ["MF", "MFA", "UF", "UFA", "MN", "MNA", "UN", "UNA"])
def test_orientations(write_mha: WriteMha, code: str) -> None:
    stored = PIXELS[:, :: -1 if code[1] == "N" else 1, :: -1 if code[0] == "U" else 1]
    path = write_mha(stored.tobytes(), orientation=code)
    np.testing.assert_array_equal(io.read_sweep(path).frames, PIXELS)
    np.testing.assert_array_equal(io.read_frames(path, oriented=False), stored)


def test_lines_in_a_bmode_file_are_refused(write_mha: WriteMha) -> None:
    path = write_mha(orientation="FMA")
    with pytest.raises(FormatError, match=r"test.igs.mha.*FMA.*scan-convert"):
        io.read_sweep(path)
    assert io.read_frames(path, oriented=False).shape == (2, 3, 4)


def test_colour_becomes_luminance(write_mha: WriteMha) -> None:
    colours = np.zeros((2, 3, 4, 3), np.uint8)
    colours[0, 0, 0] = (255, 0, 0)
    colours[0, 0, 1] = (10, 10, 10)
    path = write_mha(colours.tobytes())
    path.write_bytes(path.read_bytes().replace(b"Kinds", b"ElementNumberOfChannels = 3\nKinds"))
    assert io.read_sweep(path).frames[0, 0, :3].tolist() == [76, 10, 0]


def test_image_status_makes_a_frame_invalid(write_mha: WriteMha) -> None:
    path = write_mha()
    path.write_bytes(path.read_bytes().replace(b"ElementData", b"Seq_Frame0001_ImageStatus = INVALID\nElementData"))
    sweep = io.read_sweep(path)
    assert sweep.valid.tolist() == [True, False]
    assert "no image" in sweep.meta["warnings"][0]


def test_no_valid_frame_is_still_a_sweep(write_mha: WriteMha) -> None:
    path = write_mha()
    path.write_bytes(path.read_bytes().replace(b"Status = OK", b"Status = OUT_OF_VIEW"))
    sweep = io.read_sweep(path)
    assert not sweep.valid.any()
    assert sweep.meta["warnings"] == ["2 of 2 frames have no usable ImageToReference"]


def test_spacing_and_offset_are_not_geometry(write_mha: WriteMha) -> None:
    path = write_mha()
    path.write_bytes(path.read_bytes().replace(b"Kinds", b"ElementSpacing = 9 9 9\nOffset = 7 7 7\nKinds"))
    np.testing.assert_array_equal(np.diag(io.read_sweep(path).image_to_world[0]), [0.1, 0.1, 0.1, 1])


@pytest.mark.parametrize("size", [b"", b"    ", b"7", b"99999999999", b"-3", b"x"])
def test_compressed_size_is_not_believed(write_mha: WriteMha, size: bytes) -> None:
    path = write_mha(zlib.compress(PIXELS.tobytes()), compressed=True)
    path.write_bytes(path.read_bytes().replace(b"DimSize", b"CompressedDataSize = " + size + b"\nDimSize"))
    np.testing.assert_array_equal(io.read_sweep(path).frames, PIXELS)


@pytest.mark.parametrize(
    ("data", "compressed", "match"),
    [
        (bytes(23), False, "should be 24 bytes, but only 23"),
        (b"", False, "only 0"),
        (zlib.compress(bytes(23)), True, "end after 23 of 24 bytes"),
        (zlib.compress(PIXELS.tobytes())[:-12], True, r"end after \d+ of 24 bytes"),
        (b"", True, "end after 0 of 24 bytes"),
        (b"no zlib stream at all, surely", True, "damaged"),
    ],
)
def test_truncated_pixels(write_mha: WriteMha, data: bytes, compressed: bool, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        io.read_sweep(write_mha(data, compressed=compressed))


HOSTILE_SIZES = [
    "1099511627776 1 2", "4 3 1099511627776", "65536 65536 65536", "-4 3 2", "4 -3 -2", "nan 3 2", "4 3",
    "4 3 2 9", "4.0 3 2", "0x4 3 2", "", "four three two", "9" * 400 + " 3 2", "0 0 99999999", "4 3 0",
]  # fmt: skip


@pytest.mark.parametrize("size", HOSTILE_SIZES, ids=[size[:20] for size in HOSTILE_SIZES])
@pytest.mark.parametrize("compressed", [False, True])
def test_hostile_sizes(write_mha: WriteMha, size: str, compressed: bool) -> None:
    data = zlib.compress(PIXELS.tobytes()) if compressed else PIXELS.tobytes()
    with pytest.raises(FormatError, match=r"test\.igs\.mha"):
        io.read_sweep(write_mha(data, size=size, compressed=compressed, fields=""))


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"MET_UCHAR", b"MET_COMPLEX", "ElementType"),
        (b"BinaryData = True", b"BinaryData = False", "text"),
        (b"CompressedData = False", b"CompressedData = perhaps", "CompressedData"),
        (b"DimSize", b"DimSizes", "lacks DimSize"),
        (b"NDims = 3", b"NDims = 2", "NDims"),
        (b"domain domain list", b"domain domain", "kinds"),
        (b"domain domain list", b"list domain domain", "neither"),
        (b"MFA", b"QQA", "orientation"),
        (b"LOCAL", b"/etc/passwd", "folder of the header"),
        (b"LOCAL", b"../../secret.raw", "folder of the header"),
        (b"LOCAL", b"..\\secret.raw", "folder of the header"),
        (b"LOCAL", b"LIST", "several files"),
        (b"LOCAL", b"slice%03d.raw 1 2 1", "several files"),
        (b"LOCAL", b"a\0b", "zero byte"),
        (b"ElementDataFile", b"ElementDataFiles", "ElementDataFile|Key"),
        (b"Kinds", b"ElementNumberOfChannels = 2\nKinds", "bytes|values"),
    ],
)
def test_hostile_headers(write_mha: WriteMha, old: bytes, new: bytes, match: str) -> None:
    path = write_mha()
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(FormatError, match=match) as caught:
        io.read_sweep(path)
    assert str(path.parent) in str(caught.value)


def test_a_volume_is_no_sweep(write_mha: WriteMha) -> None:
    path = write_mha(fields="")
    path.write_bytes(path.read_bytes().replace(b"domain domain list", b"domain domain domain"))
    with pytest.raises(FormatError, match="read_volume"):
        io.read_sweep(path)


def test_empty_file_and_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    path.write_bytes(b"")
    with pytest.raises(FormatError, match="empty"):
        io.read_sweep(path)
    path.write_bytes(b"x" * (2 << 20))
    with pytest.raises(FormatError, match="line 1"):
        io.read_sweep(path)


def test_missing_files_are_named(tmp_path: Path, write_mha: WriteMha) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.mha"):
        io.read_sweep(tmp_path / "nothing.mha")
    path = write_mha()
    path.write_bytes(path.read_bytes().replace(b"LOCAL", b"pixels.raw"))
    with pytest.raises(FileNotFoundError, match=r"pixels\.raw"):
        io.read_sweep(path)


def test_memory_is_checked_before_it_is_taken(write_mha: WriteMha, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_mha(zlib.compress(bytes(400 * 300 * 2)), size="400 300 2", compressed=True)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("M", (), {"available": 100_000})())
    with pytest.raises(FormatError, match="memory"):
        io.read_sweep(path)


def test_a_stream_beyond_4_gib_needs_no_memory(write_mha: WriteMha) -> None:
    # 4.4 GiB of zeros, deflated once and repeated: the 32-bit sizes of IGSIO would overflow.
    deflate = zlib.compressobj(1)
    count = 4500
    first = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    data = first + again * (count - 1)
    fields = "".join(
        f"Seq_Frame{index:04d}_ImageToReferenceTransform = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n"
        f"Seq_Frame{index:04d}_ImageToReferenceTransformStatus = OK\n"
        for index in range(count)
    )
    path = write_mha(data, size=f"1024 1024 {count}", compressed=True, fields=fields)
    description = io.describe(path)
    assert (description.frames, description.valid) == (count, count)
    parts = io.iter_sweep(path, chunk=4)
    assert next(parts).frames.shape == (4, 1024, 1024)
    assert next(parts).meta["first_frame"] == 4


def test_spine_pixels_equal_those_of_simpleitk(data_dir: Path) -> None:
    import SimpleITK as sitk

    path = data_dir / "tracked/plus_spine/SpinePhantomFreehand.igs.mha"
    np.testing.assert_array_equal(io.read_frames(path), sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def test_rf_lines(data_dir: Path) -> None:
    path = data_dir / "rf/plus_scanconv/UltrasonixLinearRfData.igs.mha"
    if not path.exists():
        pytest.skip("no RF data")
    lines = io.read_frames(path)
    assert lines.shape == (1, 256, 2080) and lines.dtype == np.int16
    np.testing.assert_array_equal(lines, io.read_frames(path, oriented=False)[:, :, ::-1])


def test_liver_sweep(data_dir: Path) -> None:
    sweep = io.read_sweep(data_dir / "tracked/imfusion_liver/liver_sweep_f000-079.igs.mha")
    assert sweep.frames.shape == (80, 593, 739)
    np.testing.assert_allclose(sweep.pixel_spacing, 0.3148, atol=1e-3)
    assert sweep.valid.all()
