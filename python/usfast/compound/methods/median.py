"""Median of the pixels in a sphere around each voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive
from usfast.compound.methods.kernel import FloatVolume, Progress, interpolate
from usfast.compound.methods.reach import neighbourhood

__all__ = ["median"]


def median(
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
    """Give each voxel the median of the pixels within `radius`.

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
        mm**2. Weighs pixels by ``1 / (distance**2 + alpha)`` too, as in `squared_distance`; by default all weigh the
        same.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no pixel is in reach.
    weight : (Z, Y, X) float32 array
        Sum of the pixels' weights (their number without `importance` and `alpha`); 0 where there is no pixel.

    Raises
    ------
    ValueError
        If `radius` or `alpha` is not positive, or `radius` is longer than 32 voxels.

    Notes
    -----
    Huang and Zheng, "Volume reconstruction of freehand three-dimensional ultrasound using median filters", Ultrasonics
    48 (2008): medians keep edges and drop outliers. The median is the value at which the weights, summed in the order
    of the values, pass half of their total; where they meet it exactly, it is midway to the next value. With equal
    weights that is `numpy.median`. Exact: pixels are sorted, not binned. Memory: 24 bytes for each pixel in reach of
    one voxel, for each thread.

    Examples
    --------
    >>> import numpy as np
    >>> volume, weight = median(np.array([[[1, 2, 99, 4]]], np.uint8), np.arange(1), np.eye(4)[None, :3], (4, 1, 1),
    ...     spacing=np.ones(3), mask=None, importance=None, num_threads=1, progress=None)
    >>> volume.ravel().tolist(), weight.ravel().tolist()
    ([1.5, 2.0, 4.0, 51.5], [2.0, 3.0, 3.0, 2.0])
    """
    return interpolate(
        "median",
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
        alpha=0.0 if alpha is None else positive("alpha", alpha),
    )
