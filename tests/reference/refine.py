"""Matching of frames with a volume in plain float64 NumPy."""

from __future__ import annotations

from itertools import product

import numpy as np


def trilinear(array, places):
    """Values and derivatives (by voxel, x y z) at places (M, 3); NaN where one of the eight voxels is missing."""
    size = np.array(array.shape[::-1])
    lower = np.floor(places)
    inside = ((lower >= 0) & (lower < size - 1)).all(axis=1)
    cell = np.where(inside[:, None], lower, 0).astype(int)
    fraction = places - lower
    value, slope = np.zeros(len(places)), np.zeros((len(places), 3))
    for corner in product((0, 1), repeat=3):
        x, y, z = (cell + np.minimum(corner, size - 1 - cell)).T
        voxel = array[z, y, x].astype(np.float64)
        weights = np.where(corner, fraction, 1 - fraction)
        value += voxel * weights.prod(axis=1)
        for a in range(3):
            rest = np.delete(weights, a, axis=1).prod(axis=1)
            slope[:, a] += voxel * rest * (1 if corner[a] else -1)
    value[~inside] = np.nan
    return value, slope


def match(volume, spacing, frame, matrix, pivot):
    """(ncc, used, gradient, hessian) of one frame, from the definitions."""
    v, u = np.mgrid[: frame.shape[0], : frame.shape[1]].astype(np.float64)
    places = np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1) @ matrix[:, [0, 1, 3]].T
    value, slope = trilinear(volume, places)
    pixel = frame.astype(np.float64).ravel()
    good = np.isfinite(value) & np.isfinite(pixel)
    used = int(good.sum())
    nothing = np.nan, used, np.zeros(6), np.zeros((6, 6))
    if used < 2:
        return nothing
    a, b = pixel[good] - pixel[good].mean(), value[good] - value[good].mean()
    if np.ptp(pixel[good]) == 0 or np.ptp(value[good]) == 0:
        return nothing
    gradient_mm = slope[good] / spacing
    arm = (places[good] - pivot) * spacing
    derivative = np.concatenate([gradient_mm, np.cross(arm, gradient_mm)], axis=1)
    length = np.linalg.norm(b)
    a_unit, b_unit = a / np.linalg.norm(a), b / length
    centred = derivative - derivative.mean(axis=0)
    jacobian = (centred - np.outer(b_unit, b_unit @ centred)) / length
    return float(a_unit @ b_unit), used, jacobian.T @ (a_unit - b_unit), jacobian.T @ jacobian
