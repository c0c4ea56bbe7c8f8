"""NRRD headers (.nrrd, .nhdr) as PLUS and 3D Slicer write them for sequences."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from usfast.errors import FormatError
from usfast.io.header import FrameFields, SequenceHeader, beside, header_lines, sort_sizes
from usfast.io.limits import parse_sizes

__all__ = ["read_nrrd_header"]

_TYPES = {
    "u1": "uchar|unsigned char|uint8|uint8_t",
    "i1": "signed char|int8|int8_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u4": "uint|unsigned int|uint32|uint32_t",
    "i4": "int|signed int|int32|int32_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "i8": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "f4": "float",
    "f8": "double",
}
_DTYPES = {name: code for code, names in _TYPES.items() for name in names.split("|")}
_ESCAPE = re.compile(r"\\([n\\])")
_CHANNELS = ("vector", "rgb-color", "list-of-channels")
_STRUCTURE = {
    "type", "dimension", "sizes", "kinds", "encoding", "endian", "data file", "datafile", "byte skip",
    "byteskip", "line skip", "lineskip", "ultrasound image orientation", "ultrasound image type",
    "space", "space dimension", "space directions", "space origin", "spacings", "content",
    "centers", "centerings", "units", "space units", "labels", "thicknesses", "axis mins", "axis maxs",
    "measurement frame",
}  # fmt: skip


def read_nrrd_header(path: Path) -> SequenceHeader:
    """Read the header of an NRRD file, attached or detached; the pixels are not touched.

    Raises
    ------
    FormatError
        If a field is missing or makes no sense; names file and field.
    FileNotFoundError
        If the file, or the one that holds the pixels, does not exist.
    """
    path = Path(path)
    keys: dict[str, str] = {}
    fields: dict[str, str] = {}
    frame_fields = FrameFields(path)
    with open(path, "rb") as stream:
        lines = header_lines(path, stream)
        if not next(lines, (0, ""))[1].startswith("NRRD"):
            raise FormatError(f"{path}: line 1 is not NRRD000x; not an NRRD file")
        for number, line in lines:
            if not line:
                break
            if line.startswith("#"):
                continue
            key, separator, value = line.partition(":")
            if not separator:
                raise FormatError(f"{path}: line {number}: {line[:80]!r} is not key: value")
            if not value.startswith("="):
                keys[key.strip().lower()] = value.strip()
                continue
            key = key.strip()
            value = _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else "\\", value[1:]).strip()
            if key.lower() in _STRUCTURE:
                keys[key.lower()] = value
            elif not frame_fields.take(key, value, number):
                fields[key] = value
        offset = stream.tell()
    return _interpret(path, keys, fields, frame_fields, offset)


def _interpret(
    path: Path, keys: dict[str, str], fields: dict[str, str], found: FrameFields, offset: int
) -> SequenceHeader:
    sizes, channels, kinds = _axes(path, keys)
    size, slices, frames, is_volume = sort_sizes(path, sizes, kinds)
    encoding = keys.get("encoding", "raw").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise FormatError(f"{path}: encoding {encoding[:20]!r} is not supported, only raw and gzip")
    if keys.get("line skip", keys.get("lineskip", "0")) != "0":
        raise FormatError(f"{path}: 'line skip' is not supported")
    skip = parse_sizes(path, "byte skip", keys.get("byte skip", keys.get("byteskip", "0")))[0]
    if skip and encoding != "raw":
        raise FormatError(f"{path}: 'byte skip' is not supported with encoding {encoding}")
    has_images = 0 not in (*size, frames, slices)
    if not has_images and frames > offset:
        raise FormatError(f"{path}: sizes promises {frames} frames; the header is too short to describe them")
    detached = keys.get("data file", keys.get("datafile"))
    header = SequenceHeader(
        path=path,
        format="NRRD",
        size=size,
        frames=frames,
        slices=slices,
        is_volume=is_volume,
        channels=channels,
        dtype=_dtype(path, keys) if has_images else None,
        encoding="raw" if encoding == "raw" else "gzip",
        data_path=path if detached is None or not has_images else beside(path, detached),
        offset=skip + (offset if detached is None else 0),
        orientation=keys.get("ultrasound image orientation", ""),
        image_type=keys.get("ultrasound image type", ""),
        fields=fields,
        frame_fields=(),
    )
    header.check_data()  # before anything is allocated for that many frames
    object.__setattr__(header, "frame_fields", found.of(frames))
    return header


def _axes(path: Path, keys: dict[str, str]) -> tuple[tuple[int, ...], int, list[str] | None]:
    """Return the sizes of the axes without that of the colours, its size, and the kinds."""
    if "sizes" not in keys:
        raise FormatError(f"{path}: the header lacks sizes")
    sizes = parse_sizes(path, "sizes", keys["sizes"])
    if keys.get("dimension", str(len(sizes))) != str(len(sizes)):
        raise FormatError(f"{path}: dimension {keys['dimension'][:20]}, but {len(sizes)} sizes")
    kinds = keys["kinds"].lower().split() if "kinds" in keys else None
    if kinds is None or "space" in kinds:
        return sizes, 1, ["domain" if kind == "space" else kind for kind in kinds] if kinds else None
    if len(kinds) == len(sizes) and kinds[0] in _CHANNELS:
        return sizes[1:], sizes[0], kinds[1:]
    return sizes, 1, kinds


def _dtype(path: Path, keys: dict[str, str]) -> np.dtype[np.generic]:
    name = keys.get("type", "").lower()
    if name not in _DTYPES:
        raise FormatError(f"{path}: type {name[:40]!r} is not one of {', '.join(_DTYPES)}")
    code = _DTYPES[name]
    endian = keys.get("endian", "little" if code[1] == "1" else "").lower()
    if endian not in ("little", "big"):
        raise FormatError(f"{path}: endian must be little or big, not {endian[:20]!r}")
    return np.dtype((">" if endian == "big" else "<") + code)
