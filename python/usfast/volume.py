"""`Grid`, where the voxels are, and `Volume`, what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

if TYPE_CHECKING:
    import SimpleITK

    from usfast.sweep import Sweep

__all__ = ["Grid", "Volume", "as_spacing", "check_one_grid"]

_IDENTITY = np.eye(3)


def _vector(name: str, value: ArrayLike, *, scalar: bool = False) -> NDArray[np.float64]:
    """Return `value` as three finite float64 numbers (x, y, z), or say what it is instead."""
    vector = np.asarray(value, dtype=np.float64)
    if scalar and vector.ndim == 0:
        vector = np.repeat(vector, 3)
    if vector.shape != (3,):
        raise GeometryError(f"{name} must be three numbers (x, y, z), not an array of shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise GeometryError(f"{name} must be finite, not {vector.tolist()}")
    return vector


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels in the world frame, without the values.

    Parameters
    ----------
    size : (int, int, int)
        Number of voxels along x, y, z. The matching array has shape ``(Z, Y, X)``: see `shape`.
    spacing : float or (float, float, float)
        Distance between voxel centres along x, y, z, mm.
    origin : (float, float, float)
        World position of the centre of voxel (0, 0, 0), mm.
    direction : (3, 3) array
        Orthonormal; its columns are the world directions of the voxel axes x, y, z (ITK's convention).

    Raises
    ------
    GeometryError
        If a number is not finite, a size or spacing not positive, or `direction` not orthonormal.

    Examples
    --------
    >>> grid = Grid(size=(40, 30, 20), spacing=0.5)
    >>> grid.shape
    (20, 30, 40)
    """

    size: tuple[int, int, int]
    spacing: NDArray[np.float64]
    origin: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    direction: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    def __init__(
        self,
        size: Sequence[int],
        spacing: ArrayLike,
        origin: ArrayLike = (0.0, 0.0, 0.0),
        direction: ArrayLike = _IDENTITY,
    ) -> None:
        sizes = np.asarray(size)
        if sizes.shape != (3,) or not np.issubdtype(sizes.dtype, np.integer) or (sizes < 1).any():
            raise GeometryError(f"size must be three positive integers (x, y, z), not {size!r}")
        steps = _vector("spacing", spacing, scalar=True)
        if (steps <= 0).any():
            raise GeometryError(f"spacing must be positive (mm), not {steps.tolist()}")
        axes = np.asarray(direction, dtype=np.float64)
        if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, _IDENTITY, atol=1e-4):
            raise GeometryError(f"direction must be an orthonormal 3x3 matrix, not {axes.tolist()}")
        object.__setattr__(self, "size", tuple(int(n) for n in sizes))
        object.__setattr__(self, "spacing", steps)
        object.__setattr__(self, "origin", _vector("origin", origin))
        object.__setattr__(self, "direction", axes)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Grid)
            and self.size == other.size
            and np.array_equal(self.spacing, other.spacing)
            and np.array_equal(self.origin, other.origin)
            and np.array_equal(self.direction, other.direction)
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape ``(Z, Y, X)`` of an array on this grid."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return self.size[0] * self.size[1] * self.size[2]

    @property
    def voxel_to_world(self) -> NDArray[np.float64]:
        """(4, 4) transform from voxel indices (i, j, k) to world mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction * self.spacing
        matrix[:3, 3] = self.origin
        return matrix

    @property
    def world_to_voxel(self) -> NDArray[np.float64]:
        """(4, 4) transform from world mm to continuous voxel indices (i, j, k)."""
        return np.asarray(np.linalg.inv(self.voxel_to_world), np.float64)

    @classmethod
    def enclosing(cls, sweep: Sweep, spacing: ArrayLike) -> Grid:
        """Return the smallest grid, parallel to the world's axes, that holds every pixel of the valid frames.

        Only pixels inside ``sweep.mask`` count. The first voxel's centre is the lowest corner of the sweep.

        Parameters
        ----------
        sweep : Sweep
        spacing : float or (float, float, float)
            Voxel spacing along x, y, z, mm.

        Raises
        ------
        GeometryError
            If no frame is valid, the mask is empty or the spacing is not positive.
        """
        steps = _vector("spacing", spacing, scalar=True)
        if (steps <= 0).any():
            raise GeometryError(f"spacing must be positive (mm), not {steps.tolist()}")
        low, high = sweep.bounds()
        # A sweep that is an exact multiple of the spacing long must not gain a voxel by rounding error.
        size = np.ceil((high - low) / steps - 1e-9).astype(object) + 1
        return cls(tuple(int(n) for n in size), steps, low)


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxel values on a regular grid.

    Parameters
    ----------
    array : (Z, Y, X) array
        Values, C order; kept as they are (no copy when already C-contiguous).
    spacing, origin, direction
        As in `Grid`: ITK's conventions, (x, y, z), mm.

    Raises
    ------
    GeometryError
        If `array` is not three-dimensional or the geometry is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> volume = Volume(np.zeros((20, 30, 40), np.float32), spacing=0.5)
    >>> volume.grid.size
    (40, 30, 20)
    """

    array: NDArray[Any]
    spacing: NDArray[np.float64]
    origin: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    direction: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    def __init__(
        self,
        array: ArrayLike,
        spacing: ArrayLike,
        origin: ArrayLike = (0.0, 0.0, 0.0),
        direction: ArrayLike = _IDENTITY,
    ) -> None:
        values = np.asarray(array, order="C")
        if values.ndim != 3 or values.size == 0:
            raise GeometryError(f"a volume's array must have three axes (Z, Y, X), not shape {values.shape}")
        if values.dtype.kind not in "buif":
            raise GeometryError(f"a volume's values must be real numbers, not {values.dtype}")
        grid = Grid(values.shape[::-1], spacing, origin, direction)
        object.__setattr__(self, "array", values)
        object.__setattr__(self, "spacing", grid.spacing)
        object.__setattr__(self, "origin", grid.origin)
        object.__setattr__(self, "direction", grid.direction)

    @classmethod
    def on(cls, grid: Grid, array: ArrayLike) -> Volume:
        """Return `array` placed on `grid`; its shape must be ``grid.shape``."""
        values = np.asarray(array, order="C")
        if values.shape != grid.shape:
            raise GeometryError(f"the array has shape {values.shape}, but the grid {grid.shape} (Z, Y, X)")
        return cls(values, grid.spacing, grid.origin, grid.direction)

    @property
    def grid(self) -> Grid:
        """The grid that the values lie on."""
        return Grid(self.array.shape[::-1], self.spacing, self.origin, self.direction)

    def to_sitk(self) -> SimpleITK.Image:
        """Return the same values and geometry as a SimpleITK image (values are copied)."""
        import SimpleITK as sitk

        array = self.array.astype(np.uint8) if self.array.dtype == bool else self.array
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing.tolist())
        image.SetOrigin(self.origin.tolist())
        image.SetDirection(self.direction.ravel().tolist())
        return image

    @classmethod
    def from_sitk(cls, image: SimpleITK.Image) -> Volume:
        """Return a 3D scalar SimpleITK image as a volume (values are copied)."""
        import SimpleITK as sitk

        if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
            raise GeometryError(
                f"a volume has 3 dimensions and 1 component per voxel, "
                f"not {image.GetDimension()} and {image.GetNumberOfComponentsPerPixel()}"
            )
        return cls(
            sitk.GetArrayFromImage(image),
            image.GetSpacing(),
            image.GetOrigin(),
            np.reshape(image.GetDirection(), (3, 3)),
        )


