"""How the medium is insonified: plane waves, virtual sources, delays of single elements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.beamform.arguments import MAX_SECONDS, coordinates, number, speed
from usfast.beamform.transducer import Transducer

__all__ = ["ElementDelays", "PlaneWave", "Transmit", "VirtualSource", "insonified"]

Description: TypeAlias = tuple[str, list[float], list[float], NDArray[np.float64] | None]


def _point(name: str, value: ArrayLike) -> tuple[float, float, float]:
    full = coordinates(name, value)
    if full.shape != (3,):
        raise ValueError(f"{name} must be one point (x, y) or (x, y, z), not of shape {np.shape(value)}")
    return float(full[0]), float(full[1]), float(full[2])


@dataclass(frozen=True)
class PlaneWave:
    """A plane wave.

    Attributes
    ----------
    angle_deg : float
        Between the direction of the wave and y, positive towards x; -90 to 90, both excluded.
    reference : (2,) or (3,) sequence
        Point that the front passes at time zero, mm. With all delays positive, as scanners fire, that is the end
        of the array which fires first.

    Examples
    --------
    >>> PlaneWave(30).path([[0.0, 10.0], [2.0, 10.0]]).round(3).tolist()
    [8.66, 9.66]
    """

    angle_deg: float = 0.0
    reference: tuple[float, ...] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Check and complete."""
        angle = float(self.angle_deg)
        if not -90 < angle < 90:
            raise ValueError(f"angle_deg must lie between -90 and 90, not {self.angle_deg!r}")
        object.__setattr__(self, "angle_deg", angle)
        object.__setattr__(self, "reference", _point("reference", self.reference))

    def direction(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Direction (..., 3) in which the front passes points (..., 3); not of unit length for other waves."""
        angle = np.deg2rad(self.angle_deg)
        return np.broadcast_to(np.array([np.sin(angle), np.cos(angle), 0.0]), points.shape)

    def path(self, points: ArrayLike) -> NDArray[np.float64]:
        """Distance that the front has run since time zero when it reaches the points (..., 2) or (..., 3), mm."""
        full = coordinates("points", points)
        found: NDArray[np.float64] = ((full - np.array(self.reference)) * self.direction(full)).sum(axis=-1)
        return found

    def describe(self, transducer: Transducer) -> Description:
        """What the kernel wants to know: kind, point, reference, delays."""
        return "plane", self.direction(np.zeros(3)).tolist(), list(self.reference), None


@dataclass(frozen=True)
class VirtualSource:
    """A spherical wave: focused on a point in front of the array, or diverging from one on or behind it.

    Attributes
    ----------
    position : (2,) or (3,) sequence
        Focus or source, mm. It is a focus where it lies deeper (larger y) than the reference.
    reference : (2,) or (3,) sequence
        Point that the front passes at time zero, mm. For one firing element: its own position.

    Notes
    -----
    With s the position, r the reference and p a point, the path is ``|p - s| - |r - s|`` for a diverging wave and
    ``|r - s| + |p - s|`` beyond a focus, ``|r - s| - |p - s|`` before it. Near the focus, beside the axis, the wave is
    neither: leave such points to other transmits (`insonified`).

    Examples
    --------
    >>> VirtualSource((0, 20)).path([[0.0, 10.0], [0.0, 30.0]]).tolist()
    [10.0, 30.0]
    >>> VirtualSource((0, -20)).path([[0.0, 10.0]]).tolist()
    [10.0]
    """

    position: tuple[float, ...]
    reference: tuple[float, ...] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Check and complete."""
        object.__setattr__(self, "position", _point("position", self.position))
        object.__setattr__(self, "reference", _point("reference", self.reference))

    def direction(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Along the ray that passes points (..., 3), up to its sign and length."""
        return np.subtract(points, self.position)

    def path(self, points: ArrayLike) -> NDArray[np.float64]:
        """Distance that the front has run since time zero when it reaches the points (..., 2) or (..., 3), mm."""
        way = self.direction(coordinates("points", points))
        ahead = np.subtract(self.position, self.reference)
        far, lead = np.linalg.norm(way, axis=-1), np.linalg.norm(ahead)
        if ahead[1] > 0:
            return np.asarray(lead + np.where(way @ ahead < 0, -far, far))
        return np.asarray(far - lead)

    def describe(self, transducer: Transducer) -> Description:
        """What the kernel wants to know: kind, point, reference, delays."""
        return "source", list(self.position), list(self.reference), None


@dataclass(frozen=True, eq=False)
class ElementDelays:
    """Each element fires after its own delay; the first front to arrive counts.

    Attributes
    ----------
    delays : (E,) float64 array
        Seconds; NaN where an element stays silent.

    Raises
    ------
    ValueError
        If no element fires, or a delay is infinite.

    Notes
    -----
    The front between two elements lags behind that of a plane or spherical wave by up to ``pitch**2 / (8 depth)``.

    Examples
    --------
    >>> fired = ElementDelays([np.nan, 0.0])
    >>> fired.path([[0.5, 3.0]], Transducer.linear(2, pitch=1.0)).tolist()
    [3.0]
    """

    delays: NDArray[np.float64]

    def __init__(self, delays: ArrayLike) -> None:
        """See the class."""
        array = np.array(delays, np.float64)
        if array.ndim != 1 or not np.isfinite(array).any():
            raise ValueError("delays must be (E,), with a number for at least one element (NaN = silent)")
        if (np.abs(array[~np.isnan(array)]) > MAX_SECONDS).any():
            raise ValueError(f"delays are in seconds: none may exceed {MAX_SECONDS:g}")
        object.__setattr__(self, "delays", array)

    def path(self, points: ArrayLike, transducer: Transducer, speed_of_sound: float = 1540.0) -> NDArray[np.float64]:
        """Distance at `speed_of_sound` (m/s) from time zero to the first arrival at the points, mm."""
        full = coordinates("points", points)
        least = np.full(full.shape[:-1], np.inf)
        for position, delay in zip(transducer.positions, self._fitting(transducer), strict=True):
            if not np.isnan(delay):
                arrival = delay * speed(speed_of_sound) + np.linalg.norm(full - position, axis=-1)
                least = np.minimum(least, arrival)
        return least

    def _fitting(self, transducer: Transducer) -> NDArray[np.float64]:
        if len(self.delays) != len(transducer):
            raise ValueError(f"there are {len(self.delays)} delays, but {len(transducer)} elements")
        return self.delays

    def describe(self, transducer: Transducer) -> Description:
        """What the kernel wants to know: kind, point, reference, delays."""
        return "elements", [0.0] * 3, [0.0] * 3, self._fitting(transducer)


Transmit: TypeAlias = PlaneWave | VirtualSource | ElementDelays


def listed(transmits: Transmit | Iterable[Transmit]) -> list[Transmit]:
    """One transmit or several, as a list."""
    found = [transmits] if isinstance(transmits, Transmit) else list(transmits)
    for transmit in found:
        if not isinstance(transmit, Transmit):
            kind = type(transmit).__name__
            raise TypeError(f"a transmit must be a PlaneWave, a VirtualSource or ElementDelays, not {kind}")
    if not found:
        raise ValueError("there is no transmit")
    return found


def insonified(
    transmits: Transmit | Iterable[Transmit], transducer: Transducer, points: ArrayLike, *, margin: float = 0.0
) -> NDArray[np.bool_]:
    """Tell which points a plane wave or virtual source reaches from an aperture in the x-y plane.

    A point is reached where the ray through it starts between the first and the last element.

    Parameters
    ----------
    transmits : PlaneWave, VirtualSource or several
    transducer : Transducer
        For a part of the array: ``Transducer(positions[a:b], normals[a:b])``.
    points : (..., 2) or (..., 3) array
        mm.
    margin : float
        By how much the aperture is wider on either side, along the line from first to last element, mm.

    Returns
    -------
    (T, ...) bool array
        Suits `delay_and_sum` as `transmit_weights`.

    Raises
    ------
    TypeError
        For `ElementDelays`, which have no rays.
    ValueError
        If an argument is wrong.

    Examples
    --------
    >>> reached = insonified(PlaneWave(20), Transducer.linear(64, 0.3), [[-9.0, 10.0], [9.0, 10.0]])
    >>> reached.tolist()
    [[False, True]]
    """
    full = coordinates("points", points)
    first, last = transducer.positions[0, :2], transducer.positions[-1, :2]
    along = last - first
    length = np.hypot(*along)
    if length > 0:
        step = number("margin", margin, 0, 1e6) * along / length
        first, last = first - step, last + step
    reached = np.empty((len(many := listed(transmits)), *full.shape[:-1]), bool)
    for out, transmit in zip(reached, many, strict=True):
        if isinstance(transmit, ElementDelays):
            raise TypeError("ElementDelays have no rays: give transmit_weights of your own")
        ray = transmit.direction(full)
        sides = [ray[..., 0] * (e[1] - full[..., 1]) - ray[..., 1] * (e[0] - full[..., 0]) for e in (first, last)]
        out[...] = sides[0] * sides[1] <= 0
    return reached
