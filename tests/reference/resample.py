"""Resampling in plain float64 NumPy."""

from __future__ import annotations

from itertools import product

import numpy as np


def places(volume, image_to_world, shape):
    """(N, H, W, 3) continuous voxel indices (x, y, z) of the pixels of slices."""
    matrices = (volume.grid.world_to_voxel @ np.asarray(image_to_world, np.float64))[:, :3]
    v, u = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1)
    return np.einsum("nij,hwj->nhwi", matrices[:, :, [0, 1, 3]], pixels)


def linear(volume, image_to_world, shape, fill=0.0):
    """Trilinear slices; every voxel outside holds `fill`."""
    array = volume.array.astype(np.float64)
    size = np.array(array.shape[::-1])
    at = places(volume, image_to_world, shape)
    lower = np.floor(at)
    fraction = at - lower
    result = np.zeros(at.shape[:-1])
    for corner in product((0, 1), repeat=3):
        voxel = lower + corner
        inside = ((voxel >= 0) & (voxel < size)).all(axis=-1)
        x, y, z = np.moveaxis(np.where(inside[..., None], voxel, 0).astype(int), -1, 0)
        weight = np.where(corner, fraction, 1 - fraction).prod(axis=-1)
        result += np.where(weight > 0, weight * np.where(inside, array[z, y, x], fill), 0)
    return result
