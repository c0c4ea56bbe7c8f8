"""Labels that flood the image's gradient from markers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.labels.images.scenes import Scene, as_scene
from usfast.volume import Volume

__all__ = ["watershed"]


def watershed(
    volume: ArrayLike | Volume,
    seeds: ArrayLike | Volume,
    *,
    spacing: ArrayLike | None = None,
    sigma: float | None = None,
    compactness: float = 0.0,
    mask: ArrayLike | Volume | None = None,
    background: int | None = None,
) -> NDArray[Any] | Volume:
    """Flood the gradient magnitude from the seeds; labels meet on its ridges.

    Parameters
    ----------
    volume : (Z, Y, X) array of real numbers, or Volume
        The image.
    seeds : (Z, Y, X) array of bool or integers, or Volume
        The markers; 0 is unknown.
    spacing : float or (z, y, x), optional
        Of a bare array, mm; default 1.
    sigma : float, optional
        Standard deviation (mm) of the Gaussian before the gradient; default 1.5 times the largest spacing. Speckle
        has ridges of its own: take at least its size.
    compactness : float
        Of the compact watershed (Neubert and Protzel, ICPR 2014): larger values weigh distance to the seed against the
        gradient (values per mm).
    mask : (Z, Y, X) array of bool, or Volume, optional
        Where there are data; what lies outside has no influence on the gradient inside.
    background : int, optional
        The label of `seeds` that marks background: 0 in the result.

    Returns
    -------
    (Z, Y, X) array of the seeds' type, or Volume where `volume` is one

    Raises
    ------
    ValueError, TypeError
        If shapes differ, the image holds NaN inside the mask, there are no seeds or only one label of them.
    GeometryError
        If both are volumes that do not lie on one grid.

    Notes
    -----
    Beucher and Meyer 1993, by `skimage.segmentation.watershed`. One thread. Memory beside the arguments: up to 60 bytes
    a voxel of the mask's box.

    Examples
    --------
    >>> image = np.zeros((9, 9, 9), np.float32)
    >>> image[2:7, 2:7, 2:7] = 100
    >>> seeds = np.zeros(image.shape, np.uint8)
    >>> seeds[4, 4, 4], seeds[0] = 1, 2
    >>> found = watershed(image, seeds, sigma=0.5, background=2)
    >>> found[4, 4].tolist()
    [0, 0, 1, 1, 1, 1, 1, 0, 0]
    """
    from skimage.segmentation import watershed as flood

    scene = as_scene(volume, seeds, spacing, mask, background)
    width = 1.5 * max(scene.spacing) if sigma is None else float(sigma)
    if not (np.isfinite(width) and width > 0):
        raise ValueError(f"sigma must be positive (mm), not {sigma!r}")
    if not (np.isfinite(compactness) and compactness >= 0):
        raise ValueError(f"compactness must be 0 or positive, not {compactness!r}")
    steep = _gradient(scene, width)
    label = flood(steep, scene.seeds.astype(np.int32), connectivity=1, mask=scene.mask, compactness=compactness)
    return scene.restored(label)


def _gradient(scene: Scene, sigma: float) -> NDArray[np.float32]:
    """Return the gradient's magnitude, values per mm, of the image smoothed over what the mask holds."""
    from scipy.ndimage import gaussian_filter

    widths = [sigma / step for step in scene.spacing]
    image = scene.image.astype(np.float32)
    if scene.mask is not None:  # normalised convolution: no false edge where the data end
        weight = gaussian_filter(scene.mask.astype(np.float32), widths, mode="nearest")
        image[~scene.mask] = 0
        image = gaussian_filter(image, widths, mode="nearest")
        np.divide(image, weight, out=image, where=weight > 1e-6)
    else:
        image = gaussian_filter(image, widths, mode="nearest")
    total = np.zeros(image.shape, np.float32)
    for axis, step in enumerate(scene.spacing):
        if image.shape[axis] > 1:
            slope = np.gradient(image, step, axis=axis)
            total += np.square(slope, out=slope)
    return np.sqrt(total, out=total)
