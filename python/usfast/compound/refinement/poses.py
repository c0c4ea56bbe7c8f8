"""Correction of tracking errors: overlapping sweeps are moved until they show the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import hypot, radians
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import positive
from usfast._threads import get_num_threads
from usfast.compound.memory import check_memory
from usfast.compound.refinement.motions import best_rigid
from usfast.compound.refinement.overlap import Matches, splat_volume
from usfast.compound.refinement.pyramid import coarse_frames
from usfast.compound.refinement.registration import Belief, Level, Limits, Path, align, frame_matches
from usfast.compound.refinement.splines import PenalisedSpline
from usfast.compound.sweeps import CompoundResult
from usfast.errors import GeometryError
from usfast.sweep import Sweep
from usfast.volume import Grid, Volume

__all__ = ["Refinement", "overlap_ncc", "refine_poses"]

Reference = Volume | CompoundResult | int | None

_COARSER = (1, 2, 4)  # spacings of the grids, in units of the finest
_LEAST_OVERLAP = 0.005  # share of a sweep's pixels that the others must show


@dataclass(frozen=True, eq=False)
class Refinement:
    """What `refine_poses` returns; every tuple has one entry for each sweep, in the order given.

    Attributes
    ----------
    sweeps : tuple of Sweep
        The sweeps with corrected poses.
    corrections : tuple of (N, 4, 4) arrays
        World-side: ``corrected = correction @ image_to_world``. The identity for frames without a valid pose.
    ncc_before, ncc_after : tuple of (N,) arrays
        Normalised cross-correlation of each frame with what the other sweeps (and the reference) show at its
        place; NaN where they show nothing, or the frame is constant or not valid.
    overlap : tuple of (N,) arrays
        Share of each frame's pixels that the others show, after the correction. Where it is 0 a correction is
        only carried on from the frames around.
    """

    sweeps: tuple[Sweep, ...]
    corrections: tuple[NDArray[np.float64], ...]
    ncc_before: tuple[NDArray[np.float64], ...]
    ncc_after: tuple[NDArray[np.float64], ...]
    overlap: tuple[NDArray[np.float64], ...]


def refine_poses(
    sweeps: Sequence[Sweep] | Sweep,
    spacing: float,
    *,
    reference: Reference = None,
    iterations: int = 8,
    smoothness: float = 0.01,
    out_of_plane: float = 0.05,
    knot_frames: float = 4.0,
    rigid_first: bool = True,
    max_shift_mm: float = 10.0,
    max_angle_deg: float = 10.0,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Refinement:
    """Correct the tracking errors of overlapping sweeps.

    Each sweep is registered to the volume that the others make, as a whole and then bent smoothly in time, and
    the volumes are compounded anew, from coarse to fine.

    Parameters
    ----------
    sweeps : sequence of Sweep, or Sweep
        In one world frame, overlapping as they are. Image sizes, pixel sizes and gains may differ. The passes of one
        recording are given as slices of it: ``[sweep[:100], sweep[100:]]``. A single sweep needs a reference volume.
    spacing : float
        Of the finest grid, mm: about the distance between frames, or twice the correlation length of the speckle,
        whichever is larger. Finer grids cost more and see more speckle, which does not match between directions.
    reference : Volume, CompoundResult or int, optional
        What stays where it is: a volume (NaN voxels are unknown), a compounding result (voxels without weight
        and not filled are unknown), or the number of a sweep. Without one the sweeps all move, and together they
        stay where they were: the rigid motion that brings all pixels closest to their old places is taken off.
    iterations : int
        Rounds over the sweeps on each of the three grids, fewer where nothing moves any more.
    smoothness : float
        Weight of the squared second differences of a sweep's control points (mm^2) against the NCC summed over
        its frames. 0.01: a kink of 1 mm must gain 0.005.
    out_of_plane : float
        Weight of the squared part of a frame's correction that leaves its plane (mm^2; turns count at the
        root-mean-square distance of the pixels) against its NCC. Along a limb images change little from frame to
        frame and say little about it: there the tracker is believed. 0 believes the images alone, as is right
        where sweeps cross.
    knot_frames : float
        Frames between two control points of the spline.
    rigid_first : bool
        Move sweeps as a whole before they are bent.
    max_shift_mm, max_angle_deg : float
        Farthest that the middle of a sweep is moved as a whole, and each frame about its centre after that.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    Refinement

    Raises
    ------
    ValueError, TypeError
        If arguments do not fit each other.
    GeometryError
        If a sweep overlaps no other one, or has no valid frame.
    MemoryError
        Before allocating, if the grids would not fit.

    Notes
    -----
    Only what two sweeps see differently can be seen: errors that all sweeps share at one place stay, as do those
    outside the overlap. The aim is that of Gee et al., "Rapid registration for wide field of view freehand
    three-dimensional ultrasound", IEEE Trans. Med. Imaging 22 (2003); steps are Levenberg-Marquardt's on the NCC,
    splines P-splines (Eilers and Marx 1996). A frame is never matched with its own sweep. The bits do not depend on
    the number of threads. Memory: 8 bytes for each sweep and 24 more a voxel of the box around all sweeps.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Sweep
    >>> y, x = np.mgrid[:40, :40] / 4.0
    >>> frames = np.stack([np.sin(x + 0.1 * n) * np.cos(y) + np.sin(0.7 * y + 0.05 * n) for n in range(12)])
    >>> poses = np.tile(np.eye(4), (12, 1, 1))
    >>> poses[:, 2, 3] = np.arange(12)
    >>> shifted = poses.copy()
    >>> shifted[:, 0, 3] += 1.5  # mm
    >>> found = refine_poses([Sweep(frames, poses), Sweep(frames, shifted)], 1.0, reference=0)
    >>> np.allclose(found.sweeps[1].image_to_world[:, 0, 3], 0.0, atol=0.2)
    True
    """
    given = _sweeps(sweeps, reference)
    if isinstance(iterations, bool) or not isinstance(iterations, (int, np.integer)) or iterations < 1:
        raise ValueError(f"iterations must be a whole number from 1 on, not {iterations!r}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    limits = Limits(positive("max_shift_mm", max_shift_mm), radians(positive("max_angle_deg", max_angle_deg)))
    belief = Belief(positive("smoothness", smoothness), _not_negative("out_of_plane", out_of_plane))
    knots = positive("knot_frames", knot_frames)
    threads = get_num_threads(num_threads)
    movable = [s for s in range(len(given)) if s != reference]
    levels = _levels(given, positive("spacing", spacing), limits.shift_mm, reference, threads)
    paths = [_path(sweep, knots) for sweep in given]
    before = frame_matches(paths, levels[0], movable, threads)
    _refuse_apart(before, levels[0], movable)
    phases = [(level, True) for level in levels[:0:-1] if rigid_first] + [(level, False) for level in levels[::-1]]
    counter = _Counter(len(phases) * int(iterations) * len(movable), progress)
    for level, rigid in phases:
        align(
            paths,
            movable,
            level,
            rigid=rigid,
            iterations=int(iterations),
            belief=belief,
            limits=limits,
            threads=threads,
            tick=counter,
        )
    after = frame_matches(paths, levels[0], movable, threads)
    gauge = _gauge(paths) if reference is None else np.eye(4)
    return _result(given, paths, levels[0], movable, gauge, before, after)


def overlap_ncc(
    sweeps: Sequence[Sweep] | Sweep,
    spacing: float,
    *,
    reference: Reference = None,
    num_threads: int | None = None,
) -> tuple[NDArray[np.float64], ...]:
    """Return how well the frames of overlapping sweeps match what the other sweeps show.

    Parameters
    ----------
    sweeps, spacing, reference
        As of `refine_poses`. A sweep named as reference is measured too.
    num_threads : int, optional

    Returns
    -------
    tuple of (N,) float64 arrays
        For each sweep the NCC of its frames; NaN where the others show nothing.

    Raises
    ------
    ValueError, TypeError, GeometryError, MemoryError
        As of `refine_poses`.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Sweep
    >>> frames = np.random.default_rng(0).integers(0, 256, (4, 30, 30)).astype(np.uint8)
    >>> poses = np.tile(np.eye(4), (4, 1, 1))
    >>> poses[:, 2, 3] = 2.0 * np.arange(4)
    >>> ncc = overlap_ncc([Sweep(frames, poses), Sweep(frames, poses)], 1.0)
    >>> bool((ncc[0] > 0.9).all())
    True
    """
    given = _sweeps(sweeps, reference)
    threads = get_num_threads(num_threads)
    level = _levels(given, positive("spacing", spacing), 0.0, reference, threads)[0]
    every = list(range(len(given)))
    found = frame_matches([_path(sweep, 4.0) for sweep in given], level, every, threads)
    return tuple(_per_frame(sweep, match.ncc) for sweep, match in zip(given, found, strict=True))


class _Counter:
    """Steps done, told to the user."""

    def __init__(self, total: int, progress: Callable[[int, int], Any] | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, steps: int) -> None:
        self._done += steps
        if self._progress is not None and steps:
            self._progress(self._done, self._total)


def _not_negative(name: str, value: float) -> float:
    number = float(value)
    if not (np.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be finite and not negative, not {value!r}")
    return number


def _sweeps(sweeps: Sequence[Sweep] | Sweep, reference: Reference) -> list[Sweep]:
    given = [sweeps] if isinstance(sweeps, Sweep) else list(sweeps)
    for number, sweep in enumerate(given):
        if not isinstance(sweep, Sweep):
            raise TypeError(f"sweeps must be Sweeps, but entry {number} is a {type(sweep).__name__}")
        if not sweep.valid.any():
            raise GeometryError(f"none of the {len(sweep)} frames of sweep {number} has a valid pose")
    if isinstance(reference, (bool, np.bool_)) or not (
        reference is None or isinstance(reference, (Volume, CompoundResult, int, np.integer))
    ):
        raise TypeError(
            f"reference must be a Volume, a CompoundResult or the number of a sweep, not {type(reference).__name__}"
        )
    if isinstance(reference, (int, np.integer)) and not 0 <= reference < len(given):
        raise ValueError(f"reference must be the number of a sweep, 0 to {len(given) - 1}, not {reference}")
    if len(given) < (1 if isinstance(reference, (Volume, CompoundResult)) else 2):
        raise ValueError(
            "sweeps are aligned with each other: give two or more (the passes of one recording as slices of it), "
            "or a volume as reference"
        )
    return given


def _levels(sweeps: list[Sweep], spacing: float, margin: float, reference: Reference, threads: int) -> list[Level]:
    """The grids, finest first, with the frames of every sweep and the fixed volume on them."""
    low, high = _box(sweeps, margin)
    spacings = [spacing * factor for factor in _COARSER]
    grids = [_grid(low, high, step) for step in spacings]
    check_memory(grids[0], bytes_per_voxel=8 * len(sweeps) + 24)
    frames = [coarse_frames(sweep, spacings) for sweep in sweeps]
    fixed = _known(reference)
    return [
        Level(
            grid,
            [of_sweep[n] for of_sweep in frames],
            [] if fixed is None else [splat_volume(*fixed, grid, threads)],
        )
        for n, grid in enumerate(grids)
    ]


def _known(reference: Reference) -> tuple[Volume, NDArray[np.bool_]] | None:
    if isinstance(reference, CompoundResult):
        known = reference.coverage if reference.filled is None else reference.coverage | reference.filled
        return reference.volume, known & np.isfinite(reference.volume.array)
    if isinstance(reference, Volume):
        return reference, np.isfinite(reference.array)
    return None


def _box(sweeps: list[Sweep], margin: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    bounds = [sweep.bounds() for sweep in sweeps]
    return np.min([b[0] for b in bounds], axis=0) - margin, np.max([b[1] for b in bounds], axis=0) + margin


def _grid(low: NDArray[np.float64], high: NDArray[np.float64], spacing: float) -> Grid:
    # One voxel more on every side: a flat sweep has no cell otherwise.
    size = np.ceil((high - low) / spacing - 1e-9).astype(object) + 3
    return Grid(tuple(int(n) for n in size), spacing, low - spacing)


def _path(sweep: Sweep, knot_frames: float) -> Path:
    height, width = sweep.image_size
    pitch = sweep.pixel_spacing
    lever = hypot(width * pitch[0], height * pitch[1]) / 12**0.5
    tracked = sweep.image_to_world[sweep.valid]
    middle = np.array([(width - 1) / 2, (height - 1) / 2, 0.0, 1.0])
    return Path(tracked, middle, lever, PenalisedSpline(len(tracked), knot_frames))


def _refuse_apart(found: list[Matches], level: Level, movable: list[int]) -> None:
    for matches, s in zip(found, movable, strict=True):
        pixels = np.count_nonzero(np.isfinite(level.frames[s].pixels))
        if matches.used.sum() < max(_LEAST_OVERLAP * pixels, 1):
            raise GeometryError(
                f"sweep {s} does not overlap the other sweeps: only {int(matches.used.sum())} of {pixels} pixels "
                f"lie where they show something, so nothing can be aligned"
            )
        if not np.isfinite(matches.ncc).any():
            raise GeometryError(f"sweep {s} cannot be aligned: its frames, or the others there, are constant")


def _gauge(paths: list[Path]) -> NDArray[np.float64]:
    """The rigid motion that brings all sweeps together back to where they were."""
    points, targets = [], []
    for path in paths:
        u, v = 2 * path.middle[0], 2 * path.middle[1]
        corners = np.array([[0, 0, 0, 1], [u, 0, 0, 1], [0, v, 0, 1], [u, v, 0, 1]]).T
        points.append((path.poses() @ corners)[:, :3].transpose(0, 2, 1).reshape(-1, 3))
        targets.append((path.tracked @ corners)[:, :3].transpose(0, 2, 1).reshape(-1, 3))
    return best_rigid(np.concatenate(points), np.concatenate(targets))


def _per_frame(sweep: Sweep, values: ArrayLike, otherwise: float = np.nan) -> NDArray[np.float64]:
    result = np.full(len(sweep), otherwise)
    result[sweep.valid] = values
    return result


def _result(
    sweeps: list[Sweep],
    paths: list[Path],
    level: Level,
    movable: list[int],
    gauge: NDArray[np.float64],
    before: list[Matches],
    after: list[Matches],
) -> Refinement:
    moved, corrections, overlap = [], [], []
    nccs: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = [], []
    for s, sweep in enumerate(sweeps):
        correction = np.tile(np.eye(4), (len(sweep), 1, 1))
        ncc = np.full((2, len(sweep)), np.nan)
        share = np.full(len(sweep), np.nan)
        if s in movable:
            first, last = before[movable.index(s)], after[movable.index(s)]
            correction[sweep.valid] = gauge @ paths[s].corrections()
            ncc[:, sweep.valid] = first.ncc, last.ncc
            known = np.isfinite(level.frames[s].pixels).sum(axis=(1, 2))
            share = _per_frame(sweep, last.used / np.maximum(known, 1), 0.0)
        poses = sweep.image_to_world.copy()
        poses[sweep.valid] = correction[sweep.valid] @ poses[sweep.valid]
        moved.append(replace(sweep, image_to_world=poses) if s in movable else sweep)
        corrections.append(correction)
        overlap.append(share)
        for to, values in zip(nccs, ncc, strict=True):
            to.append(values)
    return Refinement(tuple(moved), tuple(corrections), tuple(nccs[0]), tuple(nccs[1]), tuple(overlap))
