"""Speckle reduction of finished images, as scanners do before anyone sees them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["reduce_speckle"]

_SPECKLE_DB = 5.57  # standard deviation of fully developed speckle in decibels: 10 pi / (sqrt(6) ln 10)


def reduce_speckle(image: NDArray[np.uint8], method: str, size: int, dynamic_range_db: float) -> NDArray[np.uint8]:
    """Return a B-mode image (H, W) with its speckle reduced.

    Parameters
    ----------
    image : (H, W) uint8 array
        Log-compressed.
    method : {"median", "lee"}
        The median of a window; or Lee's mean that lets through what varies more than speckle (IEEE Trans. Pattern
        Anal. Mach. Intell. 2 (1980)), for noise that the logarithm made additive.
    size : int
        Width of the window, pixels.
    dynamic_range_db : float
        Of the image.

    Returns
    -------
    (H, W) uint8 array

    Examples
    --------
    >>> reduce_speckle(np.full((9, 9), 7, np.uint8), "median", 3, 60.0).max()
    np.uint8(7)
    """
    from scipy import ndimage

    if method == "median":
        return np.asarray(ndimage.median_filter(image, size))
    values = image.astype(np.float32)
    mean = ndimage.uniform_filter(values, size)
    variance = np.maximum(ndimage.uniform_filter(values * values, size) - mean * mean, 1e-6)
    speckle = (_SPECKLE_DB * 255 / dynamic_range_db) ** 2
    kept = np.maximum(1 - speckle / variance, 0)
    return np.asarray(np.clip(mean + kept * (values - mean) + 0.5, 0, 255)).astype(np.uint8)
