"""How far an estimated trajectory is from the true one, in mm and relative to the way.

Every function takes two arrays of positions, estimated and true, as `track_points` gives them: (N, K, 3) for K points
of the image at N frames, or (N, 3) for one point. Each metric is computed for each point and then averaged over the
points. Both trajectories must start at the same pose: `trajectory_metrics` sees to that, these functions do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

__all__ = [
    "DENOMINATORS",
    "average_drift_rate",
    "distance_error",
    "drift",
    "final_drift_rate",
    "frame_errors",
    "hausdorff_distance",
    "maximum_drift",
    "path_length",
    "sum_of_drift",
    "thesis_drift",
]

DENOMINATORS = ("path", "straight")

_Array = NDArray[np.float64]


def frame_errors(predicted: ArrayLike, true: ArrayLike) -> _Array:
    """Return the distance of each estimated point from the true one, mm.

    Parameters
    ----------
    predicted, true : (N, K, 3) or (N, 3) array
        Positions, mm; at least two frames.

    Returns
    -------
    (N, K) float64 array

    Raises
    ------
    ValueError
        If shapes are wrong or differ, or there is only one frame.
    GeometryError
        If a position is not finite.

    Examples
    --------
    >>> frame_errors([[0, 0, 0], [0, 3, 4]], [[0, 0, 0], [0, 0, 0]]).tolist()
    [[0.0], [5.0]]
    """
    estimate, truth = _positions(predicted, true)
    distance: _Array = np.linalg.norm(estimate - truth, axis=2)
    return distance


def drift(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return the final drift, mm: the distance at the last frame, ``||P̂_N - P_N||``.

    Parameters and errors as in `frame_errors`. The thesis' eq. 2.3 means this; see `thesis_drift`.

    Examples
    --------
    >>> drift([[0, 0, 0], [0, 0, 12]], [[0, 0, 0], [0, 0, 10]])
    2.0
    """
    return float(frame_errors(predicted, true)[-1].mean())


def path_length(true: ArrayLike) -> float:
    """Return the length of the way over all frames, mm; the mean over the points.

    Examples
    --------
    >>> path_length([[0, 0, 0], [0, 0, 3], [0, 4, 3]])
    7.0
    """
    truth, _ = _positions(true, true)
    return float(_way(truth, "path")[-1].mean())


def final_drift_rate(predicted: ArrayLike, true: ArrayLike, denominator: str = "path") -> float:
    """Return FDR, the final drift over the length of the true way: ``||P̂_N - P_N|| / Σ ||P_{k+1} - P_k||``.

    Parameters
    ----------
    predicted, true : (N, K, 3) or (N, 3) array
        Positions, mm; at least two frames.
    denominator : {"path", "straight"}
        What the drift is divided by: the length of the true path (Luo et al.), or the straight distance between
        the first and the last true position (DualTrack); the latter gives the larger rate on a curved sweep.

    Returns
    -------
    float
        A ratio, not percent.

    Raises
    ------
    ValueError
        If shapes are wrong or differ, or there is only one frame.
    GeometryError
        If a position is not finite, or the way of a point is zero: there is no rate then.

    Notes
    -----
    Luo et al., "MoNetV2", eq. 12. Their code adds 1e-6 to the denominator; here a way of zero is an error.

    Examples
    --------
    >>> final_drift_rate([[0, 0, 0], [0, 0, 12]], [[0, 0, 0], [0, 0, 10]])
    0.2
    """
    error = frame_errors(predicted, true)[-1]
    way = _way(_positions(true, true)[0], denominator)[-1]
    if not (way > 0).all():
        raise GeometryError(f"the true {denominator} of a point is 0 mm long: its drift has no rate")
    return float((error / way).mean())


def average_drift_rate(
    predicted: ArrayLike, true: ArrayLike, denominator: str = "path", *, min_path: float = 0.1
) -> float:
    """Return ADR, the mean over frames 2..N of the drift over the way so far.

    ``1/(N-1) Σ_{i=2}^{N} ||P̂_i - P_i|| / Σ_{k<i} ||P_{k+1} - P_k||``. Frames with less than `min_path` behind them
    are left out, as in the authors' code: a ratio of two very small lengths would rule the mean.

    Parameters
    ----------
    predicted, true : (N, K, 3) or (N, 3) array
        Positions, mm; at least two frames.
    denominator : {"path", "straight"}
        As in `final_drift_rate`, up to frame i.
    min_path : float
        Shortest true way (mm) for a frame to count, >= 0. Frames with a way of 0 never count.

    Returns
    -------
    float
        A ratio, not percent.

    Raises
    ------
    ValueError
        If shapes are wrong or differ, there is only one frame or `min_path` is negative.
    GeometryError
        If a position is not finite, or no frame of a point has the shortest way behind it.

    Notes
    -----
    Luo et al., "MoNetV2", eq. 13; the limit of 0.1 is that of the code of RecON, there in the unit of its data.

    Examples
    --------
    >>> average_drift_rate([[0, 0, 0], [0, 0, 1], [0, 0, 3]], [[0, 0, 0], [0, 0, 1], [0, 0, 2]])
    0.25
    """
    error = frame_errors(predicted, true)
    way = _way(_positions(true, true)[0], denominator)
    return mean_rate(error, way, min_path, "min_path", "mm")


