"""The tracker: what it reports of the true poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.trajectories.rigid import rigid_motion
from usfast.phantom.trajectories.streams import stream
from usfast.phantom.trajectories.trajectory import Trajectory

__all__ = ["TrackedPoses", "TrackerModel"]


@dataclass(frozen=True, eq=False)
class TrackedPoses:
    """What a tracker reports for each frame.

    Attributes
    ----------
    probe_to_world : (N, 4, 4) array
        Rigid, mm; NaN where not valid.
    valid : (N,) bool array
        False while the tracker lost the probe.
    timestamps : (N,) array
        Times of the frames, s.
    """

    probe_to_world: NDArray[np.float64]
    valid: NDArray[np.bool_]
    timestamps: NDArray[np.float64]


@dataclass(frozen=True)
class TrackerModel:
    """Errors of a tracker: noise, drift, drop-outs and latency.

    Parameters
    ----------
    noise_mm, noise_deg : float
        White noise on each pose: standard deviation along and about each axis of the probe.
    drift_mm, drift_deg : float
        Random walk that adds to every later pose: standard deviation along and about each axis after one
        second, growing with the square root of time.
    dropout : float
        Share of the time in which the probe is not seen, from 0 to below 1.
    dropout_seconds : float
        Mean length of a drop-out, s; their lengths are exponentially distributed.
    latency : float
        s. A frame of time t carries the pose of ``t - latency``, as where poses are stamped that much too
        late; negative where the images are late. Within a pass poses are interpolated; before its first frame
        and after its last one the probe rests. ``geometry.interpolate_poses(..., offset=latency)`` undoes it.

    Raises
    ------
    ValueError
        If a number is not finite, an amplitude or length negative, or `dropout` not from 0 to below 1.

    Examples
    --------
    >>> from usfast.phantom.trajectories import linear_sweep
    >>> truth = linear_sweep(200, step_mm=0.5)
    >>> tracked = TrackerModel(noise_mm=0.1, dropout=0.1).report(truth, seed=1)
    >>> bool(tracked.valid.mean() < 1), bool(np.isnan(tracked.probe_to_world[~tracked.valid]).all())
    (True, True)
    """

    noise_mm: float = 0.0
    noise_deg: float = 0.0
    drift_mm: float = 0.0
    drift_deg: float = 0.0
    dropout: float = 0.0
    dropout_seconds: float = 0.5
    latency: float = 0.0

    def __post_init__(self) -> None:
        for name in ("noise_mm", "noise_deg", "drift_mm", "drift_deg"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise ValueError(f"{name} must be a finite number, not negative, not {value!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be a share from 0 to below 1, not {self.dropout!r}")
        if not 0 < self.dropout_seconds < np.inf:
            raise ValueError(f"dropout_seconds must be positive, not {self.dropout_seconds!r}")
        if not np.isfinite(self.latency):
            raise ValueError(f"latency must be a finite number of seconds, not {self.latency!r}")

    def report(self, trajectory: Trajectory, *, seed: int = 0) -> TrackedPoses:
        """Return the poses that the tracker gives for the frames of `trajectory`; the same seed, the same poses."""
        times = trajectory.timestamps
        noise, walk, lost = (stream(seed, part) for part in range(3))
        poses = _late(trajectory, self.latency)
        poses = poses @ _drift(walk, times, self.drift_mm, self.drift_deg)
        error = noise.standard_normal((len(times), 6))
        poses = poses @ rigid_motion(self.noise_mm * error[:, :3], self.noise_deg * error[:, 3:])
        valid = ~_dropouts(lost, times, self.dropout, self.dropout_seconds)
        poses[~valid] = np.nan
        return TrackedPoses(poses, valid, times.copy())


def _late(trajectory: Trajectory, latency: float) -> NDArray[np.float64]:
    """Return the true poses `latency` seconds before each frame."""
    from usfast.geometry import interpolate_poses

    poses = trajectory.probe_to_world.copy()
    if latency == 0:
        return poses
    for frames in trajectory.passes():
        times = trajectory.timestamps[frames]
        at = np.clip(times - latency, times[0], times[-1])
        poses[frames], _ = interpolate_poses(times, trajectory.probe_to_world[frames], at)
    return poses


def _drift(
    rng: np.random.Generator, times: NDArray[np.float64], sigma_mm: float, sigma_deg: float
) -> NDArray[np.float64]:
    """Return a random walk (N, 4, 4) that starts at the identity; it goes on in the pauses between passes."""
    pace = np.sqrt(np.diff(times, prepend=times[:1]))[:, None]
    walk = np.cumsum(pace * rng.standard_normal((len(times), 6)), axis=0)
    return rigid_motion(sigma_mm * walk[:, :3], sigma_deg * walk[:, 3:])


def _dropouts(rng: np.random.Generator, times: NDArray[np.float64], share: float, seconds: float) -> NDArray[np.bool_]:
    """Return where the probe is lost: a Markov chain of two states in continuous time, seen at `times`."""
    draws = rng.random(len(times))
    keep = np.exp(-np.diff(times, prepend=times[:1]) / (seconds * (1 - share)))
    lost = np.zeros(len(times), bool)
    state = bool(draws[0] < share)
    for frame in range(len(times)):
        if frame:
            state = bool(draws[frame] < share + (float(state) - share) * keep[frame])
        lost[frame] = state
    return lost
