"""Probes: the geometry of the image, of the lines of sight and of the point-spread function."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, log, pi, radians, sin, sqrt
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SPEED_OF_SOUND", "ConvexProbe", "LinearProbe", "Probe"]

SPEED_OF_SOUND = 1.54
"""Speed of sound in soft tissue, mm/us."""

_MOST_SAMPLES = 1 << 24  # of a beam grid, 8 bytes each

_FWHM = 2 * sqrt(2 * log(2))  # full width at half maximum of a Gaussian of standard deviation 1


def _check_positive(probe: object, *names: str) -> None:
    for name in names:
        value = getattr(probe, name)
        if not (isinstance(value, (int, float, np.number)) and isfinite(value) and value > 0):
            raise ValueError(f"{name} of a probe must be positive and finite, not {value!r}")


def _check_grid(shape: object, lines: object) -> None:
    whole = (int, np.integer)
    if not (
        isinstance(shape, tuple) and len(shape) == 2 and all(isinstance(n, whole) and 2 <= n <= 8192 for n in shape)
    ):
        raise ValueError(f"shape of a probe's image must be (H, W), each from 2 to 8192, not {shape!r}")
    if not (isinstance(lines, whole) and 2 <= lines <= 4096):
        raise ValueError(f"lines of a probe must be a whole number from 2 to 4096, not {lines!r}")


class _Beam:
    """What a linear and a convex probe share: the point-spread function and how depth is sampled."""

    # Not a dataclass, so that each probe orders its own fields.
    depth: float
    shape: tuple[int, int]
    frequency: float
    bandwidth: float
    lines: int
    transmit_focus: float
    transmit_f_number: float
    receive_f_number: float
    elevation_focus: float
    elevation_aperture: float

    face_radius: ClassVar[float] = 0.0

    def _check(self) -> None:
        _check_grid(self.shape, self.lines)
        _check_positive(
            self, "depth", "frequency", "bandwidth", "transmit_focus", "transmit_f_number", "receive_f_number"
        )
        _check_positive(self, "elevation_focus", "elevation_aperture")
        if self.bandwidth > 2:
            raise ValueError(f"bandwidth of a probe is a fraction of its frequency, at most 2, not {self.bandwidth!r}")
        if self.lines * self.samples > _MOST_SAMPLES:
            raise ValueError(
                f"{self.lines} lines of {self.samples} samples are more than {_MOST_SAMPLES}: "
                "lower the probe's lines, depth, frequency or bandwidth"
            )

    @property
    def wavelength(self) -> float:
        """Wavelength in soft tissue, mm."""
        return SPEED_OF_SOUND / self.frequency

    @property
    def axial_sigma(self) -> float:
        """Standard deviation of the pulse's envelope along depth, mm.

        A Gaussian pulse whose two-way spectrum is `bandwidth` wide (a fraction of `frequency`) at -6 dB.
        """
        sigma_mhz = self.bandwidth * self.frequency / _FWHM
        return SPEED_OF_SOUND / 2 / (2 * pi * sigma_mhz)

    @property
    def sample_step(self) -> float:
        """Distance of two samples along a line, mm: half of `axial_sigma`."""
        return self.axial_sigma / 2

    @property
    def samples(self) -> int:
        """Samples of a line, from the face to `depth`."""
        return int(np.ceil(self.depth / self.sample_step)) + 1

    def elevational_sigma(self, depth_mm: ArrayLike) -> NDArray[np.float64]:
        """Return the standard deviation of the pulse-echo amplitude across the image plane.

        An echo at elevation e weighs ``exp(-e**2 / (2 s**2))``. At the lens' focus s is that of a Gaussian as wide
        at half maximum as the squared sinc of an aperture (0.886 wavelengths times the f-number); away from it the
        beam opens as a Gaussian beam does (Szabo, Diagnostic Ultrasound Imaging, 2nd ed. 2014, ch. 6).

        Parameters
        ----------
        depth_mm : array_like
            Distance from the face, mm.

        Returns
        -------
        array of float64
            mm, of the shape of `depth_mm`. Also the sigma in the squared speckle coherence
            ``x = exp(-d**2 / (2 sigma**2))`` of two frames a distance d apart.

        Examples
        --------
        >>> LinearProbe(elevation_focus=20).elevational_sigma([0, 20, 40]).round(2).tolist()
        [0.93, 0.39, 0.93]
        """
        focal = 0.886 * self.wavelength * self.elevation_focus / self.elevation_aperture / _FWHM
        # A pulse-echo amplitude of sigma s is that of a Gaussian beam of waist 2 s.
        rayleigh = 4 * pi * focal**2 / self.wavelength
        away = (np.asarray(depth_mm, np.float64) - self.elevation_focus) / rayleigh
        return np.asarray(focal * np.sqrt(1 + away * away))

    def lateral_sigma(self, depth_mm: ArrayLike) -> NDArray[np.float64]:
        """Return the standard deviation of the pulse-echo amplitude across the lines, mm.

        The product of a transmit beam focused at `transmit_focus` and a receive beam focused everywhere; each is as
        wide at half maximum as the sinc of its aperture (1.206 wavelengths times the f-number).

        Parameters
        ----------
        depth_mm : array_like
            Distance from the face, mm.

        Returns
        -------
        array of float64
        """
        transmit, receive = (
            1.206 * self.wavelength * number / _FWHM for number in (self.transmit_f_number, self.receive_f_number)
        )
        # A one-way amplitude of sigma s is that of a Gaussian beam of waist sqrt(2) s.
        rayleigh = 2 * pi * transmit**2 / self.wavelength
        away = (np.asarray(depth_mm, np.float64) - self.transmit_focus) / rayleigh
        opened = transmit**2 * (1 + away * away)
        return np.asarray(1 / np.sqrt(1 / opened + 1 / receive**2))

    @property
    def sample_depths(self) -> NDArray[np.float64]:
        """Depth of each sample of a line, mm."""
        return np.asarray(np.arange(self.samples) * self.sample_step, np.float64)


@dataclass(frozen=True)
class LinearProbe(_Beam):
    """A linear array: parallel lines of sight from a flat face.

    The probe frame has its origin at the middle of the face, x along the face (image u), y along the beam (image v)
    and z across the image plane, mm. Pixel (u, v) lies at x = (u - (W - 1) / 2) width / W, y = v depth / H.

    Parameters
    ----------
    width, depth : float
        Of the image, mm.
    shape : (H, W)
        Pixels.
    frequency : float
        Centre frequency, MHz.
    bandwidth : float
        Width of the two-way spectrum at -6 dB, a fraction of `frequency`.
    lines : int
        Lines of sight, evenly across `width`.
    transmit_focus : float
        Depth where the transmitted beam is narrowest, mm.
    transmit_f_number, receive_f_number : float
        Depth over aperture; on reception the same at every depth.
    elevation_focus, elevation_aperture : float
        Focus and height of the lens across the image plane, mm.

    Raises
    ------
    ValueError
        If a number is not positive and finite, or shape or lines are not whole numbers in range.

    Examples
    --------
    >>> probe = LinearProbe(width=40, depth=50, shape=(480, 640))
    >>> (probe.image_to_probe @ [319.5, 480, 0, 1]).round(9).tolist()
    [0.0, 50.0, 0.0, 1.0]
    """

    width: float = 40.0
    depth: float = 50.0
    shape: tuple[int, int] = (480, 640)
    frequency: float = 7.5
    bandwidth: float = 0.5
    lines: int = 256
    transmit_focus: float = 25.0
    transmit_f_number: float = 3.0
    receive_f_number: float = 3.0
    elevation_focus: float = 22.0
    elevation_aperture: float = 4.0

    def __post_init__(self) -> None:
        self._check()
        _check_positive(self, "width")

    @property
    def image_to_probe(self) -> NDArray[np.float64]:
        """(4, 4) transform of pixel (u, v, 0, 1) to probe mm; the third column is elevational."""
        height, columns = self.shape
        du, dv = self.width / columns, self.depth / height
        matrix = np.diag([du, dv, du, 1.0])
        matrix[0, 3] = -du * (columns - 1) / 2
        return matrix

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) True where the probe sees: everywhere."""
        return np.ones(self.shape, bool)

    @property
    def line_laterals(self) -> NDArray[np.float64]:
        """Where on the face each line begins, mm."""
        return np.linspace(-self.width / 2, self.width / 2, self.lines)

    def beam_coordinates(self, points: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return lateral position (mm) and depth (mm) of points (..., 3) in probe mm."""
        places = np.asarray(points, np.float64)
        return places[..., 0], places[..., 1]

    def beam_points(self, lateral: ArrayLike, depth_mm: ArrayLike) -> NDArray[np.float64]:
        """Return points (..., 3) in probe mm at lateral positions (mm) and depths (mm) in the image plane."""
        x, y = np.broadcast_arrays(np.asarray(lateral, np.float64), np.asarray(depth_mm, np.float64))
        return np.stack([x, y, np.zeros_like(x)], axis=-1)


@dataclass(frozen=True)
class ConvexProbe(_Beam):
    """A curved array: lines of sight fan out from a face that is an arc of a circle.

    The probe frame has its origin at the middle (the deepest point) of the face, x sideways, y along the middle line,
    z across the image plane. The image holds the whole fan; pixels outside it are False in `mask` and stay black.
    Lateral positions of its beam space are angles from the middle line, radians; depth counts from the face.

    Parameters
    ----------
    radius : float
        Of the face, 1 mm or more.
    opening_deg : float
        Angle between the outermost lines, below 180 degrees.
    depth : float
        Depth of the image below the face, mm.
    shape, frequency, bandwidth, lines, transmit_focus, transmit_f_number, receive_f_number, elevation_focus, \
elevation_aperture
        As of `LinearProbe`.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> probe = ConvexProbe(radius=60, opening_deg=60, shape=(100, 120))
    >>> bool(probe.mask[50, 60]), bool(probe.mask[99, 0])
    (True, False)
    """

    radius: float = 60.0
    opening_deg: float = 60.0
    depth: float = 100.0
    shape: tuple[int, int] = (480, 640)
    frequency: float = 3.5
    bandwidth: float = 0.6
    lines: int = 256
    transmit_focus: float = 60.0
    transmit_f_number: float = 3.0
    receive_f_number: float = 2.5
    elevation_focus: float = 60.0
    elevation_aperture: float = 12.0

    def __post_init__(self) -> None:
        self._check()
        _check_positive(self, "radius", "opening_deg")
        if self.radius < 1:
            raise ValueError(f"radius of a probe must be 1 mm or more, not {self.radius!r}")
        if self.opening_deg >= 180:
            raise ValueError(f"opening_deg of a probe must be below 180, not {self.opening_deg!r}")

    @property
    def face_radius(self) -> float:  # type: ignore[override]
        """Radius of the face, mm; 0 for a flat one."""
        return self.radius

    @property
    def image_to_probe(self) -> NDArray[np.float64]:
        """(4, 4) transform of pixel (u, v, 0, 1) to probe mm; the third column is elevational."""
        height, columns = self.shape
        half = radians(self.opening_deg) / 2
        top = self.radius * (cos(half) - 1)
        du = 2 * (self.radius + self.depth) * sin(half) / columns
        dv = (self.depth - top) / height
        matrix = np.diag([du, dv, du, 1.0])
        matrix[0, 3] = -du * (columns - 1) / 2
        matrix[1, 3] = top
        return matrix

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) True where the probe sees: inside the fan."""
        height, columns = self.shape
        v, u = np.mgrid[:height, :columns]
        pixels = np.stack([u, v, np.zeros_like(u), np.ones_like(u)], axis=-1)
        angle, depth = self.beam_coordinates((pixels @ self.image_to_probe.T)[..., :3])
        inside = (np.abs(angle) <= radians(self.opening_deg) / 2) & (depth >= 0) & (depth <= self.depth)
        return np.asarray(inside)

    @property
    def line_laterals(self) -> NDArray[np.float64]:
        """Angle of each line from the middle one, radians."""
        half = radians(self.opening_deg) / 2
        return np.linspace(-half, half, self.lines)

    def beam_coordinates(self, points: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return angle (radians) and depth below the face (mm) of points (..., 3) in probe mm."""
        places = np.asarray(points, np.float64)
        x, y = places[..., 0], places[..., 1] + self.radius
        return np.arctan2(x, y), np.hypot(x, y) - self.radius

    def beam_points(self, lateral: ArrayLike, depth_mm: ArrayLike) -> NDArray[np.float64]:
        """Return points (..., 3) in probe mm at angles (radians) and depths (mm) in the image plane."""
        angle, below = np.broadcast_arrays(np.asarray(lateral, np.float64), np.asarray(depth_mm, np.float64))
        reach = below + self.radius
        return np.stack([reach * np.sin(angle), reach * np.cos(angle) - self.radius, np.zeros_like(reach)], axis=-1)


Probe: TypeAlias = LinearProbe | ConvexProbe
