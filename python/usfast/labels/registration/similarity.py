"""How alike two volumes are under a rigid motion: overlap, correlation and mutual information."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from usfast.labels.registration.pyramid import Level

__all__ = ["METRICS", "Comparison", "Similarity"]

METRICS = ("mutual_information", "correlation")
_BINS = 32
_FEWEST = 50  # points; below that a histogram says nothing


@dataclass(frozen=True)
class Similarity:
    """What a comparison finds.

    Attributes
    ----------
    overlap : float
        Share of the smaller volume's data that meets data of the other, 0 to 1.
    correlation : float
        Normalised cross-correlation over the common data, -1 to 1; NaN where there is too little.
    mutual_information : float
        Of the grey values in 32 bins over the common data, nats; NaN where there is too little.
    """

    overlap: float
    correlation: float
    mutual_information: float

    def of(self, metric: str) -> float:
        """Return the value of a metric by its name; larger is better, -inf where there is too little data."""
        value = self.mutual_information if metric == "mutual_information" else self.correlation
        return value if np.isfinite(value) else -np.inf


class Comparison:
    """Compares two volumes at points of the fixed one's data, for one motion after the other.

    Parameters
    ----------
    fixed, moving : Level
    points : int
        At most so many points of the fixed data are looked at, drawn with `seed`.
    seed : int

    Examples
    --------
    >>> from usfast import Volume
    >>> from usfast.labels.registration.pyramid import reduced
    >>> noise = np.random.default_rng(0).random((12, 12, 12))
    >>> level = reduced(Volume(noise, 1.0), np.ones(noise.shape, bool), 1.0)
    >>> same = Comparison(level, level).at(np.eye(4))
    >>> round(same.overlap, 6), round(same.correlation, 6)
    (1.0, 1.0)
    """

    def __init__(self, fixed: Level, moving: Level, *, points: int = 200_000, seed: int = 0) -> None:
        self._moving = moving
        where = np.flatnonzero(fixed.mask)
        if len(where) > points:
            where = np.sort(np.random.default_rng([seed, 0x5E7]).choice(where, points, replace=False))
        index = np.stack(np.unravel_index(where, fixed.mask.shape))[::-1].astype(np.float64)
        to_world = fixed.grid.voxel_to_world
        self._points = to_world[:3, :3] @ index + to_world[:3, 3:]
        self._values = fixed.values.ravel()[where]
        self._range = _window(self._values)
        voxel = float(np.prod(fixed.grid.spacing))
        fixed_mm3 = float(np.count_nonzero(fixed.mask)) * voxel
        moving_mm3 = float(np.count_nonzero(moving.mask)) * float(np.prod(moving.grid.spacing))
        self._share = max(fixed_mm3, 1e-30) / max(min(fixed_mm3, moving_mm3), 1e-30)

    @cached_property
    def _moving_range(self) -> tuple[float, float]:
        return _window(self._moving.values[self._moving.mask])

    def at(self, moving_to_fixed: NDArray[np.float64]) -> Similarity:
        """Return the similarity with the moving volume placed by a (4, 4) rigid motion, world mm."""
        from scipy.ndimage import map_coordinates

        to_voxel = self._moving.grid.world_to_voxel @ np.linalg.inv(moving_to_fixed)
        places = (to_voxel[:3, :3] @ self._points + to_voxel[:3, 3:])[::-1]
        nearest = np.rint(places).astype(np.int64)
        shape = np.array(self._moving.mask.shape)[:, None]
        inside = np.flatnonzero(((nearest >= 0) & (nearest < shape)).all(axis=0))
        common = inside[self._moving.mask[tuple(nearest[:, inside])]]
        overlap = min(1.0, len(common) / max(len(self._values), 1) * self._share)
        if len(common) < _FEWEST:
            return Similarity(overlap, np.nan, np.nan)
        moved = map_coordinates(self._moving.values, places[:, common], order=1, mode="nearest")
        return Similarity(overlap, *self._compared(self._values[common], moved))

    def _compared(self, here: NDArray[np.float32], there: NDArray[np.float32]) -> tuple[float, float]:
        one, other = here.astype(np.float64) - here.mean(), there.astype(np.float64) - there.mean()
        size = float(np.sqrt((one @ one) * (other @ other)))
        correlation = float(one @ other) / size if size > 0 else 0.0
        code = _binned(here, self._range) * _BINS + _binned(there, self._moving_range)
        joint = np.bincount(code, minlength=_BINS * _BINS).reshape(_BINS, _BINS) / len(code)
        alone = np.outer(joint.sum(axis=1), joint.sum(axis=0))
        some = joint > 0
        return correlation, float((joint[some] * np.log(joint[some] / alone[some])).sum())


def _window(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the range that the bins divide: a few bright echoes must not take most of them."""
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (0.5, 99.5))
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(low))))


def _binned(values: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.int64]:
    scaled = (values - window[0]) * (_BINS / (window[1] - window[0]))
    return np.clip(scaled.astype(np.int64), 0, _BINS - 1)
