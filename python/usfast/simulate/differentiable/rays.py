"""Where the scan lines of a probe run through its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

__all__ = ["Rays"]


@dataclass(frozen=True, eq=False)
class Rays:
    """Scan lines of one image: S samples down each of L lines.

    Make it by `Rays.linear`, `Rays.convex` or `Rays.of`.

    Attributes
    ----------
    shape : (H, W)
        Size of the image.
    step : float
        Distance of samples along a line, mm.
    pitch : (S,) float64 array
        Distance of neighbouring lines at each sample, mm.
    lines : int
    to_pixel : (S, L, 2) float64 array or None
        Pixel (u, v) of each sample; None where lines are the image's columns and samples its rows.
    to_ray : (H, W, 2) float64 array or None
        Continuous (line, sample) of each pixel; None likewise.
    mask : (H, W) bool array
        Pixels that a line reaches.

    Examples
    --------
    >>> rays = Rays.convex((96, 128), radius=60.0, opening_deg=60.0, depth=80.0)
    >>> rays.samples, rays.lines, bool(rays.mask[0, 0]), bool(rays.mask[48, 64])
    (96, 128, False, True)
    """

    shape: tuple[int, int]
    step: float
    pitch: NDArray[np.float64]
    lines: int
    to_pixel: NDArray[np.float64] | None
    to_ray: NDArray[np.float64] | None
    mask: NDArray[np.bool_]

    @property
    def samples(self) -> int:
        """Number of samples along a line."""
        return len(self.pitch)

    @classmethod
    def linear(cls, shape: tuple[int, int], width: float = 40.0, depth: float = 50.0) -> Rays:
        """Return the lines of a linear probe: the image's columns.

        Parameters
        ----------
        shape : (H, W)
            Size of the image, at least 2 x 2.
        width, depth : float
            What the image shows, mm: W pixels wide and H pixels deep.

        Raises
        ------
        ValueError
            If a size is not positive.
        """
        height, columns = _shape(shape)
        step, pitch = _positive("depth", depth) / height, _positive("width", width) / columns
        mask = np.ones((height, columns), np.bool_)
        return cls((height, columns), step, np.full(height, pitch), columns, None, None, mask)

    @classmethod
    def convex(
        cls,
        shape: tuple[int, int],
        radius: float = 60.0,
        opening_deg: float = 60.0,
        depth: float = 80.0,
        *,
        image_to_probe: ArrayLike | None = None,
        lines: int | None = None,
        samples: int | None = None,
    ) -> Rays:
        """Return the lines of a curved array.

        Parameters
        ----------
        shape : (H, W)
            Size of the image, at least 2 x 2.
        radius : float
            Of the transducer's face, mm.
        opening_deg : float
            Angle between the outermost lines, below 180 degrees.
        depth : float
            Length of a line, mm.
        image_to_probe : (4, 4) array, optional
            Takes pixel (u, v, 0, 1) to probe mm: x lateral, y along the middle line, the origin in the middle of
            the face. Default: square pixels, the whole sector as large as the image allows.
        lines, samples : int, optional
            Default: W and H.

        Raises
        ------
        ValueError
            If a size is not positive.
        GeometryError
            If `image_to_probe` cannot be inverted.

        Examples
        --------
        >>> rays = Rays.convex((64, 64), radius=40, opening_deg=70, depth=60)
        >>> middle = rays.to_ray[:, 31:33].mean(axis=1)  # the probe's middle line lies between two columns
        >>> bool(abs(middle[:, 0] - 31.5).max() < 1e-9)
        True
        """
        height, width = _shape(shape)
        radius, depth = _positive("radius", radius), _positive("depth", depth)
        opening = np.radians(_positive("opening_deg", opening_deg))
        if opening >= np.pi:
            raise ValueError(f"opening_deg must be below 180, not {opening_deg!r}")
        count = (
            _count("samples", height if samples is None else samples),
            _count("lines", width if lines is None else lines),
        )
        fitted = _fit((height, width), radius, opening, depth) if image_to_probe is None else image_to_probe
        matrix = _plane(fitted)
        step, spacing = depth / (count[0] - 1), opening / (count[1] - 1)

        u, v = np.meshgrid(np.arange(width), np.arange(height))
        x, y = matrix[:, :2] @ np.stack([u, v]).reshape(2, -1) + matrix[:, 2:]
        away = (np.hypot(x, y + radius) - radius) / step
        aside = (np.arctan2(x, y + radius) + opening / 2) / spacing
        slack = 1e-9  # a pixel on the outermost line counts
        mask = (np.abs(away * 2 / (count[0] - 1) - 1) <= 1 + slack) & (
            np.abs(aside * 2 / (count[1] - 1) - 1) <= 1 + slack
        )

        reach = radius + step * np.arange(count[0])
        angle = spacing * np.arange(count[1]) - opening / 2
        place = np.stack([np.outer(reach, np.sin(angle)), np.outer(reach, np.cos(angle)) - radius])
        pixel = np.linalg.solve(matrix[:, :2], place.reshape(2, -1) - matrix[:, 2:])
        return cls(
            (height, width),
            step,
            reach * spacing,
            count[1],
            np.ascontiguousarray(pixel.T.reshape(*count, 2)),
            np.stack([aside, away], axis=-1).reshape(height, width, 2),
            mask.reshape(height, width),
        )

    @classmethod
    def of(cls, probe: Any) -> Rays:
        """Return the lines of a probe of `usfast.simulate`.

        Parameters
        ----------
        probe : LinearProbe or ConvexProbe
            Anything with `shape` and `image_to_probe`, and `radius`, `opening_deg` and `depth` where it is curved.

        Raises
        ------
        TypeError
            If `probe` is no probe.
        GeometryError
            If the columns of a linear probe's image do not run along its beams.
        """
        try:
            shape, matrix = probe.shape, _plane(probe.image_to_probe)
            if hasattr(probe, "radius"):
                curved = (probe.radius, probe.opening_deg, probe.depth)
                return cls.convex(shape, *curved, image_to_probe=probe.image_to_probe)
        except AttributeError as error:
            raise TypeError(f"{type(probe).__name__} is no probe: {error}") from None
        if matrix[0, 1] or matrix[1, 0] or min(matrix[0, 0], matrix[1, 1]) <= 0:
            raise GeometryError("the columns of a linear probe's image must run along its beams")
        height, width = _shape(shape)
        return cls.linear((height, width), width * matrix[0, 0], height * matrix[1, 1])


def _fit(shape: tuple[int, int], radius: float, opening: float, depth: float) -> NDArray[np.float64]:
    """(4, 4) matrix of square pixels that shows the sector as large as the image allows, its middle in the middle."""
    top = radius * (np.cos(opening / 2) - 1)
    half = (radius + depth) * np.sin(opening / 2)
    pixel = max((depth - top) / (shape[0] - 1), 2 * half / (shape[1] - 1))
    matrix = np.diag([pixel, pixel, 1.0, 1.0])
    matrix[:2, 3] = -pixel * (shape[1] - 1) / 2, (top + depth - pixel * (shape[0] - 1)) / 2
    return matrix


def _plane(image_to_probe: ArrayLike) -> NDArray[np.float64]:
    """(2, 3) rows that take pixels (u, v, 1) to probe (x, y)."""
    matrix = np.asarray(image_to_probe, np.float64)
    if matrix.shape != (4, 4):
        raise ValueError(f"image_to_probe has shape {matrix.shape}, not (4, 4)")
    rows = matrix[:2, [0, 1, 3]]
    if not np.isfinite(rows).all() or abs(np.linalg.det(rows[:, :2])) < 1e-12:
        raise GeometryError("image_to_probe must be finite and invertible")
    return rows


def _shape(shape: tuple[int, int]) -> tuple[int, int]:
    if len(shape) != 2:
        raise ValueError(f"shape must be (H, W), not {shape!r}")
    return _count("the image's height", shape[0]), _count("the image's width", shape[1])


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 2:
        raise ValueError(f"{name} must be a whole number of at least 2, not {value!r}")
    return int(value)


def _positive(name: str, value: float) -> float:
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be positive, not {value!r}")
    return number
