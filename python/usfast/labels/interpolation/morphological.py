"""Morphological interpolation between two sections: what they share grows into each of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usfast import _core

__all__ = ["between"]

_Mask = NDArray[np.bool_]


def between(one: _Mask, other: _Mask, steps: int) -> _Mask:
    """Return the sections between two, at 1, 2, ... ``steps - 1`` of `steps` equal steps.

    Parts that overlap correspond. A part with several partners is split among them, each pixel going to the nearest
    by dilation inside the part, so that branches join; the others end in a point, the pixel of theirs nearest to
    their centre.

    Parameters
    ----------
    one, other : (H, W) bool arrays
        Not both empty.
    steps : int
        At least 2.

    Returns
    -------
    (steps - 1, H, W) bool array

    Notes
    -----
    Albu et al. (2008) dilate the intersection of two sections towards each, kept inside it, and take the middle of
    the two sequences, recursively. Here a pixel of the first section that k of its n dilations reach is kept while
    ``k / n <= 1 - t``, and one of the second enters when ``k / n <= t``, which gives the same sections in the middle
    and needs no recursion. Partners that overlap little are first laid over each other by their centres, and their
    place moves evenly.

    Examples
    --------
    >>> small, large = np.zeros((5, 5), bool), np.ones((5, 5), bool)
    >>> small[2, 2] = True
    >>> [int(section.sum()) for section in between(small, large, 4)]
    [1, 5, 21]
    """
    out = np.zeros((steps - 1, *one.shape), bool)
    for part, partner in _pairs(one, other):
        _grow(part, partner, out)
    return out


def _pairs(one: _Mask, other: _Mask) -> list[tuple[_Mask, _Mask]]:
    """Return corresponding parts of two sections."""
    from scipy.ndimage import label

    square = np.ones((3, 3))
    here, count_here = label(one, square)
    there, count_there = label(other, square)
    overlap = np.unique(np.stack([here[one & other], there[one & other]], axis=1), axis=0)
    pairs = []
    for a, b in overlap:
        # Each keeps what lies nearest to its partner among all partners.
        mine = _share(here == a, [there == n for m, n in overlap if m == a], [n for m, n in overlap if m == a], b)
        yours = _share(there == b, [here == m for m, n in overlap if n == b], [m for m, n in overlap if n == b], a)
        pairs.append((mine, yours))
    for labels, count, column, forwards in ((here, count_here, 0, True), (there, count_there, 1, False)):
        for alone in sorted(set(range(1, count + 1)) - set(overlap[:, column].tolist())):
            part = np.asarray(labels == alone)
            pairs.append((part, _point(part)) if forwards else (_point(part), part))
    return pairs


def _share(part: _Mask, partners: list[_Mask], names: list[int], wanted: int) -> _Mask:
    """Return the pixels of a part that are nearer, by dilation inside it, to one partner than to the others."""
    if len(partners) == 1:
        return part
    reach = np.stack([_reach(part & partner, part) for partner in partners])
    return np.asarray(part & (reach.argmin(axis=0) == names.index(wanted)))


def _reach(seed: _Mask, region: _Mask) -> NDArray[np.int32]:
    """Return after how many dilations inside `region` each pixel is reached; a large number where never."""
    steps = _core.dilation_steps(np.ascontiguousarray(seed).view(np.uint8), np.ascontiguousarray(region).view(np.uint8))
    return np.where(steps < 0, np.int32(2**30), steps)


def _point(part: _Mask) -> _Mask:
    """Return a mask of the pixel of a part nearest to its centre."""
    places = np.argwhere(part)
    nearest = places[((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    point = np.zeros(part.shape, bool)
    point[tuple(nearest)] = True
    return point


def _grow(part: _Mask, partner: _Mask, out: _Mask) -> None:
    """Add the transition from one part to its partner to the sections between."""
    way = np.zeros(2)
    if 2 * int((part & partner).sum()) < min(int(part.sum()), int(partner.sum())):
        way = np.argwhere(partner).mean(axis=0) - np.argwhere(part).mean(axis=0)
    whole = np.rint(way).astype(int)
    margin = int(np.abs(whole).max())
    part, partner = np.pad(part, margin), np.pad(partner, margin)
    laid = np.roll(partner, tuple(-whole), axis=(0, 1))
    if not (part & laid).any():  # two rings, say: there is no common core to grow from
        laid, whole = partner, np.zeros(2, int)
    shared = part & laid
    leaving, entering = _order(shared, part), _order(shared, laid)
    steps = len(out) + 1
    inner = tuple(slice(margin, size - margin) for size in part.shape)
    for n in range(1, steps):
        t = n / steps
        section = shared | (leaving <= 1 - t) | (entering <= t)
        moved = np.roll(section, tuple(np.rint(t * whole).astype(int)), axis=(0, 1))
        out[n - 1] |= moved[inner]


def _order(shared: _Mask, part: _Mask) -> NDArray[np.float64]:
    """Return the share of the dilations that reach each pixel of a part; infinity outside it."""
    if not shared.any():
        return np.where(part, 0.0, np.inf)
    steps = _reach(shared, part)
    reached = part & (steps < 2**30)
    last = max(int(steps[reached].max()), 1)
    return np.where(reached, steps / last, np.inf)
