"""Plain references for the phantoms: volumes and distances by brute force."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


def voxel_volume_ml(phantom, label, spacing, box):
    """Count voxel centres with the label in a box (2, 3), ml.

    Each slice's grid is shifted at random, lest a face along the grid gain or lose a whole layer of voxels.
    """
    rng = np.random.default_rng(0)
    count = 0
    for z in np.arange(box[0][2] + spacing / 2, box[1][2], spacing):
        rows = [np.arange(box[0][k] - spacing * rng.random(), box[1][k] + spacing, spacing) for k in (0, 1)]
        x, y = np.meshgrid(*rows, indexing="ij")
        count += int(np.count_nonzero(phantom.labels(np.stack([x, y, np.full_like(x, z)], -1)) == label))
    return count * spacing**3 / 1000.0


def nearest(samples, points):
    """Distance of points to the nearest of dense samples."""
    return cKDTree(samples).query(points)[0]
