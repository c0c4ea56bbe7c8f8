"""Seeds from annotated frames: what is surely inside a structure, and what is surely background."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.labels.images.scenes import as_label_map, as_steps, box_of
from usfast.volume import Volume

__all__ = ["seeds_from_annotations"]

_SLAB = 48  # slices at a time


def seeds_from_annotations(
    labels: ArrayLike | Volume,
    annotated: ArrayLike,
    *,
    spacing: ArrayLike | None = None,
    inside_mm: float = 1.0,
    outside_mm: float = 2.0,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> tuple[NDArray[Any], int]:
    """Return seeds for the image-driven methods: annotated voxels that lie far enough from the drawn borders.

    Parameters
    ----------
    labels : (Z, Y, X) array of bool or integers, or Volume
        The annotated frames in the volume's voxels.
    annotated : (Z, Y, X) array of bool
        Which voxels an annotated frame reached. There 0 says background, elsewhere nothing.
    spacing : float or (z, y, x), optional
        Of a bare array, mm; default 1.
    inside_mm : float
        How far a structure's seeds keep from every annotated voxel of another label; 0 for all of its voxels. A
        structure too thin for that has its deepest voxels as seeds.
    outside_mm : float
        How far background seeds keep from every structure; 0 for all annotated background.
    num_threads : int, optional
    progress : callable, optional
        Called with (done, total).

    Returns
    -------
    seeds : (Z, Y, X) integer array
        0 unknown; the structures' labels; `background` for background.
    background : int
        One above the largest label.

    Raises
    ------
    ValueError, TypeError
        If shapes differ, no voxel or no structure is annotated, or no background seed is left.

    Notes
    -----
    Exact distances between voxel centres, a slab of the volume at a time. Memory beside the result: about 20 bytes a
    voxel of a slab.

    Examples
    --------
    >>> frame = np.array([[[0, 0, 0, 0, 5, 5, 5]]])
    >>> seeds, background = seeds_from_annotations(frame, np.ones(frame.shape, bool))
    >>> seeds.tolist(), background
    ([[[6, 6, 0, 0, 0, 5, 5]]], 6)
    """
    array, known = as_label_map("labels", labels), np.asarray(annotated)
    if known.dtype != bool or known.shape != array.shape:
        raise ValueError(f"annotated must be a bool array of shape {array.shape}, not {known.dtype} {known.shape}")
    for name, value in (("inside_mm", inside_mm), ("outside_mm", outside_mm)):
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be 0 or positive (mm), not {value!r}")
    steps, threads = as_steps(labels, spacing), get_num_threads(num_threads)
    structures = np.flatnonzero(_present(array, known))
    structures = structures[structures > 0]
    if not len(structures):
        raise ValueError("no annotated voxel holds a structure: seeds need some of each")
    background = int(structures[-1]) + 1
    seeds = np.zeros(array.shape, np.min_scalar_type(background))
    for number, label in enumerate([0, *structures.tolist()]):
        value, away = (background, outside_mm) if label == 0 else (label, inside_mm)
        if not _put(seeds, array, known, label, value, away, steps, threads) and label == 0:
            raise ValueError(f"no annotated background lies {outside_mm:g} mm from every structure: lower outside_mm")
        if progress is not None:
            progress(number + 1, len(structures) + 1)
    return seeds, background


def _present(array: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    largest = int(array.max())
    if largest > 65_534:
        raise ValueError(f"labels go up to {largest}; seeds can have labels up to 65534")
    counts = np.zeros(largest + 1, np.int64)
    for part, here in zip(array, known, strict=True):
        counts += np.bincount(part[here].astype(np.int64), minlength=largest + 1)
    return counts


def _put(
    seeds: NDArray[Any],
    array: NDArray[Any],
    known: NDArray[np.bool_],
    label: int,
    name: int,
    away: float,
    spacing: tuple[float, ...],
    threads: int,
) -> bool:
    """Mark the voxels of a label that lie farther than `away` from others; say whether there are any."""
    own = known & (array == label)
    box = box_of(own)
    if box is None:
        return False
    # With nothing deep enough a structure, but not background, is marked where it is deepest.
    slabs = [slice(start, min(start + _SLAB, box[0].stop)) for start in range(box[0].start, box[0].stop, _SLAB)]
    deepest = [0.0] * len(slabs)
    for number, slab in enumerate(slabs):
        depth = np.where(own[slab], _depth(array, known, label, slab, away, spacing, threads), 0)
        deepest[number] = float(depth.max())
        seeds[slab][depth > away] = name
    if max(deepest) <= away and label != 0:
        slab = slabs[int(np.argmax(deepest))]
        depth = np.where(own[slab], _depth(array, known, label, slab, away, spacing, threads), 0)
        seeds[slab][depth >= max(deepest)] = name
    return max(deepest) > away


def _depth(
    array: NDArray[Any],
    known: NDArray[np.bool_],
    label: int,
    slab: slice,
    away: float,
    spacing: tuple[float, ...],
    threads: int,
) -> NDArray[np.float64]:
    """Return the distance (mm) of a slab's voxels to the nearest annotated one of another label, exact up to `away`."""
    reach = int(away / spacing[0]) + 1
    wide = slice(max(slab.start - reach, 0), slab.stop + reach)
    other = np.ascontiguousarray(known[wide] & (array[wide] != label)).view(np.uint8)
    z, y, x = spacing
    distance, _ = _core.distance_transform(other, (z, y, x), True, False, threads, None)
    return distance[slab.start - wide.start :][: slab.stop - slab.start]
