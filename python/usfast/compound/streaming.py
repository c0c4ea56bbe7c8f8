"""Compounding from disk to disk: neither the sweep nor the volume needs to fit in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import choice, odd, positive
from usfast._threads import get_num_threads
from usfast.compound.arrays import MAX_KERNEL_SIZE, METHODS, MODES
from usfast.compound.arrays import _image_to_voxel as image_to_voxel
from usfast.compound.arrays import _importance as importance_of
from usfast.compound.compounder import as_classes, class_indices
from usfast.compound.frame_source import Batches, FrameSource, frame_source
from usfast.errors import GeometryError
from usfast.sweep import Sweep
from usfast.volume import Grid

if TYPE_CHECKING:
    from usfast.io import PlusConfig, VolumeParts

__all__ = ["compound_to_file", "memory_bytes"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_FRAME_SHARE = 64 << 20
_BYTES_A_POSE = 400

Place = tuple[int, int, int]


def compound_to_file(
    source: str | Path | Batches,
    path: str | Path,
    grid: Grid | None = None,
    method: str = "linear",
    mode: str = "mean",
    *,
    spacing: ArrayLike | None = None,
    config: PlusConfig | str | Path | None = None,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    kernel_size: int = 5,
    sigma: float = 1.0,
    classes: int | Sequence[int] | None = None,
    weight_path: str | Path | None = None,
    memory: int | str = "1GB",
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Grid:
    """Compound a sweep that is larger than memory into a volume that is larger than memory.

    The grid is worked through in parts of as many planes as `memory` allows (or in blocks where not even a few planes
    fit); for each part only the frames that reach it are read. The voxels are those of `compound_arrays`, bit for bit,
    whatever the memory.

    Parameters
    ----------
    source : path, or iterable of Sweep or (frames, image_to_world[, valid])
        A sweep as for `io.read_sweep`. Frames are read where they lie from uncompressed .mha and .nrrd sequences,
        .h5 and folders; other formats, and batches, are first copied to a temporary file beside `path`.
    path : str or Path
        .mha or .nrrd (uncompressed; `io.map_volume` opens them without reading), .npy (no geometry) or .zarr
        (chunked and compressed; needs ``usfast[scale]``). It appears when it is complete.
    grid : Grid, optional
    method, mode, kernel_size, sigma
        As in `compound_arrays`.
    spacing : float or (float, float, float), optional
        Instead of `grid`, which then encloses the sweep: voxel spacing along x, y, z, mm.
    config : PlusConfig or path, optional
        As in `compound`: calibration, and the clip rectangle and fan that mask the frames.
    mask : (H, W) bool array, optional
        Pixels to use, of those that the sweep's own mask leaves.
    weights : (H, W), (N,) or (N, H, W) array, optional
        For ``mode="weighted"``; a memory-mapped array is read batch by batch.
    classes : int or sequence of int, optional
        For ``mode="vote"``, as in `Compounder`. Batches as tuples then hold labels.
    weight_path : str or Path, optional
        Write the weight too.
    memory : int or str
        Most bytes to use beyond what the process holds already, such as ``"500MB"`` or ``"2GiB"``. The system's file
        cache does not count.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)``, in frames, each counted once for every part that it reaches.

    Returns
    -------
    Grid
        Where the voxels are.

    Raises
    ------
    ValueError, TypeError
        If arguments do not fit each other, or `memory` is too little for a single brick and frame; says how much
        would do.
    FormatError
        If source or path have a format that is not supported.
    GeometryError
        If no frame is valid or a pose is unusable.
    OSError
        If the disk has no room for the volume (before anything is written) or fails; what was at `path` is untouched.

    Examples
    --------
    >>> import tempfile
    >>> from usfast import io
    >>> poses = np.tile(np.eye(4), (6, 1, 1))
    >>> poses[:, 2, 3] = np.arange(6)
    >>> batches = ((np.full((2, 8, 8), n, np.uint8), poses[n : n + 2]) for n in (0, 2, 4))
    >>> path = Path(tempfile.mkdtemp()) / "volume.nrrd"
    >>> compound_to_file(batches, path, spacing=1.0, memory="20MB").size
    (8, 8, 6)
    >>> io.map_volume(path).array[:, 4, 4].tolist()
    [0.0, 0.0, 2.0, 2.0, 4.0, 4.0]
    """
    plan = _Settings(
        choice("method", method, METHODS),
        choice("mode", mode, MODES),
        odd("kernel_size", kernel_size, MAX_KERNEL_SIZE) // 2,
        positive("sigma", sigma),
        as_classes(classes, mode),
        get_num_threads(num_threads),
        memory_bytes(memory),
    )
    if (weights is not None) != (mode == "weighted"):
        raise ValueError('weights and mode="weighted" go together: give both or neither')
    if (grid is None) == (spacing is None):
        raise ValueError("give either spacing (mm) or grid")
    if grid is not None and not isinstance(grid, Grid):
        raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    path = Path(path)
    with frame_source(source, path.absolute().parent, labels=mode == "vote", config=config) as frames:
        if not frames.valid.any():
            raise GeometryError(f"none of the {len(frames)} frames has a valid pose")
        if grid is None:
            assert spacing is not None
            grid = frames.enclosing(spacing)
        pixels = _mask(frames, mask)
        importance = None if weights is None else _weights(weights, frames)
        work = _Work(frames, grid, plan, pixels, importance, progress)
        _write(work, path, None if weight_path is None else Path(weight_path))
    return grid


def memory_bytes(memory: int | str) -> int:
    """Return an amount of memory in bytes.

    Raises
    ------
    ValueError
        If it is no positive amount.

    Examples
    --------
    >>> memory_bytes("1.5 GB"), memory_bytes("2GiB"), memory_bytes(4096)
    (1500000000, 2147483648, 4096)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", str(memory).strip().upper())
    if match is None or match[2] not in _UNITS or isinstance(memory, bool) or float(match[1]) * _UNITS[match[2]] < 1:
        raise ValueError(f"memory must be a number of bytes or a text such as '500MB' or '2GiB', not {memory!r}")
    return int(float(match[1]) * _UNITS[match[2]])


