"""The simulated sweeps of the thesis (section 2.2.1): linear, fast and slow, sector, loop; and Luo's fan.

The thesis draws the motion of each degree of freedom between two frames from N(0, 1) and prints the unit cm;
only mm gives sweeps of a limb's length, so mm it is here. The steps are drawn once a sweep; draws below
0.1 mm are drawn again, since such a sweep would not leave its first slice.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.phantom.trajectories.rigid import rigid_motion
from usfast.phantom.trajectories.streams import stream
from usfast.phantom.trajectories.trajectory import FRAME_RATE, Trajectory

__all__ = ["fan_sweep", "fast_slow_sweep", "linear_sweep", "loop_sweep", "sector_sweep"]

_Array = NDArray[np.float64]
_SMALLEST = 0.1  # mm between frames
_KINDS = ("linear", "fast-slow", "sector", "loop", "fan")  # each draws from a stream of its own


def linear_sweep(
    frames: int,
    *,
    step_mm: float | None = None,
    start: ArrayLike | None = None,
    frame_rate: float = FRAME_RATE,
    seed: int = 0,
) -> Trajectory:
    """Return a sweep of constant speed along the elevational axis z: one degree of freedom.

    Parameters
    ----------
    frames : int
        Number of frames N.
    step_mm : float, optional
        Way along z between two frames, mm; negative goes backwards. Default: drawn from N(0, 1).
    start : (4, 4) array, optional
        Pose of the first frame, probe to world. Default: the identity.
    frame_rate : float
        Frames per second.
    seed : int

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError
        If there is no frame, or a step or the frame rate is zero or not finite.
    GeometryError
        If `start` is not rigid.

    Examples
    --------
    >>> linear_sweep(5, step_mm=0.25).probe_to_world[:, 2, 3].tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    rng = stream(seed, _KINDS.index("linear"))
    count = _count(frames)
    step = _drawn(rng) if step_mm is None else _step("step_mm", step_mm)
    path = np.zeros((count, 3))
    path[:, 2] = step * np.arange(count)
    return _sweep("linear", path, np.zeros((count, 3)), start, frame_rate, seed, step_mm=step)


def fast_slow_sweep(
    frames: int,
    *,
    slow_mm: float = 0.2,
    fast_mm: float = 1.8,
    start: ArrayLike | None = None,
    frame_rate: float = FRAME_RATE,
    seed: int = 0,
) -> Trajectory:
    """Return a sweep along z which is slow and fast in turn: one degree of freedom.

    As in RecON (Luo et al. 2023): 7 +- 2 slow frames, then 4 +- 2 fast ones; the step of a run is drawn with
    10 % spread when slow and a third when fast. RecON's 2 and 18 pixels count as 0.1 mm each.

    Parameters
    ----------
    frames, start, frame_rate, seed
        As for `linear_sweep`.
    slow_mm, fast_mm : float
        Mean way along z between two frames, mm; both positive. The direction is drawn.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError, GeometryError
        As `linear_sweep`; or if `slow_mm` is not below `fast_mm`.

    Examples
    --------
    >>> z = fast_slow_sweep(60, seed=1).probe_to_world[:, 2, 3]
    >>> steps = np.abs(np.diff(z))
    >>> bool(steps.max() > 4 * steps.min())
    True
    """
    if not 0 < slow_mm < fast_mm < np.inf:
        raise ValueError(f"slow_mm must be positive and below fast_mm, not {slow_mm!r} and {fast_mm!r}")
    rng = stream(seed, _KINDS.index("fast-slow"))
    count = _count(frames)
    steps: list[float] = []
    fast = False
    while len(steps) < count - 1:
        run = max(1, round(rng.normal(4 if fast else 7, 2)))
        step = max(rng.normal(fast_mm, fast_mm / 3), slow_mm) if fast else rng.normal(slow_mm, slow_mm / 10)
        steps += [max(float(step), slow_mm / 2)] * run
        fast = not fast
    path = np.zeros((count, 3))
    path[1:, 2] = np.cumsum(steps[: count - 1]) * rng.choice([-1.0, 1.0])
    return _sweep(
        "fast-slow", path, np.zeros((count, 3)), start, frame_rate, seed, slow_mm=float(slow_mm), fast_mm=float(fast_mm)
    )


