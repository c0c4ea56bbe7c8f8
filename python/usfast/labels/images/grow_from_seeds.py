"""Labels that grow from seeds through an image, each voxel to the seed with the cheapest path to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.labels.images.scenes import Scene, as_scene
from usfast.volume import Volume

__all__ = ["grow_from_seeds"]

_FINE = 16  # grey levels of the kernel for one of a whole-number image, so that small localities count
_LEVELS = 65_520


def grow_from_seeds(
    volume: ArrayLike | Volume,
    seeds: ArrayLike | Volume,
    *,
    spacing: ArrayLike | None = None,
    locality: float = 1.0,
    neighbours: int = 26,
    mask: ArrayLike | Volume | None = None,
    background: int | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[Any] | Volume:
    """Give each voxel the label of the seed from which the cheapest path leads to it (Fast GrowCut's rule).

    A step between neighbours p and q costs ``|I_p - I_q| + locality * |p - q|``.

    Parameters
    ----------
    volume : (Z, Y, X) array of real numbers, or Volume
        The image.
    seeds : (Z, Y, X) array of bool or integers, or Volume
        0 is unknown; every other number is a label that competes, up to 255 of them. Seeds keep their label.
    spacing : float or (z, y, x), optional
        Of a bare array, mm; default 1. A Volume carries its own.
    locality : float
        What a millimetre costs by itself, in units of the image's values. 0: the image alone counts. Larger values
        bring the borders midway between seeds.
    neighbours : {26, 6}
        6 takes about half the time, and labels keep together across faces.
    mask : (Z, Y, X) array of bool, or Volume, optional
        Paths keep to it and labels too. The search takes memory for its box only.
    background : int, optional
        The label of `seeds` that marks background: 0 in the result.
    num_threads : int, optional
        Does not change the result.
    progress : callable, optional
        Called with (voxels reached, voxels in all).

    Returns
    -------
    (Z, Y, X) array of the seeds' type, or Volume where `volume` is one
        0 outside the mask and where no path leads.

    Raises
    ------
    ValueError, TypeError
        If shapes differ, the image holds NaN inside the mask, there are no seeds or only one label of them.
    GeometryError
        If both are volumes that do not lie on one grid.

    Notes
    -----
    L. Zhu, I. Kolesov, Y. Gao, R. Kikinis, A. Tannenbaum, "An effective interactive medical image segmentation method
    using fast GrowCut", MICCAI workshop IMIC 2014: GrowCut's fixed point as a forest of shortest paths. Exact for
    images of whole numbers that span less than 4096, up to rounding of `locality` to a sixteenth; other images are
    rounded to 65520 levels of their range. Of equally cheap labels the smallest wins. Memory beside the arguments
    and the result: for an image of bytes 9 bytes a voxel of the mask's box, 6 without a mask.

    Examples
    --------
    >>> image = np.array([[[10, 10, 10, 80, 80, 80, 80]]], np.uint8)
    >>> seeds = np.array([[[1, 0, 0, 0, 0, 0, 9]]], np.uint8)
    >>> grow_from_seeds(image, seeds, background=9).tolist()
    [[[1, 1, 1, 0, 0, 0, 0]]]
    """
    if neighbours not in (6, 26):
        raise ValueError(f"neighbours must be 6 or 26, not {neighbours!r}")
    if not (np.isfinite(locality) and locality >= 0):
        raise ValueError(f"locality must be 0 or positive, not {locality!r}")
    scene = as_scene(volume, seeds, spacing, mask, background)
    image, low, scale = _levels(scene)
    steps = [min(locality * step * scale, 1e8) for step in scene.spacing]
    inside = None if scene.mask is None else scene.mask.view(np.uint8)
    label, _ = _core.grow_from_seeds(
        image,
        scene.seeds,
        inside,
        low,
        scale,
        (steps[0], steps[1], steps[2]),
        neighbours == 26,
        get_num_threads(num_threads),
        progress,
    )
    return scene.restored(label)


def _levels(scene: Scene) -> tuple[NDArray[Any], float, float]:
    """Return the image as the kernel takes it, its lowest value and the kernel's levels for one of its own."""
    image, (low, high) = scene.image, scene.levels()
    scale = float(_FINE) if image.dtype.kind in "bui" and high - low < 4096 else _LEVELS / max(high - low, 1e-300)
    if image.dtype == bool:
        image = image.view(np.uint8)
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        shifted = np.empty(image.shape, np.float32)
        with np.errstate(over="ignore"):  # values that the mask leaves out
            for part, values in zip(shifted, image, strict=True):
                part[...] = values.astype(np.float64) - low  # before rounding: float32 would lose small differences
        image, low = shifted, 0.0
    return np.ascontiguousarray(image), low, scale
