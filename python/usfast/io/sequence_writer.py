"""Write sweeps as PLUS sequences: what PLUS, 3D Slicer and this package read."""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing
from usfast.io.metaimage import STRUCTURE
from usfast.io.recording import FRAME_FIELDS
from usfast.sweep import Sweep

__all__ = ["write_sequence"]

_BLOCK = 16 << 20
_NAME = re.compile(r"[\w.\-]+", re.ASCII)


def write_sequence(sweep: Sweep, path: Path, *, compress: bool = True) -> None:
    """Write `sweep` as .mha, .mhd (pixels beside it), .nrrd or .nhdr (pixels beside it).

    The pose becomes the transform that ``meta["image_to_world"]`` names (default ImageToReference), with
    status INVALID where a frame is not valid; the images are MFA. Fields that came with a sequence
    (``meta["header"]``, ``meta["frame_fields"]``) are written back. Mask and labels have no place in these
    formats.

    Raises
    ------
    FormatError
        If the sweep has a mask or labels, or a field's name or text would break the header.
    OSError
        If the file system refuses; what was at `path` before is untouched.
    """
    for name in ("mask", "labels"):
        if getattr(sweep, name) is not None:
            raise FormatError(f"{path}: a sequence cannot hold the sweep's {name}; .npz, .h5 and folders can")
    nrrd = path.suffix.lower() in (".nrrd", ".nhdr")
    detached = path.suffix.lower() in (".mhd", ".nhdr")
    with replacing(path) as draft:
        data = draft.with_suffix(_data_suffix(nrrd, compress)) if detached else draft
        with open(draft, "wb") as header:
            start = _write_nrrd_header if nrrd else _write_metaimage_header
            patch = start(header, sweep, compress, data.name if detached else None)
            if detached:
                with open(data, "wb") as pixels:
                    size = _write_pixels(pixels, sweep.frames, compress, gzip=nrrd)
            else:
                size = _write_pixels(header, sweep.frames, compress, gzip=nrrd)
            if patch is not None:
                header.seek(patch)
                header.write(b"%-20d" % size)


def _data_suffix(nrrd: bool, compress: bool) -> str:
    if nrrd:
        return ".raw.gz" if compress else ".raw"
    return ".zraw" if compress else ".raw"


def _write_metaimage_header(stream: BinaryIO, sweep: Sweep, compress: bool, data: str | None) -> int | None:
    """Write the header; return where CompressedDataSize must be filled in."""
    count, height, width = sweep.frames.shape
    kind = "MET_UCHAR" if sweep.frames.dtype == np.uint8 else "MET_FLOAT"
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "AnatomicalOrientation = RAI",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CenterOfRotation = 0 0 0",
        f"CompressedData = {compress}",
    ]
    stream.write(("\n".join(lines) + "\n").encode())
    patch = None
    if compress:
        stream.write(b"CompressedDataSize = ")
        patch = stream.tell()
        stream.write(b" " * 20 + b"\n")
    lines = [
        f"DimSize = {width} {height} {count}",
        "ElementNumberOfChannels = 1",
        "ElementSpacing = 1 1 1",
        f"ElementType = {kind}",
        "Kinds = domain domain list",
        "Offset = 0 0 0",
        "TransformMatrix = 1 0 0 0 1 0 0 0 1",
        "UltrasoundImageOrientation = MFA",
        f"UltrasoundImageType = {_image_type(sweep)}",
        *(f"{key} = {value}" for key, value in _fields(sweep, "ImageStatus")),
        f"ElementDataFile = {data or 'LOCAL'}",
    ]
    stream.write(("\n".join(lines) + "\n").encode())
    return patch


def _write_nrrd_header(stream: BinaryIO, sweep: Sweep, compress: bool, data: str | None) -> None:
    count, height, width = sweep.frames.shape
    lines = [
        "NRRD0005",
        f"type: {'uint8' if sweep.frames.dtype == np.uint8 else 'float'}",
        "dimension: 3",
        f"sizes: {width} {height} {count}",
        "kinds: domain domain list",
        "endian: little",
        f"encoding: {'gzip' if compress else 'raw'}",
        *([f"data file: {data}"] if data else []),
        "ultrasound image orientation:=MFA",
        f"ultrasound image type:={_image_type(sweep)}",
        *(f"{key}:={value}".replace("\\", "\\\\") for key, value in _fields(sweep, "Status")),
        "",
    ]
    stream.write(("\n".join(lines) + "\n").encode())


