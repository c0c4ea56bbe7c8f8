"""Compounding and hole filling in plain float64 NumPy: every pixel-voxel pair is listed, then combined."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import ndimage

DIRECTIONS = [d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0)]  # 13 lines through a voxel


def voxel_points(image_to_voxel, shape):
    """(N, H, W, 3) continuous voxel indices (x, y, z) of the pixels of N frames."""
    height, width = shape
    u = np.arange(width, dtype=np.float64)
    v = np.arange(height, dtype=np.float64)[:, None]
    axes = [m[:, 0, None, None] * u + (m[:, 1, None, None] * v + m[:, 3, None, None]) for m in image_to_voxel]
    return np.stack(axes, axis=-1)


def image_to_voxel_rows(image_to_world, grid):
    """Rows x, y, z of the transforms from pixels to voxels, each (N, 4)."""
    matrices = grid.world_to_voxel @ np.asarray(image_to_world, np.float64)
    return [matrices[:, axis] for axis in range(3)]


def taps(points, method, kernel_size, sigma):
    """Yield (voxel, weight) of each tap of the kernel: (P, 3) indices and (P,) weights."""
    if method == "nearest":
        yield np.floor(points + 0.5), np.ones(len(points))
    elif method == "linear":
        lower = np.floor(points)
        fraction = points - lower
        for corner in product((0, 1), repeat=3):
            yield lower + corner, np.where(corner, fraction, 1 - fraction).prod(axis=1)
    else:
        centre = np.floor(points + 0.5)
        for offset in product(range(-(kernel_size // 2), kernel_size // 2 + 1), repeat=3):
            voxel = centre + offset
            yield voxel, np.exp(-((points - voxel) ** 2).sum(axis=1) / (2 * sigma**2))


def pairs(points, size, method, kernel_size, sigma):
    """All pairs of a pixel and a voxel of the grid that it reaches: pixel, flat voxel index, weight; by pixel."""
    found = []
    for voxel, weight in taps(points, method, kernel_size, sigma):
        inside = ((voxel >= 0) & (voxel < size)).all(axis=1) & (weight > 0)
        x, y, z = voxel[inside].astype(np.int64).T
        found.append((np.flatnonzero(inside), (z * size[1] + y) * size[0] + x, weight[inside]))
    pixel, voxel, weight = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(pixel, kind="stable")
    return pixel[order], voxel[order], weight[order]


def smallest_nearest_weight(method, sigma):
    """The least weight that the voxel nearest to a pixel can get."""
    return {"nearest": 1.0, "linear": 0.125, "gaussian": np.exp(-3 / (8 * sigma**2))}[method]


def usable(frames, mask, importance):
    """(N, H, W) bool: pixels that count."""
    good = np.isfinite(frames) & (importance > 0)
    return good if mask is None else good & np.asarray(mask, bool)


def broadcast_weights(weights, shape):
    """Weights of shape (H, W), (N,) or (N, H, W) for every pixel; ones for None."""
    if weights is None:
        return np.ones(shape)
    weights = np.asarray(weights, np.float32).astype(np.float64)
    return np.broadcast_to(weights[:, None, None] if weights.ndim == 1 else weights, shape)


def compound(
    frames,
    image_to_world,
    grid,
    method="linear",
    mode="mean",
    *,
    mask=None,
    weights=None,
    kernel_size=5,
    sigma=1.0,
):
    """Return (volume, weight) in float64, (Z, Y, X); for votes the volume has the frames' dtype."""
    frames = np.asarray(frames)
    importance = broadcast_weights(weights if mode == "weighted" else None, frames.shape)
    keep = usable(frames, mask, importance)
    points = voxel_points(image_to_voxel_rows(image_to_world, grid), frames.shape[1:])[keep]
    pixel, voxel, weight = pairs(points, grid.size, method, kernel_size, sigma)
    value = frames[keep][pixel]
    if mode == "vote":
        volume, total = vote(voxel, value, weight, grid.voxels)
    elif mode in ("maximum", "latest"):
        counted = weight >= smallest_nearest_weight(method, sigma)
        volume, total = last_or_largest(mode, voxel[counted], value[counted], weight[counted], grid.voxels)
    else:
        volume, total = mean(voxel, value, weight * importance[keep][pixel], grid.voxels)
    return volume.reshape(grid.shape), total.reshape(grid.shape)