def sector_sweep(
    frames: int,
    *,
    step_mm: tuple[float, float] | None = None,
    start: ArrayLike | None = None,
    frame_rate: float = FRAME_RATE,
    seed: int = 0,
) -> Trajectory:
    """Return a sweep of varying speed along z that swerves along x and comes back: two degrees of freedom.

    With t counted in frames and T the last one, as in RecON's ``sample_line``::

        z = v t + a t^2 / 2
        x = w t + c t^2 / 2 + b t^3 / 6,   b = -(6 w + 3 c T) / T^2   so that x = 0 again at t = T

    Parameters
    ----------
    frames, start, frame_rate, seed
        As for `linear_sweep`.
    step_mm : (float, float), optional
        First steps w along x and v along z, mm. Default: drawn from N(0, 1). The accelerations are drawn
        such that the speed along z changes by 20 to 60 % and x makes one bow.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError, GeometryError
        As `linear_sweep`.

    Examples
    --------
    >>> path = sector_sweep(80, seed=2).probe_to_world[:, :3, 3]
    >>> [bool(np.ptp(axis) > 1) for axis in path.T], bool(abs(path[-1, 0]) < 1e-9)
    ([True, False, True], True)
    """
    rng = stream(seed, _KINDS.index("sector"))
    count = _count(frames)
    sideways, along = (_drawn(rng), _drawn(rng)) if step_mm is None else _pair(step_mm)
    change = rng.uniform(0.2, 0.6) * rng.choice([-1.0, 1.0])
    bow = rng.uniform(0.0, 2.0)
    last = max(count - 1, 1)
    t = np.arange(count, dtype=np.float64)
    c = -2 * bow * sideways / last
    b = -(6 * sideways + 3 * c * last) / last**2
    path = np.zeros((count, 3))
    path[:, 0] = sideways * t + c * t**2 / 2 + b * t**3 / 6
    path[:, 2] = along * t + change * along / last * t**2 / 2
    return _sweep("sector", path, np.zeros((count, 3)), start, frame_rate, seed, step_mm=[sideways, along])


def loop_sweep(
    frames: int,
    *,
    step_mm: float | None = None,
    tilt_deg: float = 10.0,
    start: ArrayLike | None = None,
    frame_rate: float = FRAME_RATE,
    seed: int = 0,
) -> Trajectory:
    """Return a closed loop of constant speed: three translations and a tilt about x, four degrees of freedom.

    The face runs along ``x = a sin q, y = b sin 2q, z = c (1 - cos q)`` with drawn proportions, q from 0 to
    one turn, in steps of equal length, and tilts by ``tilt_deg * sin q``. The last frame stands where the
    first did.

    Parameters
    ----------
    frames, start, frame_rate, seed
        As for `linear_sweep`; at least 8 frames.
    step_mm : float, optional
        Way of the face between two frames, mm. Default: the magnitude of a draw from N(0, 1).
    tilt_deg : float
        Largest tilt, below 60 degrees.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError, GeometryError
        As `linear_sweep`; or if `tilt_deg` is not from 0 to below 60.

    Examples
    --------
    >>> loop = loop_sweep(100, step_mm=0.5)
    >>> round(loop.path_length, 1), bool(np.allclose(loop.probe_to_world[0], loop.probe_to_world[-1]))
    (49.5, True)
    """
    if not 0 <= tilt_deg < 60:
        raise ValueError(f"tilt_deg must be from 0 to below 60 degrees, not {tilt_deg!r}")
    rng = stream(seed, _KINDS.index("loop"))
    count = _count(frames)
    if count < 8:
        raise ValueError(f"a loop needs at least 8 frames, not {count}")
    step = abs(_drawn(rng) if step_mm is None else _step("step_mm", step_mm))
    size = rng.uniform(0.5, 1.0, 3) * (1.0, 0.25, 1.0) * rng.choice([-1.0, 1.0], 3)
    turn, scale = _equal_steps(size, count, step)
    tilt = np.zeros((count, 3))
    tilt[:, 0] = tilt_deg * np.sin(turn)
    path = scale * _loop(size, turn)
    return _sweep("loop", path, tilt, start, frame_rate, seed, step_mm=step, tilt_deg=float(tilt_deg))


