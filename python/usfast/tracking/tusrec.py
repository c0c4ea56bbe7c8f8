"""TUS-REC: the challenge's four errors and its score, without the displacement fields that define them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.errors import GeometryError
from usfast.geometry import invert
from usfast.tracking.points import as_trajectory

__all__ = ["TusRecErrors", "tus_rec_scores"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class TusRecErrors:
    """The four errors of a scan, mm.

    Attributes
    ----------
    gpe, lpe : float
        Global and local pixel reconstruction error: mean over frames and pixels.
    gle, lle : float or None
        Global and local landmark reconstruction error: mean over landmarks; None where there are none.
    """

    gpe: float
    gle: float | None
    lpe: float
    lle: float | None

    def score(self, identity: TusRecErrors) -> float:
        """Return the score of 2025: the mean over the errors of ``(X_identity - X) / X_identity``.

        Parameters
        ----------
        identity : TusRecErrors
            Errors of the prediction that nothing moves.

        Returns
        -------
        float
            1 for a perfect prediction, 0 for one as good as no motion, negative for a worse one.

        Raises
        ------
        ValueError
            If only one of the two has landmark errors, or an error of `identity` is zero (nothing moved).

        Examples
        --------
        >>> TusRecErrors(2.0, 1.0, 0.1, 0.2).score(TusRecErrors(10.0, 10.0, 0.2, 0.4))
        0.675
        """
        pairs = []
        for name in ("gpe", "gle", "lpe", "lle"):
            mine, still = getattr(self, name), getattr(identity, name)
            if (mine is None) != (still is None):
                raise ValueError(f"{name} is known for only one of the prediction and the identity")
            if mine is None:
                continue
            if not still > 0:
                raise ValueError(f"{name} of the identity is {still:g}: where nothing moves there is no score")
            pairs.append((still - mine) / still)
        return float(np.mean(pairs))


def tus_rec_scores(
    predicted: ArrayLike,
    true: ArrayLike,
    scale: ArrayLike,
    calibration: ArrayLike,
    shape: tuple[int, int] = (480, 640),
    landmarks: ArrayLike | None = None,
    *,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> TusRecErrors:
    """Return GPE, GLE, LPE and LLE of a predicted trajectory.

    With S the scale, C the calibration and T_i a pose, ``T_{j<-i} = C⁻¹ T_j⁻¹ T_i C`` takes image mm of frame i to
    those of frame j. The displacement of pixel p = (u, v, 0, 1), u = 1..W and v = 1..H, is ``(T_{0<-i} - I) S p``
    (global) or ``(T_{i-1<-i} - I) S p`` (local), i = 1..N-1. GPE and LPE are the mean lengths of the difference
    between predicted and true displacements over all frames and pixels; GLE and LLE over the landmarks.

    The difference is affine in (u, v), so along a row its squared length is a quadratic in u: no field is built.

    Parameters
    ----------
    predicted, true : (N, 4, 4) array
        Tracking tool to world, mm (``tforms``); at least two. Only motions count: the predicted trajectory may start
        anywhere.
    scale : (4, 4) array
        Pixels to image mm; ``usfast.io`` reads it as `Calibration.pixel_to_mm`.
    calibration : (4, 4) array
        Image mm to tool; `Calibration.image_mm_to_tool`.
    shape : (int, int)
        Rows and columns (H, W) of the frames.
    landmarks : (L, 3) integer array, optional
        Rows (frame, x, y) as in the challenge's files: frame from 0, x and y from 1. A landmark on frame 0 has no
        displacement and counts with error 0 (the challenge's code takes the last frame's transform for it).
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    TusRecErrors

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit each other, there is only one pose, or a landmark lies outside the frames.
    GeometryError
        If a matrix is not finite, not affine or singular.

    Notes
    -----
    Conventions of the challenge's description and baseline (2024, 2025). Relative error of the sums about 1e-7.
    Memory: a few numbers a frame.

    Examples
    --------
    >>> true = np.tile(np.eye(4), (5, 1, 1))
    >>> true[:, 2, 3] = np.arange(5)  # 1 mm a frame
    >>> predicted = true.copy()
    >>> predicted[:, 2, 3] *= 0.9
    >>> calibration = np.eye(4), np.eye(4)
    >>> found = tus_rec_scores(predicted, true, *calibration, shape=(48, 64))
    >>> round(found.gpe, 6), round(found.lpe, 6)
    (0.25, 0.1)
    >>> still = tus_rec_scores(true[:1].repeat(5, 0), true, *calibration, shape=(48, 64))
    >>> round(found.score(still), 6)
    0.9
    """
    height, width = image_shape(shape)
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    estimate = displacement_matrices("predicted", predicted, scale, calibration)
    truth = displacement_matrices("true", true, scale, calibration)
    if estimate.shape != truth.shape:
        raise ValueError(f"there are {estimate.shape[1] + 1} predicted poses, but {truth.shape[1] + 1} true ones")
    count = truth.shape[1]
    marks = None if landmarks is None else as_landmarks(landmarks, count + 1, (height, width))
    difference = estimate - truth
    if not np.isfinite(difference).all():
        raise GeometryError("the displacements are too large for floating point numbers")
    sums = _core.displacement_sums(
        np.ascontiguousarray(difference.reshape(-1, 3, 4)), height, width, get_num_threads(num_threads), progress
    )
    gpe, lpe = sums.reshape(2, count).sum(axis=1) / (count * height * width)
    gle, lle = (None, None) if marks is None else _landmark_errors(difference, marks)
    return TusRecErrors(float(gpe), gle, float(lpe), lle)


def displacement_matrices(name: str, poses: ArrayLike, scale: ArrayLike, calibration: ArrayLike) -> _Array:
    """Return (2, N-1, 3, 4): ``(T_{0<-i} - I) S`` and ``(T_{i-1<-i} - I) S`` for i = 1..N-1, rows in image mm."""
    trajectory = as_trajectory(name, poses)
    if len(trajectory) < 2:
        raise ValueError(f"{name} must hold at least two poses: one frame has no displacement")
    to_mm, to_tool = _affine("scale", scale), _affine("calibration", calibration)
    chain = trajectory @ to_tool
    back = invert(chain)
    global_, local = back[0] @ chain[1:], back[:-1] @ chain[1:]
    both: _Array = (np.stack([global_, local]) - np.eye(4)) @ to_mm
    return np.ascontiguousarray(both[:, :, :3])


def as_landmarks(landmarks: ArrayLike, frames: int, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return landmarks (L, 3) as whole numbers within the frames, or say which is not."""
    marks = np.asarray(landmarks)
    if marks.ndim != 2 or marks.shape[1] != 3 or not len(marks):
        raise ValueError(f"landmarks must have shape (L, 3): frame, x, y; not {marks.shape}")
    if marks.dtype.kind not in "iuf" or not (np.isfinite(marks).all() and (marks == np.round(marks)).all()):
        raise TypeError("landmarks must be whole numbers (frame, x, y)")
    limits = [(0, frames - 1), (1, shape[1]), (1, shape[0])]
    for column, (low, high) in enumerate(limits):
        bad = np.flatnonzero((marks[:, column] < low) | (marks[:, column] > high))
        if bad.size:
            what = ("frame", "x", "y")[column]
            raise ValueError(
                f"landmark {bad[0]} has {what} {marks[bad[0], column]:g}, but {what} must be from {low} to {high}"
            )
    return marks.astype(np.int64)


