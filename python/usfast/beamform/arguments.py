"""Checks of arguments that several functions of this package share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__: list[str] = []

MAX_MHZ = 1e4
MAX_MM = 1e6
MAX_SECONDS = 1e3


def number(name: str, value: float, low: float, high: float, unit: str = "") -> float:
    """Return `value` where it is a number in ``[low, high]``."""
    found = float(value)
    if not low <= found <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}{unit}, not {value!r}")
    return found


def positive(name: str, value: float, high: float = 1e9, unit: str = "") -> float:
    """Return `value` where it is a positive number up to `high`."""
    found = float(value)
    if not (np.isfinite(found) and found > 0):
        raise ValueError(f"{name} must be positive, not {value!r}")
    if found > high:
        raise ValueError(f"{name} is in{unit}: {value!r} is more than {high:g}{unit}")
    return found


def megahertz(name: str, value: float) -> float:
    """Return a frequency in MHz, in Hz."""
    return 1e6 * positive(name, value, MAX_MHZ, " MHz")


def speed(value: float) -> float:
    """Return a speed of sound in m/s, in mm/s."""
    return 1e3 * number("speed_of_sound", value, 100, 20000, " m/s")


def whole(name: str, value: int, low: int, high: int) -> int:
    """Return `value` where it is a whole number in ``[low, high]``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return int(value)


def coordinates(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return (..., 2) or (..., 3) coordinates in mm as (..., 3) float64."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers, not {array.dtype}")
    if array.ndim < 1 or array.shape[-1] not in (2, 3):
        raise ValueError(f"{name} must be (..., 2) or (..., 3), not {array.shape}")
    if not (np.abs(array) <= MAX_MM).all():
        raise ValueError(f"{name} must be finite and within {MAX_MM:g} mm of the origin")
    full = np.zeros((*array.shape[:-1], 3))
    full[..., : array.shape[-1]] = array
    return full


def signals(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return real or complex numbers as they are, whole numbers as float32."""
    array = np.asarray(value)
    if array.dtype.kind not in "fciu":
        raise TypeError(f"{name} must be numbers, not {array.dtype}")
    if array.size == 0:
        raise ValueError(f"{name} has the shape {array.shape}: there is nothing in it")
    return array.astype(np.float32) if array.dtype.kind in "iu" else array