def fan_sweep(
    frames: int,
    *,
    step_deg: float | None = None,
    pivot_mm: float = 0.0,
    start: ArrayLike | None = None,
    frame_rate: float = FRAME_RATE,
    seed: int = 0,
) -> Trajectory:
    """Return a fan: the probe tilts at constant speed about an axis along x, as in RecON's ``sample_sector``.

    Parameters
    ----------
    frames, start, frame_rate, seed
        As for `linear_sweep`, but `start` is the pose in the middle of the fan.
    step_deg : float, optional
        Tilt between two frames, degrees. Default: drawn from N(1.5, 0.05), RecON's.
    pivot_mm : float
        Height of the axis above the face (against the beam), mm; 0 tilts on the spot. RecON's lies half an
        image height above the image.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError, GeometryError
        As `linear_sweep`; or if the fan is wider than 120 degrees.

    Examples
    --------
    >>> fan = fan_sweep(21, step_deg=1.0)
    >>> float(np.rad2deg(np.arcsin(fan.probe_to_world[-1, 2, 1])).round(6))
    10.0
    """
    rng = stream(seed, _KINDS.index("fan"))
    count = _count(frames)
    step = float(rng.normal(1.5, 0.05)) if step_deg is None else _step("step_deg", step_deg)
    if abs(step) * (count - 1) > 120:
        raise ValueError(f"{count} frames of {step:g} degrees make a fan of more than 120 degrees; take fewer")
    if not np.isfinite(pivot_mm):
        raise ValueError(f"pivot_mm must be finite, not {pivot_mm!r}")
    tilt = np.zeros((count, 3))
    tilt[:, 0] = step * (np.arange(count) - (count - 1) / 2)
    angle = np.deg2rad(tilt[:, 0])
    # The face hangs below the pivot, so it swings along z and lifts along y.
    path = pivot_mm * np.stack([np.zeros(count), np.cos(angle) - 1, np.sin(angle)], axis=1)
    return _sweep("fan", path, tilt, start, frame_rate, seed, step_deg=step, pivot_mm=float(pivot_mm))


def _sweep(
    kind: str, path: _Array, turn_deg: _Array, start: ArrayLike | None, frame_rate: float, seed: int, **drawn: Any
) -> Trajectory:
    """Return the trajectory of motions (shift in mm, turn) away from `start`."""
    if not 0 < frame_rate < np.inf:
        raise ValueError(f"frame_rate must be positive (frames a second), not {frame_rate!r}")
    poses = rigid_motion(path, turn_deg)
    if start is not None:
        first = Trajectory([np.asarray(start, np.float64)], [0.0]).probe_to_world[0]
        poses = first @ poses
    meta = {"kind": kind, "seed": int(seed), "frame_rate": float(frame_rate), **drawn}
    return Trajectory(poses, np.arange(len(path)) / frame_rate, meta=meta)


def _count(frames: int) -> int:
    try:
        count = operator.index(frames)
    except TypeError:
        raise TypeError(f"frames must be a whole number, not {frames!r}") from None
    if count < 1:
        raise ValueError(f"a sweep needs at least one frame, not {count}")
    return count


def _drawn(rng: np.random.Generator) -> float:
    while True:
        step = float(rng.normal())
        if abs(step) >= _SMALLEST:
            return step


def _step(name: str, step: float) -> float:
    if not np.isfinite(step) or step == 0:
        raise ValueError(f"{name} must be finite and not 0, not {step!r}")
    return float(step)


def _pair(step_mm: tuple[float, float]) -> tuple[float, float]:
    if np.shape(step_mm) != (2,):
        raise ValueError(f"step_mm must be two numbers (x, z), not {step_mm!r}")
    return _step("step_mm", step_mm[0]), _step("step_mm", step_mm[1])


def _loop(size: _Array, turn: _Array) -> _Array:
    return np.asarray(size * np.stack([np.sin(turn), np.sin(2 * turn), 1 - np.cos(turn)], axis=1))


def _equal_steps(size: _Array, count: int, step: float) -> tuple[_Array, float]:
    """Return the parameters of `count` points at equal ways along the loop, and the scale that makes it `step`."""
    fine = np.linspace(0, 2 * np.pi, 64 * count + 1)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(_loop(size, fine), axis=0), axis=1))])
    turn = np.interp(np.linspace(0, arc[-1], count), arc, fine)
    chords = np.linalg.norm(np.diff(_loop(size, turn), axis=0), axis=1)
    return turn, step / float(chords.mean())
