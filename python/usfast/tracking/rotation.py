"""How far the orientation of an estimated trajectory is from the true one, degrees and relative to the turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError
from usfast.geometry import polar
from usfast.tracking.distances import mean_rate
from usfast.tracking.points import as_trajectory

__all__ = [
    "average_rotation_rate",
    "geodesic_error",
    "maximum_rotation_rate",
    "mean_rotation_error",
    "rotation_errors",
    "rotation_path",
]

_Array = NDArray[np.float64]


def geodesic_error(predicted: ArrayLike, true: ArrayLike) -> _Array:
    """Return the angle of the rotation between two orientations, degrees.

    With R = true⁻¹ predicted: ``atan2(||v||, (tr R - 1) / 2)``, v = half the vector of R - Rᵀ. It equals
    ``2 atan2(||vec(q q̂*)||, |w|)`` and, mathematically, the thesis' eq. 2.4, ``2 arccos(|<q, q̂>|)``; but the
    arccos loses small angles: from float32 quaternions it gives 0 for 0.02 degrees. This form keeps the digits that
    the matrices have, at any angle.

    Parameters
    ----------
    predicted, true : (..., 3, 3) or (..., 4, 4) array
        Rotations or poses; scale (such as the pixel size in image_to_world) is split off. The leading axes broadcast.

    Returns
    -------
    (...) float64 array
        From 0 to 180 degrees.

    Raises
    ------
    ValueError
        If the last two axes are not (3, 3) or (4, 4).
    GeometryError
        If a matrix is not finite or has rank below two.

    Examples
    --------
    >>> tiny = np.radians(0.01)
    >>> turned = np.array([[np.cos(tiny), -np.sin(tiny), 0], [np.sin(tiny), np.cos(tiny), 0], [0, 0, 1]], np.float32)
    >>> round(float(geodesic_error(turned, np.eye(3, dtype=np.float32))), 6)
    0.01
    """
    relative = np.swapaxes(_rotation("true", true), -1, -2) @ _rotation("predicted", predicted)
    vector = np.stack(
        [
            relative[..., 2, 1] - relative[..., 1, 2],
            relative[..., 0, 2] - relative[..., 2, 0],
            relative[..., 1, 0] - relative[..., 0, 1],
        ],
        axis=-1,
    )
    sine, cosine = np.linalg.norm(vector, axis=-1), np.trace(relative, axis1=-2, axis2=-1) - 1
    angle: _Array = np.degrees(np.arctan2(sine, cosine))
    return angle


def rotation_errors(predicted: ArrayLike, true: ArrayLike) -> _Array:
    """Return θ_i, the angle between the estimated and the true orientation of each frame since the first, degrees.

    Both trajectories are turned so that their first frames agree: ``θ_0 = 0``.

    Parameters
    ----------
    predicted, true : (N, 4, 4) array
        Poses; at least two.

    Returns
    -------
    (N,) float64 array

    Raises
    ------
    ValueError
        If shapes are wrong or differ, or there is only one pose.
    GeometryError
        If a pose is not finite or degenerate.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (2, 1, 1))
    >>> turned = poses.copy()
    >>> turned[1, :2, :2] = [[0, -1], [1, 0]]
    >>> rotation_errors(turned, poses).tolist()
    [0.0, 90.0]
    """
    estimate, truth = _pair(predicted, true)
    first_estimate, first_truth = (np.swapaxes(r[:1], -1, -2) for r in (estimate, truth))
    return geodesic_error(first_estimate @ estimate, first_truth @ truth)


def rotation_path(true: ArrayLike) -> _Array:
    """Return Θ_i, the sum of the angles between neighbouring frames up to frame i, degrees; ``Θ_0 = 0``.

    Parameters and errors as in `rotation_errors`.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[1, :2, :2] = [[0, -1], [1, 0]]
    >>> rotation_path(poses).tolist()
    [0.0, 90.0, 180.0]
    """
    truth, _ = _pair(true, true)
    return np.concatenate([[0.0], np.cumsum(geodesic_error(truth[1:], truth[:-1]))])


def average_rotation_rate(predicted: ArrayLike, true: ArrayLike, *, min_rotation_deg: float = 0.1) -> float:
    """Return AGR, the mean over frames 2..N of θ_i / Θ_i: the angular copy of the average drift rate.

    The thesis' text ("divided by the expected angle") leaves the denominator open; here it is the sum of the true
    angles so far. Frames with less than `min_rotation_deg` behind them are left out.

    Raises
    ------
    ValueError
        If shapes are wrong or differ, there is only one pose or `min_rotation_deg` is negative.
    GeometryError
        If a pose is not finite or degenerate, or the true trajectory never turns that far (a linear sweep).

    Examples
    --------
    >>> from usfast.geometry import euler_to_matrix
    >>> true, estimate = (np.tile(np.eye(4), (3, 1, 1)) for _ in range(2))
    >>> true[:, :3, :3] = euler_to_matrix([[0, 0, 0], [0, 0, 2], [0, 0, 4]])
    >>> estimate[:, :3, :3] = euler_to_matrix([[0, 0, 0], [0, 0, 3], [0, 0, 4]])
    >>> round(average_rotation_rate(estimate, true), 9)
    0.25
    """
    error, way = rotation_errors(predicted, true), rotation_path(true)
    return mean_rate(error[:, None], way[:, None], min_rotation_deg, "min_rotation_deg", "degrees")


def maximum_rotation_rate(predicted: ArrayLike, true: ArrayLike, *, min_rotation_deg: float = 0.1) -> float:
    """Return MGR, the largest θ_i / Θ_i. Parameters and errors as in `average_rotation_rate`.

    Examples
    --------
    >>> from usfast.geometry import euler_to_matrix
    >>> true, estimate = (np.tile(np.eye(4), (3, 1, 1)) for _ in range(2))
    >>> true[:, :3, :3] = euler_to_matrix([[0, 0, 0], [0, 0, 2], [0, 0, 4]])
    >>> estimate[:, :3, :3] = euler_to_matrix([[0, 0, 0], [0, 0, 3], [0, 0, 4]])
    >>> round(maximum_rotation_rate(estimate, true), 9)
    0.5
    """
    error, way = rotation_errors(predicted, true), rotation_path(true)
    mean_rate(error[:, None], way[:, None], min_rotation_deg, "min_rotation_deg", "degrees")  # checks
    counts = (way >= min_rotation_deg) & (way > 0)
    return float((error[counts] / way[counts]).max())


def mean_rotation_error(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return AG (MEA of Luo et al.), the mean θ_i over all frames, the first one too, degrees.

    Luo et al.'s code clamps an arccos and so reports 0.0256 degrees for a perfect estimate; this gives 0.
    Parameters and errors as in `rotation_errors`.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (2, 1, 1))
    >>> mean_rotation_error(poses, poses)
    0.0
    """
    return float(rotation_errors(predicted, true).mean())


def _rotation(name: str, matrices: ArrayLike) -> _Array:
    array = np.asarray(matrices, np.float64)
    if array.ndim < 2 or array.shape[-2:] not in ((3, 3), (4, 4)):
        raise ValueError(f"{name} must hold matrices 3x3 or 4x4, not an array of shape {array.shape}")
    linear = array[..., :3, :3]
    if not np.isfinite(linear).all():
        raise GeometryError(f"{name} holds a rotation that is not finite")
    return polar(linear)[0]


def _pair(predicted: ArrayLike, true: ArrayLike) -> tuple[_Array, _Array]:
    """Rotations (N, 3, 3) of both trajectories."""
    estimate, truth = as_trajectory("predicted", predicted), as_trajectory("true", true)
    if len(estimate) != len(truth):
        raise ValueError(f"there are {len(estimate)} predicted poses, but {len(truth)} true ones")
    if len(truth) < 2:
        raise ValueError("a trajectory needs at least two frames, not one")
    return _rotation("predicted", estimate), _rotation("true", truth)
