"""Frames that stay on the disk: any stretch of them is read when it is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.compound.sweeps import masked, reconstruction
from usfast.errors import GeometryError
from usfast.sweep import Sweep
from usfast.volume import Grid

if TYPE_CHECKING:
    from usfast.io import PlusConfig

__all__ = ["Batches", "FrameSource", "frame_source"]

Batches = Iterable[Sweep | tuple[ArrayLike, ...]]
"""Sweeps, or tuples (frames, image_to_world) or (frames, image_to_world, valid), in the order of the frames."""

_BLOCK_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class FrameSource:
    """A sweep whose images are on the disk.

    Attributes
    ----------
    size : (int, int)
        Rows and columns (H, W).
    dtype : numpy dtype
        Of what `read` returns: images, or labels.
    image_to_world, valid, mask
        As in `Sweep`.
    read : callable
        ``read(start, stop)`` returns frames (n, H, W).
    """

    size: tuple[int, int]
    dtype: np.dtype[Any]
    image_to_world: NDArray[np.float64]
    valid: NDArray[np.bool_]
    mask: NDArray[np.bool_] | None
    read: Callable[[int, int], NDArray[Any]]

    def __len__(self) -> int:
        return len(self.image_to_world)

    def enclosing(self, spacing: ArrayLike) -> Grid:
        """Return `Grid.enclosing` of the whole sweep; no image is read."""
        used = np.flatnonzero(self.valid)
        if not used.size:
            raise GeometryError(f"none of the {len(self)} frames has a valid pose")
        boxes = np.array([self._blank(np.array([n])).bounds() for n in used])  # (M, 2, 3)
        farthest = np.unique([boxes[:, 0].argmin(axis=0), boxes[:, 1].argmax(axis=0)])
        return Grid.enclosing(self._blank(used[farthest]), spacing)

    def _blank(self, which: NDArray[np.intp]) -> Sweep:
        frames = np.zeros((len(which), *self.size), np.uint8)  # never looked at, so it takes no memory
        return Sweep(frames, self.image_to_world[which], valid=self.valid[which], mask=self.mask)


@contextmanager
def frame_source(
    source: str | Path | Batches, folder: Path, *, labels: bool, config: PlusConfig | str | Path | None = None
) -> Iterator[FrameSource]:
    """Open a sweep so that any stretch of frames can be read.

    Formats that must be read from their beginning, and batches, are first copied, uncompressed, to a temporary
    file in `folder`.

    Parameters
    ----------
    source : path, or iterable of Sweep or (frames, image_to_world[, valid])
    folder : Path
    labels : bool
        Read labels rather than images.
    config : PlusConfig or path, optional
        As for `io.read_sweep`; its clip rectangle and fan narrow the mask.

    Raises
    ------
    FormatError, GeometryError, FileNotFoundError
        As `io.read_sweep`.
    ValueError, TypeError
        If batches do not fit each other, or there are no labels.
    """
    if isinstance(source, (str, Path)):
        with _recorded(Path(source), folder, labels, config) as opened:
            yield opened
    elif isinstance(source, Iterable) and not isinstance(source, (Sweep, np.ndarray)):
        with tempfile.TemporaryFile(dir=folder) as stream:
            yield _batches(source, stream, labels)
    else:
        raise TypeError(
            "source must be a path or an iterable of batches (frames, image_to_world), "
            f"not {type(source).__name__}; compound takes a sweep in memory"
        )


@contextmanager
def _recorded(path: Path, folder: Path, labels: bool, config: PlusConfig | str | Path | None) -> Iterator[FrameSource]:
    from usfast.io.sweeps import open_sweep

    recording = open_sweep(path, config)
    settings = reconstruction(config) if config is not None and path.suffix not in (".h5", ".hdf5") else None
    one = Sweep(np.zeros((1, *recording.size), np.uint8), np.eye(4)[None], mask=recording.mask)

    def chosen(images: NDArray[Any], marked: NDArray[Any] | None) -> NDArray[Any]:
        if labels and marked is None:
            raise ValueError(f'mode="vote" compounds labels, but {path} has none')
        return images if not labels or marked is None else marked

    def opened(dtype: np.dtype[Any], read: Callable[[int, int], NDArray[Any]]) -> FrameSource:
        valid = np.ones(recording.frames, bool) if recording.valid is None else recording.valid
        mask = masked(one, settings)
        return FrameSource(recording.size, dtype, recording.image_to_world, valid, mask, read)

    if recording.read is not None:
        reader = recording.read
        first = chosen(*reader(0, 1))
        yield opened(first.dtype, lambda start, stop: chosen(*reader(start, stop)))
        return
    chunk = max(1, _BLOCK_BYTES // max(1, recording.size[0] * recording.size[1] * recording.dtype.itemsize))
    with tempfile.TemporaryFile(dir=folder) as stream:
        dtype = recording.dtype
        for images, marked in recording.blocks(chunk):
            block = np.ascontiguousarray(chosen(images, marked))
            dtype = block.dtype
            stream.write(block.data)
        yield opened(dtype, _spooled(stream, recording.size, dtype))


def _batches(batches: Batches, stream: BinaryIO, labels: bool) -> FrameSource:
    """Copy batches to a file, one after the other."""
    poses, valid = [], []
    first: tuple[Sweep, NDArray[Any]] | None = None
    for batch in batches:
        sweep, pixels = _taken(batch, labels)
        if first is None:
            first = sweep, pixels[:0]
        if sweep.image_size != first[0].image_size or pixels.dtype != first[1].dtype:
            raise ValueError(
                f"batches must agree: {first[0].image_size} {first[1].dtype} and {sweep.image_size} {pixels.dtype}"
            )
        if not np.array_equal(_mask_or_ones(sweep), _mask_or_ones(first[0])):
            raise ValueError("batches must have the same mask")
        stream.write(pixels.data)
        poses.append(sweep.image_to_world)
        valid.append(sweep.valid)
    if first is None:
        raise ValueError("there is no batch of frames")
    size, mask, dtype = first[0].image_size, first[0].mask, first[1].dtype
    read = _spooled(stream, size, dtype)
    return FrameSource(size, dtype, np.concatenate(poses), np.concatenate(valid), mask, read)


def _taken(batch: Sweep | tuple[ArrayLike, ...], labels: bool) -> tuple[Sweep, NDArray[Any]]:
    """Return a batch as a sweep, and its images or labels."""
    if isinstance(batch, Sweep):
        if not labels:
            return batch, batch.frames
        if batch.labels is None:
            raise ValueError('mode="vote" compounds labels, but a batch has none')
        return batch, batch.labels
    if not isinstance(batch, tuple) or not 2 <= len(batch) <= 3:
        raise TypeError("a batch is a Sweep or a tuple (frames, image_to_world) or (frames, image_to_world, valid)")
    marked = np.ascontiguousarray(batch[0]) if labels else None
    pixels = batch[0] if marked is None else np.zeros(marked.shape, np.uint8)
    sweep = Sweep(pixels, batch[1], valid=batch[2] if len(batch) == 3 else None)
    return sweep, sweep.frames if marked is None else marked


def _mask_or_ones(sweep: Sweep) -> NDArray[np.bool_]:
    return np.ones(sweep.image_size, bool) if sweep.mask is None else sweep.mask


def _spooled(stream: BinaryIO, size: tuple[int, int], dtype: np.dtype[Any]) -> Callable[[int, int], NDArray[Any]]:
    """Return a reader of raw frames."""

    def read(start: int, stop: int) -> NDArray[Any]:
        frames = np.empty((stop - start, *size), dtype)
        stream.seek(start * size[0] * size[1] * dtype.itemsize)
        rest = frames.reshape(-1).view(np.uint8).data
        while rest:
            got = stream.readinto(rest)  # type: ignore[attr-defined]
            if not got:
                raise OSError("the temporary file of frames ends early")
            rest = rest[got:]
        return frames

    return read
