"""Bounds on what a header may make us allocate: a file's claims are checked before they are believed."""

from __future__ import annotations

import math
from pathlib import Path

import psutil

from usfast.errors import FormatError

__all__ = ["MAX_INFLATION", "check_memory", "check_size", "parse_sizes"]

MAX_INFLATION = 1032
"""A deflate stream (zlib, gzip, zip) cannot grow by more than this factor when it is decompressed."""


def parse_sizes(path: Path, key: str, text: str) -> tuple[int, ...]:
    """Return the whole numbers of a size field such as ``DimSize``.

    Raises
    ------
    FormatError
        If one is not a whole number from 0 to 10^12; names file and key.

    Examples
    --------
    >>> parse_sizes(Path("a.mha"), "DimSize", "820 616   21 ")
    (820, 616, 21)
    """
    words = text.split()
    if not words or not all(word.isascii() and word.isdigit() and len(word) <= 12 for word in words):
        raise FormatError(f"{path}: {key} must hold whole numbers below 10^12, not {text.strip()[:80]!r}")
    return tuple(int(word) for word in words)


def check_size(path: Path, what: str, need: int, present: int, *, compressed: bool) -> None:
    """Refuse a file that cannot hold the bytes that its header promises.

    Parameters
    ----------
    need : int
        Bytes promised, uncompressed.
    present : int
        Bytes in the file.
    compressed : bool
        Whether those present are a deflate stream.

    Raises
    ------
    FormatError
        If there are too few; names both numbers.
    """
    if compressed and need > (present + 64) * MAX_INFLATION:
        raise FormatError(
            f"{path}: {what} should be {need} bytes, but the {present} compressed bytes there can hold "
            f"{present * MAX_INFLATION} at the most"
        )
    if not compressed and need > present:
        raise FormatError(f"{path}: {what} should be {need} bytes, but only {present} are there (truncated?)")


def check_memory(path: Path, what: str, shape: tuple[int, ...], itemsize: int) -> int:
    """Return the bytes of an array, or refuse it where it exceeds the memory available now.

    Raises
    ------
    FormatError
        Names the file, the shape and both amounts.
    """
    need = math.prod(shape) * itemsize
    available = psutil.virtual_memory().available
    if need > available:
        raise FormatError(
            f"{path}: {what} of shape {shape} needs {need / 2**30:.1f} GiB, but only "
            f"{available / 2**30:.1f} GiB of memory are available; iter_sweep reads a part at a time"
        )
    return need