def mean(voxel, value, weight, count):
    """Weighted mean and sum of weights of each voxel."""
    total = np.bincount(voxel, weight, count)
    weighted = np.bincount(voxel, weight * value.astype(np.float64), count)
    return np.divide(weighted, total, out=np.zeros(count), where=total > 0), total


def last_or_largest(mode, voxel, value, weight, count):
    """Last (pairs are in order) or largest value of each voxel, and the sum of weights."""
    total = np.bincount(voxel, weight, count)
    volume = np.full(count, -np.inf)
    if mode == "maximum":
        np.maximum.at(volume, voxel, value.astype(np.float64))
    else:
        for at, v in zip(voxel.tolist(), value.tolist(), strict=True):
            volume[at] = v
    return np.where(total > 0, volume, 0.0), total


def vote(voxel, value, weight, count):
    """Label with the largest sum of weights (the smaller label on a tie), and the sum over all labels."""
    volume = np.zeros(count, value.dtype)
    best = np.zeros(count)
    for label in np.unique(value):
        here = np.bincount(voxel[value == label], weight[value == label], count)
        wins = here > best
        volume[wins] = label
        best[wins] = here[wins]
    return volume, np.bincount(voxel, weight, count)


def listed(frames, image_to_world, grid, method, mask, kernel_size, sigma):
    """Continuous indices, values, pixels, voxels and weights of all pairs."""
    frames = np.asarray(frames)
    keep = usable(frames, mask, np.ones(frames.shape))
    points = voxel_points(image_to_voxel_rows(image_to_world, grid), frames.shape[1:])[keep]
    pixel, voxel, weight = pairs(points, grid.size, method, kernel_size, sigma)
    return points[pixel], frames[keep][pixel], voxel, weight


def vote_margin(frames, image_to_world, grid, method, *, mask=None, kernel_size=5, sigma=1.0):
    """Relative gap between the two heaviest labels of each voxel: where it is tiny, rounding may decide."""
    _, value, voxel, weight = listed(frames, image_to_world, grid, method, mask, kernel_size, sigma)
    sums = [np.bincount(voxel[value == n], weight[value == n], grid.voxels) for n in np.unique(value)]
    ranked = np.sort(np.stack([*sums, np.zeros(grid.voxels), np.zeros(grid.voxels)]), axis=0)
    gap = np.divide(ranked[-1] - ranked[-2], ranked[-1], out=np.ones(grid.voxels), where=ranked[-1] > 0)
    return gap.reshape(grid.shape)


def doubtful(frames, image_to_world, grid, method, *, mask=None, kernel_size=5, sigma=1.0):
    """Voxels where rounding decides whether a pixel's weight reaches the threshold of maximum and latest.

    Pixels exactly midway between voxels are in no doubt for linear weights: 1/8 is 1/8.
    """
    points, _, voxel, weight = listed(frames, image_to_world, grid, method, mask, kernel_size, sigma)
    near = np.abs(weight / smallest_nearest_weight(method, sigma) - 1) < 1e-9
    if method == "nearest":
        near[:] = False
    elif method == "linear":
        near &= (points % 1 != 0.5).any(axis=1)
    return (np.bincount(voxel[near], minlength=grid.voxels) > 0).reshape(grid.shape)


def in_closing(weight, radius):
    """Voxels that no box of this radius (z, y, x) reaches without meeting a known voxel, on an unbounded grid."""
    pad = [(2 * r, 2 * r) for r in radius]
    known = np.pad(np.asarray(weight) > 0, pad)
    box = np.ones([2 * r + 1 for r in radius], bool)
    closed = ndimage.binary_erosion(ndimage.binary_dilation(known, box), box)
    return closed[tuple(slice(2 * r, -2 * r or None) for r in radius)]


