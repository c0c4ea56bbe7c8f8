"""Slices of a volume at any pose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.errors import GeometryError
from usfast.volume import Volume

__all__ = ["ORDERS", "resample"]

ORDERS = ("linear", "cubic")


def resample(
    volume: Volume,
    image_to_world: ArrayLike,
    shape: tuple[int, int],
    *,
    order: str = "linear",
    fill: float = 0.0,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.float32]:
    """Return the values of a volume at the pixels of slices.

    Parameters
    ----------
    volume : Volume
        uint8, int16 and float32 are read as they are; other types become float32 first.
    image_to_world : (N, 4, 4) or (4, 4) array
        Takes pixel (u, v, 0, 1), its centre at integer coordinates, to world mm. The third column is not read.
    shape : (int, int)
        Rows and columns (H, W) of a slice.
    order : {"linear", "cubic"}
        `"linear"`: trilinear between the eight voxels around. `"cubic"`: the cubic B-spline that passes through
        the voxels, the volume being mirrored about its outermost voxel centres.
    fill : float
        Value outside the volume. With `"linear"` every voxel outside holds it, so values fade to it within one
        voxel of the border; with `"cubic"` pixels beyond the outermost voxel centres get it. May be NaN.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    (N, H, W) float32 array

    Raises
    ------
    ValueError, TypeError
        If an argument has the wrong shape, type or name.
    GeometryError
        If a pose is not finite or not affine.
    MemoryError
        Before allocating, if the slices (and, for `"cubic"`, the coefficients) would not fit.

    Notes
    -----
    ``order="linear"`` with ``fill=0`` is the adjoint of ``compound_arrays(..., method="linear")``: both place a
    pixel in the same cell with the same weights, so the sum over pixels of slice times frame equals the sum over
    voxels of volume times the weighted sum of the frames. Places are computed in double precision from the pixel
    number, so they do not drift along a row; values are interpolated in single precision. The bits do not
    depend on the number of threads. Memory: 4 bytes a pixel; for `"cubic"` 4 bytes a voxel more. NaN in the
    volume spreads to the pixels of the cells that touch it, and with `"cubic"` further: along whole lines.
    Spline filter: Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Process. Mag. 16
    (1999); the same as ``scipy.ndimage`` of order 3.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Volume
    >>> volume = Volume(np.arange(27, dtype=np.float32).reshape(3, 3, 3), spacing=2.0)
    >>> pose = np.eye(4)
    >>> pose[2, 3] = 1.0  # half a voxel along z
    >>> resample(volume, pose, (2, 4))[0].tolist()
    [[4.5, 5.0, 5.5, 6.0], [6.0, 6.5, 7.0, 7.5]]
    """
    if not isinstance(volume, Volume):
        raise TypeError(f"volume must be a Volume, not {type(volume).__name__}")
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    value = float(fill)
    if abs(value) != np.inf and abs(value) > float(np.finfo(np.float32).max):
        raise ValueError(f"fill is too large for float32: {fill!r}")
    height, width = _shape(shape)
    matrices = _image_to_voxel(volume, image_to_world)
    _check_memory(volume, (len(matrices), height, width), order)
    return _core.resample(
        _voxels(volume), matrices, height, width, order, value, get_num_threads(num_threads), progress
    )


def _shape(shape: tuple[int, int]) -> tuple[int, int]:
    sizes = np.asarray(shape)
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu" or (sizes < 1).any() or (sizes > 10**9).any():
        raise ValueError(f"shape must be two positive whole numbers (rows, columns), not {shape!r}")
    return int(sizes[0]), int(sizes[1])


def _voxels(volume: Volume) -> NDArray[Any]:
    array = volume.array
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype in (np.uint8, np.int16, np.float32):
        return array
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    if array.dtype.kind == "f" and (np.isinf(single) & np.isfinite(array)).any():
        raise ValueError("the volume holds values too large for float32")
    return single


def _image_to_voxel(volume: Volume, image_to_world: ArrayLike) -> NDArray[np.float64]:
    """(N, 3, 4) rows that take pixels to continuous voxel indices."""
    poses = np.asarray(image_to_world, np.float64)
    if poses.shape == (4, 4):
        poses = poses[None]
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not len(poses):
        raise ValueError(f"image_to_world must have shape (N, 4, 4), not {poses.shape}")
    read = poses[:, :, [0, 1, 3]]
    bad = np.flatnonzero(~np.isfinite(read).all(axis=(1, 2)))
    if bad.size:
        raise GeometryError(f"image_to_world of slice {bad[0]} is not finite ({bad.size} such slices)")
    bad = np.flatnonzero((read[:, 3] != (0, 0, 1)).any(axis=1))
    if bad.size:
        raise GeometryError(
            f"image_to_world of slice {bad[0]} must end in the row 0 0 0 1, not {poses[bad[0], 3].tolist()}"
        )
    columns = np.zeros_like(poses)
    columns[:, :, [0, 1, 3]] = read
    matrices = (volume.grid.world_to_voxel @ columns)[:, :3]
    if not np.abs(matrices).max() <= 1e12:
        raise GeometryError("the slices lie more than 1e12 voxels away from the volume")
    return np.ascontiguousarray(matrices)


def _check_memory(volume: Volume, shape: tuple[int, int, int], order: str) -> None:
    import psutil

    available = int(psutil.virtual_memory().available)
    needed = 4 * (shape[0] * shape[1] * shape[2] + (volume.array.size if order == "cubic" else 0))
    if needed > available:
        raise MemoryError(
            f"{shape[0]} slices of {shape[1]} x {shape[2]} pixels need {needed / 1e9:.3g} GB, but only "
            f"{available / 1e9:.3g} GB are available; resample some poses at a time"
        )
