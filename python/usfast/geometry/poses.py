"""Poses in time: relative and absolute, and the pose at any moment between two tracker samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError
from usfast.geometry.rotations import matrix_to_quaternion, polar, quaternion_to_matrix
from usfast.geometry.transforms import invert

__all__ = ["absolute_to_relative", "interpolate_poses", "relative_to_absolute"]

_Array = NDArray[np.float64]


def relative_to_absolute(relative: ArrayLike, start: ArrayLike | None = None) -> _Array:
    """Chain the motions between frames into poses (thesis, eq. 1.3).

    ``absolute[0] = start`` and ``absolute[i + 1] = absolute[i] @ relative[i]``: `relative[i]` takes
    coordinates of frame i + 1 to frame i, so each motion stands to the right of those before it.

    Parameters
    ----------
    relative : (N - 1, 4, 4) array
        Transforms from frame i + 1 to frame i (mm). One NaN leaves every later pose NaN.
    start : (4, 4) array, optional
        Pose of the first frame, frame 0 to world. Default: the identity, the world is frame 0.

    Returns
    -------
    (N, 4, 4) float64 array
        Transforms from each frame to the world.

    Raises
    ------
    ValueError
        If the shapes are not (N - 1, 4, 4) and (4, 4).

    Examples
    --------
    >>> step = np.eye(4)
    >>> step[2, 3] = 0.5  # every frame lies 0.5 mm along the z axis of the one before
    >>> relative_to_absolute([step, step])[:, 2, 3].tolist()
    [0.0, 0.5, 1.0]
    """
    steps = as_poses("relative", relative)
    first = np.eye(4) if start is None else np.asarray(start, dtype=np.float64)
    if first.shape != (4, 4):
        raise ValueError(f"start must have shape (4, 4), not {first.shape}")
    absolute = np.empty((len(steps) + 1, 4, 4))
    absolute[0] = first
    for i, step in enumerate(steps):
        absolute[i + 1] = absolute[i] @ step
    return absolute


def absolute_to_relative(absolute: ArrayLike) -> _Array:
    """Return the motions ``inv(absolute[i]) @ absolute[i + 1]`` between frames (thesis, eq. 1.3).

    Parameters
    ----------
    absolute : (N, 4, 4) array
        Transforms from each frame to the world; NaN gives NaN in the motions before and after.

    Returns
    -------
    (N - 1, 4, 4) float64 array
        Transforms from frame i + 1 to frame i; `relative_to_absolute` with ``start=absolute[0]`` undoes it.

    Raises
    ------
    ValueError
        If the shape is not (N, 4, 4) with at least one pose.
    GeometryError
        If a pose is singular.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 0, 3] = (0.0, 1.0, 3.0)
    >>> absolute_to_relative(poses)[:, 0, 3].tolist()
    [1.0, 2.0]
    """
    poses = as_poses("absolute", absolute)
    if not len(poses):
        raise ValueError("absolute must hold at least one pose")
    relative: _Array = invert(poses[:-1]) @ poses[1:]
    return relative


def interpolate_poses(
    timestamps: ArrayLike,
    poses: ArrayLike,
    at: ArrayLike,
    *,
    offset: float = 0.0,
    max_gap: float | None = None,
    valid: ArrayLike | None = None,
) -> tuple[_Array, NDArray[np.bool_]]:
    """Return the pose at given times between the samples of a tracker.

    The rotation follows the shortest arc at constant speed (slerp), the translation a straight line. A pose
    may hold scale and shear too, such as the pixel size in `image_to_world`: `polar` splits them off and they
    are interpolated linearly. Interpolate the tracker's own poses where you can: the origin that moves
    straight is then the marker on the probe, not the corner of the image.

    Parameters
    ----------
    timestamps : (N,) array
        Times of the samples, s, increasing. Of samples with the same time the first counts.
    poses : (N, 4, 4) array
        Poses of the tracked frame (mm); samples that are not finite are skipped.
    at : (M,) array
        Times to interpolate at, s, in any order.
    offset : float
        Latency of the tracker, s: a frame of time t gets the pose stamped ``t + offset``.
    max_gap : float, optional
        Longest time between two samples, s, that is still bridged. Default: any.
    valid : (N,) bool array, optional
        False for samples to skip, such as those that `reject_outliers` found.

    Returns
    -------
    poses : (M, 4, 4) float64 array
        NaN where not valid.
    valid : (M,) bool array
        False outside the stream and inside a gap; never extrapolated.

    Raises
    ------
    ValueError
        If shapes do not fit, `max_gap` is not positive, `offset` not finite or the times decrease (the
        message names the first such sample).
    GeometryError
        If a valid pose is degenerate, or the poses are partly mirrored.

    Examples
    --------
    >>> samples = np.tile(np.eye(4), (2, 1, 1))
    >>> samples[1, 0, 3] = 10.0
    >>> between, ok = interpolate_poses([0.0, 1.0], samples, [0.25, 2.0])
    >>> float(between[0, 0, 3]), ok.tolist()
    (2.5, [True, False])
    """
    if not np.isfinite(offset):
        raise ValueError(f"offset must be a finite number of seconds, not {offset}")
    if max_gap is not None and not max_gap > 0:
        raise ValueError(f"max_gap must be positive (s), not {max_gap}")
    stream = as_poses("poses", poses)
    wanted = np.asarray(at, dtype=np.float64)
    if wanted.ndim != 1:
        raise ValueError(f"at must have shape (M,), not {wanted.shape}")
    times, kept = increasing_samples(timestamps, stream, valid)
    left, right, fraction, inside = _brackets(times[kept], wanted + offset, max_gap)
    result = np.full((len(wanted), 4, 4), np.nan)
    if inside.any():
        result[inside] = _between(stream[kept[left[inside]]], stream[kept[right[inside]]], fraction[inside])
    return result, inside


def as_poses(name: str, value: ArrayLike) -> _Array:
    """Return `value` as (N, 4, 4) float64, or say what it is instead."""
    poses = np.asarray(value, dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise ValueError(f"{name} must have shape (N, 4, 4), not {poses.shape}")
    return poses


def increasing_samples(
    timestamps: ArrayLike, poses: _Array, valid: ArrayLike | None = None
) -> tuple[_Array, NDArray[np.intp]]:
    """Return the times (N,) and the indices of the usable samples, each later than the one before.

    Usable is what is valid, has a finite pose and does not repeat the time of the usable sample before it.

    Raises
    ------
    ValueError
        If a shape does not fit, or the time of a usable sample is not finite or lies before the last one.
    """
    times = np.asarray(timestamps, dtype=np.float64)
    if times.shape != poses.shape[:1]:
        raise ValueError(f"timestamps have shape {times.shape}, but there are {len(poses)} poses")
    usable = np.isfinite(poses).all(axis=(1, 2))
    if valid is not None:
        flags = np.asarray(valid, dtype=bool)
        if flags.shape != usable.shape:
            raise ValueError(f"valid has shape {flags.shape}, but there are {len(poses)} poses")
        usable &= flags
    kept = np.flatnonzero(usable)
    unknown = kept[~np.isfinite(times[kept])]
    if unknown.size:
        raise ValueError(f"timestamp {unknown[0]} is {times[unknown[0]]}; mark the sample as not valid")
    steps = np.diff(times[kept])
    if (steps < 0).any():
        back = int(np.argmax(steps < 0))
        here, before = kept[back + 1], kept[back]
        raise ValueError(
            f"timestamps must increase, but sample {here} ({times[here]} s) comes before "
            f"sample {before} ({times[before]} s)"
        )
    return times, kept[np.concatenate([[True], steps > 0])] if kept.size else kept


def _brackets(
    times: _Array, at: _Array, max_gap: float | None
) -> tuple[NDArray[np.intp], NDArray[np.intp], _Array, NDArray[np.bool_]]:
    """Return the samples around each time, how far it is between them (0 to 1), and if it may be used."""
    if not times.size:
        none = np.zeros(len(at), np.intp)
        return none, none, np.zeros(len(at)), np.zeros(len(at), bool)
    tolerance = 4 * np.spacing(max(abs(times[0]), abs(times[-1])))  # `at + offset` may be rounded
    known = np.where(np.isnan(at), np.inf, at)
    right = np.clip(np.searchsorted(times, known), 0, len(times) - 1)
    left = np.maximum(right - 1, 0)
    left = np.where(np.abs(known - times[right]) <= tolerance, right, left)
    right = np.where(np.abs(known - times[left]) <= tolerance, left, right)
    gap = times[right] - times[left]
    fraction = np.divide(known - times[left], gap, out=np.zeros(len(at)), where=gap > 0)
    inside = (known >= times[0] - tolerance) & (known <= times[-1] + tolerance)
    if max_gap is not None:
        inside &= gap <= max_gap
    return left, right, fraction, inside


def _between(first: _Array, second: _Array, fraction: _Array) -> _Array:
    """Return the poses (M, 4, 4) at `fraction` (M,) of the way from `first` to `second`."""
    rotation_a, stretch_a = polar(first[:, :3, :3])
    rotation_b, stretch_b = polar(second[:, :3, :3])
    if (np.trace(stretch_a, axis1=1, axis2=2) * np.trace(stretch_b, axis1=1, axis2=2) < 0).any():
        raise GeometryError("the poses change between left- and right-handed; they cannot be interpolated")
    part = fraction[:, None, None]
    rotation = _slerp(matrix_to_quaternion(rotation_a), matrix_to_quaternion(rotation_b), fraction[:, None])
    result = np.zeros(first.shape)
    result[:, :3, :3] = quaternion_to_matrix(rotation) @ ((1 - part) * stretch_a + part * stretch_b)
    result[:, :3, 3] = (1 - part[:, 0]) * first[:, :3, 3] + part[:, 0] * second[:, :3, 3]
    result[:, 3, 3] = 1.0
    return result


def _slerp(first: _Array, second: _Array, fraction: _Array) -> _Array:
    """Return unit quaternions (M, 4) along the shorter arc; the angle is exact for equal ones too."""
    second = np.where((first * second).sum(axis=-1, keepdims=True) < 0, -second, second)
    angle = 2 * np.arctan2(
        np.linalg.norm(second - first, axis=-1, keepdims=True),
        np.linalg.norm(second + first, axis=-1, keepdims=True),
    )  # at most a right angle, so that the divisor below is at least 2 / pi

    def weight(part: _Array) -> _Array:
        ratio: _Array = part * np.sinc(part * angle / np.pi) / np.sinc(angle / np.pi)
        return ratio

    return weight(1 - fraction) * first + weight(fraction) * second
