"""Voxel nearest neighbour (VNN): the pixel that a voxel projects to on the frame nearest to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive
from usfast.compound.methods.kernel import FloatVolume, Progress, interpolate
from usfast.compound.methods.reach import frame_gap

__all__ = ["voxel_nearest"]


def voxel_nearest(
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
    max_distance: float | None = None,
) -> tuple[FloatVolume, FloatVolume]:
    """Give each voxel the value of the nearest pixel of the nearest frame.

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
        0 leaves a pixel out.
    num_threads : int
    progress : callable, optional
        Called as ``progress(done, total)``.
    max_distance : float, optional
        mm. Frames farther from a voxel do not count. Default: `frame_gap`, the 95th percentile of the steps between
        frames, but at least the diagonal of a voxel.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no frame is in reach.
    weight : (Z, Y, X) float32 array
        Importance of the pixel taken (1 without `importance`); 0 where there is none.

    Raises
    ------
    ValueError
        If `max_distance` is not positive.

    Notes
    -----
    Sherebrin et al., "Freehand three-dimensional ultrasound: implementation and applications", SPIE 2708 (1996);
    Prager, Gee and Berman, "Stradx: real-time acquisition and visualization of freehand three-dimensional
    ultrasound", Med. Image Anal. 3 (1999). Nearest means nearest along the normal of a frame, over a pixel that
    counts: half a pixel beside the image is outside. Of frames equally near, the first in `index` is taken. All in
    double precision. Time O(voxels * frames within `max_distance`).

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.eye(4)[:3], (2, 1, 1))
    >>> poses[1, 2, 3] = 2.9
    >>> frames = np.array([[[10, 20]], [[30, 40]]], np.uint8)
    >>> volume, weight = voxel_nearest(frames, np.arange(2), poses, (2, 1, 4), spacing=np.ones(3), mask=None,
    ...     importance=None, num_threads=1, progress=None)
    >>> volume[:, 0, 0].tolist()
    [10.0, 10.0, 30.0, 30.0]
    """
    if max_distance is None:
        max_distance = frame_gap(image_to_voxel, spacing, frames.shape[1:])
    return interpolate(
        "voxel_nearest",
        frames,
        index,
        image_to_voxel,
        size,
        spacing=spacing,
        mask=mask,
        importance=importance,
        num_threads=num_threads,
        progress=progress,
        reach=positive("max_distance", max_distance),
    )
