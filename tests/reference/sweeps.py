"""Random small sweeps on random small grids, for property tests of compounding (hypothesis)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from usfast import Grid

POSES = ("oblique", "oblique", "aligned", "halves", "tilted", "scattered", "outside")
WIDTHS = (1, 2, 3, 5, 8, 13, 63, 64, 65, 129)  # around the kernels' blocks of columns too


@dataclass
class Case:
    """Frames with poses, a grid, and sometimes a mask."""

    frames: Any
    image_to_world: Any
    grid: Grid
    mask: Any
    rng: Any

    @property
    def arrays(self):
        return self.frames, self.image_to_world, self.grid


def rotation(rng, angle=None):
    """Random rotation, or one by `angle` (rad) about a random axis."""
    if angle is None:
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        return q * np.sign(np.diag(r))
    x, y, z = (a := rng.normal(size=3)) / np.linalg.norm(a)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def signed_permutation(rng):
    return np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)


def image_to_voxel(kind, rng, shape, size):
    """(4, 4) from pixels to voxel indices: somewhere across the grid, by the kind of pose."""
    height, width = shape
    matrix = np.eye(4)
    pitch = rng.uniform(0.2, 1.7, 2)
    axes = rotation(rng)
    if kind in ("aligned", "halves"):
        pitch, axes = rng.choice([0.25, 0.5, 1.0, 2.0], 2), signed_permutation(rng)
    elif kind == "tilted":
        axes = signed_permutation(rng) @ rotation(rng, 10.0 ** rng.uniform(-7, -1))
    matrix[:3, :3] = axes * [*pitch, 1.0]
    target = rng.uniform(0, 1, 3) * size if kind != "outside" else np.asarray(size) * rng.choice([-3.0, 4.0], 3) - 40
    corner = target - matrix[:3, :2] @ [(width - 1) / 2, (height - 1) / 2]
    if kind in ("aligned", "halves"):
        corner = np.round(corner) + (0.5 if kind == "halves" else 0.0)
    matrix[:3, 3] = corner
    return matrix


def random_grid(rng, size, exact):
    """Grid of that size; with numbers that are exact in binary where halves must stay halves."""
    if exact:
        return Grid(size, 2.0 ** rng.integers(-3, 2, 3), rng.integers(-8, 9, 3) / 4)
    return Grid(size, rng.uniform(0.1, 2, 3), rng.uniform(-50, 50, 3), rotation(rng))


def pixels(rng, dtype, shape, gaps):
    """Speckle-like values 0..255; float frames may be negative, and hold NaN and infinity where `gaps` says so."""
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 256, shape).astype(dtype)
    values = rng.uniform(-100, 255, shape).astype(dtype)
    if gaps:
        values[rng.random(shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
    return values


@st.composite
def cases(draw, dtypes=(np.uint8, np.float32), widths=WIDTHS):
    """A `Case`; hypothesis chooses the structure, a seeded generator the numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(POSES))
    width = draw(st.sampled_from(widths))
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 9 if width < 60 else 4)), width
    size = draw(st.tuples(*[st.sampled_from((1, 2, 3, 5, 8, 11, 18))] * 3))
    exact = kind in ("aligned", "halves")
    grid = random_grid(rng, size, exact)
    kinds = [draw(st.sampled_from(POSES[:-1])) if kind == "scattered" else kind for _ in range(shape[0])]
    poses = np.stack([grid.voxel_to_world @ image_to_voxel(k, rng, shape[1:], size) for k in kinds])
    mask = rng.random(shape[1:]) < 0.7 if draw(st.booleans()) else None
    frames = pixels(rng, draw(st.sampled_from(dtypes)), shape, draw(st.booleans()))
    return Case(frames, poses, grid, mask, rng)
