"""Variants of the confidence map, written out pixel by pixel."""

from __future__ import annotations

import itertools
import math

import numpy as np


def mirrored(index: int, length: int) -> int:
    """Index into a row continued by its mirror image beyond both ends."""
    index %= 2 * length
    return index if index < length else 2 * length - 1 - index


def directed(
    image: np.ndarray,
    alpha: float = 1.0,
    last_row: float = 0.1,
    variance: float = 8.0,
    power: float = 1.0,
    published: bool = True,
    cap: np.ndarray | None = None,
    needle: np.ndarray | None = None,
    artifact: np.ndarray | None = None,
) -> np.ndarray:
    """Hung et al. 2021, image in 0..1; `cap` holds the largest confidence of each row."""
    height, width = image.shape
    offsets = range(-10, 11)
    bell = [math.exp(-k * k / (2 * variance)) for k in offsets]
    area = sum((a + b) / 2 for a, b in itertools.pairwise(bell))
    t = [math.exp(-alpha * (i + 1) / height) for i in range(1, height)]
    x = -math.log(last_row) / sum(t) if t else 0.0
    result = np.ones((height, width))
    g = np.zeros((height, width, 21))
    for i, j, m in np.ndindex(g.shape):
        if i == 0:
            continue
        k = offsets[m]
        if published:
            upper, lower = image[i - 1, j], image[i, mirrored(j - k, width)]
        else:
            upper, lower = image[i - 1, mirrored(j + k, width)], image[i, j]
        g[i, j, m] = abs(upper - lower) + 1e-4
    for i in range(1, height):
        means = g[i].mean(axis=0)
        for j in range(width):
            total = 0.0
            for m, k in enumerate(offsets):
                ratio = g[i, j, m] / means[m]
                if needle is not None and needle[i, j] > 0.9 and not (i > 1 and needle[i - 2, j] > 0.9):
                    ratio = g.max() / means[m]
                if artifact is not None and artifact[i - 1, j] > 0.05:
                    ratio = 1.0
                kept = math.exp(-(ratio**power) * x * t[i - 1])
                total += result[i - 1, mirrored(j + k, width)] * bell[m] / area * kept
            result[i, j] = min(total, 1.0 if cap is None else cap[i])
    result = result if cap is None else result / cap[:, None]
    return result if artifact is None else result * (1 - artifact)


def transmittance(attenuation: np.ndarray, reflection: np.ndarray, spacing: float) -> np.ndarray:
    """Down the columns of (H, W) arrays."""
    result = np.ones(attenuation.shape)
    for i, j in np.ndindex(attenuation.shape):
        for n in range(i):
            result[i, j] *= math.exp(-abs(attenuation[n, j]) * spacing) * (1 - reflection[n, j])
    return result


def attenuation(image: np.ndarray, alpha: float, last_row: float, background: float, width: int) -> np.ndarray:
    """Cumulative column loss of a B-mode image."""
    grey = image.astype(float) - float(image.min())
    rows, columns = grey.shape
    half = min(width // 2, columns - 1)
    energy = np.empty_like(grey)
    for i, j in np.ndindex(grey.shape):
        weight = 1.0 if alpha == 0 or rows == 1 else 1 - math.exp(-alpha * i / (rows - 1))
        beam = np.mean([grey[i, mirrored(j + k, columns)] for k in range(-half, half + 1)])
        energy[i, j] = (beam * weight) ** 2
    mean_column = energy.sum() / columns
    result = np.ones(grey.shape)
    for j in range(columns):
        lost = 0.0
        for i in range(rows):
            result[i, j] = last_row**lost
            share = background / rows + (1 - background) * energy[i, j] / mean_column if mean_column else 1 / rows
            lost += share
    return result