def landmark_displacements(matrices: _Array, marks: NDArray[np.int64]) -> _Array:
    """(2, L, 3) displacements, mm, of landmarks by matrices (2, N-1, 3, 4); 0 on frame 0."""
    pixels = np.column_stack([marks[:, 1:], np.zeros(len(marks)), np.ones(len(marks))])
    moved = np.einsum("glij,lj->gli", matrices[:, np.maximum(marks[:, 0] - 1, 0)], pixels)
    displaced: _Array = np.where(marks[:, 0, None] > 0, moved, 0.0)
    return displaced


def image_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return (rows, columns) as two positive numbers, or say what they are instead."""
    sizes = np.asarray(shape)
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu" or (sizes < 1).any() or (sizes > 10**8).any():
        raise ValueError(f"shape must be two positive whole numbers (rows, columns), not {shape!r}")
    return int(sizes[0]), int(sizes[1])


def _landmark_errors(difference: _Array, marks: NDArray[np.int64]) -> tuple[float, float]:
    global_, local = np.linalg.norm(landmark_displacements(difference, marks), axis=2).mean(axis=1)
    return float(global_), float(local)


def _affine(name: str, matrix: ArrayLike) -> _Array:
    array = np.asarray(matrix, np.float64)
    if array.shape != (4, 4):
        raise ValueError(f"{name} must have shape (4, 4), not {array.shape}")
    checked: _Array = as_trajectory(name, array[None])[0]
    return checked
