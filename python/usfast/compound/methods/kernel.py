"""The one call of the compiled kernel behind the methods that work by the voxel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from usfast import _core

__all__ = ["FloatVolume", "Progress", "interpolate"]

Progress = Callable[[int, int], Any] | None
FloatVolume = NDArray[np.float32]
Name = Literal["voxel_nearest", "inverse_distance", "trajectory", "squared_distance", "adaptive", "median"]


def interpolate(
    name: Name,
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
    reach: float,
    alpha: float = 0.0,
    largest_alpha: float = 0.0,
    halfway: float = 1.0,
) -> tuple[FloatVolume, FloatVolume]:
    """Run method `name`; `reach` is its distance in mm, the rest as in the methods that have them.

    Parameters
    ----------
    name : str
    frames : (N, H, W) array of uint8 or float32
    index : (M,) intp array
        The frames to use, in the order of their times.
    image_to_voxel : (M, 3, 4) float64 array
        Takes pixel (u, v, 0, 1) of each of them to continuous voxel indices (x, y, z).
    size : (x, y, z) int
    spacing : (3,) float64 array
        mm between voxels, x, y, z.
    mask : (H, W) uint8 array, optional
    importance : float32 array with axes of length (N or 1, H or 1, W or 1), optional
    num_threads : int
    progress : callable, optional
    reach, alpha, largest_alpha, halfway : float
        mm; mm**2; mm**2; grey levels.

    Returns
    -------
    volume, weight : (Z, Y, X) float32 arrays

    Examples
    --------
    >>> import numpy as np
    >>> volume, weight = interpolate("voxel_nearest", np.full((1, 4, 4), 7, np.uint8), np.arange(1),
    ...     np.eye(4)[None, :3], (4, 4, 1), spacing=np.ones(3), mask=None, importance=None, num_threads=1,
    ...     progress=None, reach=0.5)
    >>> float(volume[0, 2, 2]), float(weight[0, 2, 2])
    (7.0, 1.0)
    """
    return _core.interpolate(
        frames,
        index,
        image_to_voxel,
        size,
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        mask,
        importance,
        name,
        reach,
        alpha,
        largest_alpha,
        halfway,
        num_threads,
        progress,
    )
