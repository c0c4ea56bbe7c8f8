"""Small rigid corrections as six numbers: a shift (mm) and a rotation vector (rad) about a pivot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_rigid", "correction_matrices", "rotation_jacobian", "rotation_matrices"]

_Array = NDArray[np.float64]


def _cross(vectors: _Array) -> _Array:
    """(..., 3, 3) matrices K with K x = vector x x."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape, 3)


def rotation_matrices(vectors: _Array) -> _Array:
    """(N, 3, 3) rotations by the length (rad) of each rotation vector (N, 3), about its direction (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross = _cross(vectors)
    # sin(a) / a and (1 - cos a) / a^2, without a division by zero.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.asarray(np.eye(3) + first * cross + second * cross @ cross)


def rotation_jacobian(vectors: _Array) -> _Array:
    """(N, 3, 3) left Jacobians J of SO(3): exp(w + dw) = exp(J dw) exp(w) to first order.

    Chirikjian, "Stochastic Models, Information Theory, and Lie Groups" 2 (2012), eq. 10.86.
    """
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross = _cross(vectors)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    first = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    second = np.where(small, 1 / 6, (safe - np.sin(safe)) / safe**3)
    return np.asarray(np.eye(3) + first * cross + second * cross @ cross)


def correction_matrices(corrections: _Array, pivots: _Array) -> _Array:
    """(N, 4, 4) transforms that turn about the pivots (N, 3) and shift, by corrections (N, 6) in mm and rad."""
    matrices = np.tile(np.eye(4), (len(corrections), 1, 1))
    turns = rotation_matrices(corrections[:, 3:])
    matrices[:, :3, :3] = turns
    matrices[:, :3, 3] = pivots + corrections[:, :3] - np.einsum("nij,nj->ni", turns, pivots)
    return matrices


def best_rigid(points: _Array, targets: _Array) -> _Array:
    """(4, 4) rigid transform that takes points (M, 3) closest to targets (M, 3), in the least-squares sense.

    Arun et al., IEEE Trans. Pattern Anal. Mach. Intell. 9 (1987).
    """
    middle, goal = points.mean(axis=0), targets.mean(axis=0)
    left, _, right = np.linalg.svd((targets - goal).T @ (points - middle))
    turn = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, goal - turn @ middle
    return matrix
