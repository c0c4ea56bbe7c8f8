"""`Compounder`: a volume that grows with the frames, in memory that grows with what they touch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import choice, odd, positive
from usfast._threads import get_num_threads
from usfast.compound.arrays import MAX_KERNEL_SIZE, METHODS, MODES
from usfast.compound.arrays import _image_to_voxel as image_to_voxel
from usfast.compound.arrays import _importance as importance_of
from usfast.compound.memory import check_memory
from usfast.compound.sweeps import CompoundResult
from usfast.errors import GeometryError
from usfast.sweep import Sweep
from usfast.volume import Grid, Volume

__all__ = ["Compounder", "Region", "as_classes", "class_indices"]

Region = tuple[slice, slice, slice]
"""Part of a grid as slices (z, y, x), as for an array."""

_MOST_VOXELS = 10**9  # along one axis


class Compounder:
    """Compound frames as they come; the volume is there at any moment.

    The grid is kept in bricks of up to 32 x 32 x 32 voxels that exist only where a pixel fell, so a grid far
    larger than memory costs what the sweep covers of it. Adding costs O(new pixels), however many frames came
    before. The results are those of one call of `compound_arrays` on all frames, bit for bit, for every method, mode
    and batching.

    Parameters
    ----------
    grid : Grid
        Where the voxels are; up to 10^9 along each axis.
    method, mode, kernel_size, sigma
        As in `compound_arrays`.
    mask : (H, W) bool array, optional
        Pixels to use in every frame.
    classes : int or sequence of int, optional
        For ``mode="vote"`` alone: the labels that may come, or their number where they are 0, 1, 2, ...
        Up to 256, 0 among them or added.
    num_threads : int, optional

    Raises
    ------
    ValueError, TypeError
        If arguments do not fit each other.
    GeometryError
        If the grid has too many voxels along an axis.

    Notes
    -----
    May be shared by threads: calls wait for each other. A progress callback cannot call back into its Compounder.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Grid
    >>> live = Compounder(Grid((100_000, 100_000, 100_000), 0.1))
    >>> for z in range(3):
    ...     pose = np.eye(4)[None] * [0.1, 0.1, 0.1, 1.0]
    ...     pose[:, 2, 3] = 0.1 * z
    ...     live.add(np.full((1, 8, 8), 10 * z, np.uint8), pose)
    >>> live.frames_added, live.nbytes < 10**6
    (3, True)
    >>> volume = live.volume(region=live.touched)
    >>> volume.array[:3, 4, 4].tolist()
    [0.0, 10.0, 20.0]
    """

    def __init__(
        self,
        grid: Grid,
        method: str = "linear",
        mode: str = "mean",
        *,
        mask: ArrayLike | None = None,
        kernel_size: int = 5,
        sigma: float = 1.0,
        classes: int | Sequence[int] | None = None,
        num_threads: int | None = None,
    ) -> None:
        if not isinstance(grid, Grid):
            raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
        if max(grid.size) >= _MOST_VOXELS:
            raise GeometryError(f"a grid has fewer than {_MOST_VOXELS} voxels along each axis, not {grid.size}")
        self._grid = grid
        self._method = choice("method", method, METHODS)
        self._mode = choice("mode", mode, MODES)
        self._radius = odd("kernel_size", kernel_size, MAX_KERNEL_SIZE) // 2
        self._sigma = positive("sigma", sigma)
        self._classes = as_classes(classes, mode)
        self._mask = None if mask is None else np.ascontiguousarray(mask, bool)
        if self._mask is not None and self._mask.ndim != 2:
            raise ValueError(f"mask must have the shape (H, W) of the frames, not {self._mask.shape}")
        self._threads = num_threads if num_threads is None else get_num_threads(num_threads)
        self._lock = threading.RLock()
        self._busy = False
        self._bricks: _core.Bricks | None = None
        self._dtype: np.dtype[Any] | None = None
        self._frames_added = 0

    def __repr__(self) -> str:
        size = " x ".join(map(str, self._grid.size))
        return (
            f"Compounder({size} voxels, {self._method} {self._mode}: {self.frames_added} frames, "
            f"{self.nbytes / 1e6:.1f} MB)"
        )

    @property
    def grid(self) -> Grid:
        """Where the voxels are."""
        return self._grid

    @property
    def frames_added(self) -> int:
        """Number of frames added; those that are not valid do not count."""
        return self._frames_added

    @property
    def nbytes(self) -> int:
        """Bytes of the bricks kept."""
        with self._alone("nbytes"):
            return 0 if self._bricks is None else int(self._bricks.nbytes())

    @property
    def touched(self) -> Region | None:
        """A box with every voxel that a pixel reached, as slices (z, y, x); None where there is none yet.

        Pixels lie within a voxel or two of its faces.
        """
        with self._alone("touched"):
            begin, end = self._bricks.touched() if self._bricks is not None else ((0, 0, 0), (0, 0, 0))
            if end[0] <= begin[0]:
                return None
            z, y, x = (slice(int(begin[axis]), int(end[axis])) for axis in (2, 1, 0))
            return z, y, x

    def add(
        self,
        frames: Sweep | ArrayLike,
        image_to_world: ArrayLike | None = None,
        valid: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        *,
        progress: Callable[[int, int], Any] | None = None,
    ) -> None:
        """Add frames; a batch without a valid frame adds nothing.

        A call that fails or is interrupted (Ctrl-C, an error in `progress`) adds nothing: the state is that before
        the call. For that it keeps a copy of the cells that it changes while it runs.

        Parameters
        ----------
        frames : Sweep or (N, H, W) array of uint8 or float32
            A sweep brings its poses, `valid` and mask, and for votes its labels; arrays of labels for votes. Frames
            must keep the dtype of the first ones, their size may change unless there is a mask.
        image_to_world : (N, 4, 4) array
            With an array: takes pixel (u, v, 0, 1), its centre at integer coordinates, to world mm. One frame may
            come as (1, H, W) with (4, 4).
        valid : (N,) bool array, optional
            Frames to use; with an array.
        weights : (H, W), (N,) or (N, H, W) array, optional
            Importance of these pixels or frames, >= 0, for ``mode="weighted"``.
        progress : callable, optional
            Called as ``progress(done, total)`` now and then.

        Raises
        ------
        ValueError, TypeError
            If arguments do not fit each other or what was added before.
        GeometryError
            If the pose of a valid frame is not finite or singular.
        MemoryError
            If the new bricks do not fit.
        """
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be callable, not {type(progress).__name__}")
        if (weights is not None) != (self._mode == "weighted"):
            raise ValueError('weights and mode="weighted" go together: give both or neither')
        sweep, dtype = self._as_sweep(frames, image_to_world, valid)
        used = np.flatnonzero(sweep.valid)
        importance = None if weights is None else importance_of(weights, sweep)
        if not used.size:
            return
        matrices = image_to_voxel(sweep, used, self._grid)
        with self._alone("add"):
            if self._dtype is not None and dtype != self._dtype:
                raise TypeError(f"the frames added before are {self._dtype}, these {dtype}; convert one of them")
            bricks = self._new_bricks(dtype) if self._bricks is None else self._bricks
            bricks.add(
                sweep.frames,
                used,
                matrices,
                None if sweep.mask is None else sweep.mask.view(np.uint8),
                importance,
                True,
                get_num_threads(self._threads),
                progress,
            )
            self._bricks, self._dtype = bricks, dtype
            self._frames_added += used.size

    def volume(self, region: Region | None = None) -> Volume:
        """Return the volume as it is now, or a part of it; arguments and errors as for `result`."""
        return self.result(region).volume

    def result(self, region: Region | None = None) -> CompoundResult:
        """Return volume and weight as they are now; more frames may be added afterwards.

        Parameters
        ----------
        region : (slice, slice, slice), optional
            Voxels along z, y, x, as for an array (``np.s_[10:20, :, 5:]``); `touched` is one. Default: all.
            The volume's origin is that of the part.

        Raises
        ------
        ValueError, TypeError
            If the region is empty, has steps or is not three slices.
        MemoryError
            Before allocating, if the part would not fit.
        """
        slices = self._checked(region)
        begin = np.array([part.start for part in reversed(slices)])
        size = [part.stop - part.start for part in reversed(slices)]
        grid = self._grid
        if region is not None:
            origin = grid.origin + grid.direction @ (grid.spacing * begin)
            grid = Grid(size, grid.spacing, origin, grid.direction)
        votes = self._classes is not None
        check_memory(grid, bytes_per_voxel=6 if votes else 8)
        values: NDArray[Any] = np.zeros(grid.shape, np.uint8 if votes else np.float32)
        weight = np.zeros(grid.shape, np.float32)
        with self._alone("result"):
            if self._bricks is not None:
                self._bricks.write(begin.tolist(), values, weight, get_num_threads(self._threads), None)
            if self._classes is not None:
                labels = self._classes.astype(self._dtype or self._classes.dtype)
                values = labels[values]
        return CompoundResult(Volume.on(grid, values), weight)

    def clear(self) -> None:
        """Forget all frames, and give their memory back."""
        with self._alone("clear"):
            self._bricks = self._dtype = None
            self._frames_added = 0

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Wait for other threads; refuse what the progress callback of this very thread asks for."""
        with self._lock:
            if self._busy:
                raise RuntimeError(f"{name}: this Compounder is still at work; a progress callback cannot use it")
            self._busy = True
            try:
                yield
            finally:
                self._busy = False

    def _new_bricks(self, dtype: np.dtype[Any]) -> _core.Bricks:
        return _core.Bricks(
            (0, 0, 0),
            self._grid.size,
            self._method,
            "mean" if self._mode == "weighted" else self._mode,
            self._radius,
            self._sigma,
            0 if self._classes is None else len(self._classes),
            self._classes is not None or dtype == np.uint8,
        )

    def _as_sweep(
        self, frames: Sweep | ArrayLike, image_to_world: ArrayLike | None, valid: ArrayLike | None
    ) -> tuple[Sweep, np.dtype[Any]]:
        """Return what is to be added, class indices in the place of labels, and the dtype that came."""
        mask = self._mask
        if isinstance(frames, Sweep):
            if image_to_world is not None or valid is not None:
                raise TypeError("a sweep brings its own image_to_world and valid; leave them out")
            image_to_world, valid = frames.image_to_world, frames.valid
            if frames.mask is not None:
                if mask is not None and mask.shape != frames.mask.shape:
                    raise ValueError(f"mask has shape {mask.shape}, but the frames are {frames.image_size}")
                mask = frames.mask if mask is None else mask & frames.mask
            if self._classes is not None and frames.labels is None:
                raise ValueError('mode="vote" compounds labels, but the sweep has none')
            pixels: ArrayLike = frames.frames if self._classes is None or frames.labels is None else frames.labels
        else:
            if image_to_world is None:
                raise TypeError("give image_to_world (N, 4, 4) with an array of frames")
            pixels = frames
        dtype = None
        if self._classes is not None:
            labels = np.asarray(pixels)
            dtype, pixels = labels.dtype, class_indices(labels, self._classes)
        sweep = Sweep(pixels, image_to_world, valid=valid, mask=mask)
        return sweep, dtype or sweep.frames.dtype

    def _checked(self, region: Region | None) -> Region:
        """Return the region as three slices with start and stop within the grid."""
        shape = self._grid.shape
        if region is None:
            region = (slice(None), slice(None), slice(None))
        if not isinstance(region, tuple) or len(region) != 3 or not all(isinstance(part, slice) for part in region):
            raise TypeError(f"region must be three slices (z, y, x), such as Compounder.touched, not {region!r}")
        parts = []
        for name, part, size in zip("zyx", region, shape, strict=True):
            start, stop, step = part.indices(size)
            if step != 1 or stop <= start:
                raise ValueError(
                    f"region must hold voxels one after the other; along {name}, {part} of {size} does not"
                )
            parts.append(slice(start, stop))
        return parts[0], parts[1], parts[2]


