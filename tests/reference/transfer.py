"""Labels through a rigid motion and pixels inside polygons, voxel by voxel and point by point."""

from __future__ import annotations

import itertools

import numpy as np


def transferred(labels, transform, to, method):
    """`labels` (Volume) on the grid `to`: at each voxel the nearest label, or the one with the largest membership."""
    back = labels.grid.world_to_voxel @ np.linalg.inv(transform) @ to.voxel_to_world
    out = np.zeros(to.shape, labels.array.dtype)
    for k, j, i in np.ndindex(to.shape):
        place = (back @ [i, j, k, 1])[:3]
        if method == "nearest":
            out[k, j, i] = _at(labels.array, np.floor(place + 0.5))
            continue
        weights = {}
        base = np.floor(place)
        for corner in itertools.product((0, 1), repeat=3):
            weight = np.prod(np.where(corner, place - base, 1 - (place - base)))
            label = _at(labels.array, base + corner)
            weights[label] = weights.get(label, 0.0) + weight
        most = max(weights.values())
        out[k, j, i] = min(label for label, weight in weights.items() if weight >= most - 1e-9)
    return out


def _at(array, index):
    i, j, k = (int(n) for n in index)
    inside = 0 <= k < array.shape[0] and 0 <= j < array.shape[1] and 0 <= i < array.shape[2]
    return int(array[k, j, i]) if inside else 0


def inside_polygons(polygons, shape):
    """Which pixel centres a ray to the left leaves through an odd number of edges."""
    out = np.zeros(shape, bool)
    for v, u in np.ndindex(shape):
        crossings = 0
        for points in polygons:
            for (u0, v0), (u1, v1) in zip(points, np.roll(points, -1, axis=0), strict=True):
                if min(v0, v1) <= v < max(v0, v1):
                    crossings += u0 + (v - v0) * (u1 - u0) / (v1 - v0) <= u
        out[v, u] = crossings % 2 == 1
    return out
