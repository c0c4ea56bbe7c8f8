"""Read the pixels of a sequence in order, a part at a time, whatever their encoding."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.header import SequenceHeader
from usfast.io.limits import check_memory
from usfast.io.orientation import Flips, flips_to_memory

__all__ = ["frame_blocks", "gray", "memory_dtype", "pixel_dtype", "voxels"]

_READ = 1 << 20


class _Stream:
    """The uncompressed bytes of the pixel data.

    The whole recording is one deflate stream and may exceed 4 GiB on either side, so it is inflated in steps
    whose output is bounded, and the sizes that the file states are not used.
    """

    def __init__(self, header: SequenceHeader, skip: int = 0) -> None:
        self._header = header
        self._file: BinaryIO = open(header.data_path, "rb")  # noqa: SIM115  (closed by close)
        self._file.seek(header.offset + skip)
        self._inflate: Any = None if header.encoding == "raw" else self._inflater()
        self._rest = b""

    def _inflater(self) -> Any:
        return zlib.decompressobj(zlib.MAX_WBITS | (16 if self._header.encoding == "gzip" else 0))

    def close(self) -> None:
        self._file.close()

    def fill(self, target: memoryview, done: int) -> None:
        """Read exactly ``len(target)`` bytes; `done` bytes were read before."""
        size, got = len(target), 0
        while got < size:
            if self._inflate is None:
                count = self._file.readinto(target[got:])  # type: ignore[attr-defined]
            else:
                part = self._inflated(size - got)
                count = len(part)
                target[got : got + count] = part
            if not count:
                raise FormatError(
                    f"{self._header.data_path}: the {self._header.encoding} pixel data end after "
                    f"{done + got} of {self._header.frame_bytes * self._header.frames} bytes (truncated?)"
                )
            got += count

    def _inflated(self, most: int) -> bytes:
        """Return between 1 and `most` bytes, none at the end of the stream or of the file."""
        while True:
            if self._inflate.eof:
                self._rest = self._inflate.unused_data
                if self._header.encoding != "gzip" or not self._rest.startswith(b"\x1f\x8b"):
                    return b""
                self._inflate = self._inflater()  # gzip files may be joined end to end
            fed = self._rest or self._file.read(_READ)
            try:
                part: bytes = self._inflate.decompress(fed, most)
            except zlib.error as error:
                raise FormatError(f"{self._header.data_path}: the compressed pixels are damaged: {error}") from error
            self._rest = self._inflate.unconsumed_tail
            if part or (not fed and not self._inflate.eof):
                return part


def pixel_dtype(header: SequenceHeader) -> np.dtype[Any]:
    """Return the dtype of the pixels in the file, in native byte order."""
    if header.dtype is None:
        raise FormatError(f"{header.path}: the recording has no images (DimSize {header.size} x {header.frames})")
    return header.dtype.newbyteorder("=")


def memory_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which a Sweep keeps pixels: uint8 stays, every other real becomes float32."""
    return np.dtype(np.uint8) if dtype == np.uint8 else np.dtype(np.float32)


def gray(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return colour pixels (..., 3) as luminance (Rec. 601); integers are rounded and keep their dtype."""
    values = pixels @ np.array([0.299, 0.587, 0.114])
    luminance: NDArray[Any] = np.rint(values) if pixels.dtype.kind in "ui" else values
    return luminance.astype(pixels.dtype)


def frame_blocks(
    header: SequenceHeader,
    chunk: int,
    *,
    dtype: np.dtype[Any] | None = None,
    oriented: bool = True,
    first: int = 0,
    stop: int | None = None,
) -> Iterator[NDArray[Any]]:
    """Yield the frames in order as arrays (n, H, W) with n at most `chunk`.

    Parameters
    ----------
    header : SequenceHeader
    chunk : int
        Frames a block; memory is that of one block.
    dtype : numpy dtype, optional
        Convert to it. Default: as in the file.
    oriented : bool
        Flip to the orientation in memory (MF, or FM for RF lines); False leaves the pixels as stored.
    first, stop : int
        Frames to read, of those stored raw: nothing before them is read. Default: all.

    Raises
    ------
    FormatError
        If there are no images or no 2D frames, the orientation is unknown, or the data end early.
    """
    stored = pixel_dtype(header)
    if header.slices != 1 or header.dtype is None:
        raise FormatError(f"{header.path}: each frame has {header.slices} slices: a volume (io.read_volume)")
    if header.channels not in (1, 3):
        raise FormatError(f"{header.path}: {header.channels} values a pixel; 1 (grey) or 3 (RGB) are supported")
    flips = Flips(False, False)
    if oriented:
        try:
            flips = flips_to_memory(header.orientation, header.image_type or "BRIGHTNESS")
        except FormatError as error:
            raise FormatError(f"{header.path}: {error}") from None
    width, height = header.size
    shape = (min(chunk, header.frames), height, width, header.channels)
    check_memory(header.path, "a block of frames", shape, stored.itemsize)
    stop = header.frames if stop is None else stop
    with closing(_Stream(header, first * header.frame_bytes)) as stream:
        for start in range(first, stop, chunk):
            block = np.empty((min(chunk, stop - start), *shape[1:]), header.dtype)
            stream.fill(block.reshape(-1).view(np.uint8).data, start * header.frame_bytes)
            frames = flips(block)
            frames = frames[..., 0] if header.channels == 1 else gray(frames.astype(stored, copy=False))
            yield np.ascontiguousarray(frames, dtype or stored)


def voxels(header: SequenceHeader) -> NDArray[Any]:
    """Return everything the file holds as one array (Z, Y, X), in native byte order.

    Raises
    ------
    FormatError
        If the data end early or exceed the memory available.
    """
    stored = pixel_dtype(header)
    width, height = header.size
    shape = (header.frames * header.slices, height, width)
    if header.channels != 1 or header.dtype is None:
        raise FormatError(f"{header.path}: {header.channels} values a voxel; a volume has one")
    check_memory(header.path, "the volume", shape, stored.itemsize)
    array = np.empty(shape, header.dtype)
    with closing(_Stream(header)) as stream:
        stream.fill(array.reshape(-1).view(np.uint8).data, 0)
    return array.astype(stored, copy=False)
