"""Surface distances by brute force: every border element against every other."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, generate_binary_structure


def border_points(mask: NDArray[np.bool_], connectivity: int, edge: bool) -> NDArray[np.int64]:
    """Return the indices of voxels with a neighbour outside."""
    structure = generate_binary_structure(mask.ndim, min(connectivity, mask.ndim))
    return np.argwhere(mask & ~binary_erosion(mask, structure, border_value=0 if edge else 1))


def corner_points(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the corners between inside and outside, and the code of the voxels around each."""
    padded = np.pad(mask, 1).astype(np.int64)
    code = np.zeros(np.add(mask.shape, 1), np.int64)
    for offset in product((0, 1), repeat=mask.ndim):
        bit = int("".join(map(str, offset)), 2) + (4 if mask.ndim == 2 else 0)
        code += padded[tuple(slice(o, o + n + 1) for o, n in zip(offset, mask.shape, strict=True))] << bit
    full = 255 if mask.ndim == 3 else 0b11110000
    corners = np.argwhere((code > 0) & (code < full))
    return corners, code[tuple(corners.T)]


def nearest(start: NDArray[np.int64], end: NDArray[np.int64], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the distance (mm) of each start to the nearest end; both are indices."""
    if not len(end):
        return np.full(len(start), np.inf)
    offset = (start[:, None] - end[None]) * np.asarray(spacing)
    return np.sqrt((offset**2).sum(axis=-1)).min(axis=1)
