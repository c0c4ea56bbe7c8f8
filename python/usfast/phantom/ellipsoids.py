"""Ellipsoids as level functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ellipsoid"]

Floats = NDArray[Any]


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid along the axes, sheared along y by ``bend * x**2``, which keeps its volume.

    Parameters
    ----------
    centre, semi_axes : (x, y, z), mm
    bend : float
        1/mm; positive moves the sides towards smaller y.
    """

    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    bend: float = 0.0

    def level(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Return 0 on the surface, negative inside; near it about the distance in mm along the shortest axis."""
        (cx, cy, cz), (a, b, c) = self.centre, self.semi_axes
        dx = x - cx
        u, v, w = dx * (1 / a), (y - cy + self.bend * dx * dx) * (1 / b), (z - cz) * (1 / c)
        least = min(self.semi_axes)
        return np.asarray(least * np.sqrt(np.maximum(u * u + v * v + w * w, 1e-8)) - least)

    @property
    def volume(self) -> float:
        """Exact volume, mm^3."""
        a, b, c = self.semi_axes
        return 4 / 3 * np.pi * a * b * c

    @property
    def box(self) -> NDArray[np.float64]:
        """(2, 3) enclosing box, mm."""
        a, b, c = self.semi_axes
        sag = self.bend * a * a
        low = [-a, -b - max(sag, 0.0), -c]
        high = [a, b + max(-sag, 0.0), c]
        return np.asarray(np.array([low, high]) + np.array(self.centre), np.float64)
