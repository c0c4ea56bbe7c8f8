"""Interpolation along the probe's trajectory: the image plane on its way from one frame to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive
from usfast.compound.methods.kernel import FloatVolume, Progress, interpolate
from usfast.compound.methods.reach import frame_gap
from usfast.errors import GeometryError

__all__ = ["trajectory"]


def trajectory(
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
    max_gap: float | None = None,
) -> tuple[FloatVolume, FloatVolume]:
    """Give each voxel the value that the probe would have seen while it passed through it.

    Between two frames in a row the probe is taken to move evenly: the centre of the image on a straight line, its
    axes turning about one axis (slerp). At the time t in [0, 1] at which that virtual image plane passes through the
    voxel, the voxel lies over one pixel (u, v); its value is ``(1 - t)`` times the first frame's and ``t`` times the
    second's at (u, v), each bilinear.

    Parameters
    ----------
    frames : (N, H, W) array of uint8 or float32
        Pixels that are not finite do not count.
    index : (M,) intp array
        The frames to use, in the order in which they were recorded.
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
    max_gap : float, optional
        mm. Where two frames in a row lie farther apart at a voxel (its distances to the two, added), nothing is
        interpolated: the tracker jumped or a new sweep began. Default: twice `frame_gap`, the 95th percentile of
        the steps between frames, but at least two diagonals of a voxel.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where the image did not pass.
    weight : (Z, Y, X) float32 array
        Importance of the pixels taken, interpolated as their values are (1 without `importance`); 0 where there is
        no value.

    Raises
    ------
    ValueError
        If `max_gap` is not positive, or there is one frame only.
    GeometryError
        If the frames differ in the size or shape of their pixels, so that the image did not move as a rigid body.

    Notes
    -----
    Coupé, Hellier, Azzabou and Barillot, "3D freehand ultrasound reconstruction based on probe trajectory", MICCAI
    2005. The paper interpolates the six parameters of the pose; here rotations are interpolated as such and t is
    solved for to 1e-12. Where the image passes through a voxel more than once, the pair of frames that lie closest
    together there is taken (the first of equals). Pairs turned by more than 90 degrees against each other are left
    out. Voxels before the first and behind the last frame stay empty. All in double precision.

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.eye(4)[:3], (2, 1, 1))
    >>> poses[1, :2, 3] = 1, 0
    >>> poses[1, 2, 3] = 2  # the probe slides along x by one pixel on its way
    >>> frames = np.array([[[10, 20, 30]], [[20, 30, 40]]], np.uint8)
    >>> volume, weight = trajectory(frames, np.arange(2), poses, (4, 1, 3), spacing=np.ones(3), mask=None,
    ...     importance=None, num_threads=1, progress=None)
    >>> volume[1, 0].tolist(), weight[1, 0].tolist()
    ([15.0, 20.0, 30.0, 0.0], [1.0, 1.0, 1.0, 0.0])
    """
    if len(image_to_voxel) < 2:
        raise ValueError('method="trajectory" interpolates between frames in a row, but there is only one frame')
    _check_rigid(image_to_voxel * np.asarray(spacing)[:, None])
    if max_gap is None:
        max_gap = 2 * frame_gap(image_to_voxel, spacing, frames.shape[1:])
    return interpolate(
        "trajectory",
        frames,
        index,
        image_to_voxel,
        size,
        spacing=spacing,
        mask=mask,
        importance=importance,
        num_threads=num_threads,
        progress=progress,
        reach=positive("max_gap", max_gap),
    )


def _check_rigid(image_to_mm: NDArray[np.float64]) -> None:
    """Raise where the pixels of the frames are not all alike, to 1 in 1000."""
    axes = image_to_mm[:, :, :2]
    shape = np.einsum("mai,maj->mij", axes, axes)  # squared sides of a pixel and the angle between them
    change = np.abs(shape - shape[0]).max(axis=(1, 2)) / np.trace(shape[0])
    if change.max() > 1e-3:
        raise GeometryError(
            f'method="trajectory" needs frames with the same pixels, but those of frame {int(change.argmax())} in use '
            "differ in size or shape from those of the first"
        )
