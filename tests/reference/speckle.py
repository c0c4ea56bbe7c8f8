"""Correlation and search of patches in plain float64 NumPy, one pair of patches at a time."""

from __future__ import annotations

import numpy as np


def cut(frame, corner, size):
    """The pixels of one patch, in a row."""
    (row, column), (rows, columns) = corner, size
    return frame[row : row + rows, column : column + columns].astype(np.float64).ravel()


def pearson(a, b):
    """Pearson correlation of two patches; NaN where one is constant or not finite."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    a, b = a - a.mean(), b - b.mean()
    return (a @ b) / np.sqrt((a @ a) * (b @ b))


def correlate_pairs(frames, corners, size, window):
    """(N, window, P) correlations of frame i and i + lag."""
    out = np.full((len(frames), window, len(corners)), np.nan)
    for i in range(len(frames)):
        for j in range(i + 1, min(i + window, len(frames) - 1) + 1):
            for p, corner in enumerate(corners):
                out[i, j - i - 1, p] = pearson(cut(frames[i], corner, size), cut(frames[j], corner, size))
    return out


def search_patch(first, second, corner, size, search):
    """(du, dv) whole pixels, r and whether it lies on the rim, of a patch of `first` in `second`; None if constant."""
    height, width = second.shape
    patch = cut(first, corner, size)
    tried = {}
    for dv in range(-min(search, corner[0]), min(search, height - size[0] - corner[0]) + 1):
        for du in range(-min(search, corner[1]), min(search, width - size[1] - corner[1]) + 1):
            tried[du, dv] = pearson(patch, cut(second, (corner[0] + dv, corner[1] + du), size))
    known = {place: r for place, r in tried.items() if np.isfinite(r)}
    if not known:
        return None
    du, dv = max(known, key=known.__getitem__)
    edge = [[min(t[axis] for t in tried), max(t[axis] for t in tried)] for axis in (0, 1)]
    return (du, dv), known[du, dv], du in edge[0] or dv in edge[1]
