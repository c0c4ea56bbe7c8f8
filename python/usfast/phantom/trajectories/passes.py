"""Overlapping passes over a body: how a sonographer scans a calf from knee to ankle."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from usfast.errors import GeometryError
from usfast.phantom.trajectories.hand import HandMotion
from usfast.phantom.trajectories.noise import band_noise
from usfast.phantom.trajectories.streams import stream
from usfast.phantom.trajectories.trajectory import FRAME_RATE, Trajectory

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Body", "pass_angles", "scan_passes"]

_Array = NDArray[np.float64]
_SLOW = (0.05, 0.5)  # Hz: how fast a hand changes its speed and its line


class Body(Protocol):
    """What a scan needs to know of a phantom: how long it is, and where its skin lies."""

    @property
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) lowest and highest corner, mm."""
        ...

    def skin(self, along_mm: Any, around_deg: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return points of the skin (..., 3) and the normals out of the body (..., 3)."""
        ...


def scan_passes(
    body: Body,
    passes: int = 5,
    frames_per_pass: int = 300,
    *,
    width_mm: float = 40.0,
    overlap: float = 0.3,
    along_mm: tuple[float, float] | None = None,
    pressure_mm: float = 2.0,
    hand: HandMotion | None = None,
    speed_variation: float = 0.2,
    wander_deg: float = 1.0,
    frame_rate: float = FRAME_RATE,
    pause: float = 3.0,
    seed: int = 0,
) -> Trajectory:
    """Return a scan of parallel passes along z, side by side on the skin, each in the direction of growing z.

    In a calf phantom that is from knee to ankle, with the middle pass down the middle of the calf. The probe
    stands on the skin and looks in against its normal; its elevational axis leans as the skin does. Each pass
    begins and ends exactly at the ends of `along_mm`, but for the hand.

    Parameters
    ----------
    body : Phantom
        Anything with ``bounds`` and ``skin``.
    passes, frames_per_pass : int
        The thesis' subjects have 4 to 6 overlapping passes.
    width_mm : float
        Width of the images, mm.
    overlap : float
        Share of the width that neighbouring passes share on the skin where the body is widest, below 1; more
        elsewhere.
    along_mm : (float, float), optional
        z of the first and the last frame of a pass, mm. Default: the body without a twentieth at each end.
    pressure_mm : float
        How deep the face sinks into the skin, mm; the tissue is not deformed.
    hand : HandMotion, optional
        Default: `HandMotion()`; ``HandMotion().scaled(0)`` is a robot.
    speed_variation : float
        Slow changes of speed: standard deviation of its logarithm, 0 for constant speed along z.
    wander_deg : float
        How far a pass strays from its line around the body: standard deviation, degrees.
    frame_rate : float
        Frames per second.
    pause : float
        Time between the last frame of a pass and the first of the next, s.
    seed : int
        Of hand, speed and line.

    Returns
    -------
    Trajectory
        ``pass_index`` tells the passes apart; ``meta["angles_deg"]`` says where each lies around the body.

    Raises
    ------
    ValueError
        If a number makes no sense: no pass or frame, an overlap of 1, a pause or frame rate not positive.
    GeometryError
        If the skin of the body is not where the passes go.

    Examples
    --------
    >>> class Tube:
    ...     bounds = np.array([[-50.0, -50.0, 0.0], [50.0, 50.0, 300.0]])
    ...
    ...     def skin(self, along_mm, around_deg):
    ...         turn = np.deg2rad(around_deg)
    ...         outwards = np.stack([np.sin(turn), -np.cos(turn), np.zeros_like(turn)], axis=-1)
    ...         return 50.0 * outwards + np.asarray(along_mm)[..., None] * (0.0, 0.0, 1.0), outwards
    >>> scan = scan_passes(Tube(), passes=3, frames_per_pass=50)
    >>> len(scan), np.round(scan.meta["angles_deg"]).tolist()
    (150, [-32.0, 0.0, 32.0])
    """
    count, length = _whole("passes", passes), _whole("frames_per_pass", frames_per_pass)
    _check(width_mm, overlap, pressure_mm, speed_variation, wander_deg, frame_rate, pause)
    ends = _ends(body, along_mm)
    angles = pass_angles(body, count, (1 - overlap) * width_mm, ends)
    clock = np.arange(length) / frame_rate
    poses, times = [], []
    for number, angle in enumerate(angles):
        started = number * (clock[-1] + pause)
        rng = stream(seed, 0, number)
        place = _places(rng, clock, speed_variation, ends)
        around = angle + wander_deg * band_noise(rng, clock, 1, _SLOW)[:, 0]
        poses.append(_standing(body, place, around, pressure_mm))
        times.append(started + clock)
    meta = {
        "kind": "passes",
        "seed": int(seed),
        "frame_rate": float(frame_rate),
        "angles_deg": [float(angle) for angle in angles],
        "along_mm": [float(end) for end in ends],
    }
    planned = Trajectory(np.concatenate(poses), np.concatenate(times), np.repeat(np.arange(count), length), meta)
    return (HandMotion() if hand is None else hand).shake(planned, seed=int(seed))


def pass_angles(body: Body, passes: int, distance_mm: float, along_mm: Sequence[float]) -> _Array:
    """Return where passes lie around the body so that neighbours are `distance_mm` apart on the widest skin.

    Parameters
    ----------
    body : Phantom
    passes : int
    distance_mm : float
        Along the skin, around the body.
    along_mm : (float, float)
        z of both ends of a pass, mm; the widest place is sought between them.

    Returns
    -------
    (passes,) float64 array
        Degrees, symmetric about 0.

    Raises
    ------
    GeometryError
        If the passes do not fit side by side around the body.
    """
    places = np.linspace(along_mm[0], along_mm[1], 25)
    offsets = (np.arange(passes) - (passes - 1) / 2) * distance_mm
    for reach in (22.5, 45.0, 90.0, 180.0):  # no farther than needed: skin may not go all the way around
        around = np.linspace(-reach, reach, round(4 * reach) + 1)
        arc = _widest_arc(body, places, around)
        middle = arc[len(arc) // 2]
        # All the way around, the last pass must stay clear of the first.
        room = (arc[-1] - distance_mm) / 2 if reach == 180 else min(middle, arc[-1] - middle)
        if offsets[-1] <= room:
            return np.asarray(np.interp(middle + offsets, arc, around))
    raise GeometryError(
        f"{passes} passes {distance_mm:g} mm apart do not fit around a body of {arc[-1]:.0f} mm girth; "
        "take fewer, or a larger overlap"
    )


def _widest_arc(body: Body, places: _Array, around: _Array) -> _Array:
    """Return the way along the skin (mm) from the first angle to each, at the place where it is longest."""
    points, _ = _skin(body, *np.meshgrid(places, around, indexing="ij"))
    ways = np.cumsum(np.linalg.norm(np.diff(points, axis=1), axis=2), axis=1)
    return np.concatenate([[0.0], ways[int(np.argmax(ways[:, -1]))]])


def _standing(body: Body, place: _Array, around: _Array, pressure_mm: float) -> _Array:
    """Return poses of a probe that stands on the skin, its elevational axis as near to z as the skin lets it."""
    points, outwards = _skin(body, place, around)
    beam = -outwards / np.linalg.norm(outwards, axis=1, keepdims=True)
    elevation = np.array([0.0, 0.0, 1.0]) - beam[:, 2:] * beam
    size = np.linalg.norm(elevation, axis=1, keepdims=True)
    if (size < 1e-3).any():
        raise GeometryError("the skin faces along z there: a pass along z cannot stand on it")
    elevation /= size
    poses = np.zeros((len(place), 4, 4))
    poses[:, :3, 0] = np.cross(beam, elevation)
    poses[:, :3, 1] = beam
    poses[:, :3, 2] = elevation
    poses[:, :3, 3] = points + pressure_mm * beam
    poses[:, 3, 3] = 1.0
    return poses


def _skin(body: Body, place: _Array, around: _Array) -> tuple[_Array, _Array]:
    points, normals = (np.asarray(value, np.float64) for value in body.skin(place, around))
    if points.shape != (*place.shape, 3) or not (np.isfinite(points).all() and np.isfinite(normals).all()):
        raise GeometryError(f"the body has no skin somewhere from z = {place.min():g} to {place.max():g} mm")
    return points, normals


def _places(rng: np.random.Generator, clock: _Array, variation: float, ends: tuple[float, float]) -> _Array:
    """Return z at each time: from end to end at a speed that varies slowly and never changes its sign."""
    between = (clock[1:] + clock[:-1]) / 2
    speed = np.exp(variation * band_noise(rng, between, 1, _SLOW)[:, 0])
    way = np.concatenate([[0.0], np.cumsum(speed)])
    return np.asarray(ends[0] + (ends[1] - ends[0]) * way / max(way[-1], 1e-300))


def _ends(body: Body, along_mm: tuple[float, float] | None) -> tuple[float, float]:
    low, high = (float(end) for end in np.asarray(body.bounds, np.float64)[:, 2])
    if along_mm is None:
        margin = (high - low) / 20
        return low + margin, high - margin
    if len(along_mm) != 2 or not -np.inf < along_mm[0] < along_mm[1] < np.inf:
        raise ValueError(f"along_mm must be two places along z, the lower first, not {along_mm!r}")
    return float(along_mm[0]), float(along_mm[1])


def _whole(name: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < 1:
        raise ValueError(f"{name} must be at least 1, not {number}")
    return number


def _check(
    width_mm: float,
    overlap: float,
    pressure_mm: float,
    speed_variation: float,
    wander_deg: float,
    frame_rate: float,
    pause: float,
) -> None:
    for name, value in (("width_mm", width_mm), ("frame_rate", frame_rate), ("pause", pause)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be positive, not {value!r}")
    for name, value in (("speed_variation", speed_variation), ("wander_deg", wander_deg)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} must be a finite number, not negative, not {value!r}")
    if not -1 < overlap < 1:
        raise ValueError(f"overlap must be a share of the width, below 1 (negative: a gap), not {overlap!r}")
    if not np.isfinite(pressure_mm):
        raise ValueError(f"pressure_mm must be finite, not {pressure_mm!r}")
