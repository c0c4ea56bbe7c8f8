"""Methods that take all pixels in a sphere around a voxel, in plain float64 NumPy: all voxels against all pixels."""

from __future__ import annotations

import numpy as np

from reference.projections import pixel_weights, voxel_places


def counted_pixels(frames, index, image_to_voxel, spacing, mask, importance):
    """(P, 3) places in mm, (P,) values and (P,) weights of the pixels that count, by frame, row and column."""
    weights = pixel_weights(frames, mask, importance)[index]
    v, u = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in frames.shape[1:]), indexing="ij")
    image = np.stack([u, v, np.zeros_like(u), np.ones_like(u)])
    places = np.einsum("mak,kvu->mvua", image_to_voxel, image) * np.asarray(spacing)
    counts = weights > 0
    return places[counts], frames[index][counts].astype(np.float64), weights[counts]


def weighted_median(values, weights):
    """The value at which the weights pass half of their sum; midway to the next where they meet it."""
    order = np.lexsort([weights, values])
    values, below = values[order], np.cumsum(weights[order])
    at = int(np.searchsorted(2 * below, below[-1]))
    if 2 * below[at] == below[-1] and at + 1 < len(values):
        return (values[at] + values[at + 1]) / 2
    return values[at]


def in_spheres(combine, frames, index, image_to_voxel, size, spacing, mask, importance, radius):
    """Volume and weight from combine(values, weights, squared distances) of the pixels in each voxel's sphere."""
    places, values, weights = counted_pixels(frames, index, image_to_voxel, spacing, mask, importance)
    found = np.zeros((2, np.prod(size)))
    for voxel, place in enumerate(voxel_places(size, spacing)):
        square = ((places - place) ** 2).sum(axis=1)
        near = square <= radius**2
        if near.any():
            found[:, voxel] = combine(values[near], weights[near], square[near])
    return found[0].reshape(size[::-1]), found[1].reshape(size[::-1])


def mean(values, weights):
    """Weighted mean and sum of the weights."""
    return (values * weights).sum() / weights.sum(), weights.sum()


def squared_distance(*arrays, spacing, mask, importance, radius, alpha):
    """Volume and weight, (Z, Y, X)."""
    return in_spheres(lambda v, w, s: mean(v, w / (s + alpha)), *arrays, spacing, mask, importance, radius)


def adaptive(*arrays, spacing, mask, importance, radius, smallest_alpha, largest_alpha, halfway):
    """Volume and weight, (Z, Y, X)."""

    def combine(values, weights, square):
        centre = mean(values, weights)[0]
        variance = mean((values - centre) ** 2, weights)[0]
        ratio = variance / abs(centre) if centre else (np.inf if variance else 0.0)
        alpha = smallest_alpha + (largest_alpha - smallest_alpha) / (1 + (ratio / halfway) ** 4)
        return mean(values, weights / (square + alpha))

    return in_spheres(combine, *arrays, spacing, mask, importance, radius)


def median(*arrays, spacing, mask, importance, radius, alpha=None):
    """Volume and weight, (Z, Y, X)."""

    def combine(values, weights, square):
        weights = weights if alpha is None else weights / (square + alpha)
        return weighted_median(values, weights), weights.sum()

    return in_spheres(combine, *arrays, spacing, mask, importance, radius)
