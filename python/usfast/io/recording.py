"""`Recording`: an opened sweep whose pixels are still in the file; a Sweep is made of all or a part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import GeometryError
from usfast.io.limits import check_memory
from usfast.sweep import Sweep

__all__ = ["FRAME_FIELDS", "Progress", "Recording"]

FRAME_FIELDS = "frame_fields"
"""Key in ``Sweep.meta`` of what the file says about each frame: name to a list with one entry a frame."""

_BLOCK_BYTES = 32 << 20

Progress = Callable[[int, int], object]
"""Called with (frames done, frames in all)."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What every format's reader gives: all but the pixels, and a way to read those in order.

    Attributes
    ----------
    frames, size, dtype
        Number N, (H, W) and dtype (uint8 or float32) of the images.
    blocks : callable
        ``blocks(chunk)`` yields (images (n, H, W), labels (n, H, W) or None), n at most `chunk`, in order.
    image_to_world, timestamps, valid, mask, meta
        As in `Sweep`.
    read : callable or None
        ``read(start, stop)`` returns those images and labels at the cost of reading them alone; None where the format
        must be read from its beginning.
    """

    path: Path
    frames: int
    size: tuple[int, int]
    dtype: np.dtype[Any]
    blocks: Callable[[int], Iterator[tuple[NDArray[Any], NDArray[Any] | None]]]
    image_to_world: NDArray[np.float64]
    timestamps: NDArray[np.float64] | None = None
    valid: NDArray[np.bool_] | None = None
    mask: NDArray[np.bool_] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    read: Callable[[int, int], tuple[NDArray[Any], NDArray[Any] | None]] | None = None

    def sweep(self, progress: Progress | None = None) -> Sweep:
        """Read everything into one Sweep.

        Raises
        ------
        FormatError
            If the pixels cannot be read or do not fit the memory available.
        GeometryError
            If the pose of a valid frame is unusable.
        """
        shape = (self.frames, *self.size)
        check_memory(self.path, "the frames", shape, self.dtype.itemsize)
        images = np.empty(shape, self.dtype)
        labels: list[NDArray[Any]] = []
        start = 0
        chunk = max(1, _BLOCK_BYTES // max(1, images[:1].nbytes))
        for block, marked in self.blocks(chunk):
            images[start : start + len(block)] = block
            if marked is not None:
                labels.append(marked)
            start += len(block)
            if progress is not None:
                progress(start, self.frames)
        return self._part(0, images, np.concatenate(labels) if labels else None, self.meta)

    def parts(self, chunk: int, progress: Progress | None = None) -> Iterator[Sweep]:
        """Yield Sweeps of at most `chunk` frames; ``meta["first_frame"]`` says where each begins."""
        start = 0
        for block, marked in self.blocks(chunk):
            meta = {**self.meta, "first_frame": start}
            if FRAME_FIELDS in meta:
                end = start + len(block)
                meta[FRAME_FIELDS] = {name: values[start:end] for name, values in meta[FRAME_FIELDS].items()}
            yield self._part(start, block, marked, meta)
            start += len(block)
            if progress is not None:
                progress(start, self.frames)

    def _part(self, start: int, images: NDArray[Any], labels: NDArray[Any] | None, meta: Mapping[str, Any]) -> Sweep:
        part = slice(start, start + len(images))
        try:
            with np.errstate(all="ignore"):  # frames that are not valid may hold any numbers
                return Sweep(
                    images,
                    self.image_to_world[part],
                    None if self.timestamps is None else self.timestamps[part],
                    (np.ones(self.frames, bool) if self.valid is None else self.valid)[part],
                    self.mask,
                    labels,
                    meta,
                )
        except GeometryError as error:
            raise GeometryError(f"{self.path}: {error}") from None
