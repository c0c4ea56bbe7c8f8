"""Methods that project voxels onto the nearest frames, in plain float64 NumPy: all voxels against all frames."""

from __future__ import annotations

import numpy as np


def voxel_places(size, spacing):
    """(V, 3) places of the voxels in mm, x fastest."""
    z, y, x = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in size[::-1]), indexing="ij")
    return np.stack([x, y, z], axis=-1).reshape(-1, 3) * np.asarray(spacing)


def image_to_mm(image_to_voxel, spacing):
    """(M, 4, 4): takes (u, v, distance in mm, 1) to mm."""
    matrices = np.tile(np.eye(4), (len(image_to_voxel), 1, 1))
    matrices[:, :3] = image_to_voxel * np.asarray(spacing)[:, None]
    normal = np.cross(matrices[:, :3, 0], matrices[:, :3, 1])
    matrices[:, :3, 2] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return matrices


def project(places, matrix):
    """u, v and distance in mm, each (V,), of places seen from a frame."""
    homogeneous = np.column_stack([places, np.ones(len(places))])
    u, v, distance, _ = np.linalg.inv(matrix) @ homogeneous.T
    return u, v, distance


def pixel_weights(frames, mask, importance):
    """(N, H, W) weight of each pixel, 0 where it does not count."""
    weights = np.broadcast_to(1.0 if importance is None else importance, frames.shape).astype(np.float64)
    weights = np.where(np.isfinite(frames), weights, 0)
    return weights if mask is None else weights * (mask > 0)


def nearest_weight(u, v, weights):
    """(V,) weight of the pixel nearest to (u, v); 0 outside the image."""
    x, y = np.floor(u + 0.5), np.floor(v + 0.5)
    inside = (x >= 0) & (y >= 0) & (x < weights.shape[1]) & (y < weights.shape[0])
    found = np.zeros(len(u))
    found[inside] = weights[y[inside].astype(int), x[inside].astype(int)]
    return found


def bilinear(u, v, frame, weights):
    """(V,) value and weight between the pixels that count; weight 0 where the nearest does not."""
    value, total, share = np.zeros(len(u)), np.zeros(len(u)), np.zeros(len(u))
    clean = np.where(weights > 0, frame, 0).astype(np.float64)
    for j in (0, 1):
        for i in (0, 1):
            x, y = np.floor(u) + i, np.floor(v) + j
            part = np.maximum(1 - np.abs(u - x), 0) * np.maximum(1 - np.abs(v - y), 0)
            inside = (x >= 0) & (y >= 0) & (x < frame.shape[1]) & (y < frame.shape[0])
            x, y = np.where(inside, x, 0).astype(int), np.where(inside, y, 0).astype(int)
            counts = inside & (weights[y, x] > 0)
            value += np.where(counts, part * weights[y, x] * clean[y, x], 0)
            total += np.where(counts, part * weights[y, x], 0)
            share += np.where(counts, part, 0)
    good = (nearest_weight(u, v, weights) > 0) & (total > 0)
    return np.where(good, value / np.where(good, total, 1), 0), np.where(good, total / np.where(good, share, 1), 0)


def nearest_frame(places, frames, index, matrices, weights, reach, side=0):
    """(V,) index into `matrices` of the nearest frame whose pixel counts, -1 for none, and its distance in mm.

    `side`: 1 for voxels at or ahead of the frame, -1 for those behind, 0 for both.
    """
    best, chosen = np.full(len(places), np.inf), np.full(len(places), -1)
    for i, matrix in enumerate(matrices):
        u, v, signed = project(places, matrix)
        good = (nearest_weight(u, v, weights[index[i]]) > 0) & (np.abs(signed) <= reach)
        if side:
            good &= (signed >= 0) == (side > 0)
        nearer = good & (np.abs(signed) < best)
        best[nearer], chosen[nearer] = np.abs(signed)[nearer], i
    return chosen, best


def sampled(places, chosen, frames, index, matrices, weights):
    """(V,) bilinear value and weight of each voxel's chosen frame; weight 0 for none."""
    value, weight = np.zeros(len(places)), np.zeros(len(places))
    for i, matrix in enumerate(matrices):
        here = chosen == i
        u, v, _ = project(places[here], matrix)
        value[here], weight[here] = bilinear(u, v, frames[index[i]], weights[index[i]])
    return value, weight


def voxel_nearest(frames, index, image_to_voxel, size, *, spacing, mask, importance, max_distance):
    """Volume and weight, (Z, Y, X)."""
    places, matrices = voxel_places(size, spacing), image_to_mm(image_to_voxel, spacing)
    weights = pixel_weights(frames, mask, importance)
    chosen, _ = nearest_frame(places, frames, index, matrices, weights, max_distance)
    volume, weight = np.zeros(len(places)), np.zeros(len(places))
    for i, matrix in enumerate(matrices):
        here = chosen == i
        u, v, _ = project(places[here], matrix)
        x, y = np.floor(u + 0.5).astype(int), np.floor(v + 0.5).astype(int)
        volume[here], weight[here] = frames[index[i]][y, x], weights[index[i]][y, x]
    return volume.reshape(size[::-1]), weight.reshape(size[::-1])


def inverse_distance(frames, index, image_to_voxel, size, *, spacing, mask, importance, max_distance):
    """Volume and weight, (Z, Y, X)."""
    places, matrices = voxel_places(size, spacing), image_to_mm(image_to_voxel, spacing)
    weights = pixel_weights(frames, mask, importance)
    sum_, total, inverse = np.zeros((3, len(places)))
    for side in (1, -1):
        chosen, distance = nearest_frame(places, frames, index, matrices, weights, max_distance, side)
        value, weight = sampled(places, chosen, frames, index, matrices, weights)
        closeness = np.where(chosen >= 0, 1 / np.maximum(distance, 1e-12), 0)
        sum_ += closeness * weight * value
        total += closeness * weight
        inverse += closeness
    good = total > 0
    volume = np.where(good, sum_ / np.where(good, total, 1), 0)
    return volume.reshape(size[::-1]), (total / np.where(good, inverse, 1)).reshape(size[::-1])
