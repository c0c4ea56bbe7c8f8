"""Coarser copies of a volume for registration: block means over the voxels that hold data, and their masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfast.volume import Grid, Volume

__all__ = ["Level", "reduced"]

_SMOOTH = 1.0  # voxels of the level; speckle is noise to a registration at another frequency


@dataclass(frozen=True, eq=False)
class Level:
    """A volume at one level of the pyramid.

    Attributes
    ----------
    values : (Z, Y, X) float32 array
        Smoothed means; beyond the data continued smoothly, so that interpolation at their edge sees no step.
    mask : (Z, Y, X) bool array
        Voxels at least half of which hold data.
    grid : Grid
    """

    values: NDArray[np.float32]
    mask: NDArray[np.bool_]
    grid: Grid


def reduced(volume: Volume, mask: NDArray[np.bool_], spacing_mm: float) -> Level:
    """Return `volume` on voxels of about `spacing_mm`, a whole number of its own along each axis.

    Parameters
    ----------
    volume : Volume
    mask : (Z, Y, X) bool array
        Voxels that hold data.
    spacing_mm : float
        Axes that are coarser already keep their spacing.

    Returns
    -------
    Level

    Examples
    --------
    >>> level = reduced(Volume(np.ones((4, 4, 4)), spacing=1.0), np.ones((4, 4, 4), bool), 2.0)
    >>> level.values.shape, level.grid.origin.tolist()
    ((2, 2, 2), [0.5, 0.5, 0.5])
    """
    from scipy.ndimage import gaussian_filter

    steps = np.maximum(1, np.rint(spacing_mm / volume.spacing)).astype(int)
    steps = np.minimum(steps, volume.array.shape[::-1])
    blocks = (int(steps[2]), int(steps[1]), int(steps[0]))
    total = _block_sums(np.where(mask, volume.array, 0), blocks)
    count = _block_sums(mask, blocks)
    total = gaussian_filter(total, _SMOOTH, mode="constant")
    weight = gaussian_filter(count, _SMOOTH, mode="constant")
    near = weight > 1e-3 * np.prod(blocks)
    values = np.full(total.shape, total.sum() / max(float(weight.sum()), 1e-30), np.float32)
    np.divide(total, weight, out=values, where=near)
    size = tuple(int(n) for n in values.shape[::-1])
    grid = Grid(
        size,
        volume.spacing * steps,
        volume.origin + volume.direction @ (volume.spacing * (steps - 1) / 2),
        volume.direction,
    )
    # The last block of an axis may be cut short; its centre is then a little off the data's, within half a block.
    z, y, x = (np.minimum(step, n - np.arange(0, n, step)) for n, step in zip(mask.shape, blocks, strict=True))
    return Level(values, count >= 0.5 * (z[:, None, None] * y[:, None] * x), grid)


def _block_sums(array: NDArray[np.generic], blocks: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the sums over blocks of voxels; the last along an axis may be smaller."""
    out = array
    for axis, step in enumerate(blocks):
        starts = np.arange(0, array.shape[axis], step)
        out = np.add.reduceat(out, starts, axis=axis, dtype=np.float32)
    return np.asarray(out, np.float32)
