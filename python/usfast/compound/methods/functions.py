"""The one call of the compiled kernel behind the methods that fit a function, and how far from data they go."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from usfast import _core
from usfast._arguments import positive
from usfast.compound.methods.kernel import FloatVolume, Progress
from usfast.compound.methods.reach import LARGEST_RADIUS, frame_gap

__all__ = ["data_reach", "fit"]

Name = Literal["radial_basis", "rayleigh", "bspline"]


def data_reach(
    reach: float | None,
    image_to_voxel: NDArray[np.float64],
    spacing: NDArray[np.float64],
    image_size: tuple[int, int],
) -> float:
    """Return how far from a pixel voxels get a value, mm: as given, or the gap between frames.

    Raises
    ------
    ValueError
        If it is not positive or longer than 32 voxels.

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.eye(4)[:3], (5, 1, 1))
    >>> poses[:, 2, 3] = 3 * np.arange(5)
    >>> data_reach(None, poses, np.array([0.5, 0.5, 1.0]), (10, 20))
    3.0
    """
    largest = LARGEST_RADIUS * float(np.max(spacing))
    if reach is None:
        return min(largest, frame_gap(image_to_voxel, spacing, image_size))
    if positive("reach", reach) > largest:
        raise ValueError(f"reach must be at most {LARGEST_RADIUS} voxels, {largest:g} mm here, not {reach!r}")
    return float(reach)


def fit(
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
    smoothing: float = 1.0,
    max_centres: int = 128,
    finest: int = 1,
    compression: float = 0.0,
    floor: float = 1.0,
    level: float = 0.0,
    regularisation: float = 1.0,
    iterations: int = 1,
    tolerance: float = 0.0,
) -> tuple[FloatVolume, FloatVolume]:
    """Run method `name`; `reach` is its distance in mm, the rest as in the methods that have them.

    Parameters
    ----------
    name : str
    frames : (N, H, W) array of uint8 or float32
    index : (M,) intp array
        The frames to use.
    image_to_voxel : (M, 3, 4) float64 array
        Takes pixel (u, v, 0, 1) of each of them to continuous voxel indices (x, y, z).
    size : (x, y, z) int
    spacing : (3,) float64 array
        mm between voxels, x, y, z.
    mask : (H, W) uint8 array, optional
    importance : float32 array with axes of length (N or 1, H or 1, W or 1), optional
    num_threads : int
    progress : callable, optional
    reach, smoothing : float
        mm.
    max_centres, finest, iterations : int
    compression, floor, level, regularisation, tolerance : float

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no pixel is within `reach`.
    weight : (Z, Y, X) float32 array
        Pixels within `reach`, by importance, each times ``1 - (distance / reach)**2``; pixels of one cell between
        eight voxels count at their mean place.

    Examples
    --------
    >>> import numpy as np
    >>> volume, weight = fit("bspline", np.full((1, 4, 4), 7, np.uint8), np.arange(1), np.eye(4)[None, :3], (4, 4, 1),
    ...     spacing=np.ones(3), mask=None, importance=None, num_threads=1, progress=None, reach=1.0)
    >>> float(volume[0, 2, 2]), float(weight[0, 2, 2])
    (7.0, 1.0)
    """
    return _core.fit_functions(
        frames,
        index,
        image_to_voxel,
        size,
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        mask,
        importance,
        name,
        reach,
        smoothing,
        max_centres,
        finest,
        compression,
        floor,
        level,
        regularisation,
        iterations,
        tolerance,
        num_threads,
        progress,
    )
