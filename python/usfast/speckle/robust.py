"""How far correlations scatter about their expectation, and how much an outlier may say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["huber_weight", "spread", "spread_shape"]

_Array = NDArray[np.float64]
_FLOOR = 0.05  # of 1 - rho**2: even identical speckle is measured with noise
_HUBER = 1.345  # 95 % efficiency where residuals are normal


def spread_shape(expected: _Array) -> _Array:
    """Return the standard deviation of a sample correlation up to a factor: ``1 - rho**2`` (Fisher), and a floor."""
    return np.asarray(1 - np.clip(expected, 0.0, 1.0) ** 2 + _FLOOR)


def spread(residuals: _Array) -> float:
    """Return the robust standard deviation of residuals about 0; 1e-6 where they vanish."""
    return max(1.4826 * float(np.median(np.abs(residuals))), 1e-6)


def huber_weight(residuals: _Array) -> _Array:
    """Return Huber's weight of residuals in units of their standard deviation: 1 within 1.345, falling as 1/r."""
    return np.asarray(_HUBER / np.maximum(np.abs(residuals), _HUBER))
