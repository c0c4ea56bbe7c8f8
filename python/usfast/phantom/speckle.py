"""Speckle that belongs to the tissue: one periodic random field in the world, the same from every side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SpeckleField"]

Floats = NDArray[np.floating]


class SpeckleField:
    """A periodic, correlated 3D Rayleigh field.

    The magnitude of complex Gaussian noise, smoothed to the size of a resolution cell: what a beam sees of
    many scatterers too small to tell apart. Sampled by position, so that overlapping passes see one tissue.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Samples along each axis, a power of two.
    step : (float, float, float)
        Distance between samples along x, y, z, mm; the field repeats every ``size * step``.
    cell : (float, float, float)
        Standard deviation of the resolution cell along x, y, z, mm.

    Examples
    --------
    >>> import numpy as np
    >>> field = SpeckleField(np.random.default_rng(0), size=32)
    >>> x = np.linspace(0, 5, 50)
    >>> field.sample(x, 0 * x, 0 * x).shape
    (50,)
    """

    def __init__(
        self,
        rng: np.random.Generator,
        size: int = 128,
        step: tuple[float, float, float] = (0.22, 0.22, 0.4),
        cell: tuple[float, float, float] = (0.3, 0.22, 0.7),
    ) -> None:
        from scipy.ndimage import gaussian_filter

        if size < 2 or size & (size - 1):
            raise ValueError(f"size must be a power of two, not {size}")
        sigma = np.divide(cell, step)[::-1]  # the field is stored (z, y, x)
        noise = (rng.standard_normal((size, size, size), np.float32) for _ in range(2))
        magnitude = np.hypot(*(gaussian_filter(part, sigma, mode="wrap", truncate=3) for part in noise))
        self._field = (magnitude / np.sqrt(np.mean(magnitude**2))).ravel()
        self._size = size
        self._step = step

    def sample(self, x: Floats, y: Floats, z: Floats) -> NDArray[np.float32]:
        """Return the field, of unit mean square, at positions given as three arrays of one shape, mm."""
        # Trilinear, by hand: wrapping is a bit mask here, which scipy's map_coordinates cannot know.
        size, field = self._size, self._field
        (x0, x1, fx), (y0, y1, fy), (z0, z1, fz) = (
            _neighbours(place, step, size) for place, step in zip((x, y, z), self._step, strict=True)
        )
        rows = [(k * size + j) * size for k in (z0, z1) for j in (y0, y1)]
        along_x = [(left := field[row + x0]) + fx * (field[row + x1] - left) for row in rows]
        near = along_x[0] + fy * (along_x[1] - along_x[0])
        far = along_x[2] + fy * (along_x[3] - along_x[2])
        return np.asarray(near + fz * (far - near), np.float32)


def _neighbours(
    place: Floats, step: float, size: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Return the sample before and after each place, wrapped around, and how far between them it lies."""
    scaled = np.asarray(place, np.float32) / np.float32(step)
    below = np.floor(scaled)
    index = below.astype(np.int32)
    return index & (size - 1), (index + 1) & (size - 1), scaled - below
