"""Random streams: one seed, an independent stream for each purpose."""

from __future__ import annotations

import operator

import numpy as np

__all__ = ["stream"]


def stream(seed: int, *parts: int) -> np.random.Generator:
    """Return the random stream of `seed` for the purpose numbered `parts`.

    Raises
    ------
    TypeError
        If the seed is no whole number.
    ValueError
        If it is negative.

    Examples
    --------
    >>> bool(stream(3, 1).random() == stream(3, 1).random()), bool(stream(3, 1).random() == stream(3, 2).random())
    (True, False)
    """
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"seed must be a whole number, not {seed!r}") from None
    if number < 0:
        raise ValueError(f"seed must not be negative, not {number}")
    return np.random.default_rng([number, *parts])
