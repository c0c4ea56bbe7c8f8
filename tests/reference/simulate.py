"""Speckle and echo sums as their formulas say, and the least phantoms that show one thing at a time."""

from dataclasses import dataclass
from math import pi

import numpy as np

MASK64 = 2**64 - 1


@dataclass(frozen=True)
class Tissue:
    echo_db: float
    attenuation: float = 0.0
    impedance: float = 1.63


class Layers:
    """Tissues stacked along world y, from `faces[n]` on; label = tissue index."""

    def __init__(self, tissues, faces=()):
        self.tissues = tuple(tissues)
        self.faces = np.asarray(faces, np.float32)

    def tissue(self, points):
        return np.searchsorted(self.faces, points[..., 1], side="right").astype(np.uint8)

    def echo_db(self, points, tissue):
        return np.array([t.echo_db for t in self.tissues], np.float32)[tissue]

    def normal(self, points):
        return np.broadcast_to(np.array([0, -1, 0], points.dtype), points.shape)

    def labels(self, points):
        return self.tissue(points)


def homogeneous(echo_db=0.0):
    return Layers([Tissue(echo_db)])


def cell_hash(seed, i, j, k):
    """SplitMix64 of one cell, in Python's integers."""
    h = (seed + i * 0x9E3779B97F4A7C15 + j * 0xD1B54A32D192ED03 + k * 0x8CB92BA72F3D8DD7) & MASK64
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & MASK64
    return h ^ (h >> 31)


def scatterer(seed, pitch, i, j, k):
    """World place (3,) and amplitude of the scatterer of one cell."""
    bits = cell_hash(cell_hash(seed, 1, 2, 3), i, j, k)
    part = [((bits >> (16 * n)) % 65536 + 0.5) / 65536 for n in range(3)]
    return pitch * (np.array([i, j, k]) + part), 2 * ((bits >> 48) % 2) - 1


def all_scatterers(seed, pitch, low, high):
    """Places (M, 3) and amplitudes (M,) of every cell that meets the box [low, high]."""
    first, last = np.floor(np.asarray(low) / pitch).astype(int), np.floor(np.asarray(high) / pitch).astype(int)
    cells = [range(a, b + 1) for a, b in zip(first, last, strict=True)]
    found = [scatterer(seed, pitch, i, j, k) for i in cells[0] for j in cells[1] for k in cells[2]]
    return np.array([place for place, _ in found]), np.array([amplitude for _, amplitude in found])


def sum_echoes(probe, lateral, depth, elevation, amplitude, frequency, speed):
    """(lines, samples) demodulated sum, every echo on every line."""
    out = np.zeros((probe.lines, probe.samples), complex)
    for x, z, e, a in zip(lateral, depth, elevation, amplitude, strict=True):
        reach = probe.face_radius + z if probe.face_radius else 1.0
        across = np.exp(-((probe.line_laterals - x) ** 2) / (2 * (probe.lateral_sigma(z) / reach) ** 2))
        along = np.exp(-((probe.sample_depths - z) ** 2) / (2 * probe.axial_sigma**2))
        weight = a * np.exp(-(e**2) / (2 * probe.elevational_sigma(z) ** 2))
        out += weight * np.exp(-4j * pi * frequency / speed * z) * across[:, None] * along
    return out


def bilinear(values, line, sample):
    """Value of a (lines, samples) array at continuous places."""
    l0, s0 = np.minimum(int(line), values.shape[0] - 2), np.minimum(int(sample), values.shape[1] - 2)
    fl, fs = line - l0, sample - s0
    top = values[l0, s0] * (1 - fs) + values[l0, s0 + 1] * fs
    bottom = values[l0 + 1, s0] * (1 - fs) + values[l0 + 1, s0 + 1] * fs
    return top * (1 - fl) + bottom * fl
