"""`SequenceHeader`: what the header of a PLUS sequence says, whichever file format it is in."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from usfast.errors import FormatError
from usfast.io.limits import check_memory, check_size

__all__ = ["FrameFields", "SequenceHeader", "beside", "header_lines", "sort_sizes"]

_MAX_HEADER = 256 << 20
_MAX_LINE = 1 << 20
_FRAME_KEY = re.compile(r"Seq_Frame(\d{1,9})_(\S+)", re.ASCII)


@dataclass(frozen=True, eq=False)
class SequenceHeader:
    """Header of a PLUS sequence (MetaImage or NRRD).

    Attributes
    ----------
    size : (int, int)
        Columns and rows (W, H) of a frame; 0 where the recording has no images.
    frames : int
        Number of frames N.
    slices : int
        Slices of a frame: 1 for B-mode, more in a volume.
    is_volume : bool
        True where every axis is spatial: a volume, not a sequence.
    channels : int
        Values per pixel.
    dtype : numpy dtype or None
        Of a value, with its byte order; None without images.
    encoding : {"raw", "zlib", "gzip"}
        Of the pixel data, which start at byte `offset` of `data_path`.
    orientation, image_type : str
        As in the file; "" where missing.
    fields : mapping of str to str
        Every other key of the header.
    frame_fields : sequence of mapping of str to str
        For each frame, the fields without their prefix, e.g. ``{"Timestamp": "215.1"}``.
    """

    path: Path
    format: str
    size: tuple[int, int]
    frames: int
    slices: int
    is_volume: bool
    channels: int
    dtype: np.dtype[Any] | None
    encoding: str
    data_path: Path
    offset: int
    orientation: str
    image_type: str
    fields: Mapping[str, str]
    frame_fields: Sequence[Mapping[str, str]]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame, uncompressed."""
        if self.dtype is None:
            return 0
        return math.prod(self.size) * self.slices * self.channels * self.dtype.itemsize

    def check_data(self) -> None:
        """Raise FormatError where the data file cannot hold the pixels promised, or memory their poses."""
        if self.frame_bytes:
            present = max(0, os.stat(self.data_path).st_size - self.offset)
            need = self.frame_bytes * self.frames
            check_size(self.data_path, "the pixel data", need, present, compressed=self.encoding != "raw")
        check_memory(self.path, "the poses", (self.frames, 4, 4), 8)


class FrameFields:
    """Collects the ``Seq_Frame`` keys of a header while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[int, dict[str, str]] = {}

    def take(self, key: str, value: str, line: int) -> bool:
        """Keep the field of a frame; False if the key is no such field."""
        if not key.startswith("Seq_Frame"):
            return False
        match = _FRAME_KEY.fullmatch(key)
        if match is None:
            raise FormatError(f"{self._path}: line {line}: {key[:80]!r} is not Seq_Frame<number>_<field>")
        self._found.setdefault(int(match[1]), {})[match[2]] = value
        return True

    def of(self, frames: int) -> list[dict[str, str]]:
        """Return the fields of `frames` frames; refuse those of a frame beyond them."""
        if self._found and max(self._found) >= frames:
            raise FormatError(
                f"{self._path}: Seq_Frame{max(self._found):04d} has fields, but the header promises "
                f"{frames} frames (0 to {frames - 1})"
            )
        nothing: dict[str, str] = {}
        return [self._found.get(index, nothing) for index in range(frames)]


def header_lines(path: Path, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield (line number, text without line end) until the caller stops; bounded in line and total length.

    Raises
    ------
    FormatError
        If a line or the whole exceeds its bound.
    """
    number = 0
    while line := stream.readline(_MAX_LINE + 1):
        number += 1
        if len(line) > _MAX_LINE or stream.tell() > _MAX_HEADER:
            raise FormatError(f"{path}: line {number}: the header does not end where one should")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("latin-1")
        yield number, text.rstrip("\r\n")


def beside(path: Path, name: str) -> Path:
    """Return the data file that a header names, which must lie in the header's folder or below.

    Raises
    ------
    FormatError
        If the name is absolute, climbs out of the folder, or is a list or pattern of files.
    """
    name = name.strip()
    if name.upper().startswith("LIST") or "%" in name:
        raise FormatError(f"{path}: pixel data in several files ({name!r}) are not supported")
    folder = path.parent.resolve()
    if "\0" in name:
        raise FormatError(f"{path}: the data file's name holds a zero byte")
    target = (folder / name.replace("\\", "/")).resolve()
    if not name or folder not in target.parents:
        raise FormatError(f"{path}: the data file {name!r} must lie in the folder of the header")
    if not target.is_file():
        raise FileNotFoundError(f"{target}: no such file; {path} says that its pixels are there")
    return target


def sort_sizes(
    path: Path, sizes: tuple[int, ...], kinds: Sequence[str] | None
) -> tuple[tuple[int, int], int, int, bool]:
    """Return ((W, H), slices, frames, is a volume) from the sizes of the axes, fastest first.

    Without `kinds` a third axis counts frames, as in IGSIO.

    Raises
    ------
    FormatError
        If the axes are neither those of a volume nor those of a sequence of 2D frames.
    """
    kinds = tuple(kind.lower() for kind in kinds or ())
    if kinds and len(kinds) != len(sizes):
        raise FormatError(f"{path}: {len(kinds)} kinds ({' '.join(kinds)}) for {len(sizes)} axes")
    if not 2 <= len(sizes) <= 4 or any(kind in ("list", "time") for kind in kinds[:-1]):
        raise FormatError(f"{path}: axes {sizes} of kinds {kinds} are neither a sequence nor a volume")
    listed = len(sizes) > 2 and (kinds[-1] in ("list", "time") if kinds else True)
    frames = sizes[-1] if listed else 1
    space = sizes[:-1] if listed else sizes
    if len(space) == 4:
        raise FormatError(f"{path}: four axes {sizes}, none of which counts frames")
    if len(space) == 2:
        return (space[0], space[1]), 1, frames, False
    if listed and space[2] == 1:
        return (space[0], space[1]), 1, frames, False
    if listed and space[0] == 1:  # AMF: the axis of slices comes first
        return (space[1], space[2]), 1, frames, False
    if listed and 0 in space:
        return (0, 0), 1, frames, False
    return (space[0], space[1]), space[2], frames, True
