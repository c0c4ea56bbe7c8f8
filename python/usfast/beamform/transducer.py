"""Where the elements of a transducer are and where they look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.beamform.arguments import coordinates, number, positive, speed, whole
from usfast.errors import GeometryError

__all__ = ["Transducer", "directivity_f_number"]

MAX_ELEMENTS = 65536


@dataclass(frozen=True, eq=False)
class Transducer:
    """The receiving elements in the probe frame, mm.

    Attributes
    ----------
    positions : (E, 3) float64 array
        Centres of the elements; (E, 2) is taken as x, y.
    normals : (E, 3) float64 array
        Unit vectors into the tissue; by default along y.

    Raises
    ------
    ValueError, TypeError
        If shapes are wrong or numbers not finite.
    GeometryError
        If a normal has no length.

    Examples
    --------
    >>> Transducer.linear(4, pitch=0.3).positions[:, 0].round(2).tolist()
    [-0.45, -0.15, 0.15, 0.45]
    """

    positions: NDArray[np.float64]
    normals: NDArray[np.float64]

    def __init__(self, positions: ArrayLike, normals: ArrayLike | None = None) -> None:
        """See the class."""
        at = coordinates("positions", positions)
        if at.ndim != 2 or not 1 <= len(at) <= MAX_ELEMENTS:
            raise ValueError(f"positions must be (E, 2) or (E, 3) of 1 to {MAX_ELEMENTS} elements, not {at.shape}")
        towards = np.tile((0.0, 1.0, 0.0), (len(at), 1)) if normals is None else coordinates("normals", normals)
        if towards.shape != at.shape:
            raise ValueError(f"there are {len(at)} positions, but normals have the shape {towards.shape}")
        length = np.linalg.norm(towards, axis=1, keepdims=True)
        if not (length > 1e-9).all():
            raise GeometryError(f"the normal of element {int(np.argmin(length))} has no length")
        object.__setattr__(self, "positions", at)
        object.__setattr__(self, "normals", towards / length)

    def __len__(self) -> int:
        """Number of elements."""
        return len(self.positions)

    @classmethod
    def linear(cls, count: int, pitch: float) -> Transducer:
        """Return elements in a row along x, centred on the origin.

        Parameters
        ----------
        count : int
        pitch : float
            Distance between neighbours, mm.
        """
        x = (np.arange(whole("count", count, 1, MAX_ELEMENTS)) - (count - 1) / 2) * positive("pitch", pitch)
        return cls(np.stack([x, np.zeros_like(x)], axis=-1))

    @classmethod
    def convex(cls, count: int, pitch: float, radius: float) -> Transducer:
        """Return elements on an arc whose middle is the origin and whose centre lies at ``y = -radius``.

        Parameters
        ----------
        count : int
        pitch : float
            Distance between neighbours along the arc, mm.
        radius : float
            Of curvature, mm.

        Raises
        ------
        GeometryError
            If the arc is more than half a circle.

        Examples
        --------
        >>> float(Transducer.convex(3, pitch=np.pi / 2 * 60, radius=60).positions[0].round(3)[1])
        -60.0
        """
        r = positive("radius", radius)
        step = positive("pitch", pitch) / r
        angle = (np.arange(whole("count", count, 1, MAX_ELEMENTS)) - (count - 1) / 2) * step
        if angle[-1] > np.pi / 2 + 1e-9:
            raise GeometryError(f"{count} elements {pitch:g} mm apart go more than half around a radius of {r:g} mm")
        towards = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        return cls(r * (towards - (0.0, 1.0)), towards)


def directivity_f_number(
    width: float, frequency: float, *, bandwidth: float = 0.0, speed_of_sound: float = 1540.0, level: float = 0.71
) -> float:
    """Return the f-number at which the aperture ends where its elements stop listening.

    An element of width w hears a wave of length L from the angle a with the amplitude ``cos(a) sinc(w sin(a) / L)``
    (soft baffle). The aperture ends where that falls to `level`: ``f = 1 / (2 tan(a))``.

    Parameters
    ----------
    width : float
        Of an element, mm.
    frequency : float
        Centre frequency, MHz.
    bandwidth : float
        Fractional, at -6 dB; the angle is that of the upper end of the band.
    speed_of_sound : float
        m/s.
    level : float
        Amplitude, 0 to 1.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Perrot, Polichetti, Varray and Garcia, "So you think you can DAS?", Ultrasonics 111 (2021).

    Examples
    --------
    >>> round(directivity_f_number(0.262, 5.0, bandwidth=0.15, speed_of_sound=1480), 2)
    1.14
    """
    top = positive("frequency", frequency, 1e4, " MHz") * (1 + number("bandwidth", bandwidth, 0, 1.99) / 2)
    ratio = positive("width", width) * top * 1e6 / speed(speed_of_sound)
    level = number("level", level, 1e-3, 1 - 1e-6)
    low, high = 0.0, np.arcsin(min(1.0, 1 / ratio))  # the main lobe, in which the amplitude only falls
    for _ in range(60):
        middle = (low + high) / 2
        heard = np.cos(middle) * np.sinc(ratio * np.sin(middle))
        low, high = (middle, high) if heard > level else (low, middle)
    return float(1 / (2 * np.tan(low)))
