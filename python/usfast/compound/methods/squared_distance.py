"""Squared-distance weighting (SDW): the pixels in a sphere around each voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive
from usfast.compound.methods.kernel import FloatVolume, Progress, interpolate
from usfast.compound.methods.reach import neighbourhood

__all__ = ["squared_distance"]


def squared_distance(
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
    alpha: float | None = None,
) -> tuple[FloatVolume, FloatVolume]:
    """Give each voxel the mean of the pixels within `radius`, weighted by ``1 / (distance**2 + alpha)``.

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
    alpha : float, optional
        mm**2. Small values keep detail, large ones approach the plain mean. Default: the square of half the mean
        edge of a voxel.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no pixel is in reach.
    weight : (Z, Y, X) float32 array
        Sum of ``importance / (distance**2 + alpha)``, 1/mm**2; 0 where there is no pixel.

    Raises
    ------
    ValueError
        If `radius` or `alpha` is not positive, or `radius` is longer than 32 voxels.

    Notes
    -----
    Huang, Zheng, Lu and Chi, "Development of a portable 3D ultrasound imaging system for musculoskeletal tissues",
    Ultrasonics 43 (2005). The paper leaves alpha to the operator. Distances are those in space, also across frames;
    all in double precision. Time O(voxels * pixels in reach).

    Examples
    --------
    >>> import numpy as np
    >>> volume, weight = squared_distance(np.array([[[0, 90]]], np.uint8), np.arange(1), np.eye(4)[None, :3],
    ...     (2, 1, 1), spacing=np.ones(3), mask=None, importance=None, num_threads=1, progress=None, alpha=1.0)
    >>> volume.ravel().tolist(), weight.ravel().tolist()  # weights 1 / (0 + 1) and 1 / (1 + 1)
    ([30.0, 60.0], [1.5, 1.5])
    """
    if alpha is None:
        alpha = (0.5 * float(np.mean(spacing))) ** 2
    return interpolate(
        "squared_distance",
        frames,
        index,
        image_to_voxel,
        size,
        spacing=spacing,
        mask=mask,
        importance=importance,
        num_threads=num_threads,
        progress=progress,
        reach=neighbourhood(radius, image_to_voxel, spacing, frames.shape[1:]),
        alpha=positive("alpha", alpha),
    )
