"""Labels from sparse annotations, pixel by pixel and voxel by voxel: slow and plain."""

import numpy as np
from scipy.ndimage import binary_dilation, correlate1d, generate_binary_structure, map_coordinates


def plane(pose):
    """Column, row and signed distance (mm) of world points with respect to an image."""
    across, down = pose[:3, 0], pose[:3, 1]
    normal = np.cross(across, down)
    axes = np.stack([across, down, normal / np.linalg.norm(normal), pose[:3, 3]], axis=1)
    return np.linalg.inv(np.concatenate([axes, [[0, 0, 0, 1]]]))[:3]


def signed_distance(mask, spacing):
    """Distance of each pixel to the nearest of the other kind, half a pixel less, negative inside."""
    steps = np.asarray(spacing)
    inside, outside = np.argwhere(mask) * steps, np.argwhere(~mask) * steps
    out = np.zeros(mask.shape)
    for place in np.ndindex(mask.shape):
        others = outside if mask[place] else inside
        nearest = np.sqrt(((others - np.array(place) * steps) ** 2).sum(axis=1)).min()
        out[place] = (nearest - min(spacing) / 2) * (-1 if mask[place] else 1)
    return out


def blended(fields, poses, frame, share, way):
    """Distances on `frame` from fields and poses (earlier, before, after, later; None where there is none)."""
    height, width = fields[1].shape
    v, u = np.mgrid[:height, :width]
    world = np.stack([u, v, 0 * u, 0 * u + 1], axis=-1) @ frame.T
    feet = [None if pose is None else world @ plane(pose).T for pose in poses]

    def sampled(n):
        return map_coordinates(fields[n].astype(float), [feet[n][..., 1], feet[n][..., 0]], order=1, mode="nearest")

    before, after = feet[1][..., 2], feet[2][..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        w = np.where(before * after < 0, before / (before - after), share)
    one, two = sampled(1), sampled(2)
    slopes = [two - one, two - one]
    if fields[0] is not None:
        slopes[0] = ((one - sampled(0)) / way[0] * way[1] ** 2 + (two - one) * way[0]) / (way[1] + way[0])
    if fields[3] is not None:
        slopes[1] = ((sampled(3) - two) / way[2] * way[1] ** 2 + (two - one) * way[2]) / (way[1] + way[2])
    # Cubic Hermite basis.
    return (
        (2 * w**3 - 3 * w**2 + 1) * one
        + (w**3 - 2 * w**2 + w) * slopes[0]
        + (3 * w**2 - 2 * w**3) * two
        + (w**3 - w**2) * slopes[1]
    )


def painted(labels, known, mask, poses, grid, largest_step):
    """Votes for one pass: (codes, hull), code c for structure c of 1 to S."""
    count, height, width = labels.shape
    hull = np.zeros(grid.shape, bool)
    yes, asked = np.zeros((known.shape[1], *grid.shape)), np.zeros((known.shape[1], *grid.shape))
    k, j, i = np.indices(grid.shape)
    world = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ grid.voxel_to_world.T
    centre = np.array([(width - 1) / 2, (height - 1) / 2, 0, 1])
    for n in range(count - 1):
        if np.linalg.norm((poses[n + 1] - poses[n]) @ centre) > largest_step:
            continue
        one, two = world @ plane(poses[n]).T, world @ plane(poses[n + 1]).T
        here, there = one[..., 2], two[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            s = np.where(here == there, 0.5, here / (here - there))
        place = np.floor((1 - s)[..., None] * one[..., :2] + s[..., None] * two[..., :2] + 0.5)
        u, v = place[..., 0], place[..., 1]
        inside = (here * there <= 0) & (u >= 0) & (v >= 0) & (u < width) & (v < height)
        u, v = np.where(inside, u, 0).astype(int), np.where(inside, v, 0).astype(int)
        if mask is not None:
            inside &= mask[v, u]
        hull |= inside
        standing = np.minimum(u + 1, width - u) / width
        for frame, weight in ((n, 1 - s), (n + 1, s)):
            for c in range(known.shape[1]):
                if known[frame, c]:
                    asked[c] += np.where(inside, weight * standing, 0)
                    yes[c] += np.where(inside & (labels[frame][v, u] == c + 1), weight * standing, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(asked > 0, yes / asked, 0)
    return np.where(shares.max(axis=0) > 0.5, shares.argmax(axis=0) + 1, 0), hull, shares


def memberships(labels, structures, hull, size, sigma, planar):
    """Smoothed memberships (S, Z, Y, X) in the hull."""
    offsets = np.arange(size) - size // 2
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    kernel /= kernel.sum()

    def smooth(array):
        array = array.astype(float)
        for axis in (1, 2) if planar else (0, 1, 2):
            array = correlate1d(array, kernel, axis=axis, mode="constant")
        return array

    whole = smooth(hull)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([np.where(hull, smooth((labels == s) & hull) / whole, 0) for s in structures])


def dilation_steps(seed, region):
    """Dilations by a cross and a square in turn."""
    out = np.where(seed, 0, -1)
    reached, idle, step = seed.copy(), 0, 0
    while idle < 2:
        step += 1
        grown = reached | (binary_dilation(reached, generate_binary_structure(2, 2 - step % 2)) & region)
        out[grown & ~reached] = step
        idle = idle + 1 if (grown == reached).all() else 0
        reached = grown
    return out
