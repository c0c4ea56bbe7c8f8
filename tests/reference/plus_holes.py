"""IGSIO's hole filling, voxel by voxel in plain Python: elements are tried in order, everything truncates."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

f32 = np.float32
DIRECTIONS = [
    (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, -1, 0),
    (1, 0, -1), (0, 1, -1), (1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1),
]  # fmt: skip


def fill_holes(volume, acc, elements):
    """Return the filled volume; a hole (acc 0) that no element fills becomes 0."""
    result = volume.copy()
    for z, y, x in np.argwhere(acc == 0).tolist():
        value = None
        for element in elements:
            value = fill_one(volume, acc, (x, y, z), element)
            if value is not None:
                break
        result[z, y, x] = 0 if value is None else truncated(value, volume.dtype)
    return result


def truncated(value, dtype):
    return int(value) if np.dtype(dtype).kind in "iu" else f32(value)


def fill_one(volume, acc, hole, element):
    """Value of one hole by one element, or None."""
    if element.type == "STICK":
        return stick(volume, acc, hole, element.stick_length_limit, element.number_of_sticks_to_use)
    if element.type == "NEAREST_NEIGHBOR":
        return nearest(volume, acc, hole, element)
    return window(volume, acc, hole, element)


def known_in_cube(acc, hole, radius):
    """Known voxels (x, y, z) of the cube around `hole`, x outermost, with their offsets from the cube's corner."""
    low = [c - radius for c in hole]
    start = [max(0, c) for c in low]
    cube = acc.T[tuple(slice(a, c + radius + 1) for a, c in zip(start, hole, strict=True))]
    places = (np.argwhere(cube) + start).tolist()
    return [(place, tuple(a - b for a, b in zip(place, low, strict=True))) for place in places]


def enough(count, element):
    return count / element.size**3 > float(f32(element.minimum_known_voxels_ratio))


def nearest(volume, acc, hole, element):
    """Plain mean of the first cube that holds anything."""
    for radius in range(1, (element.size - 1) // 2 + 1):
        found = known_in_cube(acc, hole, radius)
        if found:
            total = sum(float(volume[z, y, x]) for (x, y, z), _ in found)
            return total / len(found) if enough(len(found), element) else None
    return None


@cache
def kernel_weight(offset, element):
    """float32 weight of a voxel at `offset` from the corner of the cube; even sizes are lopsided, as in IGSIO."""
    centre = f32((element.size - 1) / 2)
    squares = [(float(c) - float(centre)) ** 2 for c in offset]
    if element.type == "DISTANCE_WEIGHT_INVERSE":
        distance = f32(math.sqrt(sum(squares)))
        return f32(1) / distance if distance else f32(0)
    stdev = f32(element.stdev)
    divisor = f32(float(stdev * stdev) * 2.0)
    scale = f32(math.pow(2 * math.pi, 1.5) * math.pow(float(stdev), 3))
    x, y, z = (s / float(divisor) for s in squares)
    return f32(float(f32(1) / scale) * math.exp(-((x + y) + z)))


def window(volume, acc, hole, element):
    """Mean weighted by GAUSSIAN, GAUSSIAN_ACCUMULATION or DISTANCE_WEIGHT_INVERSE."""
    found = known_in_cube(acc, hole, (element.size - 1) // 2)
    intensities = weights = 0.0
    for (x, y, z), offset in found:
        weight = kernel_weight(offset, element)
        if element.type == "GAUSSIAN_ACCUMULATION":
            weight = f32(acc[z, y, x]) * weight
        intensities += float(volume[z, y, x]) * float(weight)
        weights += float(weight)
    if weights == 0 or not enough(len(found), element):
        return None
    return intensities / weights


def steps_to_known(acc, hole, direction, limit):
    """Steps to the first known voxel in a direction, at most `limit`, and where; None at the border."""
    (x, y, z), (dx, dy, dz) = hole, direction
    depth, height, width = acc.shape
    for n in range(1, limit + 1):
        x, y, z = x + dx, y + dy, z + dz
        if not (0 <= x < width and 0 <= y < height and 0 <= z < depth):
            return None
        if acc[z, y, x]:
            return n, (z, y, x)
    return None


def stick(volume, acc, hole, limit, count):
    """Mean of the best sticks: all of the highest weight at once, until `count` are used."""
    sticks = []
    for direction in DIRECTIONS:
        forward = steps_to_known(acc, hole, direction, limit - 1)
        if forward is None:
            continue
        reverse = steps_to_known(acc, hole, [-d for d in direction], limit - 1 - forward[0])
        if reverse is None:
            continue
        total = float(forward[0] + reverse[0] + 1)
        share = (reverse[0] + 1) / total
        value = (1.0 - share) * float(volume[reverse[1]]) + share * float(volume[forward[1]])
        length = total * math.sqrt(float(sum(d * d for d in direction)))
        sticks.append((1.0 / length, float(truncated(value, volume.dtype))))
    values = weights = 0.0
    used = 0
    while used < count and sticks:
        best = max(weight for weight, _ in sticks)
        for weight, value in sticks:
            if weight == best:
                values, weights, used = values + value * weight, weights + weight, used + 1
        sticks = [s for s in sticks if s[0] != best]
    return values / weights if weights else None