@dataclass(frozen=True, eq=False)
class _Settings:
    method: str
    mode: str
    radius: int
    sigma: float
    classes: NDArray[Any] | None
    threads: int
    memory: int

    def bricks(self, begin: Place, end: Place, dtype: np.dtype[Any]) -> _core.Bricks:
        """Return bricks for the voxels [begin, end), (x, y, z)."""
        return _core.Bricks(
            begin,
            end,
            self.method,
            "mean" if self.mode == "weighted" else self.mode,
            self.radius,
            self.sigma,
            0 if self.classes is None else len(self.classes),
            self.classes is not None or dtype == np.uint8,
        )


class _Work:
    """What goes where: the parts of the grid, and the frames that reach each."""

    def __init__(
        self,
        frames: FrameSource,
        grid: Grid,
        settings: _Settings,
        mask: NDArray[np.bool_] | None,
        weights: NDArray[Any] | None,
        progress: Callable[[int, int], Any] | None,
    ) -> None:
        if max(grid.size) >= 10**9:
            raise GeometryError(f"a grid has fewer than 10^9 voxels along each axis, not {grid.size}")
        self.frames, self.grid, self.settings = frames, grid, settings
        self._mask, self._weights, self._progress = mask, weights, progress
        self.dtype = np.dtype(np.float32) if settings.classes is None else frames.dtype
        probe = settings.bricks((0, 0, 0), (1, 1, 1), frames.dtype)
        self._share(probe)
        self._boxes = list(_cut(grid.shape, self._part_voxels, probe.side()))
        self._low, self._high = self._reach()
        self._total = max(1, sum(self._reaching(*box).size for box in self._boxes))
        self._done = 0

    def _share(self, probe: _core.Bricks) -> None:
        """Share the memory out: cells, a batch of frames, what is written at a time."""
        height, width = self.frames.size
        per_pixel = 3 * self.frames.dtype.itemsize + 1  # as read, turned, converted
        if self._weights is not None and self._weights.ndim == 3:
            per_pixel += 8
        frame = height * width * per_pixel
        fixed = self.settings.threads * probe.scratch_bytes() + _BYTES_A_POSE * len(self.frames) + 9 * height * width
        brick = probe.side() ** 3
        voxel = 16 + 2 * self.dtype.itemsize  # volume and weight, as computed and as written
        least = fixed + frame + brick * (probe.cell() + voxel)
        memory = self.settings.memory
        if memory < least:
            raise ValueError(f"memory={memory / 1e6:.3g} MB is too little here; give at least {least / 1e6 + 1:.0f} MB")
        batch = max(frame, min(_FRAME_SHARE, (memory - fixed) // 4))
        written = max(brick * voxel, min(_FRAME_SHARE, (memory - fixed) // 8))
        self._batch = batch // frame
        self._written_voxels = written // voxel
        self._part_voxels = max(brick, (memory - fixed - batch - written) // probe.cell())

    def _reach(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, 3) lowest and highest voxel (z, y, x) that each frame may reach; nowhere for those not valid."""
        height, width = self.frames.size
        corners = np.array([[u, v, 0.0, 1.0] for u in (0, width - 1) for v in (0, height - 1)]).T
        low, high = np.full((len(self.frames), 3), np.inf), np.full((len(self.frames), 3), -np.inf)
        used = np.flatnonzero(self.frames.valid)
        for start in range(0, used.size, 1024):
            which = used[start : start + 1024]
            points = (self.grid.world_to_voxel @ self.frames.image_to_world[which] @ corners)[:, 2::-1]
            reach = self.settings.radius + 2 + 1e-9 * np.abs(points).max(axis=2)
            low[which], high[which] = points.min(axis=2) - reach, points.max(axis=2) + reach
        return low, high

    def _reaching(self, begin: Place, end: Place) -> NDArray[np.intp]:
        return np.flatnonzero(((self._high >= begin) & (self._low < end)).all(axis=1))

    def parts(self) -> Iterator[tuple[_core.Bricks, Place, Place]]:
        """Yield the parts that a frame may reach, compounded, and their voxels [begin, end), (z, y, x)."""
        for begin, end in self._boxes:
            reaching = self._reaching(begin, end)
            if not reaching.size:
                continue
            bricks = self.settings.bricks(begin[::-1], end[::-1], self.frames.dtype)
            for run in np.split(reaching, np.flatnonzero(np.diff(reaching) != 1) + 1):
                for start in range(0, run.size, self._batch):
                    self._add(bricks, int(run[start]), int(run[min(start + self._batch, run.size) - 1]) + 1)
            yield bricks, begin, end

    def _add(self, bricks: _core.Bricks, start: int, stop: int) -> None:
        pixels = self.frames.read(start, stop)
        if self.settings.classes is not None:
            pixels = class_indices(pixels, self.settings.classes)
        part = slice(start, stop)
        sweep = Sweep(pixels, self.frames.image_to_world[part], valid=self.frames.valid[part], mask=self._mask)
        weights = self._weights
        if weights is not None and weights.shape != self.frames.size:
            weights = weights[part]
        used = np.flatnonzero(sweep.valid)
        report, done, total = self._progress, self._done, self._total
        bricks.add(
            sweep.frames,
            used,
            image_to_voxel(sweep, used, self.grid),
            None if sweep.mask is None else sweep.mask.view(np.uint8),
            None if weights is None else importance_of(weights, sweep),
            False,
            self.settings.threads,
            None if report is None else lambda n, of: report(done + (stop - start) * n // max(of, 1), total),
        )
        self._done += stop - start

    def blocks(self, bricks: _core.Bricks, begin: Place, end: Place) -> Iterator[tuple[Place, Any, Any]]:
        """Yield (first voxel, values, weight) of blocks that fit the memory for writing, untouched space left out."""
        low, high = bricks.touched()
        first = np.maximum(begin, low[::-1])
        shape = np.minimum(end, high[::-1]) - first
        if (shape <= 0).any():
            return
        for start, stop in _cut(tuple(shape.tolist()), self._written_voxels, bricks.side()):
            size = tuple(b - a for a, b in zip(start, stop, strict=True))
            votes = self.settings.classes
            values = np.zeros(size, np.float32 if votes is None else np.uint8)
            weight = np.zeros(size, np.float32)
            z, y, x = (int(a + b) for a, b in zip(first, start, strict=True))
            bricks.write((x, y, z), values, weight, self.settings.threads, None)
            yield (z, y, x), values if votes is None else votes.astype(self.dtype)[values], weight


def _write(work: _Work, path: Path, weight_path: Path | None) -> None:
    from usfast.io import volume_parts

    with ExitStack() as files:
        targets: list[VolumeParts] = [files.enter_context(volume_parts(path, work.grid, work.dtype))]
        if weight_path is not None:
            targets.append(files.enter_context(volume_parts(weight_path, work.grid, np.float32)))
        for bricks, begin, end in work.parts():
            for place, values, weight in work.blocks(bricks, begin, end):
                for target, block in zip(targets, (values, weight), strict=False):
                    target.put(place, block)
            bricks.clear()


def _cut(shape: tuple[int, ...], most: int, side: int) -> Iterator[tuple[Place, Place]]:
    """Cut (Z, Y, X) voxels into boxes of at most `most`: planes; where few planes fit, rows; then columns."""
    steps = list(shape)
    for axis in range(3):
        fitting = most // (steps[0] * steps[1] * steps[2] // steps[axis])
        if fitting >= min(side, shape[axis]):
            steps[axis] = min(shape[axis], max(fitting // side * side, min(side, shape[axis])))
            break
        steps[axis] = min(side, shape[axis])
    for z in range(0, shape[0], steps[0]):
        for y in range(0, shape[1], steps[1]):
            for x in range(0, shape[2], steps[2]):
                end = min(z + steps[0], shape[0]), min(y + steps[1], shape[1]), min(x + steps[2], shape[2])
                yield (z, y, x), end


def _mask(frames: FrameSource, mask: ArrayLike | None) -> NDArray[np.bool_] | None:
    if mask is None:
        return frames.mask
    chosen = np.ascontiguousarray(mask, bool)
    if chosen.shape != frames.size:
        raise ValueError(f"mask has shape {chosen.shape}, but the frames are {frames.size}")
    return chosen if frames.mask is None else chosen & frames.mask


def _weights(weights: ArrayLike, frames: FrameSource) -> NDArray[Any]:
    array = np.asarray(weights)
    shapes = [(len(frames),), frames.size, (len(frames), *frames.size)]
    if array.shape not in shapes:
        raise ValueError(f"weights must have one of the shapes {', '.join(map(str, shapes))}, not {array.shape}")
    return array