def fill_holes(volume, weight, method, *, size=5, sigma=None, extend=False):
    """Return (volume, filled) in float64: holes (weight 0) get a value from known voxels in reach."""
    volume, weight = np.asarray(volume, np.float64), np.asarray(weight, np.float64)
    sigma = size / 5 if sigma is None else sigma
    if method == "diffusion":
        return diffused(volume, weight, size, extend)
    result, filled = volume.copy(), np.zeros(volume.shape, bool)
    wanted = weight == 0
    if method != "sticks" and not extend:
        wanted &= in_closing(weight, [size // 2] * 3)
    for hole in np.argwhere(wanted):
        if method == "sticks":
            value = stick_value(volume, weight, hole, size)
        elif method == "normalized_convolution":
            value = growing_value(volume, weight, hole, size, sigma)
        else:
            value = window_value(volume, weight, hole, size // 2, method, sigma)
        if value is not None:
            result[tuple(hole)], filled[tuple(hole)] = value, True
    return result, filled


def diffused(volume, weight, size, extend):
    """Laplace's equation on the holes of the closing, solved directly; known voxels are its boundary."""
    radius = [size // 2] * 3
    box = np.ones([2 * r + 1 for r in radius], bool)
    region = ndimage.binary_dilation(weight > 0, box) if extend else in_closing(weight, radius)
    holes = region & (weight == 0)
    index = np.full(volume.shape, -1)
    index[holes] = np.arange(holes.sum())
    matrix, right = np.zeros((holes.sum(),) * 2), np.zeros(holes.sum())
    for hole in np.argwhere(holes):
        row = index[tuple(hole)]
        for axis, step in product(range(3), (-1, 1)):
            other = hole.copy()
            other[axis] += step
            if not 0 <= other[axis] < volume.shape[axis]:
                continue
            if weight[tuple(other)] > 0:
                matrix[row, row] += 1
                right[row] += volume[tuple(other)]
            elif index[tuple(other)] >= 0:
                matrix[row, row] += 1
                matrix[row, index[tuple(other)]] -= 1
    result = volume.copy()
    result[holes] = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return result, holes


def known_around(volume, weight, hole, radius):
    """Values, weights and squared distances of the known voxels in the cube around `hole`."""
    cube = tuple(slice(max(0, i - radius), i + radius + 1) for i in hole)
    where = np.argwhere(weight[cube] > 0) + [s.start for s in cube]
    return volume[tuple(where.T)], weight[tuple(where.T)], ((where - hole) ** 2).sum(axis=1)


def window_value(volume, weight, hole, radius, method, sigma):
    """Weighted mean over the cube, or None if it is empty."""
    values, _, squared = known_around(volume, weight, hole, radius)
    if not values.size:
        return None
    importance = {
        "mean": lambda: np.ones(len(squared)),
        "nearest": lambda: (squared == squared.min()).astype(float),
        "gaussian": lambda: np.exp(-squared / (2 * sigma**2)),
        "inverse_distance": lambda: 1 / np.sqrt(squared),
    }[method]()
    return (importance * values).sum() / importance.sum()


def growing_value(volume, weight, hole, size, sigma):
    """Normalised convolution in the smallest cube that holds data; sigma shrinks with the cube."""
    for radius in range(1, size // 2 + 1):
        values, certainty, squared = known_around(volume, weight, hole, radius)
        if values.size:
            importance = certainty * np.exp(-squared / (2 * (sigma * (2 * radius + 1) / size) ** 2))
            return (importance * values).sum() / importance.sum()
    return None


def first_known(weight, hole, step, limit):
    """Steps from `hole` to the first known voxel in direction `step`, or None."""
    for n in range(1, limit + 1):
        at = hole + n * np.asarray(step)
        if (at < 0).any() or (at >= weight.shape).any():
            return None
        if weight[tuple(at)] > 0:
            return n
    return None


def stick_value(volume, weight, hole, size):
    """Mean of the shortest sticks through `hole`, each linearly interpolated between its two ends."""
    sticks = []
    for direction in map(np.asarray, DIRECTIONS):
        f = first_known(weight, hole, direction, size)
        r = first_known(weight, hole, -direction, size)
        if f is None or r is None or f + r > size:
            continue
        forward, backward = volume[tuple(hole + f * direction)], volume[tuple(hole - r * direction)]
        sticks.append(((f + r) ** 2 * (direction**2).sum(), (r * forward + f * backward) / (f + r)))
    if not sticks:
        return None
    shortest = min(length for length, _ in sticks)
    return np.mean([value for length, value in sticks if length == shortest])
