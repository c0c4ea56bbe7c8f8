"""Checks of single arguments that every stage makes, with one wording."""

from __future__ import annotations

import numpy as np

__all__ = ["choice", "odd", "positive"]


def choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return `value` where it is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def odd(name: str, value: int, largest: int) -> int:
    """Return `value` where it is an odd whole number up to `largest`."""
    if not isinstance(value, (int, np.integer)) or value % 2 != 1 or not 1 <= value <= largest:
        raise ValueError(f"{name} must be odd, from 1 to {largest}, not {value!r}")
    return int(value)


def positive(name: str, value: float) -> float:
    """Return `value` where it is a positive finite number."""
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be positive, not {value!r}")
    return number