def mean_rate(error: _Array, way: _Array, least: float, name: str, unit: str) -> float:
    """Return the mean of error over way (N, K), frames with too little way left out, averaged over the columns."""
    if not (np.isfinite(least) and least >= 0):
        raise ValueError(f"{name} must be at least 0 {unit}, not {least!r}")
    counts = (way >= least) & (way > 0)
    if not counts.any(axis=0).all():
        raise GeometryError(f"the true way never reaches {name} ({least:g} {unit}): there is no mean rate")
    rates = np.divide(error, way, out=np.zeros_like(error), where=counts)
    return float((rates.sum(axis=0) / counts.sum(axis=0)).mean())


def maximum_drift(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return MD, the largest distance over all frames, mm. Parameters and errors as in `frame_errors`.

    Examples
    --------
    >>> maximum_drift([[0, 0, 0], [0, 0, 4], [0, 0, 3]], [[0, 0, 0], [0, 0, 1], [0, 0, 2]])
    3.0
    """
    return float(frame_errors(predicted, true).max(axis=0).mean())


def sum_of_drift(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return SD, the sum of the distances over all frames, mm; it grows with the number of frames.

    Parameters and errors as in `frame_errors`.

    Examples
    --------
    >>> sum_of_drift([[0, 0, 0], [0, 0, 4], [0, 0, 3]], [[0, 0, 0], [0, 0, 1], [0, 0, 2]])
    4.0
    """
    return float(frame_errors(predicted, true).sum(axis=0).mean())


def distance_error(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return the mean distance over all frames (the first one, too) and points, mm: DCL-Net's distance error.

    Take ``points="corners"`` to compare with DCL-Net. Parameters and errors as in `frame_errors`.

    Examples
    --------
    >>> distance_error([[0, 0, 0], [0, 0, 2]], [[0, 0, 0], [0, 0, 1]])
    0.5
    """
    return float(frame_errors(predicted, true).mean())


def hausdorff_distance(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return HD, the Hausdorff distance between the positions of both trajectories, mm.

    The larger of the two greatest distances from a position of one trajectory to the nearest of the other: it sees
    the shape of the trajectories, not when they were where. Parameters and errors as in `frame_errors`.

    Examples
    --------
    >>> hausdorff_distance([[0, 0, 0], [0, 0, 3]], [[0, 0, 0], [0, 0, 1]])
    2.0
    """
    from scipy.spatial import cKDTree

    estimate, truth = _positions(predicted, true)
    worst = [
        max(cKDTree(p).query(q)[0].max(), cKDTree(q).query(p)[0].max())
        for p, q in zip(estimate.swapaxes(0, 1), truth.swapaxes(0, 1), strict=True)
    ]
    return float(np.mean(worst))


def thesis_drift(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return the thesis' eq. 2.3 as it is printed. It is wrong: use `drift` or `final_drift_rate`.

    With t and t̂ the true and the estimated way from the first to the last frame:
    ``sqrt(|(tx² - t̂x²) + (ty² - t̂y²) + (tz² - t̂z²)|) / sqrt(tx² + ty² + tz²)``. The numerator is a difference of
    squares, not the square of a difference. So it compares lengths only: an estimate in the opposite direction, or
    in any other of the same length, has drift 0; the radicand can be negative, hence the absolute value; and the
    result has no unit, while the thesis' tables give mm. It is here to recompute published tables, no more.

    Parameters and errors as in `final_drift_rate` (with the straight denominator).

    Examples
    --------
    >>> thesis_drift([[0, 0, 0], [0, 10, 0]], [[0, 0, 0], [0, 0, 10]])  # at right angles, 14 mm off
    0.0
    """
    estimate, truth = _positions(predicted, true)
    way, guess = truth[-1] - truth[0], estimate[-1] - estimate[0]
    length = np.linalg.norm(way, axis=1)
    if not (length > 0).all():
        raise GeometryError("the true straight of a point is 0 mm long: its drift has no rate")
    numerator = np.sqrt(np.abs((way**2 - guess**2).sum(axis=1)))
    return float((numerator / length).mean())


def _positions(predicted: ArrayLike, true: ArrayLike) -> tuple[_Array, _Array]:
    """Return both as (N, K, 3), or say what is wrong."""
    arrays = []
    for name, positions in (("predicted", predicted), ("true", true)):
        array = np.asarray(positions, np.float64)
        array = array[:, None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
            raise ValueError(f"{name} positions must have shape (N, K, 3) or (N, 3), not {np.shape(positions)}")
        bad = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2)))
        if bad.size:
            raise GeometryError(f"the {name} position of frame {bad[0]} is not finite ({bad.size} such frames)")
        arrays.append(array)
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f"predicted positions have shape {arrays[0].shape}, but the true ones {arrays[1].shape}")
    if len(arrays[0]) < 2:
        raise ValueError("a trajectory needs at least two frames, not one")
    return arrays[0], arrays[1]


def _way(truth: _Array, denominator: str) -> _Array:
    """(N, K) length of the way from the first frame to each."""
    if denominator not in DENOMINATORS:
        raise ValueError(f"denominator must be one of {', '.join(DENOMINATORS)}, not {denominator!r}")
    if denominator == "straight":
        straight: _Array = np.linalg.norm(truth - truth[0], axis=2)
        return straight
    steps = np.linalg.norm(np.diff(truth, axis=0), axis=2)
    return np.concatenate([np.zeros((1, truth.shape[1])), np.cumsum(steps, axis=0)])
