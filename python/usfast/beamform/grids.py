"""Points to beamform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usfast.beamform.arguments import MAX_MM, positive

__all__ = ["cartesian_grid"]

MAX_POINTS = 2**28


def cartesian_grid(
    x: tuple[float, float], y: tuple[float, float], spacing: float | tuple[float, float]
) -> NDArray[np.float64]:
    """Return the centres of the pixels of an image.

    Parameters
    ----------
    x, y : (float, float)
        First and last, mm; the last is met where the range is a multiple of the spacing.
    spacing : float or (float, float)
        Of the pixels along x and y, mm. For RF data, an eighth of a wavelength along y lets `envelope` see every cycle.

    Returns
    -------
    (H, W, 2) float64 array
        x and y of row v, column u.

    Raises
    ------
    ValueError
        If a range is empty or not finite, or the spacing not positive.

    Examples
    --------
    >>> cartesian_grid((-1, 1), (5, 6), 0.5).shape
    (3, 5, 2)
    """
    steps = (spacing, spacing) if isinstance(spacing, (int, float)) else tuple(spacing)
    if len(steps) != 2:
        raise ValueError(f"spacing must be one number or two, not {spacing!r}")
    axes = []
    for name, (low, high), step in zip("xy", (x, y), steps, strict=True):
        if not (-MAX_MM <= low <= high <= MAX_MM):
            raise ValueError(f"{name} must be (first, last) in mm, not {(low, high)!r}")
        count = int((high - low) / positive("spacing", step) + 1 + 1e-6)
        if count > MAX_POINTS:
            raise ValueError(f"{count} pixels along {name} are too many")
        axes.append(low + step * np.arange(count))
    if len(axes[0]) * len(axes[1]) > MAX_POINTS:
        raise ValueError(f"{len(axes[1])} x {len(axes[0])} pixels are too many")
    return np.stack(np.meshgrid(*axes), axis=-1)
