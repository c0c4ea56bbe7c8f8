"""Local contrast: what two directions of sound see alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["local_contrast"]

_FLOOR = 0.3  # of the overall spread, added to the local one: flat places do not become noise


def local_contrast(
    values: NDArray[np.float32], known: NDArray[np.bool_], sigma: tuple[float, ...]
) -> NDArray[np.float32]:
    """Return values freed of their local mean and divided by their local spread, NaN where not known.

    Attenuation, gain and shadows differ between passes and would drown what tells where a frame lies.

    Parameters
    ----------
    values : float32 array
    known : bool array
        Of the same shape.
    sigma : tuple of float
        Standard deviation of the Gaussian window along each axis; 0 leaves an axis alone.

    Returns
    -------
    float32 array
        Zero throughout for constant values.
    """
    from scipy.ndimage import gaussian_filter

    if not known.any():
        return np.full(values.shape, np.nan, np.float32)
    share = np.maximum(gaussian_filter(known.astype(np.float32), sigma, mode="constant"), 1e-6)

    def local_mean(array: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(gaussian_filter(array, sigma, mode="constant") / share, np.float32)

    middle = np.float32(values[known].mean(dtype=np.float64))
    centred = np.where(known, values - middle, np.float32(0))
    rest = np.where(known, centred - local_mean(centred), np.float32(0))
    overall = float(np.sqrt((rest[known].astype(np.float64) ** 2).mean()))
    if overall <= 1e-6 * max(1.0, abs(float(middle))):  # rounding errors of a constant
        return np.where(known, np.float32(0), np.float32(np.nan))
    spread = np.sqrt(local_mean(rest * rest)) + np.float32(_FLOOR * overall)
    return np.where(known, rest / spread, np.float32(np.nan))
