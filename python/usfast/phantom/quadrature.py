"""Exact volumes: quadrature of cross-sections whose edges are found on the analytic faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.structure import Part

__all__ = ["column_volume", "sheet_volume", "tube_volume"]

Floats = NDArray[Any]


def tube_volume(area: Callable[[Floats], Floats], start: float, end: float, panels: int = 64) -> float:
    """Return the integral of a smooth cross-section ``area(z)`` from `start` to `end`, mm^3.

    Composite Gauss-Legendre, 8 nodes a panel.
    """
    nodes, weights = np.polynomial.legendre.leggauss(8)
    edges = np.linspace(start, end, panels + 1)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1] - edges[0]) / 2
    z = middle[:, None] + half * nodes
    return float((area(z) * weights).sum() * half)


def sheet_volume(
    part: Part,
    sides: Sequence[int],
    limits: Callable[[Floats], tuple[Floats, Floats]],
    start: float,
    end: float,
    across: int = 240,
    along: int = 480,
) -> float:
    """Return the volume of a part between sheets, mm^3, from its extent along y at columns (x, z).

    Parameters
    ----------
    part : Part
        Its first face is closed around the z axis (the fascia); the next ones, one for each of `sides`, are sheets
        ``side * (y - h(x, z))``; faces after them do not depend on y and are what `limits` says.
    sides : sequence of +1 or -1
        +1: the part lies at smaller y than the sheet.
    limits : callable
        Takes z (N,) to the smallest and largest x (N,).
    start, end : float
        Range of z, mm.
    across, along : int
        Columns over x and over z. The midpoint rule's error is of second order in both.
    """
    zs, dz = _midpoints(start, end, along)
    low_x, high_x = limits(zs)
    dx = (high_x - low_x) / across
    x = low_x[:, None] + dx[:, None] * (np.arange(across) + 0.5)
    z = np.broadcast_to(zs[:, None], x.shape)
    sheets = part.faces(x, np.zeros_like(x), z)[1 : 1 + len(sides)]
    reach = float(np.abs(part.box[:, 1]).max()) * 1.2
    low, high = np.full_like(x, -reach), np.full_like(x, reach)
    for side, value in zip(sides, sheets, strict=True):
        # At y = 0 a sheet's value is -h or +h.
        low, high = (low, np.minimum(high, -value)) if side > 0 else (np.maximum(low, value), high)

    def fascia(y: Floats) -> Floats:
        return part.faces(x, y, z)[0]

    deepest = np.clip(_lowest(fascia, x), low, high)
    open_columns = (low < high) & (fascia(deepest) < 0)
    low = np.maximum(low, _crossing(fascia, deepest, np.full_like(x, -reach)))
    high = np.minimum(high, _crossing(fascia, deepest, np.full_like(x, reach)))
    extent = np.where(open_columns, np.maximum(high - low, 0.0), 0.0)
    return float((extent.sum(axis=1) * dx).sum() * dz)


def column_volume(part: Part, across: int, along: int, probe: float) -> float:
    """Return the volume of any smooth part, mm^3, from its extents along y at columns (x, z).

    Ends of the extents are found by sampling each column every `probe` mm and closing in on every change of sign.
    """
    (x0, y0, z0), (x1, y1, z1) = part.box
    xs, dx = _midpoints(x0, x1, across)
    zs, dz = _midpoints(z0, z1, along)
    ys = np.linspace(y0, y1, max(3, int(np.ceil((y1 - y0) / probe)) + 1))
    total = 0.0
    slab = max(1, 400_000 // (len(xs) * len(ys)))
    for start in range(0, len(zs), slab):
        z, x, y = np.meshgrid(zs[start : start + slab], xs, ys, indexing="ij")
        inside = part.level(x, y, z) < 0
        where = np.nonzero(inside[..., 1:] != inside[..., :-1])
        column_x, column_z = x[..., 0][where[:2]], z[..., 0][where[:2]]

        def level(y: Floats, column_x: Floats = column_x, column_z: Floats = column_z) -> Floats:
            return part.level(column_x, y, column_z)

        # An extent's length is the sum of its upper ends less the sum of its lower ends.
        upper = inside[..., :-1][where]
        inner = np.where(upper, ys[where[2]], ys[where[2] + 1])
        outer = np.where(upper, ys[where[2] + 1], ys[where[2]])
        root = _crossing(level, inner, outer)
        total += float(np.where(upper, root, -root).sum())
    return total * dx * dz


def _midpoints(start: float, end: float, count: int) -> tuple[Floats, float]:
    width = (end - start) / count
    return start + width * (np.arange(count) + 0.5), width


def _lowest(function: Callable[[Floats], Floats], like: Floats) -> Floats:
    """Where a function of y that is convex around y = 0 is lowest: Newton on central differences."""
    y, step = np.zeros_like(like), 0.05
    for _ in range(4):
        below, here, above = function(y - step), function(y), function(y + step)
        bend = np.maximum(above - 2 * here + below, 1e-3 * step * step)
        y = y - np.clip(0.5 * step * (above - below) / bend, -3.0, 3.0)
    return np.asarray(y)


def _crossing(function: Callable[[Floats], Floats], inner: Floats, outer: Floats) -> Floats:
    """Return where `function` is zero between `inner` (negative) and `outer` (positive), by the Illinois method."""
    a, b = inner, outer
    f_a, f_b = function(a), function(b)
    for _ in range(14):
        rise = f_b - f_a
        c = b - f_b * (b - a) / np.where(rise == 0, 1.0, rise)
        f_c = function(c)
        crossed = np.sign(f_c) != np.sign(f_b)
        f_a = np.where(crossed, f_b, 0.5 * f_a)
        a = np.where(crossed, b, a)
        b, f_b = c, f_c
    return np.asarray(b)
