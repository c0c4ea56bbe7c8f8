"""Interpolation along the probe's trajectory, in float64 NumPy and SciPy: bisection for the time of each voxel."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from reference.projections import bilinear, image_to_mm, pixel_weights, project, voxel_places


def axes_of(matrix):
    """Right-handed axes of a frame as columns: along u, at right angles to it in the plane, normal."""
    along = matrix[:3, 0] / np.linalg.norm(matrix[:3, 0])
    return np.column_stack([along, np.cross(matrix[:3, 2], along), matrix[:3, 2]])


def passage(places, a, b, image_size):
    """Time (V,) at which the plane passes through places, and the pixel (u, v) there."""
    height, width = image_size
    middle = np.array([(width - 1) / 2, (height - 1) / 2, 0, 1])
    start, end = (a @ middle)[:3], (b @ middle)[:3]
    turning = Slerp([0, 1], Rotation.from_matrix([axes_of(a), axes_of(b)]))

    def local(t):  # places in the axes of the frame at time t
        offset = places - (start + t[:, None] * (end - start))
        return turning(t).inv().apply(offset)

    low, high = np.zeros(len(places)), np.ones(len(places))
    sign = np.sign(local(low)[:, 2])
    for _ in range(50):
        middle_time = (low + high) / 2
        first_half = np.sign(local(middle_time)[:, 2]) == sign
        low, high = np.where(first_half, middle_time, low), np.where(first_half, high, middle_time)
    t = (low + high) / 2
    in_plane = axes_of(a).T @ a[:3, :2]  # steps along u and v in the frame's own axes
    u, v = np.linalg.solve(in_plane[:2], local(t)[:, :2].T)
    return t, u + middle[0], v + middle[1]


def trajectory(frames, index, image_to_voxel, size, *, spacing, mask, importance, max_gap):
    """Volume and weight, (Z, Y, X)."""
    places, matrices = voxel_places(size, spacing), image_to_mm(image_to_voxel, spacing)
    weights = pixel_weights(frames, mask, importance)
    volume, weight, narrowest = np.zeros(len(places)), np.zeros(len(places)), np.full(len(places), np.inf)
    for i in range(len(matrices) - 1):
        a, b = matrices[i], matrices[i + 1]
        behind, before = project(places, a)[2], project(places, b)[2]
        gap = np.abs(behind) + np.abs(before)
        here = np.flatnonzero((behind * before <= 0) & (gap <= max_gap) & (gap < narrowest))
        if not here.size:
            continue
        t, u, v = passage(places[here], a, b, frames.shape[1:])
        first = bilinear(u, v, frames[index[i]], weights[index[i]])
        second = bilinear(u, v, frames[index[i + 1]], weights[index[i + 1]])
        total = (1 - t) * first[1] + t * second[1]
        good = total > 0
        here = here[good]
        sum_ = (1 - t) * first[0] * first[1] + t * second[0] * second[1]
        volume[here], weight[here], narrowest[here] = sum_[good] / total[good], total[good], gap[here]
    return volume.reshape(size[::-1]), weight.reshape(size[::-1])
