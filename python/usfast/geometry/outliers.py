"""Jumps of the tracker: single samples that leave the path and come back."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.geometry.poses import as_poses, increasing_samples
from usfast.geometry.rotations import matrix_to_quaternion, polar

__all__ = ["reject_outliers"]

_Array = NDArray[np.float64]
_SMALLEST = 0.02  # mm and degrees; a tracker's spread is taken to be at least this
_END_NOISE = float(np.sqrt(20 / 1.5))  # noise of x0 - 3 x1 + 3 x2 - x3 over that of x1 - (x0 + x2) / 2


def reject_outliers(
    timestamps: ArrayLike,
    poses: ArrayLike,
    *,
    max_speed_mm_s: float | None = None,
    max_rotation_deg_s: float | None = None,
    threshold: float = 6.0,
) -> NDArray[np.bool_]:
    """Find the samples of a tracker that are single jumps.

    Each sample is compared with the interpolation of its two neighbours. A jump of the sample itself shows
    three times: there, and reversed in what its neighbours are predicted to be; the smallest of the three
    estimates counts, so that a probe that starts, stops or turns sharply is left alone. The spread of
    the deviations (MAD, times 1.4826; at least 0.02 mm and 0.02 degrees) sets the limit. The worst samples go
    first and their neighbours are judged again without them. The first and the last sample are judged at the
    end, against the parabola through the three next to them.

    It does not find excursions of two and more samples in a row.

    Parameters
    ----------
    timestamps : (N,) array
        Times of the samples, s, increasing; a sample that repeats the time of the one before shares its fate.
    poses : (N, 4, 4) array
        Poses (mm). The rotation is that of `polar`; scale is ignored.
    max_speed_mm_s, max_rotation_deg_s : float, optional
        A sample is also rejected when it can be reached from neither neighbour below this speed.
    threshold : float
        Limit in multiples of the spread; ``inf`` leaves only the speeds to judge.

    Returns
    -------
    (N,) bool array
        True for the samples to keep; False for jumps and for poses that are not finite.

    Raises
    ------
    ValueError
        If shapes do not fit, times decrease or a limit is not positive.
    GeometryError
        If the linear part of a finite pose is degenerate.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (20, 1, 1))
    >>> poses[:, 2, 3] = np.arange(20)
    >>> poses[7, 0, 3] = 5.0
    >>> np.flatnonzero(~reject_outliers(np.arange(20) / 25, poses)).tolist()
    [7]
    """
    limits = (("max_speed_mm_s", max_speed_mm_s), ("max_rotation_deg_s", max_rotation_deg_s))
    for name, limit in (*limits, ("threshold", threshold)):
        if limit is not None and not limit > 0:
            raise ValueError(f"{name} must be positive, not {limit}")
    stream = as_poses("poses", poses)
    times, kept = increasing_samples(timestamps, stream)
    keep = np.zeros(len(stream), bool)
    if kept.size:
        path = _Path(times[kept], stream[kept])
        chosen = path.without_spikes(threshold)
        chosen = path.without_end_jumps(chosen, threshold)
        chosen = path.below_speed(chosen, (max_speed_mm_s, max_rotation_deg_s))
        keep[kept[chosen]] = True
        finite = np.flatnonzero(np.isfinite(stream).all(axis=(1, 2)))
        keep[finite] = keep[kept[np.searchsorted(kept, finite, side="right") - 1]]  # repeats
    return keep


class _Path:
    """Positions (mm) and orientations of samples in increasing time; `chosen` are indices of those left."""

    def __init__(self, times: _Array, poses: _Array) -> None:
        self.times = times
        self.position = poses[:, :3, 3]
        self.quaternion = matrix_to_quaternion(polar(poses[:, :3, :3])[0])
        self.scale: tuple[float, float] | None = None

    def steps(self, start: NDArray[np.intp], end: NDArray[np.intp]) -> tuple[_Array, _Array]:
        """Return the translations (mm) and rotation vectors (degrees) between samples, (M, 3) each."""
        a, b = self.quaternion[start], self.quaternion[end]
        scalar = (a * b).sum(axis=-1, keepdims=True)
        vector = a[:, :1] * b[:, 1:] - b[:, :1] * a[:, 1:] - np.cross(a[:, 1:], b[:, 1:])
        vector = np.where(scalar < 0, -vector, vector)
        sine = np.linalg.norm(vector, axis=-1, keepdims=True)
        angle = 2 * np.degrees(np.arctan2(sine, np.abs(scalar)))
        turn = vector * np.divide(angle, sine, out=np.zeros_like(sine), where=sine > 0)
        return self.position[end] - self.position[start], turn

    def deviations(self, chosen: NDArray[np.intp]) -> tuple[tuple[_Array, _Array], _Array]:
        """Return how far inner samples are from the interpolation of their neighbours, and its weights.

        The weights (M,) are those of the later neighbour; M = len(chosen) - 2.
        """
        before, here, after = chosen[:-2], chosen[1:-1], chosen[2:]
        weight = (self.times[here] - self.times[before]) / (self.times[after] - self.times[before])
        w = weight[:, None]
        back, forth = self.steps(here, before), self.steps(here, after)
        shift, turn = (-((1 - w) * b + w * f) for b, f in zip(back, forth, strict=True))
        return (shift, turn), weight

    def without_spikes(self, threshold: float) -> NDArray[np.intp]:
        """Return the samples that are left when inner jumps are taken out, the worst first."""
        chosen = np.arange(len(self.times))
        while len(chosen) > 3:
            deviations, weight = self.deviations(chosen)
            if self.scale is None:
                self.scale = _spread(deviations[0]), _spread(deviations[1])
            scores = [
                _spike(deviation, weight) / (threshold * scale)
                for deviation, scale in zip(deviations, self.scale, strict=True)
            ]
            worst = _peaks(np.concatenate([[0.0], np.maximum(*scores), [0.0]]))
            if not worst.size:
                break
            chosen = np.delete(chosen, worst)
        return chosen

    def without_end_jumps(self, chosen: NDArray[np.intp], threshold: float) -> NDArray[np.intp]:
        """Return the samples that are left when the first and the last are judged by those next to them."""
        if self.scale is None or len(chosen) < 6:
            return chosen
        rejected = []
        for end, near in ((0, [1, 2, 3]), (-1, [-2, -3, -4])):
            a, b, c = self.times[chosen[near]] - self.times[chosen[end]]
            weights = np.array([b * c / ((a - b) * (a - c)), a * c / ((b - a) * (b - c)), a * b / ((c - a) * (c - b))])
            steps = self.steps(np.repeat(chosen[end], 3), chosen[near])
            jumps = [float(np.linalg.norm(weights @ step)) for step in steps]
            limits = [_END_NOISE * threshold * scale for scale in self.scale]
            if any(jump > limit for jump, limit in zip(jumps, limits, strict=True)):
                rejected.append(end)
        return np.delete(chosen, rejected)

    def below_speed(self, chosen: NDArray[np.intp], limits: tuple[float | None, float | None]) -> NDArray[np.intp]:
        """Return the samples that are left when those that no neighbour reaches below the limits are out."""
        while len(chosen) > 2:
            elapsed = np.diff(self.times[chosen])
            score = np.zeros(len(chosen))
            for step, limit in zip(self.steps(chosen[:-1], chosen[1:]), limits, strict=True):
                if limit is not None:
                    speed = np.linalg.norm(step, axis=1) / elapsed / limit
                    slower = np.minimum(np.append(speed, np.inf), np.append(np.inf, speed))
                    score = np.maximum(score, slower)
            inner = score.copy()
            inner[[0, -1]] = 0.0
            worst = _peaks(inner)
            if not worst.size:
                worst = _peaks(score)
            if not worst.size:
                break
            chosen = np.delete(chosen, worst)
        return chosen


def _spread(deviations: _Array) -> float:
    """Return the standard deviation (M, 3) of the widest component, from its median magnitude."""
    return max(1.4826 * float(np.median(np.abs(deviations), axis=0).max()), _SMALLEST)


def _spike(deviations: _Array, weight: _Array) -> _Array:
    """Return the jump (M,) of each inner sample that its own and its neighbours' deviations allow."""
    size = np.linalg.norm(deviations, axis=1)
    direction = np.divide(deviations, size[:, None], out=np.zeros_like(deviations), where=size[:, None] > 0)
    score = size.copy()
    # A jump J of sample i moves the prediction of its neighbours by J times its weight there.
    later = -(deviations[1:] * direction[:-1]).sum(axis=1) / (1 - weight[1:])
    earlier = -(deviations[:-1] * direction[1:]).sum(axis=1) / weight[:-1]
    score[:-1] = np.minimum(score[:-1], later)
    score[1:] = np.minimum(score[1:], earlier)
    spike: _Array = np.maximum(score, 0.0)
    return spike


def _peaks(score: _Array) -> NDArray[np.intp]:
    """Return where a score (M,) exceeds 1 and is the first highest among two samples on either side."""
    padded = np.pad(score, 2, constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, 5)
    return np.flatnonzero((score > 1) & (np.argmax(around, axis=1) == 2))
