"""Rigid registration of two compounded volumes of one body: which motion takes one onto the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice, positive
from usfast._threads import get_num_threads
from usfast.errors import GeometryError
from usfast.labels.registration.optimizer import Found, optimized
from usfast.labels.registration.pyramid import Level, reduced
from usfast.labels.registration.similarity import METRICS, Comparison, Similarity
from usfast.phantom.trajectories import rigid_motion
from usfast.volume import Volume

__all__ = ["Registration", "as_rigid", "data_mask", "register"]

_STARTS = 6  # of the search, that are optimised at the coarsest level
_MOST_VOXELS = 8_000_000  # of the finest level where the caller does not choose it
_LEAST_OVERLAP = 0.05


@dataclass(frozen=True, eq=False)
class Registration:
    """The motion that places the moving volume onto the fixed one.

    Attributes
    ----------
    moving_to_fixed : (4, 4) float64 array
        Rigid; takes points (column vectors) of the moving volume's world to the fixed one's, mm.
    metric : str
    before, after : Similarity
        At the finest level, with the start that was given and with `moving_to_fixed`.
    levels_mm : tuple of float
        Voxel spacings of the pyramid, coarse to fine.
    iterations : tuple of int
        Of the optimiser at each level; at the coarsest those of the start that was kept.
    starts : int
        Starts that were optimised at the coarsest level.
    """

    moving_to_fixed: NDArray[np.float64]
    metric: str
    before: Similarity
    after: Similarity
    levels_mm: tuple[float, ...]
    iterations: tuple[int, ...]
    starts: int

    @property
    def fixed_to_moving(self) -> NDArray[np.float64]:
        """(4, 4) inverse of `moving_to_fixed`."""
        return np.asarray(np.linalg.inv(self.moving_to_fixed), np.float64)

    @property
    def value(self) -> float:
        """The metric's value after registration; larger is better."""
        return self.after.of(self.metric)

    @property
    def overlap(self) -> float:
        """Share of the smaller volume's data that meets data of the other."""
        return self.after.overlap


