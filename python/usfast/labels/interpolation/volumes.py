"""From label frames to a smooth label volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import odd, positive
from usfast._threads import get_num_threads
from usfast.compound.memory import check_memory
from usfast.errors import GeometryError
from usfast.labels.interpolation.annotations import LabelledSweep
from usfast.labels.interpolation.fields import plane_of
from usfast.sweep import Sweep
from usfast.volume import Grid, Volume

__all__ = ["LabelVolume", "label_volume", "smooth_labels"]

OUTSIDE = 255
MAX_SIZE = 33
_BINS = 8192  # of the kernel's counts, over [-2, 2)
_ROUNDS = 6
Progress = Callable[[int, int], Any] | None


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """A label on every voxel, and where the sweeps say something.

    Attributes
    ----------
    volume : Volume
        uint8 labels, 0 background.
    hull : (Z, Y, X) bool array
        Voxels between the images of two consecutive frames of a pass; the labels outside are 0.
    """

    volume: Volume
    hull: NDArray[np.bool_]


def label_volume(
    sweeps: Sweep | LabelledSweep | Sequence[Sweep | LabelledSweep],
    spacing: ArrayLike | None = None,
    *,
    grid: Grid | None = None,
    size: int = 7,
    sigma: float = 1.5,
    planar: bool = False,
    volume_preserving: bool = True,
    num_threads: int | None = None,
    progress: Progress = None,
) -> LabelVolume:
    """Compound label frames into voxels by the sweeps' own geometry, then smooth.

    A voxel between the images of two consecutive valid frames takes the label of both at its place in the image,
    weighted by its nearness to each. All passes vote; for each structure only those frames that know of it. The
    voxel belongs to the structure with the largest share of its votes, if that is more than half.

    Parameters
    ----------
    sweeps : Sweep, LabelledSweep or a sequence of them
        In one world frame. Every valid frame of a plain Sweep with labels counts as fully labelled.
    spacing : float or (float, float, float), optional
        Voxel spacing along x, y, z, mm; the grid then encloses all sweeps.
    grid : Grid, optional
        Instead of `spacing`.
    size, sigma, planar, volume_preserving
        As for `smooth_labels`; ``size=1`` does not smooth.
    num_threads : int, optional
        Does not change the result.
    progress : callable, optional
        Called as ``progress(done, total)``.

    Returns
    -------
    LabelVolume

    Raises
    ------
    ValueError, TypeError
        If there is no sweep, one has no labels, or arguments do not fit each other.
    GeometryError
        If no two consecutive frames enclose anything.
    MemoryError
        Before allocating, if the grid would not fit.

    Notes
    -----
    Memory: 3 bytes a voxel and a few megabytes a thread.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = (0, 4, 8)
    >>> labels = np.zeros((3, 20, 20), np.uint8)
    >>> labels[:, 5:15, 5:15] = 3
    >>> made = label_volume(Sweep(labels, poses, labels=labels), spacing=1.0)
    >>> made.volume.array.shape, bool(made.hull.all()), int((made.volume.array == 3).sum())
    ((9, 20, 20), True, 900)
    """
    given = [sweeps] if isinstance(sweeps, (Sweep, LabelledSweep)) else list(sweeps)
    passes, structures = _as_labelled(given)
    odd("size", size, MAX_SIZE)
    positive("sigma", sigma)
    if grid is None:
        if spacing is None:
            raise ValueError("give spacing (mm) or grid")
        grid = _enclosing([labelled.sweep for labelled in passes], spacing)
    elif spacing is not None:
        raise ValueError("give either spacing or grid, not both")
    elif not isinstance(grid, Grid):
        raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
    check_memory(grid, bytes_per_voxel=3)
    described = [_described(labelled, structures, grid) for labelled in passes]
    if not any(len(entry[4]) for entry in described):
        raise GeometryError("no two consecutive frames with a pose enclose any voxel of the grid")
    threads = get_num_threads(num_threads)
    codes = _core.paint_labels(described, len(structures), grid.shape, threads, _part(progress, 0, 2))
    hull = codes != OUTSIDE
    table = np.zeros(256, np.uint8)
    table[1 : len(structures) + 1] = structures
    smoothed = _smoothed(codes, len(structures), size, sigma, planar, volume_preserving, threads, _part(progress, 1, 2))
    del codes
    # In place, slice by slice: the volume may be half of the memory there is.
    for plane in smoothed:
        plane[...] = table[plane]
    return LabelVolume(Volume.on(grid, smoothed), hull)


def smooth_labels(
    labels: ArrayLike,
    hull: ArrayLike | None = None,
    *,
    size: int = 7,
    sigma: float = 1.5,
    planar: bool = False,
    volume_preserving: bool = True,
    num_threads: int | None = None,
    progress: Progress = None,
) -> NDArray[np.uint8]:
    """Smooth the borders of labels by a Gaussian of each structure's membership.

    Parameters
    ----------
    labels : (Z, Y, X) integer array, 0 to 255
    hull : (Z, Y, X) bool array, optional
        Voxels to use and to label. Default: all.
    size : odd int
        Width of the window, voxels: the thesis' 7 x 7 (x 7).
    sigma : float
        Standard deviation of the Gaussian, voxels; the thesis does not say.
    planar : bool
        Smooth each slice (Y, X) by itself.
    volume_preserving : bool
        Choose each structure's threshold such that its volume after smoothing is the one before. False: a
        threshold of one half.
    num_threads : int, optional
        Does not change the result.
    progress : callable, optional

    Returns
    -------
    (Z, Y, X) uint8 array
        Of the structures whose smoothed membership, their share of the window inside `hull`, exceeds their
        threshold, the one that does by most (ties: the smaller label); else 0. Structures cannot overlap.

    Raises
    ------
    ValueError, TypeError
        If shapes, sizes or labels are wrong.

    Notes
    -----
    ``volume_preserving`` takes up to 6 rounds, until each volume is met to a tenth of a per cent; voxels of equal
    membership go together, and a structure much thinner than the window may not return at any threshold.

    Examples
    --------
    >>> rough = np.zeros((9, 9, 9), np.uint8)
    >>> rough[2:7, 2:7, 2:7] = 4
    >>> rough[4, 4, 8] = 2
    >>> smooth = smooth_labels(rough, volume_preserving=False)
    >>> int(smooth[4, 4, 4]), int(smooth[4, 4, 8]), int(smooth[2, 2, 2])
    (4, 0, 0)
    """
    array = np.asarray(labels)
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"labels must be a non-empty volume (Z, Y, X), not shape {array.shape}")
    if array.dtype.kind not in "bui":
        raise TypeError(f"labels must be integers, not {array.dtype}")
    if int(array.min()) < 0 or int(array.max()) > 255:
        raise ValueError(f"labels must be from 0 to 255, not {array.min()} to {array.max()}")
    odd("size", size, MAX_SIZE)
    positive("sigma", sigma)
    structures = [int(label) for label in np.unique(array) if label]
    if len(structures) >= OUTSIDE:
        raise ValueError(f"{OUTSIDE - 1} structures can be told apart, but there are {len(structures)}")
    table = np.zeros(256, np.uint8)
    table[structures] = np.arange(1, len(structures) + 1)
    codes = table[array.astype(np.uint8, copy=False)]
    if hull is not None:
        inside = np.asarray(hull)
        if inside.shape != array.shape or inside.dtype != bool:
            raise ValueError(f"hull must be a bool array of shape {array.shape}, not {inside.dtype} {inside.shape}")
        codes[~inside] = OUTSIDE
    if not structures:
        return np.zeros(array.shape, np.uint8)
    threads = get_num_threads(num_threads)
    smoothed = _smoothed(codes, len(structures), size, sigma, planar, volume_preserving, threads, progress)
    back = np.array([0, *structures], np.uint8)
    return np.asarray(back[smoothed])


def _smoothed(
    codes: NDArray[np.uint8],
    structures: int,
    size: int,
    sigma: float,
    planar: bool,
    volume_preserving: bool,
    threads: int,
    progress: Progress,
) -> NDArray[np.uint8]:
    """Return the smoothed codes, 0 outside the hull."""
    offsets = np.arange(size) - size // 2
    kernel = np.exp(-(offsets**2) / (2.0 * sigma**2))
    kernel = (kernel / kernel.sum()).astype(np.float32)
    bonus = np.zeros(structures, np.float32)
    if not volume_preserving:
        smoothed, _ = _core.smooth_codes(codes, kernel, planar, bonus, False, threads, progress)
        return smoothed
    wanted = _count(codes)[:structures]
    for turn in range(_ROUNDS):
        smoothed, lead = _core.smooth_codes(codes, kernel, planar, bonus, True, threads, _part(progress, turn, _ROUNDS))
        # How many voxels each structure would win with a little more, or a little less, than now.
        winning = np.cumsum(lead[:, ::-1], axis=1)[:, ::-1]
        now = winning[:, _BINS // 2]
        if (np.abs(now - wanted) <= np.maximum(wanted * 1e-3, 1)).all():
            break
        place = np.array([np.argmin(np.abs(w - v)) for w, v in zip(winning, wanted, strict=True)])
        bonus = np.clip(bonus + (_BINS // 2 - place) * (4 / _BINS), -1, 1).astype(np.float32)
    if progress is not None:
        progress(1000, 1000)
    return smoothed


def _count(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Voxels of each structure, slice by slice: bincount makes eight bytes of each byte."""
    counts = np.zeros(256, np.int64)
    for plane in codes:
        counts += np.bincount(plane.reshape(-1), minlength=256)
    return counts[1:]


