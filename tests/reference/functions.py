"""Methods that fit a function to the pixels, in plain float64 NumPy: dense systems, each lattice read off by itself."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from reference.projections import pixel_weights, voxel_places


def margins(reach, spacing):
    """(3,) voxels around the grid from which data count."""
    return np.floor(reach / np.asarray(spacing)).astype(int) + 2


def samples(frames, index, image_to_voxel, size, spacing, mask, importance, reach, quantity=float):
    """(S, 3) cells, (S, 3) places with the margin, (S,) values and (S,) weights, z slowest: means of their pixels."""
    weights = pixel_weights(frames, mask, importance)[index]
    margin, last = margins(reach, spacing), np.asarray(size) + 2 * margins(reach, spacing) - 1
    v, u = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in frames.shape[1:]), indexing="ij")
    m = image_to_voxel[:, :, :, None, None]
    place = ((m[:, :, 1] * v + m[:, :, 3]) + margin[:, None, None]) + m[:, :, 0] * u
    place = np.moveaxis(place, 1, -1)
    keep = (weights > 0) & (place >= 0).all(-1) & (place < last).all(-1)
    place, weights, pixels = place[keep], weights[keep], frames[index][keep].astype(np.float64)
    if not len(place):
        return np.empty((0, 3), int), np.empty((0, 3)), np.empty(0), np.empty(0)
    cell = np.floor(place).astype(int)
    cells, group = np.unique(cell[:, ::-1], axis=0, return_inverse=True)
    total = np.bincount(group.ravel(), weights)
    values = np.array([quantity(pixel) for pixel in pixels])
    mean = [np.bincount(group.ravel(), weights * x) / total for x in (*place.T, values)]
    return cells[:, ::-1], np.stack(mean[:3], axis=1), mean[3], total


def coverage(places, weights, size, spacing, reach):
    """(Z, Y, X) weight of the voxels."""
    voxels = voxel_places(size, spacing) + margins(reach, spacing) * np.asarray(spacing)
    square = ((voxels[:, None] - places * np.asarray(spacing)) ** 2).sum(axis=2)
    return (weights * np.maximum(1 - square / reach**2, 0)).sum(axis=1).reshape(size[::-1])


def radial_basis(*arrays, spacing, mask, importance, reach, smoothing):
    """Volume and weight of a grid of one patch, of at most 8 voxels along each axis."""
    size, margin, spacing = arrays[3], margins(reach, spacing), np.asarray(spacing)
    cells, places, values, weights = samples(*arrays, spacing, mask, importance, reach)
    cover = coverage(places, weights, size, spacing, reach)
    outside = np.maximum(np.maximum(margin - 1 - cells, cells - (margin + 8) + 1), 0).max(axis=1, initial=0)
    centres, inner, furthest = [], 0, margin.max()
    for zone, width in enumerate((1, 3, 7, 15, 31, 63)):
        chosen = (outside >= inner) & (outside < min(width, furthest))
        for coarse in np.unique(cells[chosen] >> zone, axis=0):
            group = chosen & (cells >> zone == coarse).all(axis=1)
            w = weights[group]
            centres.append((*(places[group].T @ w / w.sum()), values[group] @ w / w.sum(), w.sum()))
        inner = width
    if not centres or not cover.any():
        return np.zeros(size[::-1]), np.zeros(size[::-1])
    *places, values, weights = np.array(centres).T
    places = np.stack(places, axis=1) * spacing
    system = np.zeros((len(places) + 1,) * 2)
    system[:-1, :-1] = -np.linalg.norm(places[:, None] - places, axis=2) + np.diag(smoothing / weights)
    system[-1, :-1] = system[:-1, -1] = 1
    solution = np.linalg.solve(system, np.append(values, 0))
    voxels = voxel_places(size, spacing) + margin * spacing
    volume = solution[-1] - np.linalg.norm(voxels[:, None] - places, axis=2) @ solution[:-1]
    return np.where(cover > 0, volume.reshape(size[::-1]), 0), cover


def cubic(t):
    """(4, ...) weights of the four controls around places t in [0, 1) of their intervals."""
    return np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6


def basis(places, step):
    """(P, 4, 4, 4) weights along x, y, z of the controls around places, and the first of them, (P, 3)."""
    first = np.floor(places / step).astype(int)
    x, y, z = np.moveaxis(cubic(places / step - first), 2, 0)
    return np.einsum("ap,bp,cp->pabc", x, y, z), first


def bspline(*arrays, spacing, mask, importance, reach, finest):
    """Volume and weight, (Z, Y, X)."""
    size, margin = arrays[3], margins(reach, spacing)
    _, places, values, weights = samples(*arrays, spacing, mask, importance, reach)
    cover = coverage(places, weights, size, spacing, reach)
    if not len(places):
        return cover, cover
    mean = values @ weights / weights.sum()
    rest, volume = values - mean, np.full(np.prod(size), mean)
    voxels = voxel_places(size, np.ones(3)) + margin
    step = 1
    while step < 2 * margin.max():
        step *= 2
    offsets = np.moveaxis(np.indices((4, 4, 4)), 0, -1)
    while step >= finest:
        shape = np.asarray(size) // step + 2 * margin + 5
        w, first = basis(places, step)
        at = tuple(np.moveaxis(first[:, None, None, None] + offsets, -1, 0))
        share = weights[:, None, None, None] * w**2
        asked = w * (rest / (w**2).sum(axis=(1, 2, 3)))[:, None, None, None]
        sums, total = np.zeros(shape), np.zeros(shape)
        np.add.at(sums, at, share * asked)
        np.add.at(total, at, share)
        lattice = np.divide(sums, total, out=np.zeros(shape), where=total > 0)
        rest = rest - (w * lattice[at]).sum(axis=(1, 2, 3))
        w, first = basis(voxels.astype(float), step)
        volume += (w * lattice[tuple(np.moveaxis(first[:, None, None, None] + offsets, -1, 0))]).sum(axis=(1, 2, 3))
        step //= 2
    return np.where(cover > 0, volume.reshape(size[::-1]), 0), cover


def corners(cells, places, shape):
    """Sparse (S, nodes) trilinear weights; nodes of `shape` (x, y, z), x fastest."""
    part = places - cells
    rows, columns, weights = [], [], []
    for corner in np.ndindex(2, 2, 2):
        node = cells + corner
        columns.append((node[:, 2] * shape[1] + node[:, 1]) * shape[0] + node[:, 0])
        weights.append(np.where(corner, part, 1 - part).prod(axis=1))
        rows.append(np.arange(len(cells)))
    matrix = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_array(matrix, shape=(len(cells), int(np.prod(shape))))


def differences(active, shape, spacing):
    """Sparse (edges, nodes) differences of active neighbours, and the (edges,) weights of their squares."""
    number = np.arange(np.prod(shape)).reshape(shape[::-1])
    active = active.reshape(shape[::-1])
    rows, weights = [], []
    for axis, edge in zip((2, 1, 0), spacing, strict=True):
        n = number.shape[axis]
        low, high = (number.take(range(*ends), axis).ravel() for ends in ((0, n - 1), (1, n)))
        both = active.ravel()[low] & active.ravel()[high]
        rows.append(np.stack([low[both], high[both]], axis=1))
        weights.append(np.full(both.sum(), (np.prod(spacing) ** (1 / 3) / edge) ** 2))
    pairs = np.concatenate(rows)
    count = len(pairs)
    matrix = (np.tile([1.0, -1.0], count), (np.repeat(np.arange(count), 2), pairs.ravel()))
    return sparse.csr_array(matrix, shape=(count, int(np.prod(shape)))), np.concatenate(weights)


def rayleigh(*arrays, spacing, mask, importance, reach, regularisation, quantity):
    """log of Rayleigh's parameter, by Newton's method on the whole posterior, and weight, (Z, Y, X)."""
    size, margin = arrays[3], margins(reach, spacing)
    shape = np.asarray(size) + 2 * margin
    cells, places, powers, weights = samples(*arrays, spacing, mask, importance, reach, quantity)
    cover = coverage(places, weights, size, spacing, reach)
    if not len(places):
        return cover, cover
    trilinear = corners(cells, places, shape)
    marks = np.zeros(shape[::-1], bool)
    for corner in np.ndindex(2, 2, 2):
        marks[tuple((cells + corner)[:, ::-1].T)] = True
    window = 2 * (np.floor(reach / np.asarray(spacing)).astype(int) + 1) + 1
    active = ndimage.maximum_filter(marks, size=tuple(window[::-1]), mode="constant").ravel()
    edges, coupling = differences(active, shape, spacing)
    trilinear, edges = trilinear[:, active], edges[:, active]
    prior = regularisation * (edges.T @ sparse.diags_array(coupling) @ edges)
    theta = np.full(active.sum(), np.log(powers @ weights / weights.sum()))

    def loss(theta):
        log_power = trilinear @ theta
        return weights @ (log_power + powers * np.exp(-log_power)) + theta @ (prior @ theta) / 2

    for _ in range(100):
        pull = weights * powers * np.exp(-(trilinear @ theta))
        slope = trilinear.T @ (weights - pull) + prior @ theta
        step = spsolve((trilinear.T @ sparse.diags_array(pull) @ trilinear + prior).tocsc(), slope)
        size_of_step = 1.0
        while loss(theta - size_of_step * step) > loss(theta) and size_of_step > 1e-9:
            size_of_step /= 2
        theta = theta - size_of_step * step
        if np.abs(step).max() < 1e-10:
            break
    whole = np.zeros(len(active))
    whole[active] = theta
    inner = tuple(slice(m, m + n) for m, n in zip(margin[::-1], size[::-1], strict=True))
    return np.where(cover > 0, whole.reshape(shape[::-1])[inner], 0), cover
