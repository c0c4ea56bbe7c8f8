"""How far from a voxel a method looks, in mm, where the user does not say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive

__all__ = ["frame_gap", "neighbourhood"]

LARGEST_RADIUS = 32  # voxels; more would take minutes a brick


def frame_gap(image_to_voxel: NDArray[np.float64], spacing: NDArray[np.float64], image_size: tuple[int, int]) -> float:
    """Return the gap between frames that a method must bridge, mm.

    It is the 95th percentile of the steps from frame to frame, so that a jump of the tracker or a new sweep does not
    count, but at least the diagonal of a voxel. A step is the longest way, at right angles to the first of two
    frames, from that frame to a corner of the second.

    Parameters
    ----------
    image_to_voxel : (M, 3, 4) float64 array
        Takes pixel (u, v, 0, 1) to continuous voxel indices (x, y, z).
    spacing : (3,) float64 array
        mm between voxels, x, y, z.
    image_size : (height, width) int

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.eye(4)[:3], (5, 1, 1))
    >>> poses[:, 2, 3] = 3 * np.arange(5)
    >>> frame_gap(poses, np.array([0.5, 0.5, 1.0]), (10, 20))
    3.0
    """
    diagonal = float(np.linalg.norm(spacing))
    if len(image_to_voxel) < 2:
        return diagonal
    place = image_to_voxel * np.asarray(spacing)[:, None]
    normal = np.cross(place[:, :, 0], place[:, :, 1])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    right, bottom = image_size[1] - 1, image_size[0] - 1
    corners = np.array([[0, 0, 0, 1], [right, 0, 0, 1], [0, bottom, 0, 1], [right, bottom, 0, 1]], np.float64)
    steps = np.einsum("mak,ck->mca", place[1:], corners) - place[:-1, None, :, 3]
    distance = np.abs(np.einsum("mca,ma->mc", steps, normal[:-1])).max(axis=1)
    return max(diagonal, float(np.percentile(distance, 95)))


def neighbourhood(
    radius: float | None,
    image_to_voxel: NDArray[np.float64],
    spacing: NDArray[np.float64],
    image_size: tuple[int, int],
) -> float:
    """Return the radius of the sphere around a voxel, mm: as given, or long enough to bridge the gaps between frames.

    The default is 0.75 times the `frame_gap`, so that a voxel midway between two frames sees a disc of each, but at
    least 1.5 times the longest edge of a voxel.

    Raises
    ------
    ValueError
        If it is not positive or longer than 32 voxels.

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.eye(4)[:3], (5, 1, 1))
    >>> neighbourhood(None, poses, np.array([0.5, 0.5, 1.0]), (10, 20))
    1.5
    """
    longest = float(np.max(spacing))
    if radius is None:
        wanted = max(1.5 * longest, 0.75 * frame_gap(image_to_voxel, spacing, image_size))
        return min(wanted, LARGEST_RADIUS * longest)
    if positive("radius", radius) > LARGEST_RADIUS * longest:
        raise ValueError(
            f"radius must be at most {LARGEST_RADIUS} voxels, {LARGEST_RADIUS * longest:g} mm here, not {radius!r}"
        )
    return float(radius)
