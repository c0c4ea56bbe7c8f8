"""Labelled structures: disjoint parts, each the intersection of smooth faces, with volume and distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Part", "Structure"]

Floats = NDArray[Any]
Face = Callable[[Floats, Floats, Floats], Floats]


@dataclass(frozen=True, eq=False)
class Part:
    """The set where every face is <= 0.

    Parameters
    ----------
    faces : callable
        Takes x, y, z (one shape, mm) to a list of arrays of that shape, one for each face: smooth near its zero
        set, growing outwards by roughly 1 per mm.
    box : (2, 3) array
        Encloses the part, mm.
    """

    faces: Callable[[Floats, Floats, Floats], list[Floats]]
    box: NDArray[np.float64]

    def level(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Return < 0 inside, 0 on the surface, > 0 outside."""
        first, *rest = self.faces(x, y, z)
        level = first
        for face in rest:
            level = np.maximum(level, face)
        return level


@dataclass(frozen=True, eq=False)
class Structure:
    """A structure with a label: the union of disjoint parts.

    Parameters
    ----------
    label : int
    name : str
    parts : tuple of Part
    volume : callable
        Integrates the exact volume, mm^3; called once, on the first use of `volume_ml`.
    """

    label: int
    name: str
    parts: tuple[Part, ...]
    volume: Callable[[], float]

    @cached_property
    def volume_ml(self) -> float:
        """The structure's volume, ml: a quadrature of the analytic shape, within 1e-4 of it."""
        return float(self.volume()) / 1000.0

    def level(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Return < 0 inside, 0 on the surface, > 0 outside; not a distance."""
        level = self.parts[0].level(x, y, z)
        for part in self.parts[1:]:
            level = np.minimum(level, part.level(x, y, z))
        return level

    def signed_distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Euclidean distance of points (N, 3) to the boundary, mm; negative inside."""
        from usfast.phantom.distance import part_distance

        distances = [part_distance(part, points) for part in self.parts]
        # Parts are disjoint: inside one of them, it is the only negative value.
        return np.asarray(np.min(distances, axis=0))
