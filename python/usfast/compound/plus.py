"""``compat="plus"``: the volume that PLUS/IGSIO would make from a configuration, bit for bit.

It exists to compare with volumes made there. Known to differ from the right answer on purpose: positions are rounded
to 2**-14 voxel, the running mean of integers truncates (several grey levels too dark where many pixels meet), fans
lose a pixel on every side, and an importance mask of 0 ends a row. IGSIO is deterministic on one thread only; this is
that result, on any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.compound.memory import check_memory
from usfast.compound.plus_fan import fan_radii, fan_tangents
from usfast.errors import FormatError, GeometryError
from usfast.sweep import Sweep
from usfast.volume import Grid, Volume

if TYPE_CHECKING:
    from usfast.compound.sweeps import CompoundResult
    from usfast.io import HoleFillingElement, Reconstruction

__all__ = ["compound_plus"]


def compound_plus(
    sweep: Sweep,
    settings: Reconstruction,
    *,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> CompoundResult:
    """Reconstruct as PLUS/IGSIO does; see `usfast.compound.compound`.

    The returned weight is IGSIO's accumulation buffer divided by 256.
    """
    from usfast.compound.sweeps import CompoundResult

    if settings.optimization == "OPENCL":
        raise ValueError("Optimization OPENCL has no defined result; use FULL, PARTIAL or NONE")
    if not sweep.valid.any():
        raise GeometryError(f"none of the {len(sweep)} frames has a valid pose")
    clip = _clip(sweep, settings)
    grid = _output_grid(sweep, settings, clip)
    elements = [_element(e) for e in settings.hole_filling]
    if max(grid.size) >= 1 << 17:
        raise GeometryError(f"a grid of {grid.size} voxels is beyond IGSIO's fixed-point range of 131072 an axis")
    check_memory(grid, bytes_per_voxel=9 + 2 * sweep.frames.itemsize)
    inserted = np.zeros(len(sweep), bool)
    inserted[:: settings.skip_interval] = True
    used = np.flatnonzero(sweep.valid & inserted)
    used, tangents = fan_tangents(sweep, settings, used)
    threads = get_num_threads(num_threads)
    importance = _importance(sweep, settings)
    volume, accumulation = _core.plus_paste(
        sweep.frames,
        used,
        _image_to_voxel(sweep.image_to_world[used], grid),
        grid.size,
        settings.interpolation,
        settings.optimization,
        settings.compounding,
        clip,
        tangents,
        settings.fan_origin_px or (0.0, 0.0),
        fan_radii(settings),
        settings.pixel_rejection_threshold,
        importance,
        threads,
        progress,
    )
    filled = None
    if settings.fill_holes:
        volume, filled = _core.plus_fill(volume, accumulation, elements, threads, progress)
    return CompoundResult(Volume.on(grid, volume), (accumulation / 256).astype(np.float32), filled)


def _element(element: HoleFillingElement) -> tuple[str, int, float, float, int, int]:
    """The element as the kernel takes it, within what IGSIO can do in reasonable time."""
    size, limit, sticks = element.size or 0, element.stick_length_limit or 0, element.number_of_sticks_to_use or 0
    if element.type == "STICK" and (limit < 2 or sticks < 1):
        raise ValueError(
            f"hole filling by sticks needs StickLengthLimit >= 2 and NumberOfSticksToUse >= 1, not {element}"
        )
    if element.type != "STICK" and not 1 <= size <= 255:
        raise ValueError(f"hole filling needs a Size from 1 to 255, not {element}")
    return element.type, size, element.stdev or 0.0, element.minimum_known_voxels_ratio, limit, sticks


def _clip(sweep: Sweep, settings: Reconstruction) -> tuple[int, int, int, int]:
    """First column and row, last column and row, all inclusive: one more than the rectangle's size says."""
    height, width = sweep.image_size
    origin, size = settings.clip_origin or (0, 0), settings.clip_size or (0, 0)
    if min(size) <= 0:
        return 0, 0, width - 1, height - 1
    first = max(math.ceil(origin[0]), 0), max(math.ceil(origin[1]), 0)
    last = min(math.floor(origin[0] + size[0]), width - 1), min(math.floor(origin[1] + size[1]), height - 1)
    if first[0] > last[0] or first[1] > last[1]:
        raise GeometryError(f"the clip rectangle {origin} + {size} lies outside the {width} x {height} image")
    return first[0], first[1], last[0], last[1]


def _output_grid(sweep: Sweep, settings: Reconstruction, clip: tuple[int, int, int, int]) -> Grid:
    """Grid around the corners of the clipped frames, dimensions rounded rather than rounded up."""
    if settings.output_spacing is None:
        raise ValueError('compat="plus" needs OutputSpacing in the config')
    spacing = np.asarray(settings.output_spacing, np.float64)
    poses = sweep.image_to_world[sweep.valid][:, :3]
    # Written out, because a matrix product may fuse or reorder the additions.
    points = np.concatenate(
        [(poses[:, :, 0] * u + poses[:, :, 1] * v) + poses[:, :, 3] for u in clip[::2] for v in clip[1::2]]
    )
    low, high = points.min(axis=0), points.max(axis=0)
    if settings.recompute_output_spacing and high[2] > low[2]:
        spacing[2] = (high[2] - low[2]) / max(math.floor((high[2] - low[2]) / spacing[2]), 1)
    size = np.floor((high - low) / spacing + 0.5).astype(object) + 1
    return Grid(tuple(int(n) for n in size), spacing, low)


def _image_to_voxel(poses: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Image to voxel with VTK's inverse of the grid's matrix (cofactors over the determinant), to the last bit."""
    (sx, sy, sz), (ox, oy, oz) = grid.spacing, grid.origin
    determinant = sx * (sy * sz)
    scale = np.array([sy * sz, sx * sz, sx * sy]) / determinant
    shift = -np.array([ox * (sy * sz), sx * (sz * oy), sx * (sy * oz)]) / determinant
    matrices = poses.copy()
    matrices[:, :3] *= scale[:, None]
    matrices[:, :3, 3] += shift
    if (np.abs(matrices) > 1e9).any():
        raise GeometryError("the poses lead more than 1e9 voxels away from the grid, beyond IGSIO's fixed-point range")
    return matrices


def _importance(sweep: Sweep, settings: Reconstruction) -> NDArray[np.uint8] | None:
    """The importance mask that the config names, an 8-bit grey image of the frames' size."""
    if settings.compounding != "IMPORTANCE_MASK":
        return None
    if settings.importance_mask is None:
        raise ValueError("CompoundingMode IMPORTANCE_MASK needs ImportanceMaskFilename in the config")
    import imageio.v3 as iio

    try:
        mask = iio.imread(settings.importance_mask)
    except FileNotFoundError:
        raise
    except Exception as error:  # imageio's plugins raise whatever their decoders do
        raise FormatError(f"{settings.importance_mask}: cannot be read as an image ({error})") from error
    if mask.shape != sweep.image_size or mask.dtype != np.uint8:
        raise FormatError(
            f"{settings.importance_mask}: the importance mask must be 8-bit grey, {sweep.image_size} rows and "
            f"columns, not {mask.dtype} of shape {mask.shape}"
        )
    return np.ascontiguousarray(mask)
