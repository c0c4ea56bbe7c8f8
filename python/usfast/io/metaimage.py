"""MetaImage headers (.mha, .mhd) as PLUS writes them: ``Key = Value`` lines, then pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usfast.errors import FormatError
from usfast.io.header import FrameFields, SequenceHeader, beside, header_lines, sort_sizes
from usfast.io.limits import parse_sizes

__all__ = ["ELEMENT_TYPES", "STRUCTURE", "read_metaimage_header"]

ELEMENT_TYPES = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_ULONG": "u4",
    "MET_LONG": "i4",
    "MET_ULONG_LONG": "u8",
    "MET_LONG_LONG": "i8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
STRUCTURE = {
    "ObjectType", "NDims", "DimSize", "Kinds", "ElementType", "ElementNumberOfChannels", "BinaryData",
    "BinaryDataByteOrderMSB", "ElementByteOrderMSB", "CompressedData", "CompressedDataSize",
    "ElementDataFile", "UltrasoundImageOrientation", "UltrasoundImageType", "HeaderSize",
    # What a writer states anew, and what lists the fields of an older layout:
    "AnatomicalOrientation", "CenterOfRotation", "ElementSpacing", "Offset", "TransformMatrix",
    "CustomFieldNames", "CustomFrameFieldNames",
}  # fmt: skip


def read_metaimage_header(path: Path) -> SequenceHeader:
    """Read the header of a MetaImage file; the pixels are not touched.

    Keys may come in any order, with any line end; ``ElementDataFile`` is the last. ``CompressedDataSize`` is
    not needed and not believed.

    Raises
    ------
    FormatError
        If a key is missing or makes no sense; names file and key.
    FileNotFoundError
        If the file, or the one that holds the pixels, does not exist.
    """
    path = Path(path)
    keys: dict[str, str] = {}
    frame_fields = FrameFields(path)
    offset = 0
    with open(path, "rb") as stream:
        for number, line in header_lines(path, stream):
            key, separator, value = (part.strip() for part in line.partition("="))
            if not separator:
                if key:
                    raise FormatError(f"{path}: line {number}: {line[:80]!r} is not Key = Value")
                continue
            if frame_fields.take(key, value, number):
                continue
            keys[key] = value
            if key == "ElementDataFile":
                offset = stream.tell()
                break
        else:
            raise FormatError(f"{path}: the header ends without ElementDataFile; not a MetaImage file?")
    return _interpret(path, keys, frame_fields, offset)


def _interpret(path: Path, keys: dict[str, str], found: FrameFields, offset: int) -> SequenceHeader:
    sizes = parse_sizes(path, "DimSize", _required(path, keys, "DimSize"))
    if keys.get("NDims", str(len(sizes))).strip() != str(len(sizes)):
        raise FormatError(f"{path}: NDims = {keys['NDims'][:20]}, but DimSize has {len(sizes)} numbers")
    kinds = keys["Kinds"].split() if "Kinds" in keys else None
    size, slices, frames, is_volume = sort_sizes(path, sizes, kinds)
    if not _flag(path, keys, "BinaryData", True):
        raise FormatError(f"{path}: BinaryData = False: pixels as text are not supported")
    if keys.get("HeaderSize", "0").strip() != "0":
        raise FormatError(f"{path}: HeaderSize = {keys['HeaderSize'][:20]} is not supported, only 0")
    compressed = _flag(path, keys, "CompressedData", False)
    has_images = 0 not in (*size, frames, slices)
    if not has_images and frames > offset:
        raise FormatError(f"{path}: DimSize promises {frames} frames; the header is too short to describe them")
    local = keys["ElementDataFile"].strip().upper() == "LOCAL"
    channels = parse_sizes(path, "ElementNumberOfChannels", keys.get("ElementNumberOfChannels", "1"))[0]
    header = SequenceHeader(
        path=path,
        format="MetaImage",
        size=size,
        frames=frames,
        slices=slices,
        is_volume=is_volume,
        channels=channels,
        dtype=_dtype(path, keys) if has_images else None,
        encoding="zlib" if compressed else "raw",
        data_path=path if local or not has_images else beside(path, keys["ElementDataFile"]),
        offset=offset if local else 0,
        orientation=keys.get("UltrasoundImageOrientation", ""),
        image_type=keys.get("UltrasoundImageType", ""),
        fields={key: value for key, value in keys.items() if key not in STRUCTURE},
        frame_fields=(),
    )
    header.check_data()  # before anything is allocated for that many frames
    object.__setattr__(header, "frame_fields", found.of(frames))
    return header


def _required(path: Path, keys: dict[str, str], key: str) -> str:
    if key not in keys:
        raise FormatError(f"{path}: the header lacks {key}")
    return keys[key]


def _flag(path: Path, keys: dict[str, str], key: str, default: bool) -> bool:
    text = keys.get(key, str(default)).strip().lower()
    if text not in ("true", "false", "1", "0"):
        raise FormatError(f"{path}: {key} must be True or False, not {text[:20]!r}")
    return text in ("true", "1")


def _dtype(path: Path, keys: dict[str, str]) -> np.dtype[np.generic]:
    name = _required(path, keys, "ElementType").strip().upper()
    if name not in ELEMENT_TYPES:
        raise FormatError(f"{path}: ElementType {name[:40]!r} is not one of {', '.join(ELEMENT_TYPES)}")
    order = "BinaryDataByteOrderMSB" if "BinaryDataByteOrderMSB" in keys else "ElementByteOrderMSB"
    return np.dtype((">" if _flag(path, keys, order, False) else "<") + ELEMENT_TYPES[name])