def _as_labelled(given: list[Sweep | LabelledSweep]) -> tuple[list[LabelledSweep], tuple[int, ...]]:
    if not given:
        raise ValueError("there is no sweep to compound")
    passes = []
    for sweep in given:
        if not isinstance(sweep, (Sweep, LabelledSweep)):
            raise TypeError(f"each sweep must be a Sweep or a LabelledSweep, not {type(sweep).__name__}")
        passes.append(sweep if isinstance(sweep, LabelledSweep) else _fully_known(sweep))
    structures = tuple(sorted({label for labelled in passes for label in labelled.structures}))
    if not structures:
        raise ValueError("no frame of the sweeps has a label")
    if len(structures) >= OUTSIDE:
        raise ValueError(f"{OUTSIDE - 1} structures can be told apart, but there are {len(structures)}")
    return passes, structures


def _fully_known(sweep: Sweep) -> LabelledSweep:
    if sweep.labels is None:
        raise ValueError("a sweep has no labels; interpolate its annotations first")
    if int(sweep.labels.min()) < 0 or int(sweep.labels.max()) > 255:
        raise ValueError(f"labels must be from 0 to 255, not {sweep.labels.min()} to {sweep.labels.max()}")
    structures = tuple(int(label) for label in np.unique(sweep.labels) if label)
    return LabelledSweep(sweep, structures, np.repeat(sweep.valid[:, None], len(structures), axis=1))