def _image_type(sweep: Sweep) -> str:
    kind = str(sweep.meta.get("image_type") or "BRIGHTNESS")
    if kind.startswith("RF"):
        raise FormatError(f"a sweep of RF lines ({kind}) cannot be written as B-mode")
    return "BRIGHTNESS"  # colours became grey on reading


def _fields(sweep: Sweep, image_key: str) -> Iterator[tuple[str, str]]:
    """Yield the recording's fields and each frame's, checked."""
    name = str(sweep.meta.get("image_to_world") or "ImageToReference")
    header = sweep.meta.get("header") or {}
    own = _frame_fields(sweep)
    for key, value in header.items():
        yield _checked(str(key), str(value))
    for index in range(len(sweep)):
        prefix = f"Seq_Frame{index:04d}_"
        valid = bool(sweep.valid[index])
        for key, values in own.items():
            if values[index] is not None:
                yield _checked(prefix + key, str(values[index]))
        yield _checked(f"{prefix}{name}Transform", _numbers(sweep.image_to_world[index]))
        yield f"{prefix}{name}TransformStatus", "OK" if valid else "INVALID"
        if sweep.timestamps is not None and np.isfinite(sweep.timestamps[index]):
            yield f"{prefix}Timestamp", f"{sweep.timestamps[index]:.17g}"
        yield prefix + image_key, "OK"


def _frame_fields(sweep: Sweep) -> dict[str, list[str | None]]:
    """Return the fields that came with the frames, found again by timestamp where frames were taken out."""
    fields = dict(sweep.meta.get(FRAME_FIELDS) or {})
    stamps = [None if stamp is None else float(stamp) for stamp in fields.pop("Timestamp", [])]
    times = [] if sweep.timestamps is None else sweep.timestamps.tolist()
    lengths = {len(values) for values in fields.values()}
    where = {stamp: index for index, stamp in enumerate(stamps)}
    found: list[int | None] = [where.get(time) for time in times]
    if lengths <= {len(sweep)} and (stamps == times or all(index is None for index in found)):
        found = list(range(len(sweep)))
    elif not found:
        warnings.warn(
            f"the fields {', '.join(sorted(fields))} are not written: without timestamps they cannot be "
            f"matched to these {len(sweep)} frames",
            stacklevel=2,
        )
        return {}
    return {name: [None if index is None else values[index] for index in found] for name, values in fields.items()}


def _checked(key: str, value: str) -> tuple[str, str]:
    if not _NAME.fullmatch(key) or set(value) & set("\n\r\0") or key in STRUCTURE:
        raise FormatError(f"the field {key!r} = {value[:60]!r} cannot be written in a sequence's header")
    return key, value


def _numbers(matrix: NDArray[np.float64]) -> str:
    """Return a matrix row by row; 17 digits give back the same floats. Unknown poses become the identity."""
    known = matrix if np.isfinite(matrix).all() else np.eye(4)
    return " ".join(f"{number:.17g}" for number in known.ravel())


def _write_pixels(stream: BinaryIO, frames: NDArray[Any], compress: bool, *, gzip: bool) -> int:
    """Write all frames as one stream; return its length in bytes."""
    wbits = zlib.MAX_WBITS | (16 if gzip else 0)
    deflate = zlib.compressobj(wbits=wbits) if compress else None
    little = frames.dtype.newbyteorder("<")
    step = max(1, _BLOCK // frames[0].nbytes)
    size = 0
    for start in range(0, len(frames), step):
        block = np.ascontiguousarray(frames[start : start + step], little).reshape(-1).view(np.uint8).data
        size += stream.write(deflate.compress(block) if deflate else block)
    if deflate:
        size += stream.write(deflate.flush())
    return size
