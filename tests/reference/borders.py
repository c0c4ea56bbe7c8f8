"""Borders, their kinds and what was found of them, in plain float64 NumPy: voxel by voxel, pair by pair."""

from __future__ import annotations

from itertools import product

import numpy as np


def label_border(labels):
    """Voxels of a structure with a neighbour through a face in another one, or beyond the image."""
    border = np.zeros(labels.shape, bool)
    for place in np.ndindex(labels.shape):
        for axis, step in product(range(labels.ndim), (-1, 1)):
            other = list(place)
            other[axis] += step
            outside = not 0 <= other[axis] < labels.shape[axis]
            if labels[place] and (outside or labels[tuple(other)] != labels[place]):
                border[place] = True
    return border


def band(labels, spacing, thickness):
    """Voxels of a structure within `thickness` of a voxel outside it; beyond the image all is outside."""
    wide = np.pad(labels, 1)
    places = np.argwhere(np.ones(wide.shape, bool))
    result = np.zeros(labels.shape, bool)
    for place in np.ndindex(labels.shape):
        if labels[place]:
            others = places[wide.ravel() != labels[place]]
            away = np.linalg.norm((others - 1 - place) * spacing, axis=1).min()
            result[place] = away <= thickness * (1 + 1e-9)
    return result


def gaussian_kernel(sigma):
    """Weights of a sampled Gaussian, cut off at four standard deviations."""
    radius = int(4 * sigma + 0.5)
    x = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (x / sigma) ** 2) if sigma > 0 else np.ones(1)
    return kernel / kernel.sum()


def correlate(values, kernel, axis):
    """Correlation along an axis; the nearest value continues the image."""
    radius = len(kernel) // 2
    padded = np.pad(values, [(radius, radius) if k == axis else (0, 0) for k in range(values.ndim)], mode="edge")
    size = values.shape[axis]
    return sum(w * np.take(padded, range(k, k + size), axis) for k, w in enumerate(kernel))


def gradient(image, spacing, sigma):
    """Magnitude of the Sobel gradient of the smoothed image, per mm."""
    smooth = np.asarray(image, np.float64)
    for axis, step in enumerate(spacing):
        smooth = correlate(smooth, gaussian_kernel(sigma / step), axis)
    squared = np.zeros(smooth.shape)
    for axis, step in enumerate(spacing):
        slope = smooth
        for k in range(smooth.ndim):
            slope = correlate(slope, np.array([-0.5, 0, 0.5]) if k == axis else np.array([0.25, 0.5, 0.25]), k)
        squared += (slope / step) ** 2
    return np.sqrt(squared)


def distances(points, others, spacing):
    """All distances between two lists of voxels, mm."""
    return np.linalg.norm((points[:, None] - others[None]) * spacing, axis=2)


def found(pred, ref, kind, spacing, tolerance):
    """How many border voxels of `ref` marked in `kind` have a border voxel of `pred` within reach, and of how many."""
    wanted = np.argwhere(label_border(ref) & kind)
    there = np.argwhere(label_border(pred))
    if not len(wanted) or not len(there):
        return 0, len(wanted)
    away = distances(wanted, there, spacing).min(axis=1)
    return int((away <= tolerance * (1 + 1e-9)).sum()), len(wanted)


def distances_by_kind(pred, ref, kind, other, spacing):
    """Distances of both directions between border voxels of one kind and the whole other border.

    A border voxel of `pred` is of the kind of the nearest border voxel of `ref`; those at the same distance from both
    kinds come as a second list, since either kind may have them.
    """
    ours, theirs = np.argwhere(label_border(pred)), np.argwhere(label_border(ref))
    away = distances(ours, theirs, spacing)
    near = [away[:, mark[tuple(theirs.T)]].min(axis=1, initial=np.inf) for mark in (kind, other)]
    tied = np.isclose(*near, rtol=1e-12)
    back = away.min(axis=0)[kind[tuple(theirs.T)]]
    return away.min(axis=1)[(near[0] < near[1]) & ~tied], away.min(axis=1)[tied], back
