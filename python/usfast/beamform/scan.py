"""Scan conversion: scan lines become an image with square corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice
from usfast.beamform.arguments import MAX_MM, number, positive, whole

__all__ = ["CurvilinearScan", "LinearScan", "scan_convert"]

MAX_SIDE = 32768
Place: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class _Image:
    """The image that scan lines are converted into.

    Attributes
    ----------
    shape : (int, int)
        (H, W), pixels.
    spacing : (float, float)
        Of pixels along x (columns) and y (rows), mm.
    origin_px : (float, float)
        Where the middle of the transducer's face lies: column u, row v.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float]
    origin_px: tuple[float, float]

    def __post_init__(self) -> None:
        """Check."""
        for name, pair in (("shape", self.shape), ("spacing", self.spacing), ("origin_px", self.origin_px)):
            if len(pair) != 2:
                raise ValueError(f"{name} must be two numbers, not {pair!r}")
        for side in self.shape:
            whole("shape", side, 1, MAX_SIDE)
        for step in self.spacing:
            positive("spacing", step, MAX_MM, " mm")
        for value in self.origin_px:
            number("origin_px", value, -1e9, 1e9)

    @property
    def image_to_probe(self) -> NDArray[np.float64]:
        """(4, 4): takes pixel (u, v, 0, 1) to the probe frame, mm."""
        matrix = np.diag([*self.spacing, 1.0, 1.0])
        matrix[:2, 3] = -np.array(self.origin_px) * self.spacing
        return matrix

    def pixels(self, shift: float = 0.0) -> Place:
        """x (1, W) and y (H, 1) of the pixels in the probe frame, mm; x of `shift` columns further."""
        x = (np.arange(self.shape[1], dtype=np.float64) - self.origin_px[0] + shift) * self.spacing[0]
        y = (np.arange(self.shape[0], dtype=np.float64) - self.origin_px[1]) * self.spacing[1]
        return x[None, :], y[:, None]


@dataclass(frozen=True)
class LinearScan(_Image):
    """Parallel scan lines.

    Attributes
    ----------
    shape, spacing, origin_px
        Of the image: (H, W); mm of a pixel along x and y; column and row of the middle of the transducer's face.
    width : float
        From the first line to the last, mm.
    depth : float
        From the first sample, on the face, to the last, mm.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> LinearScan((50, 40), (0.5, 0.5), (19.5, 0), width=18, depth=24).points(3, 2)[:, 1].tolist()
    [[-9.0, 24.0], [0.0, 24.0], [9.0, 24.0]]
    """

    width: float = 38.0
    depth: float = 50.0

    def __post_init__(self) -> None:
        """Check."""
        super().__post_init__()
        positive("width", self.width, MAX_MM, " mm")
        positive("depth", self.depth, MAX_MM, " mm")

    def points(self, lines: int, samples: int) -> NDArray[np.float64]:
        """Points (lines, samples, 2) of the samples in the probe frame, mm: what to beamform for `scan_convert`."""
        count = whole("lines", lines, 1, 10**6)
        x = np.linspace(-self.width / 2, self.width / 2, count) if count > 1 else np.zeros(1)
        y = np.linspace(0, self.depth, whole("samples", samples, 2, 10**6))
        return np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)

    def place(self, lines: int, samples: int, plus: bool) -> Place:
        """Line and sample, not whole, under each pixel, (H, W)."""
        x, y = self.pixels()
        if plus:
            line = x / (self.width / lines) + lines // 2
            sample = y / (self.depth / samples)
        else:
            line = (x / self.width + 0.5) * (lines - 1)
            sample = y / self.depth * (samples - 1)
        return np.broadcast_to(line, self.shape), np.broadcast_to(sample, self.shape)


@dataclass(frozen=True)
class CurvilinearScan(_Image):
    """Scan lines that spread from one centre, `radius_start` behind the middle of the face.

    Attributes
    ----------
    shape, spacing, origin_px
        Of the image: (H, W); mm of a pixel along x and y; column and row of the middle of the transducer's face.
    radius_start, radius_stop : float
        Of the first and the last sample, mm; 0 for a phased array.
    theta_start_deg, theta_stop_deg : float
        Angles of the first and the last line from y, positive towards x, degrees.

    Raises
    ------
    ValueError
        If a number is out of range or a range empty.

    Examples
    --------
    >>> scan = CurvilinearScan((90, 120), (1, 1), (59.5, 0), 60, 140, -30, 30)
    >>> scan.points(3, 2).round(1)[2].tolist()
    [[30.0, -8.0], [70.0, 61.2]]
    """

    radius_start: float = 60.0
    radius_stop: float = 140.0
    theta_start_deg: float = -30.0
    theta_stop_deg: float = 30.0

    def __post_init__(self) -> None:
        """Check."""
        super().__post_init__()
        number("radius_start", self.radius_start, 0, MAX_MM, " mm")
        if not self.radius_start < self.radius_stop <= MAX_MM:
            raise ValueError(f"radius_stop must exceed radius_start = {self.radius_start:g}, not {self.radius_stop!r}")
        if not -180 <= self.theta_start_deg < self.theta_stop_deg <= 180:
            angles = f"{self.theta_start_deg!r} to {self.theta_stop_deg!r}"
            raise ValueError(f"the lines must go from theta_start_deg up to theta_stop_deg, not {angles}")

    def points(self, lines: int, samples: int) -> NDArray[np.float64]:
        """Points (lines, samples, 2) of the samples in the probe frame, mm: what to beamform for `scan_convert`."""
        theta = np.deg2rad(np.linspace(self.theta_start_deg, self.theta_stop_deg, whole("lines", lines, 2, 10**6)))
        radius = np.linspace(self.radius_start, self.radius_stop, whole("samples", samples, 2, 10**6))
        return np.stack([np.sin(theta)[:, None] * radius, np.cos(theta)[:, None] * radius - self.radius_start], axis=-1)

    def place(self, lines: int, samples: int, plus: bool) -> Place:
        """Line and sample, not whole, under each pixel, (H, W)."""
        x, y = self.pixels(0.5 if plus else 0.0)
        y = y + self.radius_start
        turn = np.deg2rad(self.theta_stop_deg - self.theta_start_deg) / max(lines - 1, 1)
        line = (np.arctan2(x, y) - np.deg2rad(self.theta_start_deg)) / turn
        step = (self.radius_stop - self.radius_start) / (samples if plus else samples - 1)
        return line, (np.sqrt(y * y + x * x) - self.radius_start) / step


