"""Points of an image carried along a trajectory: what the metrics of trajectories compare."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

__all__ = ["POINTS", "image_points", "track_points"]

POINTS = ("center", "three", "corners")


def image_points(shape: tuple[int, int], points: str = "center") -> NDArray[np.float64]:
    """Return the pixels (u, v, 0) that stand for an image.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns (H, W).
    points : {"center", "three", "corners"}
        The centre; the centre and the two upper corners (the choice of Luo et al.'s code); the four corners
        (TUS-REC, DCL-Net).

    Returns
    -------
    (K, 3) float64 array
        Pixels; centres of pixels are at integers.

    Raises
    ------
    ValueError
        If the shape is not two positive whole numbers or the name unknown.

    Examples
    --------
    >>> image_points((3, 5), "three").tolist()
    [[2.0, 1.0, 0.0], [0.0, 0.0, 0.0], [4.0, 0.0, 0.0]]
    """
    sizes = np.asarray(shape)
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu" or (sizes < 1).any():
        raise ValueError(f"shape must be two positive whole numbers (rows, columns), not {shape!r}")
    if points not in POINTS:
        raise ValueError(f"points must be one of {', '.join(POINTS)} or an array (K, 3), not {points!r}")
    right, bottom = float(sizes[1]) - 1, float(sizes[0]) - 1
    centre = [right / 2, bottom / 2, 0.0]
    upper, lower = [[0.0, 0.0, 0.0], [right, 0.0, 0.0]], [[0.0, bottom, 0.0], [right, bottom, 0.0]]
    chosen = {"center": [centre], "three": [centre, *upper], "corners": [*upper, *lower]}[points]
    return np.array(chosen)


def track_points(poses: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Return where points of the moving frame are at each pose.

    Parameters
    ----------
    poses : (N, 4, 4) array
        Takes the moving frame to the world (mm), for example image_to_world.
    points : (K, 3) or (3,) array
        In the frame that the poses start from: pixels (u, v, 0) for image_to_world, mm for a probe.

    Returns
    -------
    (N, K, 3) float64 array
        World mm.

    Raises
    ------
    ValueError
        If a shape is wrong.
    GeometryError
        If a pose or a point is not finite.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (2, 1, 1))
    >>> poses[1, 2, 3] = 0.5
    >>> track_points(poses, [1.0, 2.0, 0.0])[:, 0].tolist()
    [[1.0, 2.0, 0.0], [1.0, 2.0, 0.5]]
    """
    matrices = as_trajectory("poses", poses)
    places = np.atleast_2d(np.asarray(points, np.float64))
    if places.ndim != 2 or places.shape[1] != 3 or not len(places):
        raise ValueError(f"points must have shape (K, 3), not {np.shape(points)}")
    if not np.isfinite(places).all():
        raise GeometryError("points must be finite")
    tracks: NDArray[np.float64] = np.einsum("nij,kj->nki", matrices[:, :3, :3], places) + matrices[:, None, :3, 3]
    return tracks


def as_trajectory(name: str, poses: ArrayLike) -> NDArray[np.float64]:
    """Return poses (N, 4, 4) as float64, all finite and affine, or say which is not."""
    array = np.asarray(poses, np.float64)
    if array.ndim != 3 or array.shape[1:] != (4, 4) or not len(array):
        raise ValueError(f"{name} must have shape (N, 4, 4), not {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2)))
    if bad.size:
        raise GeometryError(f"pose {bad[0]} of {name} is not finite ({bad.size} such poses)")
    bad = np.flatnonzero((np.abs(array[:, 3] - (0, 0, 0, 1)) > 1e-6).any(axis=1))
    if bad.size:
        raise GeometryError(f"pose {bad[0]} of {name} must end in the row 0 0 0 1, not {array[bad[0], 3].tolist()}")
    return array
