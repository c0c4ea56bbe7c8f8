"""Where sound enters a sector image and where it ends, from the sector's outline alone."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SectorSeeds", "sector_seeds"]


_LONG = 0.03  # share of the columns
_FLAT = 0.6  # rows a column: about 30 degrees


class SectorSeeds(NamedTuple):
    """What `usfast.confidence.confidence_map` needs to know of a sector."""

    sources: NDArray[np.bool_]
    sinks: NDArray[np.bool_]
    depth: NDArray[np.float64]


def sector_seeds(mask: ArrayLike) -> SectorSeeds:
    """Return the pixels along the probe's arc, those along the far arc, and the depth of each row.

    A string stretched over the sector from above runs down both sides and straight across from one corner of the
    probe to the other, whether the probe is flat or bends down between them. So the corners are taken to be the
    ends of that string's flattest piece. The far arc is the lower outline of all columns. For a rectangle these
    are its first and its last row.

    Parameters
    ----------
    mask : (H, W) bool array
        True inside the sector, whose axis runs down the image.

    Returns
    -------
    SectorSeeds
        ``sources``, ``sinks``: (H, W) bool, disjoint; ``depth``: (H,) float64 from 0 in the sector's first row to
        1 in its last.

    Raises
    ------
    ValueError
        If the mask is no (H, W) array or empty.

    Examples
    --------
    >>> from usfast.geometry import rectangle_mask
    >>> seeds = sector_seeds(rectangle_mask((4, 4), (1, 1), (2, 2)))
    >>> seeds.sources.astype(int).tolist(), seeds.depth.tolist()
    ([[0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]], [0.0, 0.0, 0.5, 1.0])
    """
    inside = np.asarray(mask, bool)
    if inside.ndim != 2 or not inside.any():
        raise ValueError(f"mask must be (H, W) and hold a pixel; it is {inside.shape} with {int(inside.sum())}")
    columns = np.flatnonzero(inside.any(axis=0))
    top = inside.argmax(axis=0)
    bottom = len(inside) - 1 - inside[::-1].argmax(axis=0)
    first, last = _corners(columns, top[columns])
    probe = columns[(columns >= first) & (columns <= last)]
    sources, sinks = np.zeros(inside.shape, bool), np.zeros(inside.shape, bool)
    sources[top[probe], probe] = True
    sinks[bottom[columns], columns] = True
    begin, end = int(top[columns].min()), int(bottom[columns].max())
    depth = np.clip((np.arange(len(inside)) - begin) / max(end - begin, 1), 0, 1)
    return SectorSeeds(sources, sinks & ~sources, depth)


def _corners(columns: NDArray[np.intp], top: NDArray[np.intp]) -> tuple[int, int]:
    """Return the columns where the flattest piece of the upper convex outline begins and ends."""
    hull: list[tuple[int, int]] = []
    for point in zip(columns.tolist(), top.tolist(), strict=True):
        while len(hull) > 1 and _turn(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        hull.append(point)
    if len(hull) < 2:
        return hull[0][0], hull[0][0]
    pieces = [(abs(v1 - v0) / (u1 - u0), u0, u1) for (u0, v0), (u1, v1) in pairwise(hull)]
    # Steps of single pixels at a corner are flat too; the tip of a phased array's sector is hardly longer.
    long = [piece for piece in pieces if piece[2] - piece[1] >= _LONG * len(columns) and piece[0] < _FLAT]
    _, first, last = min(long or pieces)
    return first, last


def _turn(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
    """Return a positive number where the way from a over b to c turns towards larger rows."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