def scan_convert(
    lines: ArrayLike,
    scan: LinearScan | CurvilinearScan,
    interpolation: str | None = None,
    *,
    compat: str | None = None,
    fill: float = 0.0,
) -> NDArray[Any]:
    """Put scan lines where they belong in an image.

    Parameters
    ----------
    lines : (..., L, S) array
        S samples of brightness or amplitude along each of L lines.
    scan : LinearScan or CurvilinearScan
    interpolation : {"linear", "nearest"}, optional
        Between the two lines and two samples around a pixel, or the nearest. Linear by default.
    compat : {"plus"}, optional
        Do as PLUS does, to the last grey level: samples and (linear) lines are ``1 / S`` and ``1 / L`` of the range
        apart; a linear scan takes the nearest sample and counts lines from ``L // 2``; a curvilinear one
        interpolates, with its pixels half a column further to the right.
    fill : float
        Value of pixels outside the lines.

    Returns
    -------
    (..., H, W) array
        uint8, rounded, for uint8 lines; float32 otherwise. NaN spreads to the pixels around it.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong, or there are fewer than two lines or samples.

    Examples
    --------
    >>> scan = LinearScan((3, 5), (1, 1), (2, 0), width=4, depth=2)
    >>> scan_convert(np.array([[0, 0, 0], [40, 40, 40]], np.uint8), scan)[0].tolist()
    [0, 10, 20, 30, 40]
    """
    array = np.asarray(lines)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"lines must be real numbers, not {array.dtype}")
    if array.ndim < 2 or min(array.shape[-2:]) < 2 or array.size == 0:
        raise ValueError(f"lines must be (..., lines, samples), two or more of each, not {array.shape}")
    if not isinstance(scan, (LinearScan, CurvilinearScan)):
        raise TypeError(f"scan must be a LinearScan or a CurvilinearScan, not {type(scan).__name__}")
    plus = compat is not None and choice("compat", compat, ("plus",)) == "plus"
    if plus and interpolation is not None:
        raise ValueError('compat="plus" fixes the interpolation: leave it out')
    nearest = isinstance(scan, LinearScan) if plus else interpolation == "nearest"
    choice("interpolation", interpolation or "linear", ("linear", "nearest"))
    whole_grey = array.dtype == np.uint8
    outside = number("fill", fill, 0, 255) if whole_grey else float(fill)
    stack = array.reshape(-1, *array.shape[-2:])
    out = np.full((len(stack), *scan.shape), outside, np.uint8 if whole_grey else np.float32)
    places = scan.place(array.shape[-2], array.shape[-1], plus)
    if nearest:
        _nearest(stack, *places, plus, out)
    else:
        _linear(stack, *places, plus, out)
    return out.reshape(*array.shape[:-2], *scan.shape)


def _inside(line: NDArray[np.float64], sample: NDArray[np.float64], lines: int, samples: int) -> NDArray[np.bool_]:
    """Between first and last, with a millionth to spare for rounding."""
    return (line > -1e-6) & (line < lines - 1 + 1e-6) & (sample > -1e-6) & (sample < samples - 1 + 1e-6)


def _nearest(
    stack: NDArray[Any], line: NDArray[np.float64], sample: NDArray[np.float64], plus: bool, out: NDArray[Any]
) -> None:
    lines, samples = stack.shape[1:]
    i, k = np.floor(line + 0.5).astype(np.int64), np.floor(sample + 0.5).astype(np.int64)
    good = (i >= 0) & (i < lines) & (k >= 0) & (k < samples)
    if not plus:
        good &= _inside(line, sample, lines, samples)
    i, k = i[good], k[good]
    for image, values in zip(out, stack, strict=True):
        image[good] = values[i, k]


def _linear(
    stack: NDArray[Any], line: NDArray[np.float64], sample: NDArray[np.float64], plus: bool, out: NDArray[Any]
) -> None:
    lines, samples = stack.shape[1:]
    i, k = np.floor(line).astype(np.int64), np.floor(sample).astype(np.int64)
    if plus:
        good = (i >= 0) & (i + 1 < lines) & (k >= 0) & (k + 1 < samples)
    else:
        good = _inside(line, sample, lines, samples)
        i, k = np.clip(i, 0, lines - 2), np.clip(k, 0, samples - 2)
    i, k = i[good], k[good]
    a, b = sample[good] - k, line[good] - i
    weights = ((1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b)
    first = i * samples + k
    corners = (first, first + 1, first + samples, first + samples + 1)
    for image, values in zip(out, stack, strict=True):
        flat = values.reshape(-1)
        found = sum(weight * flat[corner] for weight, corner in zip(weights, corners, strict=True))
        image[good] = np.clip(found + 0.5, 0, 255) if image.dtype == np.uint8 else found