def register(
    fixed: Volume,
    moving: Volume,
    *,
    metric: str = "mutual_information",
    initial: ArrayLike | None = None,
    fixed_mask: ArrayLike | None = None,
    moving_mask: ArrayLike | None = None,
    levels_mm: Sequence[float] | None = None,
    search_mm: float = 10.0,
    search_deg: float = 10.0,
    seed: int = 0,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Registration:
    """Find the rigid motion that takes one compounded volume onto another of the same body.

    The search starts from the tracker: two sweeps in one tracked frame need no more than `initial` = None. Around
    the start, motions on a grid of rotations and shifts are scored at the coarsest level; the best six and the start
    itself are optimised there, and the best of these goes through the finer levels.

    Parameters
    ----------
    fixed, moving : Volume
        Grids may differ in every respect.
    metric : {"mutual_information", "correlation"}
        Mattes' mutual information, for volumes of different frequency, gain or machine; normalised
        cross-correlation, for volumes of one setting.
    initial : (4, 4) array, optional
        Where to start: a rigid motion from the moving volume's world to the fixed one's, mm. Default: identity.
    fixed_mask, moving_mask : (Z, Y, X) bool array, optional
        Voxels that hold data, e.g. ``CompoundResult.coverage``. Default: voxels that are finite and not 0.
    levels_mm : sequence of float, optional
        Voxel spacings of the pyramid, coarse to fine. Default: four and two times the finest, and the finest:
        the smallest spacing of the coarser volume, or the one at which the larger volume has 8 million voxels.
    search_mm, search_deg : float
        How far off the start may be, along and about each axis; 0 leaves the search out.
    seed : int
        Of the voxels that the metric looks at.
    num_threads : int, optional
        Starts optimised at the same time. The result does not depend on it.
    progress : callable, optional
        Called as ``progress(done, total)`` after the search, each start and each level.

    Returns
    -------
    Registration

    Raises
    ------
    ValueError, TypeError
        If an argument is of the wrong kind or shape, or a volume holds one value only.
    GeometryError
        If `initial` is not rigid, or no motion tried brings enough of the two volumes together.

    Notes
    -----
    Mattes et al., IEEE Trans. Med. Imaging 22 (2003) 120, as in ITK; regular step gradient descent on three Euler
    angles and a shift about the middle of the fixed data. ITK's mutual information changes in its last bits with
    the threads that add it up; each optimisation therefore runs on one.

    Examples
    --------
    >>> from scipy.ndimage import gaussian_filter
    >>> noise = gaussian_filter(np.random.default_rng(0).standard_normal((32, 32, 32)), 3)
    >>> fixed = Volume(noise, spacing=1.0)
    >>> moving = Volume(noise, spacing=1.0, origin=(3.0, -2.0, 1.0))  # the same body, elsewhere
    >>> found = register(fixed, moving, metric="correlation", search_mm=4.0, search_deg=0.0)
    >>> bool(np.allclose(found.moving_to_fixed[:3, 3], [-3, 2, -1], atol=0.1)), found.overlap > 0.8
    (True, True)
    """
    for name, volume in (("fixed", fixed), ("moving", moving)):
        if not isinstance(volume, Volume):
            raise TypeError(f"{name} must be a Volume, not {type(volume).__name__}")
    choice("metric", metric, METRICS)
    start = np.eye(4) if initial is None else as_rigid("initial", initial)
    masks = data_mask("fixed", fixed, fixed_mask), data_mask("moving", moving, moving_mask)
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**31 - 1:
        raise ValueError(f"seed must be a whole number from 0, not {seed!r}")
    reach_mm, reach_deg = _reach("search_mm", search_mm, 1000.0), _reach("search_deg", search_deg, 90.0)
    spacings = _levels(fixed, moving, levels_mm)
    threads = get_num_threads(num_threads)
    done, total = 0, 1 + (_STARTS + 1) + len(spacings) - 1

    def step(count: int = 1) -> None:
        nonlocal done
        done = min(done + count, total)
        if progress is not None:
            progress(done, total)

    pair = _pair(fixed, moving, masks, spacings[0])
    comparison = Comparison(*pair, seed=seed)
    starts = [start, *_search(pair, start, metric, reach_mm, reach_deg, seed)]
    step()
    tried = optimized(*pair, starts, metric=metric, seed=seed, num_threads=threads, progress=step)
    best = _best([Found(start, 0), *tried], comparison, metric)
    iterations = [best.iterations]
    for spacing in spacings[1:]:
        pair = _pair(fixed, moving, masks, spacing)
        comparison = Comparison(*pair, seed=seed)
        refined = optimized(*pair, [best.moving_to_fixed], metric=metric, seed=seed, num_threads=1, progress=step)
        best = _best([Found(best.moving_to_fixed, 0), *refined], comparison, metric)
        iterations.append(best.iterations)
    step(total)
    after = comparison.at(best.moving_to_fixed)
    if after.overlap < _LEAST_OVERLAP or not np.isfinite(after.of(metric)):
        raise GeometryError(
            f"no motion within {search_mm:g} mm and {search_deg:g} degrees of the start brings the volumes together "
            f"(overlap {100 * after.overlap:.1f} %): give a better initial, or a wider search_mm"
        )
    return Registration(
        best.moving_to_fixed, metric, comparison.at(start), after, spacings, tuple(iterations), len(starts)
    )


def as_rigid(name: str, matrix: ArrayLike) -> NDArray[np.float64]:
    """Return a (4, 4) rigid transform as float64, its rotation orthonormal to rounding.

    Raises
    ------
    GeometryError
        If it is not finite, or scales, shears or mirrors.
    """
    given = np.array(matrix, np.float64)
    if given.shape != (4, 4):
        raise GeometryError(f"{name} must be a 4x4 transform, not of shape {given.shape}")
    turn = given[:3, :3]
    rigid = (
        np.isfinite(given).all()
        and np.allclose(turn.T @ turn, np.eye(3), atol=1e-4)
        and np.linalg.det(turn) > 0
        and np.allclose(given[3], (0, 0, 0, 1))
    )
    if not rigid:
        raise GeometryError(f"{name} must be rigid (a rotation and a shift in mm), not {given.tolist()}")
    left, _, right = np.linalg.svd(turn)
    given[:3, :3] = left @ right
    return given


def data_mask(name: str, volume: Volume, mask: ArrayLike | None) -> NDArray[np.bool_]:
    """Return where a volume holds data: its mask, or the voxels that are finite and not 0.

    Raises
    ------
    ValueError
        If the mask has another shape or is empty, or the data are all of one value.
    """
    known = np.isfinite(volume.array)
    if mask is None:
        given = volume.array != 0
    else:
        given = np.asarray(mask)
        if given.shape != volume.array.shape:
            raise ValueError(f"{name}_mask has shape {given.shape}, but {name} {volume.array.shape} (Z, Y, X)")
        given = given.astype(bool, copy=False)
    where: NDArray[np.bool_] = given & known
    if not where.any():
        raise ValueError(f"{name} holds no data" + (": every voxel is 0" if mask is None else " inside its mask"))
    first = volume.array.flat[int(np.argmax(where))]
    if not np.any(volume.array != first, where=where):
        raise ValueError(f"{name} holds one value only ({first}): there is nothing to register by")
    return where


def _reach(name: str, value: float, most: float) -> float:
    number = float(value)
    if not 0 <= number <= most:
        raise ValueError(f"{name} must be from 0 to {most:g}, not {value!r}")
    return number


def _levels(fixed: Volume, moving: Volume, levels_mm: Sequence[float] | None) -> tuple[float, ...]:
    if levels_mm is not None:
        chosen = tuple(positive("levels_mm", value) for value in levels_mm)
        if not chosen or any(after >= before for before, after in itertools.pairwise(chosen)):
            raise ValueError(f"levels_mm must be spacings from coarse to fine, not {list(levels_mm)}")
        return chosen
    finest = max(float(fixed.spacing.min()), float(moving.spacing.min()))
    largest = max(float(np.prod(v.spacing * v.array.shape[::-1])) for v in (fixed, moving))
    finest = max(finest, (largest / _MOST_VOXELS) ** (1 / 3))
    return 4 * finest, 2 * finest, finest


def _pair(
    fixed: Volume, moving: Volume, masks: tuple[NDArray[np.bool_], NDArray[np.bool_]], spacing: float
) -> tuple[Level, Level]:
    return reduced(fixed, masks[0], spacing), reduced(moving, masks[1], spacing)


def _search(
    pair: tuple[Level, Level],
    start: NDArray[np.float64],
    metric: str,
    reach_mm: float,
    reach_deg: float,
    seed: int,
) -> list[NDArray[np.float64]]:
    """Return the most promising motions on a grid around the start, best first."""
    if reach_mm == 0 and reach_deg == 0:
        return []
    comparison = Comparison(*pair, points=4000, seed=seed)
    centre = _centre(pair[0])
    # Three values an axis, two thirds out: no motion within reach is further than a third of it from one of them.
    turns = itertools.product((0.0, -1.0, 1.0), repeat=3) if reach_deg else [(0.0, 0.0, 0.0)]
    shifts = list(itertools.product((0.0, -1.0, 1.0), repeat=3)) if reach_mm else [(0.0, 0.0, 0.0)]
    found: list[tuple[float, float, NDArray[np.float64]]] = []
    for turn in turns:
        about = rigid_motion([0, 0, 0], np.multiply(turn, reach_deg * 2 / 3))
        about[:3, 3] = centre - about[:3, :3] @ centre
        for shift in shifts:
            motion = about.copy()
            motion[:3, 3] += np.multiply(shift, reach_mm * 2 / 3)
            motion = motion @ start
            seen = comparison.at(motion)
            found.append((seen.of(metric), seen.overlap, motion))
    enough = 0.5 * max(overlap for _, overlap, _ in found)
    found = [entry for entry in found if entry[1] >= enough and np.isfinite(entry[0])]
    found.sort(key=lambda entry: -entry[0])
    return [motion for _, _, motion in found[:_STARTS]]


def _centre(level: Level) -> NDArray[np.float64]:
    """Return the middle of the data, world mm."""
    index = [
        float(np.average(np.arange(n), weights=_along(level.mask, axis))) for axis, n in enumerate(level.mask.shape)
    ]
    to_world = level.grid.voxel_to_world
    return np.asarray(to_world[:3, :3] @ index[::-1] + to_world[:3, 3], np.float64)


def _along(mask: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    counts = mask.sum(axis=tuple(other for other in range(3) if other != axis)).astype(np.float64)
    return counts if counts.any() else np.ones(len(counts))


def _best(found: list[Found], comparison: Comparison, metric: str) -> Found:
    """Return the motion with the best metric among those that keep at least half of the largest overlap."""
    seen = [comparison.at(motion.moving_to_fixed) for motion in found]
    enough = 0.5 * max(similarity.overlap for similarity in seen)
    scores = [s.of(metric) if s.overlap >= enough else -np.inf for s in seen]
    return found[int(np.argmax(scores))]
