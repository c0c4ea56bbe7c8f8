"""From tissue to a B-mode image: speckle, attenuation, bone shadow, noise, log compression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.anatomy import Tissue, limb_tissue
from usfast.phantom.speckle import SpeckleField

__all__ = ["image_limb"]

Floats = NDArray[np.floating]

_DYNAMIC_RANGE_DB = 58.0
_LOSS_DB_PER_MM = 0.12  # what time-gain compensation leaves over
_NOISE_DB = -56.0


def image_limb(
    image_to_world: NDArray[np.float64],
    shape: tuple[int, int],
    row_mm: float,
    speckle: SpeckleField,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the B-mode image (H, W) uint8 that the limb gives at a pose, and its labels (H, W) uint8."""
    x, y, z = _positions(image_to_world, shape)
    tissue = limb_tissue(x, y, z)
    echo = tissue.echo_db + _texture(tissue, speckle, x, y, z)
    echo -= (_LOSS_DB_PER_MM * row_mm * np.arange(shape[0], dtype=np.float32))[:, None]
    amplitude = np.exp(echo * np.float32(np.log(10) / 20)) * speckle.sample(x, y, z)
    amplitude *= tissue.inside
    amplitude = _with_bone(amplitude, tissue.bone, row_mm)
    noise = rng.standard_normal((2, *shape), np.float32) * np.float32(10 ** (_NOISE_DB / 20))
    amplitude = np.hypot(amplitude + noise[0], noise[1])
    level = 1 + 20 / _DYNAMIC_RANGE_DB * np.log10(np.maximum(amplitude, 1e-6))
    return (255 * np.clip(level, 0, 1)).astype(np.uint8), tissue.labels


def _positions(image_to_world: NDArray[np.float64], shape: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    m = image_to_world
    x, y, z = ((m[i, 0] * columns + m[i, 1] * rows + m[i, 3]).astype(np.float32) for i in range(3))
    return x, y, z


def _texture(tissue: Tissue, speckle: SpeckleField, x: Floats, y: Floats, z: Floats) -> NDArray[np.float32]:
    """Return the dB that fascicles in muscle and septa in fat add: bright sheets along the limb's surface."""
    # Structures of millimetres: every second pixel will do, and costs a quarter.
    cx, cy, cz = x[::2, ::2], y[::2, ::2], z[::2, ::2]
    radius, arc = np.hypot(cx, cy - 14), 60 * np.arctan2(cx, 14 - cy)  # about the soleus' axis
    # The speckle field, stretched: thin through the depth, long around the limb and longer along it.
    coarse = speckle.sample(arc * 0.13, radius * 0.40, cz * 0.07)
    coarse = coarse.repeat(2, axis=0).repeat(2, axis=1)[: x.shape[0], : x.shape[1]]
    streaks = np.maximum(coarse - 0.9, 0) * np.where(tissue.muscle, 20, 9)
    return np.where(tissue.bone, 0, np.minimum(streaks, 16)).astype(np.float32)


def _with_bone(amplitude: Floats, bone: NDArray[np.bool_], row_mm: float) -> Floats:
    """Return the image with a bright bone surface and its shadow below, column by column."""
    struck = bone.any(axis=0)
    if not struck.any():
        return amplitude
    first = np.where(struck, bone.argmax(axis=0), 2 * len(bone))
    below = (np.arange(len(bone))[:, None] - first).astype(np.float32) * row_mm
    shadow = np.where(below > 0, np.exp(-np.maximum(below, 0) / 0.8), 1)
    surface = 1.2 * np.exp(-((below - 0.3) ** 2) / (2 * 0.35**2))
    # A second, weak echo of the surface, as real bone shows; it fades within a few millimetres.
    again = 0.004 * np.exp(-np.abs(below - 4) / 1.5) * (below > 0)
    return np.asarray(amplitude * shadow + surface + again)
