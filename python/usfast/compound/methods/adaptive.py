"""Adaptive squared-distance weighting (ASDW): sharper at edges, smoother in speckle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive
from usfast.compound.methods.kernel import FloatVolume, Progress, interpolate
from usfast.compound.methods.reach import neighbourhood

__all__ = ["adaptive", "speckle_ratio"]

TILE = 8  # pixels
SAMPLED_FRAMES = 16


def adaptive(
    frames: NDArray[Any],
    index: NDArray[np.intp],
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    *,
    spacing: NDArray[np.float64],
    mask: NDArray[np.uint8] | None,
    importance: NDArray[np.float32] | None,
    num_threads: int,
    progress: Progress,
    radius: float | None = None,
    smallest_alpha: float | None = None,
    largest_alpha: float | None = None,
    halfway: float | None = None,
) -> tuple[FloatVolume, FloatVolume]:
    """Squared-distance weighting with an alpha that follows the contrast around each voxel.

    With mean and variance of the pixels within `radius` (weighted by importance alone), ``ratio = variance /
    abs(mean)``, and ``alpha = smallest_alpha + (largest_alpha - smallest_alpha) / (1 + (ratio / halfway)**4)``; the
    voxel is their mean weighted by ``importance / (distance**2 + alpha)``.

    Parameters
    ----------
    frames : (N, H, W) array of uint8 or float32
        Pixels that are not finite do not count.
    index : (M,) intp array
        The frames to use.
    image_to_voxel : (M, 3, 4) float64 array
        Takes pixel (u, v, 0, 1) of each of them to continuous voxel indices (x, y, z).
    size : (x, y, z) int
    spacing : (3,) float64 array
        mm between voxels, x, y, z.
    mask : (H, W) uint8 array, optional
        0 leaves a pixel out.
    importance : float32 array with axes of length (N or 1, H or 1, W or 1), optional
        Multiplies the weight of each pixel; 0 leaves it out.
    num_threads : int
    progress : callable, optional
        Called as ``progress(done, total)``.
    radius : float, optional
        mm, of the sphere around a voxel; default 0.75 times the gap between frames, at least 1.5 times the
        longest edge of a voxel.
    smallest_alpha : float, optional
        mm**2, where contrast is endless. Default: the square of a tenth of the mean edge of a voxel.
    largest_alpha : float, optional
        mm**2, where there is no contrast. Default ``(2 * radius)**2``, nearly the plain mean.
    halfway : float, optional
        Grey levels: the ratio of variance to mean at which alpha is halfway between the two. Default: twice
        `speckle_ratio` of the frames.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no pixel is in reach.
    weight : (Z, Y, X) float32 array
        Sum of ``importance / (distance**2 + alpha)``, 1/mm**2; 0 where there is no pixel.

    Raises
    ------
    ValueError
        If an option is not positive, `radius` is longer than 32 voxels, or `largest_alpha` is below
        `smallest_alpha`.

    Notes
    -----
    Huang and Zheng, "An adaptive squared-distance-weighted interpolation for volume reconstruction in 3D freehand
    ultrasound", Ultrasonics 44 (2006); Huang, Lu, Zheng and Chi, "Speckle suppression and contrast enhancement in
    reconstruction of freehand 3D ultrasound images using an adaptive distance-weighted method", Appl. Acoust. 70
    (2009). The idea is theirs: alpha falls as the ratio of local variance to mean rises, which in log-compressed
    images is much the same in all speckle (Loupas et al., IEEE Trans. Circuits Syst. 36, 1989) and higher at edges.
    The curve between the two limits, and the limits, are this package's. All in double precision. Memory: 24 bytes
    for each pixel in reach of one voxel, for each thread.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.array([[[0, 0, 0, 90, 90, 90]]], np.float32)
    >>> volume, weight = adaptive(frames, np.arange(1), np.eye(4)[None, :3], (6, 1, 1), spacing=np.ones(3), mask=None,
    ...     importance=None, num_threads=1, progress=None, halfway=5.0)
    >>> volume.ravel().round().tolist()  # a plain mean would give 30 and 60 at the edge
    [0.0, 0.0, 1.0, 89.0, 90.0, 90.0]
    """
    reach = neighbourhood(radius, image_to_voxel, spacing, frames.shape[1:])
    low = (0.1 * float(np.mean(spacing))) ** 2 if smallest_alpha is None else positive("smallest_alpha", smallest_alpha)
    high = max(low, (2 * reach) ** 2) if largest_alpha is None else positive("largest_alpha", largest_alpha)
    if high < low:
        raise ValueError(f"largest_alpha must not be below smallest_alpha, but {high:g} < {low:g} mm**2")
    return interpolate(
        "adaptive",
        frames,
        index,
        image_to_voxel,
        size,
        spacing=spacing,
        mask=mask,
        importance=importance,
        num_threads=num_threads,
        progress=progress,
        reach=reach,
        alpha=low,
        largest_alpha=high,
        halfway=2 * speckle_ratio(frames, index, mask) if halfway is None else positive("halfway", halfway),
    )


def speckle_ratio(frames: NDArray[Any], index: NDArray[np.intp], mask: NDArray[np.uint8] | None = None) -> float:
    """Return the ratio of variance to mean that is usual in small tiles of the frames: that of speckle.

    The median over tiles of 8 x 8 pixels of up to 16 of the frames, evenly spread; tiles with a pixel that is masked
    or not finite, and tiles without any contrast, are left out. 1 where no tile remains.

    Parameters
    ----------
    frames : (N, H, W) array of uint8 or float32
    index : (M,) intp array
        The frames to use.
    mask : (H, W) uint8 array, optional
        0 leaves a pixel out.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.random.default_rng(0).gamma(4, 10, (3, 64, 64)).astype(np.float32)
    >>> abs(speckle_ratio(frames, np.arange(3)) - 10) < 1  # variance 4 * 10**2, mean 4 * 10
    True
    """
    places = np.unique(np.linspace(0, len(index) - 1, min(len(index), SAMPLED_FRAMES)).astype(np.intp))
    height, width = (n // TILE * TILE for n in frames.shape[1:])
    ratios = [np.empty(0)]
    for frame in np.asarray(index)[places]:
        pixels = frames[frame, :height, :width].astype(np.float64)
        if mask is not None:
            pixels[mask[:height, :width] == 0] = np.nan
        tiles = pixels.reshape(height // TILE, TILE, width // TILE, TILE).swapaxes(1, 2).reshape(-1, TILE * TILE)
        tiles = tiles[np.isfinite(tiles).all(axis=1)]
        mean, variance = np.abs(tiles.mean(axis=1)), tiles.var(axis=1)
        textured = (mean > 0) & (variance > 0)
        ratios.append(variance[textured] / mean[textured])
    found = np.concatenate(ratios)
    usual = float(np.median(found)) if found.size else 1.0
    return usual if np.isfinite(usual) and usual > 0 else 1.0