def as_spacing(spacing: ArrayLike | None, ndim: int) -> tuple[float, ...]:
    """Return the spacing (mm) of each axis of a bare array; one number counts for all, None is 1.

    Raises
    ------
    ValueError
        If it is not positive or does not fit the number of axes.
    """
    values = np.asarray(1.0 if spacing is None else spacing, np.float64)
    if values.ndim == 0:
        values = np.repeat(values, ndim)
    if values.shape != (ndim,):
        axes = "(z, y, x)" if ndim == 3 else "(y, x)"
        raise ValueError(f"spacing must be one number or {axes}, not {values.tolist()}")
    if not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"spacing must be positive, not {values.tolist()}")
    return tuple(float(value) for value in values)


def check_one_grid(one: Volume, other: Volume, names: tuple[str, str]) -> None:
    """Raise GeometryError, with both values in it, where two volumes called `names` do not lie on one grid."""
    if one.array.shape != other.array.shape:
        raise GeometryError(f"{names[0]} has {one.grid.size} voxels (x, y, z), but {names[1]} {other.grid.size}")
    for name in ("spacing", "origin", "direction"):
        here, there = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        slack = 1e-3 if name == "direction" else 1e-3 * float(min(other.spacing))
        if not np.allclose(here, there, rtol=0, atol=slack):
            raise GeometryError(
                f"{names[0]} and {names[1]} do not lie on one grid: {name} {here.tolist()} against {there.tolist()}"
            )
