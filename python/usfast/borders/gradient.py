"""How strongly an image changes at each point: a smoothed Sobel gradient."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._threads import get_num_threads
from usfast.borders.arrays import as_image, as_steps
from usfast.volume import Volume

__all__ = ["gradient_magnitude"]

Floats = NDArray[np.float32]
_TRUNCATE = 4.0  # standard deviations at which the Gaussian ends
_SLAB = 1 << 22  # voxels worked on at a time by a thread: bounds the memory


def gradient_magnitude(
    image: ArrayLike | Volume,
    spacing: ArrayLike | None = None,
    *,
    sigma: float | None = None,
    mask: ArrayLike | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Floats:
    """Return the magnitude of an image's Sobel gradient after Gaussian smoothing.

    Parameters
    ----------
    image : (H, W) or (Z, Y, X) array, or Volume
        Intensities; NaN where there are no data.
    spacing : float or (z, y, x) or (y, x), optional
        Of the array's own axes, mm; default 1. Not allowed beside a volume, which carries its own.
    sigma : float, optional
        Standard deviation of the Gaussian, mm; 0 for none. Default: twice the smallest spacing.
    mask : array of bool of the image's shape, optional
        Where there are data: inside the fan, or where compounding left a weight.
    num_threads : int, optional
        Does not change the result.
    progress : callable, optional
        Called with (done, total).

    Returns
    -------
    float32 array of the image's shape
        Change of intensity per mm (per voxel without spacing); NaN where there are no data.

    Raises
    ------
    ValueError, TypeError
        If the image holds no data or infinite values; if shapes or numbers are out of range.

    Notes
    -----
    The edge of the data is no edge of the image: smoothing is a normalised convolution of what is there (H.
    Knutsson, C.-F. Westin, CVPR 1993), continued by one voxel beyond it; the image's own edge is continued by its
    nearest value. Sobel's kernel is divided by its sum, so a ramp of 3 per mm has the gradient 3.

    Examples
    --------
    >>> ramp = np.arange(20.0) * np.ones((20, 1))
    >>> float(gradient_magnitude(ramp, spacing=(1.0, 0.5), sigma=0)[10, 10])
    2.0
    """
    values, steps = as_image(image), as_steps(image, spacing)
    if sigma is not None and not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma must not be negative, not {sigma!r}")
    width = 2 * min(steps) if sigma is None else sigma
    known = _known(values, mask)
    sigmas = tuple(width / step for step in steps)
    result = np.empty(values.shape, np.float32)
    halo = int(_TRUNCATE * sigmas[0] + 0.5) + 2  # the Gaussian, one voxel beyond the data, Sobel
    depth = max(4 * halo, _SLAB // max(values[0].size, 1))
    slabs = [slice(start, min(start + depth, len(values))) for start in range(0, len(values), depth)]

    def work(slab: slice) -> None:
        around = slice(max(slab.start - halo, 0), slab.stop + halo)
        inner = slice(slab.start - around.start, slab.stop - around.start)
        seen = None if known is None else known[around]
        result[slab] = _gradient(values[around], seen, sigmas, steps)[inner]

    with ThreadPoolExecutor(get_num_threads(num_threads)) as pool:
        tasks = [pool.submit(work, slab) for slab in slabs]
        try:
            for done, task in enumerate(as_completed(tasks), start=1):
                task.result()
                if progress is not None:
                    progress(done, len(tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
    return result


def _known(values: NDArray[Any], mask: ArrayLike | None) -> NDArray[np.bool_] | None:
    """Return where there are data, or None for everywhere."""
    known = np.ones(values.shape, bool) if values.dtype.kind != "f" else ~np.isnan(values)
    if mask is not None:
        here = np.asarray(mask)
        if here.shape != values.shape:
            raise ValueError(f"mask has shape {here.shape}, but image {values.shape}")
        known &= here.astype(bool)
    if not known.any():
        raise ValueError("image holds no data inside the mask")
    return None if known.all() else known


def _gradient(
    values: NDArray[Any], known: NDArray[np.bool_] | None, sigmas: tuple[float, ...], steps: tuple[float, ...]
) -> Floats:
    smooth = _smooth(values.astype(np.float32), known, sigmas)
    squared = np.zeros(smooth.shape, np.float32)
    for axis, step in enumerate(steps):
        slope = _difference(smooth, axis)
        for other in range(smooth.ndim):
            if other != axis:
                slope = _binomial(slope, other)
        slope /= np.float32(step)
        squared += np.square(slope, out=slope)
    magnitude = np.sqrt(squared, out=squared)
    if known is not None:
        magnitude[~known] = np.nan
    return magnitude


def _difference(values: Floats, axis: int) -> Floats:
    """Correlate with (-1, 0, 1) / 2 along an axis; the nearest value continues the array."""
    result = np.empty_like(values)
    along, out = np.moveaxis(values, axis, 0), np.moveaxis(result, axis, 0)
    out[:-1] = along[1:]
    out[-1] = along[-1]
    out[1:] -= along[:-1]
    out[0] -= along[0]
    result *= np.float32(0.5)
    return result


def _binomial(values: Floats, axis: int) -> Floats:
    """Correlate with (1, 2, 1) / 4 along an axis; the nearest value continues the array."""
    result = 2 * values
    along, out = np.moveaxis(values, axis, 0), np.moveaxis(result, axis, 0)
    out[1:] += along[:-1]
    out[:-1] += along[1:]
    out[0] += along[0]
    out[-1] += along[-1]
    result *= np.float32(0.25)
    return result


def _smooth(values: Floats, known: NDArray[np.bool_] | None, sigmas: tuple[float, ...]) -> Floats:
    from scipy.ndimage import gaussian_filter, uniform_filter

    def gaussian(array: Floats) -> Floats:
        return np.asarray(gaussian_filter(array, sigmas, mode="nearest", truncate=_TRUNCATE), np.float32)

    if known is None:
        return gaussian(values)
    smooth, reached = _ratio(gaussian(np.where(known, values, 0)), gaussian(known.astype(np.float32)))
    # A narrow Gaussian may not reach the neighbours that Sobel's kernel looks at.
    box = (uniform_filter(part, 3, mode="nearest") for part in (smooth * reached, reached.astype(np.float32)))
    beyond, _ = _ratio(*box)
    return np.where(reached, smooth, beyond)


def _ratio(weighted: Floats, weight: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    reached = weight > 1e-4  # below it float32 leaves too few digits
    return np.divide(weighted, weight, out=np.zeros_like(weighted), where=reached), reached