def _enclosing(sweeps: list[Sweep], spacing: ArrayLike) -> Grid:
    """Return the smallest grid along the world's axes that holds every sweep."""
    grids = [Grid.enclosing(sweep, spacing) for sweep in sweeps]
    bounds = [sweep.bounds() for sweep in sweeps]
    low = np.min([low for low, _ in bounds], axis=0)
    high = np.max([high for _, high in bounds], axis=0)
    size = np.ceil((high - low) / grids[0].spacing - 1e-9).astype(int) + 1
    return Grid(tuple(int(n) for n in size), grids[0].spacing, low)


def _described(labelled: LabelledSweep, structures: tuple[int, ...], grid: Grid) -> tuple[Any, ...]:
    """Return a pass as the kernel wants it: codes, known, mask, planes of the frames, gaps and their boxes."""
    sweep = labelled.sweep
    table = np.zeros(256, np.uint8)
    table[list(structures)] = np.arange(1, len(structures) + 1)
    columns = [structures.index(label) for label in labelled.structures]
    # Of a structure that a pass was never asked about its frames know nothing.
    known = np.zeros((len(sweep), len(structures)), np.uint8)
    known[:, columns] = labelled.known
    planes = np.zeros((len(sweep), 3, 4))
    for frame in np.flatnonzero(sweep.valid):
        planes[frame] = plane_of(sweep.image_to_world[frame]) @ grid.voxel_to_world
    mask = None if sweep.mask is None else np.ascontiguousarray(sweep.mask).view(np.uint8)
    labels = table[labelled.labels.astype(np.uint8, copy=False)]
    return labels, known, mask, planes, _gaps(labelled, grid)


def _gaps(labelled: LabelledSweep, grid: Grid) -> NDArray[np.int64]:
    """Return neighbouring frames and the box of voxels that encloses both images: (G, 8)."""
    sweep = labelled.sweep
    height, width = sweep.image_size
    valid = np.flatnonzero(sweep.valid)
    ends = [[u, v, 0.0, 1.0] for u in (-0.5, width - 0.5) for v in (-0.5, height - 0.5)]
    corners = np.array([*ends, [(width - 1) / 2, (height - 1) / 2, 0.0, 1.0]]).T
    world = (sweep.image_to_world[valid] @ corners)[:, :3]
    near = np.linalg.norm(np.diff(world[:, :, 4], axis=0), axis=1) <= labelled.largest_step
    matrix = grid.world_to_voxel
    voxel = np.einsum("ij,njk->nik", matrix[:3, :3], world[:, :, :4]) + matrix[:3, 3, None]
    low = np.minimum(voxel[:-1].min(axis=2), voxel[1:].min(axis=2))
    high = np.maximum(voxel[:-1].max(axis=2), voxel[1:].max(axis=2))
    size = np.asarray(grid.size)
    # Rounding of the borders must not lose a voxel; the kernel tests each one exactly.
    begin = np.clip(np.floor(low - 1e-6), 0, size).astype(np.int64)
    end = np.clip(np.ceil(high + 1e-6) + 1, 0, size).astype(np.int64)
    kept = near & (begin < end).all(axis=1)
    boxes = np.stack([begin, end], axis=2).reshape(-1, 6)
    return np.ascontiguousarray(np.concatenate([valid[:-1, None], valid[1:, None], boxes], axis=1)[kept], np.int64)


def _part(progress: Progress, step: int, steps: int) -> Progress:
    """Report one of several steps as its share, in thousandths, of the whole."""
    if progress is None:
        return None
    return lambda done, total: progress((1000 * step + 1000 * done // max(total, 1)) // steps, 1000)
