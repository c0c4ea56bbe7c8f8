"""Voxel-based interpolation (VBMI): between the frames on either side of a voxel, by inverse distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive
from usfast.compound.methods.kernel import FloatVolume, Progress, interpolate
from usfast.compound.methods.reach import frame_gap

__all__ = ["inverse_distance"]


def inverse_distance(
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
    """Give each voxel the mean of its projections on the nearest frame on either side, weighted by 1 / distance.

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
    max_distance : float, optional
        mm. Frames farther from a voxel do not count. Default: `frame_gap`, the 95th percentile of the steps between
        frames, but at least the diagonal of a voxel.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no frame is in reach.
    weight : (Z, Y, X) float32 array
        Importance of the pixels taken, interpolated as their values are (1 without `importance`); 0 where there is
        no value.

    Raises
    ------
    ValueError
        If `max_distance` is not positive.

    Notes
    -----
    Trobaugh, Trobaugh and Richard, "Three-dimensional imaging with stereotactic ultrasonography", Comput. Med.
    Imaging Graph. 18 (1994); Barry et al., "Three-dimensional freehand ultrasound: image reconstruction and volume
    analysis", Ultrasound Med. Biol. 23 (1997). On each side the nearest frame whose pixel under the voxel counts is
    taken, bilinear between the four pixels around the projection (those of them that count). Between parallel frames
    this is linear interpolation and keeps linear ramps. The papers leave the ends of a sweep open: a voxel with a
    frame on one side alone takes that frame's value. "Side" is that of the frame's normal, so where frames cross or
    turn over, a voxel's two frames may be neighbours on one side. All in double precision. Time O(voxels * frames
    within `max_distance`).

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.eye(4)[:3], (2, 1, 1))
    >>> poses[1, 2, 3] = 4
    >>> frames = np.array([[[10, 20]], [[50, 60]]], np.uint8)
    >>> volume, weight = inverse_distance(frames, np.arange(2), poses, (2, 1, 5), spacing=np.ones(3), mask=None,
    ...     importance=None, num_threads=1, progress=None)
    >>> volume[:, 0, 0].tolist()
    [10.0, 20.0, 30.0, 40.0, 50.0]
    """
    if max_distance is None:
        max_distance = frame_gap(image_to_voxel, spacing, frames.shape[1:])
    return interpolate(
        "inverse_distance",
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
