"""Multilevel cubic B-splines (MBA): the large features first, the details on finer and finer lattices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.compound.methods.functions import data_reach, fit
from usfast.compound.methods.kernel import FloatVolume, Progress

__all__ = ["bspline"]

FINEST = (1, 2, 4, 8, 16, 32)


def bspline(
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
    reach: float | None = None,
    finest: int = 1,
) -> tuple[FloatVolume, FloatVolume]:
    """Approximate the data by a sum of cubic tensor B-splines on lattices of 2**k voxels.

    Pixels of one cell between eight voxels are first averaged at their mean place. The coarsest lattice is at least
    twice as wide as the reach; each finer one takes up what the coarser ones leave of the data, down to a lattice of
    `finest` voxels.

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
        Pixels that one pixel counts as; 0 leaves it out.
    num_threads : int
    progress : callable, optional
        Called as ``progress(done, total)``.
    reach : float, optional
        mm from data within which voxels get a value. Default: `frame_gap`, the 95th percentile of the steps between
        frames, but at least the diagonal of a voxel.
    finest : {1, 2, 4, 8, 16, 32}
        Spacing of the finest lattice, voxels; a larger one smooths.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no pixel is within `reach`. It may lie a little outside the range of the pixels.
    weight : (Z, Y, X) float32 array
        Pixels within `reach`, by importance, each times ``1 - (distance / reach)**2``.

    Raises
    ------
    ValueError
        If `reach` is not positive or longer than 32 voxels, or `finest` is none of the above.

    Notes
    -----
    Lee, Wolberg and Shin, "Scattered data interpolation with multilevel B-splines", IEEE Trans. Vis. Comput. Graph. 3
    (1997): equation 5 gives the controls of a lattice, here with the weights of the data, and the lattices are added
    up by subdivision, so that the result is read off one. For freehand ultrasound, Huang et al. fit Bezier and
    B-spline functions likewise: "Bezier interpolation for 3-D freehand ultrasound", IEEE Trans. Hum.-Mach. Syst. 45
    (2015). The mean of the data is taken off first. Sums in double precision, controls kept in single.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.array([np.full((4, 5), 10), np.full((4, 5), 40)], np.float32)
    >>> poses = np.tile(np.eye(4)[:3], (2, 1, 1))
    >>> poses[1, 2, 3] = 3  # two planes are missing between the frames
    >>> volume, weight = bspline(frames, np.arange(2), poses, (5, 4, 4), spacing=np.ones(3), mask=None,
    ...     importance=None, num_threads=1, progress=None)
    >>> volume[:, 2, 2].round().tolist()
    [10.0, 19.0, 30.0, 40.0]
    """
    if finest not in FINEST:
        raise ValueError(f"finest must be one of {', '.join(map(str, FINEST))} voxels, not {finest!r}")
    return fit(
        "bspline",
        frames,
        index,
        image_to_voxel,
        size,
        spacing=spacing,
        mask=mask,
        importance=importance,
        num_threads=num_threads,
        progress=progress,
        reach=data_reach(reach, image_to_voxel, spacing, frames.shape[1:]),
        finest=int(finest),
    )
