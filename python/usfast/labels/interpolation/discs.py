"""Interpolation of annotations guided by maximal discs: parts of a section go where their counterparts are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._threads import get_num_threads
from usfast.labels.interpolation.annotations import LARGEST_STEP, Annotations, Bracket, LabelledSweep, read_annotations
from usfast.labels.interpolation.fields import signed_distance
from usfast.labels.interpolation.signed_distance import blended_labels
from usfast.sweep import Sweep

__all__ = ["Discs", "corresponding", "disc_guided_interpolation", "maximal_discs"]

_MOST = 24  # discs a section
_COVERED = 0.95  # of a section's area that its discs cover
_SMALLEST = 0.15  # of the largest disc's radius: thinner parts follow their neighbours


@dataclass(frozen=True, eq=False)
class Discs:
    """Discs that fill a section.

    Attributes
    ----------
    centre : (D, 2) float64 array
        Column and row, mm.
    radius : (D,) float64 array
        mm.
    """

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]


def disc_guided_interpolation(
    sweep: Sweep,
    annotated: ArrayLike | None = None,
    *,
    structures: Sequence[int] | None = None,
    largest_step: float = LARGEST_STEP,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> LabelledSweep:
    """Blend signed distances along the lines that join corresponding parts of two annotated sections.

    Each section is described by maximal discs. Each disc is joined with the disc of the other section that is
    most like it in place, relative to the section, and in size. A pixel between the sections is projected onto
    both not along their normals but along the mean motion of the discs close to it, and the distances to the
    border that it finds there are blended. A structure that shifts by more than its own width between two
    annotations, where `signed_distance_interpolation` loses it, is followed.

    Parameters
    ----------
    sweep, annotated, structures, largest_step
        As for `zero_order`.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)``.

    Returns
    -------
    LabelledSweep
        As of `zero_order`.

    Raises
    ------
    ValueError, TypeError
        If there are no labels, shapes do not fit, or a structure has no two annotated frames in one pass.

    Notes
    -----
    After G. M. Treece, R. W. Prager, A. H. Gee, L. Berman, "Surface interpolation from sparse cross sections using
    region correspondence", IEEE Trans. Med. Imaging 19 (2000) 1106-1114: maximal discs, region correspondence,
    and distance fields blended along the direction that it gives. How discs are picked, likened and weighted is
    ours (`maximal_discs`, `corresponding`; weights ``(d**2 / r**2 + 0.05)**-2``). Discs of a part without counterpart
    go to the nearest part, so that branches join. Appearing structures are treated as in
    `signed_distance_interpolation`.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = (0, 5, 10)
    >>> labels = np.zeros((3, 12, 24), np.uint8)
    >>> labels[0, 4:9, 2:7] = labels[2, 4:9, 14:19] = 1
    >>> disc_guided_interpolation(Sweep(labels, poses, labels=labels)).labels[1, 6].nonzero()[0].tolist()
    [8, 9, 10, 11, 12]
    """
    read = read_annotations(sweep, annotated, structures, largest_step)
    described: dict[tuple[int, int], Discs] = {}

    def of(frame: int, column: int) -> Discs:
        if (frame, column) not in described:
            u, v = read.sweep.pixel_spacing
            described[frame, column] = maximal_discs(read.mask(frame, column), (v, u))
        return described[frame, column]

    def pairs(bracket: Bracket) -> NDArray[np.float64]:
        before, after = of(bracket.before, bracket.column), of(bracket.after, bracket.column)
        joined = corresponding(before, after)
        places = [
            _in_world(read, frame, discs.centre[which])
            for frame, discs, which in ((bracket.before, before, joined[:, 0]), (bracket.after, after, joined[:, 1]))
        ]
        radii = np.stack([before.radius[joined[:, 0]], after.radius[joined[:, 1]]], axis=1)
        return np.ascontiguousarray(np.concatenate([*places, radii], axis=1))

    return blended_labels(read, "linear", pairs, get_num_threads(num_threads), progress)


def maximal_discs(mask: NDArray[np.bool_], spacing: tuple[float, float]) -> Discs:
    """Describe a section by the largest discs inside it.

    The largest disc comes first; then the largest whose centre lies in no disc so far, until they cover 95 % of
    the section, 24 are found, or the next would be smaller than 15 % of the first.

    Parameters
    ----------
    mask : (H, W) bool array
        Not empty.
    spacing : (float, float)
        Of rows and columns, mm.

    Returns
    -------
    Discs

    Examples
    --------
    >>> section = np.zeros((7, 20), bool)
    >>> section[1:6, 1:6] = section[2:5, 12:15] = True
    >>> discs = maximal_discs(section, (1.0, 1.0))
    >>> discs.centre[:2].tolist(), discs.radius[:2].tolist()
    ([[3.0, 3.0], [13.0, 3.0]], [2.5, 1.5])
    """
    depth = -signed_distance(mask, spacing).astype(np.float64)
    rows, columns = np.nonzero(mask)
    places = np.stack([columns * spacing[1], rows * spacing[0]], axis=1)
    reach = depth[mask]
    covered, blocked = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    centres: list[NDArray[np.float64]] = []
    radii: list[float] = []
    while len(radii) < _MOST and covered.mean() < _COVERED and not blocked.all():
        best = int(np.argmax(np.where(blocked, -np.inf, reach)))
        if radii and reach[best] < _SMALLEST * radii[0]:
            break
        centres.append(places[best])
        radii.append(float(reach[best]))
        near = ((places - places[best]) ** 2).sum(axis=1) <= reach[best] ** 2
        covered |= near
        blocked |= near
    return Discs(np.array(centres), np.array(radii))


def corresponding(before: Discs, after: Discs) -> NDArray[np.intp]:
    """Join the discs of two sections.

    Sections are laid over each other by their centres and sizes (mean and spread of the discs, weighted by area).
    Every disc of either is joined with the disc of the other at the least squared distance of centres plus squared
    difference of radii, so that each has a partner.

    Parameters
    ----------
    before, after : Discs

    Returns
    -------
    (P, 2) int array
        Indices into both, each pair once.

    Examples
    --------
    >>> two = Discs(np.array([[0.0, 0.0], [10.0, 0.0]]), np.array([3.0, 2.0]))
    >>> corresponding(two, Discs(two.centre + 50.0, two.radius)).tolist()
    [[0, 0], [1, 1]]
    """
    one, other = _laid_over(before), _laid_over(after)
    cost = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    first = np.stack([np.arange(len(one)), cost.argmin(axis=1)], axis=1)
    second = np.stack([cost.argmin(axis=0), np.arange(len(other))], axis=1)
    return np.unique(np.concatenate([first, second]), axis=0)


def _laid_over(discs: Discs) -> NDArray[np.float64]:
    """(D, 3) centres and radii relative to the section's own centre and size."""
    area = discs.radius**2 / (discs.radius**2).sum()
    middle = area @ discs.centre
    offsets = discs.centre - middle
    # The second moment of a set of discs: between the centres, and inside each disc.
    size = np.sqrt(area @ ((offsets**2).sum(axis=1) + discs.radius**2 / 2))
    return np.asarray(np.concatenate([offsets, discs.radius[:, None]], axis=1) / size)


def _in_world(read: Annotations, frame: int, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    u, v = read.sweep.pixel_spacing
    pose = read.sweep.image_to_world[frame]
    return np.asarray(centre[:, :1] / u * pose[:3, 0] + centre[:, 1:] / v * pose[:3, 1] + pose[:3, 3])
