"""Radial basis functions on local patches (RBF): the biharmonic spline through the data around each voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive
from usfast.compound.methods.functions import data_reach, fit
from usfast.compound.methods.kernel import FloatVolume, Progress

__all__ = ["radial_basis"]

MOST_CENTRES = 2000


def radial_basis(
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
    smoothing: float | None = None,
    max_centres: int = 128,
) -> tuple[FloatVolume, FloatVolume]:
    """Fit ``constant - sum(c_i * |x - x_i|)``, with coefficients of sum 0, to the data of each patch.

    Pixels of one cell between eight voxels are first averaged at their mean place. Patches are the leaves of an
    octree over bricks of 8 x 8 x 8 voxels, split until at most `max_centres` averages lie within a voxel of a leaf,
    but not below 2 x 2 x 2. Further away they are averaged once more, in cells of 2, 4, 8, ... voxels, shell by
    shell, until there are `max_centres` or the reach ends. Patches overlap by two voxels, in which their shares
    change linearly.

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
    smoothing : float, optional
        mm; the distance over which the function would change as much as one pixel does by noise: a mean of w pixels
        is met less closely the larger ``smoothing / w`` is. Default: half the mean edge of a voxel.
    max_centres : int
        Work grows with its cube.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no pixel is within `reach`. It may lie a little outside the range of the pixels.
    weight : (Z, Y, X) float32 array
        Pixels within `reach`, by importance, each times ``1 - (distance / reach)**2``.

    Raises
    ------
    ValueError
        If an option is not positive, `reach` is longer than 32 voxels or `max_centres` not from 8 to 2000.

    Notes
    -----
    Rohling, Gee and Berman, "Radial basis function interpolation for 3-D ultrasound", Tech. Rep. CUED/F-INFENG/TR 327
    (1998), and "A comparison of freehand three-dimensional ultrasound reconstruction techniques", Med. Image Anal. 3
    (1999): the biharmonic basis, small segments that overlap, a smoothing term. Theirs has a linear polynomial, which
    one frame alone cannot determine; a constant is enough for the basis -r. Coefficients in double precision by
    Cholesky's decomposition: in sums of zero, -r equals Levy's covariance of Brownian motion, which is positive
    definite, so that no arrangement of data is singular. The sum of shares in single precision.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.array([np.full((4, 5), 10), np.full((4, 5), 40)], np.float32)
    >>> poses = np.tile(np.eye(4)[:3], (2, 1, 1))
    >>> poses[1, 2, 3] = 3  # two planes are missing between the frames
    >>> volume, weight = radial_basis(frames, np.arange(2), poses, (5, 4, 4), spacing=np.ones(3), mask=None,
    ...     importance=None, num_threads=1, progress=None, smoothing=0.01)
    >>> volume[:, 2, 2].round().tolist()
    [10.0, 20.0, 30.0, 40.0]
    """
    if not isinstance(max_centres, (int, np.integer)) or not 8 <= max_centres <= MOST_CENTRES:
        raise ValueError(f"max_centres must be a whole number from 8 to {MOST_CENTRES}, not {max_centres!r}")
    return fit(
        "radial_basis",
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
        smoothing=0.5 * float(np.mean(spacing)) if smoothing is None else positive("smoothing", smoothing),
        max_centres=int(max_centres),
    )
