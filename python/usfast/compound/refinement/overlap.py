"""What the other sweeps show at the place of a sweep, and how well its frames match that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfast import _core
from usfast.compound.arrays import compound_arrays
from usfast.compound.refinement.contrast import local_contrast
from usfast.compound.refinement.pyramid import CONTRAST_WINDOW, CoarseFrames
from usfast.volume import Grid, Volume

__all__ = ["Matches", "Splat", "match", "others", "splat", "splat_volume"]

_BLUR = 0.8  # standard deviation of the blur that closes the gaps between frames, voxels
_KNOWN = 0.05  # blurred weight from which a voxel counts as known; a plane of pixels has about 0.5


@dataclass(frozen=True, eq=False)
class Splat:
    """A blurred weighted sum of pixels and the sum of their weights, (Z, Y, X) float32 each."""

    total: NDArray[np.float32]
    weight: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Matches:
    """NCC of M frames with a volume, the pixels it was taken over, and its derivatives by shift (mm) and turn (rad)."""

    ncc: NDArray[np.float64]
    used: NDArray[np.int64]
    gradient: NDArray[np.float64]
    hessian: NDArray[np.float64]


def splat(frames: CoarseFrames, image_to_world: NDArray[np.float64], grid: Grid, threads: int) -> Splat:
    """Compound frames, trilinearly; each counts by its area, so that sweeps of other pixel sizes count alike."""
    mean, weight = compound_arrays(frames.pixels, image_to_world @ frames.to_image, grid, num_threads=threads)
    weight *= np.float32(frames.area / float(grid.spacing[0]) ** 2)
    return _blurred(mean * weight, weight)


def splat_volume(volume: Volume, known: NDArray[np.bool_], grid: Grid, threads: int) -> Splat:
    """Put the known voxels of a volume on another grid."""
    from scipy.ndimage import gaussian_filter

    from usfast.simulate.resample import resample

    values = np.where(known, volume.array, 0).astype(np.float32)
    weight = known.astype(np.float32)
    coarser = 0.5 * np.maximum(grid.spacing / volume.spacing - 1, 0)[::-1]  # against aliasing
    planes = np.tile(grid.voxel_to_world, (grid.size[2], 1, 1))
    planes[:, :3, 3] += np.arange(grid.size[2])[:, None] * planes[0, :3, 2]
    on_grid = [
        resample(
            Volume(gaussian_filter(array, coarser, mode="constant"), volume.spacing, volume.origin, volume.direction),
            planes,
            grid.shape[1:],
            num_threads=threads,
        )
        for array in (values, weight)
    ]
    seen = on_grid[1] > 0.5
    value = np.divide(on_grid[0], on_grid[1], out=np.zeros(grid.shape, np.float32), where=seen)
    contrast = local_contrast(value, seen, (CONTRAST_WINDOW,) * 3)
    return _blurred(np.where(seen, contrast, np.float32(0)), seen.astype(np.float32))


def _blurred(total: NDArray[np.float32], weight: NDArray[np.float32]) -> Splat:
    from scipy.ndimage import gaussian_filter

    def blur(array: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(gaussian_filter(array, _BLUR, mode="constant", truncate=3.0))

    return Splat(blur(total), blur(weight))


def others(splats: list[Splat], own: int) -> NDArray[np.float32]:
    """Mean of all splats but one, NaN where they know nothing: a frame must not match itself."""
    total = np.zeros_like(splats[own].total)
    weight = np.zeros_like(total)
    for number, part in enumerate(splats):
        if number != own:
            total += part.total
            weight += part.weight
    result = np.full_like(total, np.nan)
    return np.divide(total, weight, out=result, where=weight > _KNOWN)


def match(
    volume: NDArray[np.float32],
    grid: Grid,
    frames: CoarseFrames,
    image_to_world: NDArray[np.float64],
    pivots: NDArray[np.float64],
    threads: int,
) -> Matches:
    """Match frames with a volume that lies parallel to the world's axes; pivots (M, 3) in mm."""
    to_voxel = grid.world_to_voxel
    matrices = np.ascontiguousarray((to_voxel @ image_to_world @ frames.to_image)[:, :3])
    x, y, z = (float(step) for step in grid.spacing)
    turned_about = np.ascontiguousarray(pivots @ to_voxel[:3, :3].T + to_voxel[:3, 3])
    return Matches(*_core.match_frames(volume, (x, y, z), frames.pixels, matrices, turned_about, threads, None))