def as_classes(classes: int | Sequence[int] | None, mode: str) -> NDArray[Any] | None:
    """Return the labels that votes tell apart, sorted, 0 first; None in the other modes.

    Raises
    ------
    ValueError
        If votes lack them or another mode has them, or if there are too many or negative ones.
    TypeError
        If they are not integers.

    Examples
    --------
    >>> as_classes(3, "vote").tolist(), as_classes([7, 4], "vote").tolist()
    ([0, 1, 2], [0, 4, 7])
    """
    if (classes is not None) != (mode == "vote"):
        raise ValueError('classes and mode="vote" go together: give both or neither')
    if classes is None:
        return None
    values = np.asarray(classes)
    if values.ndim > 1 or values.dtype.kind not in "ui":
        raise TypeError(f"classes must be a number of labels or a list of them, not {classes!r}")
    if values.ndim == 0:
        values = np.arange(int(values)) if 0 < values <= 256 else np.full(257, values)
    labels = np.union1d(values, np.zeros(1, values.dtype))
    if labels[0] < 0 or not values.size or not 1 <= len(labels) <= 256 or len(values) > 256:
        raise ValueError(f"classes must be up to 256 labels from 0 on, or their number, not {classes!r}")
    return labels


def class_indices(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the index of each label in `classes` (sorted).

    Raises
    ------
    TypeError
        If labels are not integers.
    ValueError
        If one is none of the classes.
    """
    if labels.dtype.kind not in "bui":
        raise TypeError(f"labels must be integers, not {labels.dtype}")
    place = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    wrong = classes[place] != labels
    if wrong.any():
        raise ValueError(f"label {labels[wrong][0]} occurs, but is none of the {len(classes)} classes given")
    return place.astype(np.uint8)
