"""Metrics of trajectories: each a function, and all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError
from usfast.geometry import invert, polar
from usfast.sweep import Sweep
from usfast.tracking.distances import (
    average_drift_rate,
    distance_error,
    drift,
    final_drift_rate,
    frame_errors,
    hausdorff_distance,
    maximum_drift,
    path_length,
    sum_of_drift,
    thesis_drift,
)
from usfast.tracking.points import as_trajectory, image_points, track_points
from usfast.tracking.rotation import (
    average_rotation_rate,
    geodesic_error,
    maximum_rotation_rate,
    mean_rotation_error,
    rotation_errors,
    rotation_path,
)
from usfast.tracking.tusrec import TusRecErrors, tus_rec_scores

__all__ = [
    "TrajectoryMetrics",
    "TusRecErrors",
    "average_drift_rate",
    "average_rotation_rate",
    "distance_error",
    "drift",
    "final_drift_rate",
    "frame_errors",
    "geodesic_error",
    "hausdorff_distance",
    "image_points",
    "maximum_drift",
    "maximum_rotation_rate",
    "mean_rotation_error",
    "path_length",
    "rotation_errors",
    "rotation_path",
    "sum_of_drift",
    "thesis_drift",
    "track_points",
    "trajectory_metrics",
    "tus_rec_scores",
]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class TrajectoryMetrics:
    """Metrics of one estimated trajectory. Lengths in mm, angles in degrees, rates as ratios.

    Attributes
    ----------
    frames : int
        Frames compared.
    path_length : float
        Length of the true way.
    drift : float
        Final drift.
    fdr, adr : float
        Final and average drift rate; NaN where the true way is (as good as) zero.
    md, sd, hd : float
        Maximum drift, sum of drift, Hausdorff distance.
    distance_error : float
        Mean distance over frames and points.
    agr, mgr : float
        Average and maximum rotation rate; NaN where the true trajectory does not turn.
    sg, mg, ag : float
        Sum, maximum and mean of the angle between estimated and true orientation.
    """

    frames: int
    path_length: float
    drift: float
    fdr: float
    adr: float
    md: float
    sd: float
    hd: float
    distance_error: float
    agr: float
    mgr: float
    sg: float
    mg: float
    ag: float


def trajectory_metrics(
    predicted: Sweep | ArrayLike,
    true: Sweep | ArrayLike,
    *,
    shape: tuple[int, int] | None = None,
    points: str | ArrayLike = "center",
    denominator: str = "path",
    align: bool = True,
    min_path: float = 0.1,
    min_rotation_deg: float = 0.1,
) -> TrajectoryMetrics:
    """Compare an estimated trajectory with the true one.

    Parameters
    ----------
    predicted, true : Sweep or (N, 4, 4) array
        Poses of the same frames, at least two: image_to_world, or with `points` in mm those of a probe. Of two
        sweeps, frames valid in both are compared.
    shape : (int, int), optional
        Rows and columns of the image, for named points; taken from a sweep where one is given.
    points : {"center", "three", "corners"} or (K, 3) array
        Points of the image whose ways are compared, or points in the frame that the poses start from. The metrics
        in mm are the means over the points.
    denominator : {"path", "straight"}
        Of the drift rates: length of the true path, or straight distance.
    align : bool
        Move the estimate rigidly so that its first pose is the true one. Without, the trajectories are taken as
        they are.
    min_path : float
        Frames with a shorter true way (mm) behind them do not count for `adr`.
    min_rotation_deg : float
        Frames with a smaller true turn (degrees) behind them do not count for `agr` and `mgr`.

    Returns
    -------
    TrajectoryMetrics

    Raises
    ------
    ValueError, TypeError
        If numbers of poses differ, there is only one, or an argument is wrong.
    GeometryError
        If a pose is not finite or degenerate, no frame is valid in both, or the first poses differ by more than
        a rigid motion (other pixel sizes).

    Notes
    -----
    Definitions: Luo et al., "RecON" (2023) and "MoNetV2" (2024), eq. 12-17; the papers compare centres
    (``points="center"``, the default here), the code the mean over ``points="three"``. Rotations: the thesis, with
    the denominator made explicit.

    Examples
    --------
    >>> true = np.tile(np.diag([0.2, 0.2, 0.2, 1.0]), (11, 1, 1))
    >>> true[:, 2, 3] = np.arange(11)  # 10 mm along z
    >>> estimate = true.copy()
    >>> estimate[:, 2, 3] *= 1.1
    >>> found = trajectory_metrics(estimate, true, shape=(480, 640))
    >>> round(found.drift, 6), round(found.fdr, 6), round(found.adr, 6), round(found.sd, 6)
    (1.0, 0.1, 0.1, 5.5)
    >>> found.mg, found.agr  # a linear sweep has no turn to compare with
    (0.0, nan)
    """
    estimate, truth, size = _trajectories(predicted, true)
    moving = _points(points, shape if shape is not None else size)
    if align:
        estimate = _aligned(estimate, truth)
    p, q = track_points(estimate, moving), track_points(truth, moving)
    theta = rotation_errors(estimate, truth) if align else geodesic_error(estimate, truth)
    return TrajectoryMetrics(
        frames=len(truth),
        path_length=path_length(q),
        drift=drift(p, q),
        fdr=_or_nan(lambda: final_drift_rate(p, q, denominator)),
        adr=_or_nan(lambda: average_drift_rate(p, q, denominator, min_path=min_path)),
        md=maximum_drift(p, q),
        sd=sum_of_drift(p, q),
        hd=hausdorff_distance(p, q),
        distance_error=distance_error(p, q),
        agr=_or_nan(lambda: average_rotation_rate(estimate, truth, min_rotation_deg=min_rotation_deg)),
        mgr=_or_nan(lambda: maximum_rotation_rate(estimate, truth, min_rotation_deg=min_rotation_deg)),
        sg=float(theta.sum()),
        mg=float(theta.max()),
        ag=float(theta.mean()),
    )


def _or_nan(rate: Callable[[], float]) -> float:
    try:
        return rate()
    except GeometryError:  # the poses are sound by now: the way is zero
        return float("nan")


def _trajectories(
    predicted: Sweep | ArrayLike, true: Sweep | ArrayLike
) -> tuple[_Array, _Array, tuple[int, int] | None]:
    """Return the poses to compare, finite in both, and the image size where a sweep tells it."""
    sweeps = [s for s in (predicted, true) if isinstance(s, Sweep)]
    arrays = [s.image_to_world if isinstance(s, Sweep) else np.asarray(s, np.float64) for s in (predicted, true)]
    for name, array in zip(("predicted", "true"), arrays, strict=True):
        if array.ndim != 3 or array.shape[1:] != (4, 4):
            raise ValueError(f"{name} must be a Sweep or have shape (N, 4, 4), not {array.shape}")
    if len(arrays[0]) != len(arrays[1]):
        raise ValueError(f"there are {len(arrays[0])} predicted poses, but {len(arrays[1])} true ones")
    valid = np.all([np.ones(len(arrays[0]), bool), *(s.valid for s in sweeps)], axis=0)
    if not valid.any():
        raise GeometryError(f"none of the {len(valid)} frames has a valid pose in both trajectories")
    if valid.sum() < 2:
        raise ValueError("a trajectory needs at least two valid frames, not one")
    sizes = {s.image_size for s in sweeps}
    if len(sizes) > 1:
        raise ValueError(f"the two sweeps have images of different sizes: {sorted(sizes)}")
    estimate, truth = (as_trajectory(n, a[valid]) for n, a in zip(("predicted", "true"), arrays, strict=True))
    return estimate, truth, sizes.pop() if sizes else None


def _points(points: str | ArrayLike, shape: tuple[int, int] | None) -> ArrayLike:
    if not isinstance(points, str):
        return points
    if shape is None:
        raise ValueError("give shape=(rows, columns) for points of the image, or points as an array (K, 3)")
    return image_points(shape, points)


def _aligned(estimate: _Array, truth: _Array) -> _Array:
    """Return the estimate moved so that it starts where the truth does."""
    motion = truth[0] @ invert(estimate[0])
    rotation, stretch = polar(motion[:3, :3])
    if not np.allclose(stretch, np.eye(3), atol=1e-3):
        raise GeometryError(
            "the first poses differ by more than a rigid motion; are the pixel sizes of both trajectories the same?"
        )
    motion[:3, :3] = rotation
    moved: _Array = motion @ estimate
    return moved
