"""Sweeps as .npz: one array for each field of `Sweep`, ``meta`` as JSON text. Nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing
from usfast.io.foreign import decoding
from usfast.io.limits import MAX_INFLATION, check_memory, check_size
from usfast.io.metadata import meta_from_json, meta_to_json
from usfast.io.pixels import memory_dtype
from usfast.io.recording import Recording
from usfast.sweep import Sweep

__all__ = ["open_npz", "write_npz"]


@dataclass(frozen=True)
class _Member:
    """An array in the archive, described by its header."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def open_npz(path: Path) -> Recording:
    """Open a sweep kept as .npz.

    The archive holds ``frames`` (N, H, W) and ``image_to_world`` (N, 4, 4), and as far as known
    ``timestamps``, ``valid``, ``mask``, ``labels`` and ``meta`` (JSON text), as `Sweep` describes them.

    Raises
    ------
    FormatError
        If it is no such archive, or an array is missing or promises more than it holds.
    """
    with decoding(path, "zip"), zipfile.ZipFile(path) as archive:
        members = {name: _member(path, archive, name) for name in _names(archive)}
        for name in ("frames", "image_to_world"):
            if name not in members:
                raise FormatError(f"{path}: no array {name!r} in it; there are {', '.join(sorted(members))}")
        frames = members["frames"]
        if len(frames.shape) != 3 or 0 in frames.shape or frames.dtype.kind not in "buif":
            raise FormatError(f"{path}: frames has shape {frames.shape} of {frames.dtype}, not (N, H, W) reals")
        count, height, width = frames.shape
        fixed = {
            "image_to_world": ((count, 4, 4), "f8"),
            "timestamps": ((count,), "f8"),
            "valid": ((count,), "?"),
            "mask": ((height, width), "?"),
        }
        arrays = {
            name: _array(path, archive, members[name], shape).astype(dtype)
            for name, (shape, dtype) in fixed.items()
            if name in members
        }
        meta = _meta(path, archive, members["meta"]) if "meta" in members else {}
    labels = members.get("labels")
    if labels is not None and (labels.shape != frames.shape or labels.dtype.kind not in "bui"):
        raise FormatError(f"{path}: labels are {labels.dtype} of {labels.shape}, frames of {frames.shape}")
    poses = arrays["image_to_world"]
    valid = arrays.get("valid", np.ones(count, bool))
    lost = np.flatnonzero(valid & ~np.isfinite(poses).all(axis=(1, 2)))
    if lost.size:
        raise FormatError(
            f"{path}: image_to_world of frame {lost[0]} is not finite ({lost.size} such frames); say so in valid"
        )
    return Recording(
        path=path,
        frames=count,
        size=(height, width),
        dtype=memory_dtype(frames.dtype),
        blocks=lambda chunk: _blocks(path, frames, labels, chunk),
        image_to_world=poses,
        timestamps=arrays.get("timestamps"),
        valid=valid,
        mask=arrays.get("mask"),
        meta={**meta, "format": "npz", "source": str(path)},
    )


def _names(archive: zipfile.ZipFile) -> list[str]:
    known = ("frames", "image_to_world", "timestamps", "valid", "mask", "labels", "meta")
    return [name for name in known if f"{name}.npy" in archive.namelist()]


def _start(path: Path, stream: IO[bytes], name: str) -> _Member:
    """Read the header of an array, leaving the stream at its first value."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.hasobject or any(size < 0 for size in shape):
        raise FormatError(f"{path}: {name} is {dtype} of shape {shape}, not a plain array")
    return _Member(name, tuple(int(size) for size in shape), dtype, fortran)


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> _Member:
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        member = _start(path, stream, name)
        # The archive states sizes too, and they are no truer than the array's own.
        present = min(info.file_size - stream.tell(), (info.compress_size + 64) * MAX_INFLATION)
    check_size(path, name, member.bytes, present, compressed=False)
    return member


def _read(path: Path, stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    check_memory(path, "an array", shape, dtype.itemsize)
    array = np.empty(shape, dtype)
    target, got = array.reshape(-1).view(np.uint8).data, 0
    while got < len(target):
        part = stream.read(min(len(target) - got, 1 << 24))
        if not part:
            raise FormatError(f"{path}: an array ends after {got} of {len(target)} bytes (truncated?)")
        target[got : got + len(part)] = part
        got += len(part)
    return array


def _array(path: Path, archive: zipfile.ZipFile, member: _Member, shape: tuple[int, ...]) -> NDArray[Any]:
    if member.shape != shape or member.dtype.kind not in "buif":
        raise FormatError(
            f"{path}: {member.name} has shape {member.shape} of {member.dtype}, not "
            f"numbers of shape {shape}, as the frames need"
        )
    with archive.open(f"{member.name}.npy") as stream:
        _start(path, stream, member.name)
        if member.fortran:
            return _read(path, stream, shape[::-1], member.dtype).transpose()
        return _read(path, stream, shape, member.dtype)


def _meta(path: Path, archive: zipfile.ZipFile, member: _Member) -> dict[str, Any]:
    if member.shape != () or member.dtype.kind != "U" or not member.dtype.itemsize:
        raise FormatError(f"{path}: meta must be one text, not {member.dtype} of shape {member.shape}")
    check_memory(path, "meta", (1,), member.dtype.itemsize)
    with archive.open("meta.npy") as stream:
        _start(path, stream, "meta")
        text = stream.read(member.dtype.itemsize)
    order = "utf-32-be" if member.dtype.byteorder == ">" else "utf-32-le"
    return meta_from_json(path, text.decode(order, "replace").rstrip("\0"))


def _blocks(
    path: Path, frames: _Member, labels: _Member | None, chunk: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any] | None]]:
    """Yield images and labels; arrays in Fortran order are read whole, all others a block at a time."""
    count = frames.shape[0]
    with decoding(path, "zip"), zipfile.ZipFile(path) as archive, ExitStack() as stack:
        wanted = [member for member in (frames, labels) if member is not None]
        whole = {member.name: _array(path, archive, member, member.shape) for member in wanted if member.fortran}
        streams = {}
        for member in wanted:
            streams[member.name] = stack.enter_context(archive.open(f"{member.name}.npy"))
            _start(path, streams[member.name], member.name)

        def part(member: _Member, start: int, stop: int) -> NDArray[Any]:
            if member.name in whole:
                return whole[member.name][start:stop]
            return _read(path, streams[member.name], (stop - start, *member.shape[1:]), member.dtype)

        for start in range(0, count, chunk):
            stop = min(start + chunk, count)
            images = part(frames, start, stop).astype(memory_dtype(frames.dtype), copy=False)
            yield images, None if labels is None else part(labels, start, stop)


def write_npz(sweep: Sweep, path: Path, *, compress: bool = True) -> None:
    """Write `sweep` as .npz.

    Raises
    ------
    FormatError
        If an entry of meta is not JSON.
    OSError
        If the file system refuses; what was at `path` before is untouched.
    """
    arrays: dict[str, Any] = {
        "frames": sweep.frames,
        "image_to_world": sweep.image_to_world,
        "valid": sweep.valid,
        "meta": np.array(meta_to_json(path, sweep.meta)),
    }
    for name in ("timestamps", "mask", "labels"):
        if getattr(sweep, name) is not None:
            arrays[name] = getattr(sweep, name)
    with replacing(path) as draft, open(draft, "wb") as stream:
        (np.savez_compressed if compress else np.savez)(stream, **arrays)
