"""Four ways to write a rotation: R9 matrix, R6 two columns, R4 quaternion, R3 Euler angles (thesis, 1.3.4).

Every function works on leading batch axes. Entries that hold NaN (unknown poses) give NaN; everything else
that is no rotation is refused.

Euler angles (alpha, beta, gamma) turn about the FIXED axes x, then y, then z: the reading under which the
thesis' eq. 1.5 gives the entries of eq. 1.4 back::

    R = Rz(gamma) Ry(beta) Rx(alpha)         (scipy: from_euler("xyz"); the same as moving axes z, y', x'')
    gamma = atan2(r21, r11)    beta = atan2(-r31, sqrt(1 - r31^2))    alpha = atan2(r32, r33)

with alpha, gamma in (-180, 180] and beta in [-90, 90]. The thesis calls them pitch, yaw and roll.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

__all__ = [
    "euler_to_matrix",
    "matrix_to_euler",
    "matrix_to_quaternion",
    "matrix_to_r6",
    "nearest_rotation",
    "polar",
    "quaternion_to_matrix",
    "r6_to_matrix",
]

_Array = NDArray[np.float64]
_ORTHONORMAL = 1e-4  # largest error of an entry of RᵀR that still counts as a rotation; `Grid` uses the same
_GIMBAL = 1e-13  # cosine of beta below which alpha and gamma turn about one axis


def _vectors(name: str, value: ArrayLike, length: int) -> _Array:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != length:
        raise ValueError(f"{name} must have shape (..., {length}), not {array.shape}")
    if np.isinf(array).any():
        raise GeometryError(f"{name} must not be infinite")
    return array


def _matrices(value: ArrayLike) -> _Array:
    array = np.asarray(value, dtype=np.float64)
    if array.shape[-2:] != (3, 3):
        raise ValueError(f"rotation matrices must have shape (..., 3, 3), not {array.shape}")
    if np.isinf(array).any():
        raise GeometryError("rotation matrices must not be infinite")
    return array


def _rotations(value: ArrayLike) -> _Array:
    """Return `value` as matrices, each a rotation or not known (NaN)."""
    array = _matrices(value)
    error = np.abs(np.swapaxes(array, -1, -2) @ array - np.eye(3)).max(axis=(-2, -1))
    with np.errstate(invalid="ignore"):  # of NaN
        wrong = (error > _ORTHONORMAL) | (np.linalg.det(array) < 0)
    if wrong.any():
        raise GeometryError(
            f"matrix {np.flatnonzero(wrong)[0]} of {wrong.size} is not a rotation (orthonormal, "
            "determinant 1); nearest_rotation() gives the closest one"
        )
    return array


def _refuse(bad: NDArray[np.bool_], what: str) -> None:
    if bad.any():
        raise GeometryError(f"entry {np.flatnonzero(bad)[0]} of {bad.size} {what}")


def matrix_to_quaternion(matrix: ArrayLike) -> _Array:
    """Return the unit quaternion (w, x, y, z) of each rotation (thesis, eq. 1.6 and 1.7).

    Eq. 1.7 gives each component's magnitude. The signs come from the off-diagonal entries: row i of the
    symmetric matrix of the products 4 qᵢ qⱼ is q up to a factor, and the row of the largest component
    (Shepperd 1978) loses no digits at any rotation.

    Parameters
    ----------
    matrix : (..., 3, 3) array
        Rotations.

    Returns
    -------
    (..., 4) float64 array
        Scalar first, w >= 0; where w is 0 the first component that is not 0 is positive.

    Raises
    ------
    ValueError
        If the last two axes are not (3, 3).
    GeometryError
        If a matrix is not a rotation (to 1e-4).

    Examples
    --------
    >>> matrix_to_quaternion([[-1, 0, 0], [0, -1, 0], [0, 0, 1]]).tolist()  # half a turn about z
    [0.0, 0.0, 0.0, 1.0]
    """
    r = np.moveaxis(_rotations(matrix), (-2, -1), (0, 1))
    products = np.array(
        [
            [1 + r[0, 0] + r[1, 1] + r[2, 2], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], 1 + r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], 1 - r[0, 0] + r[1, 1] - r[2, 2], r[1, 2] + r[2, 1]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], 1 - r[0, 0] - r[1, 1] + r[2, 2]],
        ]
    )
    products = np.moveaxis(products, (0, 1), (-2, -1))
    largest = np.argmax(np.diagonal(products, axis1=-2, axis2=-1), axis=-1)
    row = np.take_along_axis(products, largest[..., None, None], axis=-2)[..., 0, :]
    unit = row / np.linalg.norm(row, axis=-1, keepdims=True)
    first = np.take_along_axis(unit, np.argmax(unit != 0, axis=-1)[..., None], axis=-1)
    quaternion: _Array = unit * np.where(first < 0, -1.0, 1.0) + 0.0  # no negative zeros
    return quaternion


def quaternion_to_matrix(quaternion: ArrayLike) -> _Array:
    """Return the rotation of each quaternion (w, x, y, z); those that are not of unit length are normalised.

    Parameters
    ----------
    quaternion : (..., 4) array
        Scalar first.

    Returns
    -------
    (..., 3, 3) float64 array

    Raises
    ------
    ValueError
        If the last axis has not 4 entries.
    GeometryError
        If a quaternion is zero or infinite.

    Examples
    --------
    >>> quaternion_to_matrix([0, 0, 0, 2]).tolist()
    [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    array = _vectors("quaternions", quaternion, 4)
    largest = np.abs(array).max(axis=-1, keepdims=True)
    _refuse(largest[..., 0] == 0, "is the zero quaternion, which is no rotation")
    scaled = array / largest  # so that the norm can neither overflow nor vanish
    w, x, y, z = np.moveaxis(scaled / np.linalg.norm(scaled, axis=-1, keepdims=True), -1, 0)
    rows = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return np.moveaxis(rows, (0, 1), (-2, -1))


def matrix_to_euler(matrix: ArrayLike) -> _Array:
    """Return the Euler angles (alpha, beta, gamma) of each rotation, degrees (thesis, eq. 1.5, with atan2).

    ``R = Rz(gamma) Ry(beta) Rx(alpha)``. Alpha is found after gamma is undone, so that the three angles give
    the matrix back even next to gimbal lock. In gimbal lock (beta = ±90 degrees) only alpha ∓ gamma is
    defined: gamma, the roll, is set to 0.

    Parameters
    ----------
    matrix : (..., 3, 3) array
        Rotations.

    Returns
    -------
    (..., 3) float64 array
        Degrees; alpha and gamma in [-180, 180], beta in [-90, 90].

    Raises
    ------
    ValueError
        If the last two axes are not (3, 3).
    GeometryError
        If a matrix is not a rotation (to 1e-4).

    Examples
    --------
    >>> matrix_to_euler([[0, -1, 0], [1, 0, 0], [0, 0, 1]]).tolist()
    [0.0, 0.0, 90.0]
    """
    r = np.moveaxis(_rotations(matrix), (-2, -1), (0, 1))
    cosine = np.hypot(r[0, 0], r[1, 0])
    gamma = np.where(cosine < _GIMBAL, 0.0, np.arctan2(r[1, 0], r[0, 0]))
    gamma = np.where(np.isnan(cosine), np.nan, gamma)
    beta = np.arctan2(-r[2, 0], cosine)
    s, c = np.sin(gamma), np.cos(gamma)
    alpha = np.arctan2(s * r[0, 2] - c * r[1, 2], c * r[1, 1] - s * r[0, 1])
    angles: _Array = np.degrees(np.stack([alpha, beta, gamma], axis=-1)) + 0.0
    return angles


def euler_to_matrix(angles_deg: ArrayLike) -> _Array:
    """Return ``R = Rz(gamma) Ry(beta) Rx(alpha)`` of Euler angles (inverse of the thesis' eq. 1.5).

    Parameters
    ----------
    angles_deg : (..., 3) array
        (alpha, beta, gamma) about the fixed axes x, y, z, degrees; any values.

    Returns
    -------
    (..., 3, 3) float64 array

    Raises
    ------
    ValueError
        If the last axis has not 3 entries.
    GeometryError
        If an angle is infinite.

    Examples
    --------
    >>> np.allclose(euler_to_matrix([0, 0, 90]), [[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    True
    """
    angles = np.radians(np.moveaxis(_vectors("angles_deg", angles_deg, 3), -1, 0))
    (sa, sb, sg), (ca, cb, cg) = np.sin(angles), np.cos(angles)
    rows = np.array(
        [
            [cg * cb, cg * sb * sa - sg * ca, cg * sb * ca + sg * sa],
            [sg * cb, sg * sb * sa + cg * ca, sg * sb * ca - cg * sa],
            [-sb, cb * sa, cb * ca],
        ]
    )
    return np.moveaxis(rows, (0, 1), (-2, -1))


def matrix_to_r6(matrix: ArrayLike) -> _Array:
    """Return the first two columns of each rotation, one after the other.

    Parameters
    ----------
    matrix : (..., 3, 3) array
        Rotations.

    Returns
    -------
    (..., 6) float64 array
        (r11, r21, r31, r12, r22, r32).

    Raises
    ------
    ValueError
        If the last two axes are not (3, 3).
    GeometryError
        If a matrix is not a rotation (to 1e-4).

    Examples
    --------
    >>> matrix_to_r6([[0, -1, 0], [1, 0, 0], [0, 0, 1]]).tolist()
    [0.0, 1.0, 0.0, -1.0, 0.0, 0.0]
    """
    array = _rotations(matrix)
    return np.concatenate([array[..., :, 0], array[..., :, 1]], axis=-1)


def r6_to_matrix(columns: ArrayLike) -> _Array:
    """Return the rotation whose first two columns follow from `columns` by Gram-Schmidt, the third from both.

    The first column keeps its direction, the second the half-plane that it spans with the first; the third is
    their cross product (thesis, 1.3.4; Zhou et al. 2019).

    Parameters
    ----------
    columns : (..., 6) array
        (r11, r21, r31, r12, r22, r32), of any length and not necessarily orthogonal.

    Returns
    -------
    (..., 3, 3) float64 array

    Raises
    ------
    ValueError
        If the last axis has not 6 entries.
    GeometryError
        If a column is zero, the two are parallel (to 1e-12) or a number is infinite.

    Examples
    --------
    >>> r6_to_matrix([2, 0, 0, 5, 3, 0]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    pairs = _vectors("columns", columns, 6)
    pairs = pairs.reshape(*pairs.shape[:-1], 2, 3)
    largest = np.abs(pairs).max(axis=-1, keepdims=True)
    _refuse((largest == 0).any(axis=(-2, -1)), "has a column of zeros")
    unit = pairs / largest
    unit = unit / np.linalg.norm(unit, axis=-1, keepdims=True)
    first, second = unit[..., 0, :], unit[..., 1, :]
    third = np.cross(first, second)
    length = np.linalg.norm(third, axis=-1, keepdims=True)
    _refuse(length[..., 0] < 1e-12, "has parallel columns, which leave the rotation open")
    third = third / length
    return np.stack([first, np.cross(third, first), third], axis=-1)


def nearest_rotation(matrix: ArrayLike) -> _Array:
    """Return the rotation nearest to each matrix in the Frobenius norm (U diag(1, 1, ±1) Vᵀ of its SVD).

    Parameters
    ----------
    matrix : (..., 3, 3) array
        A rotation with noise, or with scale; NaN gives NaN. For a matrix that mirrors and whose two smallest
        singular values agree there are several nearest rotations: one of them is returned.

    Returns
    -------
    (..., 3, 3) float64 array

    Raises
    ------
    ValueError
        If the last two axes are not (3, 3).
    GeometryError
        If a matrix is infinite or has rank below two: it is no nearer to one rotation than to others.

    Examples
    --------
    >>> nearest_rotation([[3, 0, 0], [0, 2, 0], [0, 0, 1]]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    u, sign, v = _orthogonal_factors(_matrices(matrix))
    u[..., :, 2] *= sign[..., None]
    nearest: _Array = u @ v
    return nearest


def polar(matrix: ArrayLike) -> tuple[_Array, _Array]:
    """Split each matrix into a rotation and a symmetric stretch: ``matrix = rotation @ stretch``.

    Parameters
    ----------
    matrix : (..., 3, 3) array
        For example the linear part of `image_to_world`, whose stretch is the pixel size. NaN gives NaN.

    Returns
    -------
    rotation, stretch : (..., 3, 3) float64 arrays
        The stretch is positive definite, or negative definite where the matrix mirrors (determinant < 0):
        so both factors depend continuously on the matrix.

    Raises
    ------
    ValueError
        If the last two axes are not (3, 3).
    GeometryError
        If a matrix is infinite or has rank below two.

    Examples
    --------
    >>> rotation, stretch = polar([[0, -2, 0], [3, 0, 0], [0, 0, 1]])
    >>> rotation.round(9).tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    >>> np.diag(stretch).round(9).tolist()
    [3.0, 2.0, 1.0]
    """
    array = _matrices(matrix)
    u, sign, v = _orthogonal_factors(array)
    rotation = sign[..., None, None] * (u @ v)
    return rotation, np.swapaxes(rotation, -1, -2) @ array


def _orthogonal_factors(array: _Array) -> tuple[_Array, _Array, _Array]:
    """Return U, det(U Vᵀ) and Vᵀ of the singular value decomposition; NaN where the matrix is unknown."""
    known = np.asarray(np.isfinite(array).all(axis=(-2, -1)))
    u, values, v = np.linalg.svd(np.where(known[..., None, None], array, np.eye(3)))
    _refuse(values[..., 1] <= 1e-12 * values[..., 0], "has rank below two and is near to no one rotation")
    sign = np.where(known, np.where(np.linalg.det(u @ v) < 0, -1.0, 1.0), np.nan)
    u = np.where(known[..., None, None], u, np.nan)
    return u, sign, v
