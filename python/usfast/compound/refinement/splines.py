"""Cubic B-splines over the frames of a sweep, with a penalty on roughness (P-splines)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["PenalisedSpline"]

_Array = NDArray[np.float64]
_SUPPORT = 4  # control points that reach a frame


class PenalisedSpline:
    """A curve in six dimensions over `count` frames, smooth in time.

    Parameters
    ----------
    count : int
        Frames.
    step : float
        Frames between two control points.

    Notes
    -----
    Uniform cubic B-splines with a quadratic penalty on the second differences of the control points: Eilers and
    Marx, "Flexible smoothing with B-splines and penalties", Statistical Science 11 (1996). The normal equations
    are banded: a control point meets three others to either side.
    """

    def __init__(self, count: int, step: float) -> None:
        pieces = max(round((count - 1) / step), 1)
        place = np.arange(count) * pieces / max(count - 1, 1)
        first = np.minimum(place.astype(np.int64), pieces - 1)
        t = (place - first)[:, None]
        self.controls = pieces + _SUPPORT - 1
        self._index = first[:, None] + np.arange(_SUPPORT)
        self._weight = np.concatenate(
            [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
        ) / 6  # fmt: skip

    def at_frames(self, controls: _Array) -> _Array:
        """(count, 6) values of the curve with these control points (controls, 6)."""
        return np.asarray(np.einsum("nk,nkc->nc", self._weight, controls[self._index]))

    def roughness(self, controls: _Array) -> float:
        """Sum of the squared second differences of the control points."""
        return float((np.diff(controls, 2, axis=0) ** 2).sum())

    def step(
        self, gradient: _Array, hessian: _Array, controls: _Array, smoothness: float, ridge: float, damping: float
    ) -> _Array:
        """Return the change (controls, 6) that solves the damped normal equations.

        Parameters
        ----------
        gradient : (count, 6) array
            Of the gain by each frame's value.
        hessian : (count, 6, 6) array
            Minus the gain's second derivative, positive semidefinite.
        controls : (controls, 6) array
            Where the curve is.
        smoothness, ridge : float
            Weights of half the roughness, and of half the sum of squares of the control points.
        damping : float
            Levenberg's, in the units of the hessian.
        """
        from scipy.linalg import solveh_banded

        blocks, right = self._data_terms(gradient, hessian)
        penalty, pull = self._penalty_terms(controls, smoothness, ridge)
        for offset in range(_SUPPORT):
            for c in range(6):
                blocks[: self.controls - offset, offset, c, c] += penalty[offset][: self.controls - offset]
        blocks[:, 0] += damping * np.eye(6)
        right = (right - pull).ravel()
        solution = solveh_banded(_banded(blocks), right, lower=True)
        return np.asarray(solution.reshape(self.controls, 6))

    def _data_terms(self, gradient: _Array, hessian: _Array) -> tuple[_Array, _Array]:
        """Blocks [k, d] (6, 6) of the matrix at (k + d, k), and the right-hand side (controls, 6)."""
        blocks = np.zeros((self.controls, _SUPPORT, 6, 6))
        right = np.zeros((self.controls, 6))
        for a in range(_SUPPORT):
            np.add.at(right, self._index[:, a], self._weight[:, a, None] * gradient)
            for d in range(_SUPPORT - a):
                share = (self._weight[:, a] * self._weight[:, a + d])[:, None, None]
                np.add.at(blocks[:, d], self._index[:, a], share * hessian)
        return blocks, right

    def _penalty_terms(self, controls: _Array, smoothness: float, ridge: float) -> tuple[list[_Array], _Array]:
        """Diagonals of the penalty's matrix, each as long as there are control points, and its gradient."""
        second = np.diff(np.eye(self.controls), 2, axis=0)
        matrix = smoothness * second.T @ second + ridge * np.eye(self.controls)
        diagonals = [np.pad(np.diagonal(matrix, -d), (0, d)) for d in range(_SUPPORT)]
        return diagonals, matrix @ controls


def _banded(blocks: _Array) -> _Array:
    """The form that `scipy.linalg.solveh_banded` takes, lower, of a symmetric matrix of blocks."""
    count = len(blocks)
    band = np.zeros((6 * _SUPPORT, 6 * count))
    for d in range(_SUPPORT):
        for column in range(6):
            for row in range(6):
                diagonal = 6 * d + row - column
                if diagonal >= 0:
                    band[diagonal, column::6] = blocks[:, d, row, column]
    return band
