"""From beam space to pixels: scan conversion and log compression."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from usfast import _core
from usfast.simulate.beams import BeamEchoes
from usfast.simulate.probe import Probe

__all__ = ["compress", "envelope_at_pixels", "pixel_places", "steps_at_pixels"]


@lru_cache(maxsize=8)
def pixel_places(probe: Probe) -> NDArray[np.float32]:
    """(H, W, 2) line and sample of each pixel of a probe, continuous; -1 outside the image. Read-only."""
    height, columns = probe.shape
    v, u = np.mgrid[:height, :columns]
    pixels = np.stack([u, v, np.zeros_like(u), np.ones_like(u)], axis=-1)
    lateral, depth = probe.beam_coordinates((pixels @ probe.image_to_probe.T)[..., :3])
    laterals = probe.line_laterals
    line = (lateral - laterals[0]) / (laterals[-1] - laterals[0]) * (probe.lines - 1)
    sample = depth / probe.sample_step
    places = np.stack([np.clip(line, 0, probe.lines - 1), np.clip(sample, 0, probe.samples - 1)], axis=-1)
    places[~probe.mask] = -1
    places = places.astype(np.float32)
    places.flags.writeable = False
    return places


def envelope_at_pixels(echoes: BeamEchoes, probe: Probe) -> NDArray[np.float32]:
    """(H, W) envelope; 0 outside the image."""
    return _core.scan_convert(echoes.speckle, echoes.interfaces, pixel_places(probe))


@lru_cache(maxsize=8)
def _step_indices(probe: Probe, stride: int) -> NDArray[np.int64]:
    places = pixel_places(probe)
    line = np.maximum(np.rint(places[..., 0]), 0).astype(np.int64)
    step = np.maximum(np.rint(places[..., 1] / stride), 0).astype(np.int64)
    return np.asarray(line * (-(-probe.samples // stride) + 1) + step)


def steps_at_pixels(values: NDArray[np.float32], stride: int, probe: Probe) -> NDArray[np.float32]:
    """(H, W) nearest of (lines, steps) values."""
    return np.asarray(values.ravel()[_step_indices(probe, stride)])


def compress(envelope_db: NDArray[np.float32], white_db: float, dynamic_range_db: float) -> NDArray[np.uint8]:
    """Map decibels to grey: `white_db` to 255, `dynamic_range_db` below it to 0."""
    level = (envelope_db - np.float32(white_db - dynamic_range_db)) * np.float32(255 / dynamic_range_db)
    return np.asarray((np.clip(level, 0, 255) + np.float32(0.5)).astype(np.uint8))
