"""Compounding in vectorised NumPy, as one would write it without a kernel: what usfast is compared with."""

from __future__ import annotations

import numpy as np


def located(frame, matrix):
    """Continuous voxel indices (x, y, z), flat, of the pixels of one frame."""
    height, width = frame.shape
    u = np.arange(width, dtype=np.float32)
    v = np.arange(height, dtype=np.float32)[:, None]
    return [(row[0] * u + (row[1] * v + row[3])).ravel() for row in matrix[:3].astype(np.float32)]


def inside(index, size):
    """True where all three indices lie in the grid."""
    return np.logical_and.reduce([(i >= 0) & (i < n) for i, n in zip(index, size, strict=True)])


def flat(index, size):
    return (index[2] * size[1] + index[1]) * size[0] + index[0]


def mean_of(total, weight, shape):
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / weight
    mean[weight == 0] = 0
    return mean.astype(np.float32).reshape(shape), weight.astype(np.float32).reshape(shape)


def nearest_bincount(frames, image_to_world, grid):
    """Nearest-voxel mean by two bincounts over the voxels that a frame reaches."""
    total, weight = np.zeros(grid.voxels), np.zeros(grid.voxels)
    for frame, matrix in zip(frames, grid.world_to_voxel @ image_to_world, strict=True):
        index = [np.floor(p + np.float32(0.5)).astype(np.int64) for p in located(frame, matrix)]
        good = inside(index, grid.size)
        add_bincount(total, weight, flat(index, grid.size)[good], frame.ravel()[good], None)
    return mean_of(total, weight, grid.shape)


def corners(frame, matrix, size):
    """Yield flat voxel index, value and weight of each of the eight corners."""
    points = located(frame, matrix)
    lower = [np.floor(p) for p in points]
    far = [p - low for p, low in zip(points, lower, strict=True)]
    lower = [low.astype(np.int64) for low in lower]
    value = frame.ravel()
    for corner in np.ndindex(2, 2, 2):
        index = [low + c for low, c in zip(lower, corner, strict=True)]
        good = inside(index, size)
        weight = np.prod([f if c else 1 - f for f, c in zip(far, corner, strict=True)], axis=0)
        yield flat(index, size)[good], value[good], weight[good]


def add_bincount(total, weight, at, value, share):
    """Add to the part of the volume between the lowest and the highest voxel reached."""
    if at.size:
        low, count = int(at.min()), int(at.max() - at.min()) + 1
        total[low : low + count] += np.bincount(at - low, value if share is None else value * share, count)
        weight[low : low + count] += np.bincount(at - low, share, count)


def add_at(total, weight, at, value, share):
    share = share.astype(np.float64)  # one dtype throughout: add.at is ten times slower otherwise
    np.add.at(total, at, value * share)
    np.add.at(weight, at, share)


def linear(frames, image_to_world, grid, add):
    """Trilinear mean; `add` is `add_bincount` or `add_at`."""
    total, weight = np.zeros(grid.voxels), np.zeros(grid.voxels)
    for frame, matrix in zip(frames, grid.world_to_voxel @ image_to_world, strict=True):
        for at, value, share in corners(frame, matrix, grid.size):
            add(total, weight, at, value, share)
    return mean_of(total, weight, grid.shape)


def linear_bincount(frames, image_to_world, grid):
    return linear(frames, image_to_world, grid, add_bincount)


def linear_add_at(frames, image_to_world, grid):
    return linear(frames, image_to_world, grid, add_at)
