"""Frames of a sweep at coarser resolutions, for registration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfast.compound.refinement.contrast import local_contrast
from usfast.sweep import Sweep

__all__ = ["CONTRAST_WINDOW", "CoarseFrames", "coarse_frames"]

_BLUR = 0.7  # standard deviation of the blur, voxels of a level
CONTRAST_WINDOW = 6.0  # standard deviation of the window of the local contrast, voxels of a level


@dataclass(frozen=True, eq=False)
class CoarseFrames:
    """The valid frames of a sweep at one resolution.

    Attributes
    ----------
    pixels : (M, h, w) float32 array
        Local contrast, about 0; NaN where there is no pixel.
    to_image : (4, 4) array
        Takes these pixels to pixels of the sweep's images.
    area : float
        Of a pixel, mm^2.
    """

    pixels: NDArray[np.float32]
    to_image: NDArray[np.float64]
    area: float


def coarse_frames(sweep: Sweep, spacings: list[float]) -> list[CoarseFrames]:
    """Return the valid frames of a sweep for grids of these spacings (mm), finest first: blurred and thinned out."""
    finest = _block_means(sweep, _steps(sweep.pixel_spacing, spacings[0]))
    return [_blurred(finest, sweep.pixel_spacing, spacing) for spacing in spacings]


def _steps(pitch: tuple[float, float], spacing: float) -> tuple[int, int]:
    """Pixels (u, v) that make one of at most `spacing` mm; 1 where a pixel is larger already."""
    return max(int(spacing / pitch[0] + 1e-9), 1), max(int(spacing / pitch[1] + 1e-9), 1)


def _pixel_map(steps: tuple[int, int], offset: tuple[float, float]) -> NDArray[np.float64]:
    matrix = np.diag([float(steps[0]), float(steps[1]), 1.0, 1.0])
    matrix[0, 3], matrix[1, 3] = offset
    return matrix


def _block_means(sweep: Sweep, steps: tuple[int, int]) -> CoarseFrames:
    """Means over blocks of pixels; NaN where less than half of a block may be used."""
    height, width = sweep.image_size
    su, sv = min(steps[0], width), min(steps[1], height)
    h, w = height // sv, width // su
    used = np.flatnonzero(sweep.valid)
    pixels = np.empty((len(used), h, w), np.float32)
    for to, number in zip(pixels, used, strict=True):
        frame = sweep.frames[number, : h * sv, : w * su].astype(np.float32)
        known = np.isfinite(frame)
        if sweep.mask is not None:
            known &= sweep.mask[: h * sv, : w * su]
        count = known.reshape(h, sv, w, su).sum(axis=(1, 3))
        total = np.where(known, frame, 0).reshape(h, sv, w, su).sum(axis=(1, 3), dtype=np.float64)
        to[...] = np.where(2 * count >= su * sv, total / np.maximum(count, 1), np.nan)
    to_image = _pixel_map((su, sv), ((su - 1) / 2, (sv - 1) / 2))
    pitch = sweep.pixel_spacing
    return CoarseFrames(pixels, to_image, pitch[0] * pitch[1] * su * sv)


def _blurred(finest: CoarseFrames, pitch: tuple[float, float], spacing: float) -> CoarseFrames:
    from scipy.ndimage import gaussian_filter

    here = pitch[0] * float(finest.to_image[0, 0]), pitch[1] * float(finest.to_image[1, 1])
    known = np.isfinite(finest.pixels)
    sigma = (0.0, _BLUR * spacing / here[1], _BLUR * spacing / here[0])
    total = gaussian_filter(np.where(known, finest.pixels, 0), sigma, mode="constant", truncate=3.0)
    weight = gaussian_filter(known.astype(np.float32), sigma, mode="constant", truncate=3.0)
    su, sv = _steps(here, spacing)
    su, sv = min(su, known.shape[2]), min(sv, known.shape[1])
    left, top = (known.shape[2] - 1) % su // 2, (known.shape[1] - 1) % sv // 2
    part = np.s_[:, top::sv, left::su]
    pixels = np.full(known[part].shape, np.nan, np.float32)
    np.divide(total[part], weight[part], out=pixels, where=known[part])
    to_image = finest.to_image @ _pixel_map((su, sv), (left, top))
    window = CONTRAST_WINDOW * spacing
    sigma = (0.0, window / (here[1] * sv), window / (here[0] * su))
    contrast = local_contrast(pixels, known[part], sigma)
    return CoarseFrames(contrast, to_image, finest.area * su * sv)
