"""Tables of surface distances, and the statistics that definitions of the field take from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DistanceTable", "pooled"]

# Tolerances are often multiples of the spacing; rounding must not decide on which side of one a distance lies.
_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class DistanceTable:
    """Distances from the elements of one surface to another surface.

    Attributes
    ----------
    distance : (K,) float64 array
        The distances that occur, ascending, mm.
    weight : (K,) float64 array
        Border voxels, or mm2 of surface, at each of them.

    Examples
    --------
    >>> table = DistanceTable(np.array([0.0, 1.0, 2.0]), np.array([6.0, 3.0, 1.0]))
    >>> table.mean, table.share_within(1.0), round(table.quantile(0.95), 3), table.maximum
    (0.5, 0.9, 1.55, 2.0)
    """

    distance: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def total(self) -> float:
        """Border voxels, or mm2, in all."""
        return float(self.weight.sum())

    @property
    def maximum(self) -> float:
        """The largest distance; NaN of an empty surface."""
        return float(self.distance[-1]) if self.distance.size else np.nan

    @property
    def mean(self) -> float:
        """The weighted mean; NaN of an empty surface."""
        return float(self.distance @ self.weight / self.weight.sum()) if self.distance.size else np.nan

    def within(self, tolerance: float) -> float:
        """Return the weight at distances up to `tolerance` (relative slack 1e-9)."""
        return float(self.weight[self.distance <= tolerance * (1 + _SLACK)].sum())

    def share_within(self, tolerance: float) -> float:
        """Return the share of the weight at distances up to `tolerance`; NaN of an empty surface."""
        return self.within(tolerance) / self.total if self.distance.size else np.nan

    def quantile(self, q: float) -> float:
        """Return the quantile of the single distances, linear between neighbours, as `numpy.quantile` has it."""
        if not self.distance.size:
            return np.nan
        ends = np.cumsum(self.weight)
        rank = q * (ends[-1] - 1)
        low, high = (self.distance[np.searchsorted(ends, place, side="right")] for place in _around(rank, ends[-1]))
        if low == high:  # infinite ones too
            return float(low)
        return float(low + (high - low) * (rank - np.floor(rank)))

    def weighted_quantile(self, q: float) -> float:
        """Return the smallest distance that at least the share `q` of the weight does not exceed."""
        if not self.distance.size:
            return np.nan
        share = np.cumsum(self.weight) / self.weight.sum()
        # A sum of areas may miss the share by rounding.
        return float(self.distance[min(int(np.searchsorted(share, q * (1 - 1e-12))), len(share) - 1)])


def _around(rank: float, count: float) -> tuple[float, float]:
    low = np.floor(rank)
    return low, min(low + 1, count - 1)


def pooled(a: DistanceTable, b: DistanceTable) -> DistanceTable:
    """Return the distances of both directions as one table."""
    distance, place = np.unique(np.concatenate([a.distance, b.distance]), return_inverse=True)
    weight = np.bincount(place, np.concatenate([a.weight, b.weight]), minlength=len(distance))
    return DistanceTable(distance, weight.astype(np.float64))
