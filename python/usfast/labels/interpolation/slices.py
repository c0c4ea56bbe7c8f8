"""Interpolation between parallel annotated slices of a label volume."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice
from usfast.labels.interpolation.fields import signed_distance
from usfast.labels.interpolation.morphological import between
from usfast.volume import as_spacing

__all__ = ["SLICE_METHODS", "fill_between_slices"]

SLICE_METHODS = ("morphological", "signed_distance")
_Mask = NDArray[np.bool_]


def fill_between_slices(
    labels: ArrayLike,
    axis: int = 0,
    annotated: ArrayLike | None = None,
    *,
    method: str = "morphological",
    spacing: ArrayLike | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.uint8]:
    """Label the slices between annotated, parallel slices of a volume.

    Parameters
    ----------
    labels : (Z, Y, X) integer array, 0 to 255
        Whole slices are annotated; the labels of others are ignored.
    axis : {0, 1, 2}
        The array's axis across the slices.
    annotated : (number of slices,) bool array, optional
        Default: slices with any label.
    method : {"morphological", "signed_distance"}
        Dilations of what two sections share towards each of them (FBS), or blended signed distances.
    spacing : (z, y, x), optional
        mm; default 1. For `"signed_distance"`; dilations count voxels.
    progress : callable, optional
        Called as ``progress(done, total)``.

    Returns
    -------
    (Z, Y, X) uint8 array
        Annotated slices stay as they are; nothing lies before the first or after the last.

    Raises
    ------
    ValueError, TypeError
        If shapes or labels are wrong, or fewer than two slices are annotated.

    Notes
    -----
    Structures are interpolated one by one; where two meet, the pixel goes to the one it lies deeper in
    (`"signed_distance"`), or the smaller label (`"morphological"`). Morphological interpolation after A. B. Albu,
    T. Beugeling, D. Laurendeau, "A morphology-based approach for interslice interpolation of anatomical slices from
    volumetric images", IEEE Trans. Biomed. Eng. 55 (2008): see `usfast.labels.interpolation.morphological`. A part
    that only one of the two slices has ends in a point on the other; with signed distances half way to it, round.
    The signed distances are Raya and Udupa's (1990).

    Examples
    --------
    >>> volume = np.zeros((3, 9, 9), np.uint8)
    >>> volume[0, 4, 4] = volume[2, 2:7, 2:7] = 1
    >>> [int(fill_between_slices(volume, method=method)[1].sum()) for method in SLICE_METHODS]
    [5, 9]
    """
    choice("method", method, SLICE_METHODS)
    array = np.asarray(labels)
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"labels must be a non-empty volume (Z, Y, X), not shape {array.shape}")
    if array.dtype.kind not in "bui":
        raise TypeError(f"labels must be integers, not {array.dtype}")
    if int(array.min()) < 0 or int(array.max()) > 255:
        raise ValueError(f"labels must be from 0 to 255, not {array.min()} to {array.max()}")
    if axis not in (0, 1, 2):
        raise ValueError(f"axis must be 0, 1 or 2, not {axis!r}")
    steps = as_spacing(spacing, 3)
    within = tuple(step for n, step in enumerate(steps) if n != axis)
    out = np.zeros(array.shape, np.uint8)
    source, target = np.moveaxis(array, axis, 0), np.moveaxis(out, axis, 0)
    drawn = _annotated(source, annotated)
    target[drawn] = source[drawn]
    structures = [int(label) for label in np.unique(source[drawn]) if label]
    for number, (first, second) in enumerate(pairwise(drawn)):
        if second - first > 1:
            _fill(target, int(first), int(second), structures, method, (within[0], within[1]))
        if progress is not None:
            progress(number + 1, len(drawn) - 1)
    return out


def _annotated(slices: NDArray[Any], annotated: ArrayLike | None) -> NDArray[np.intp]:
    if annotated is None:
        marked = np.array([bool(one.any()) for one in slices])
    else:
        marked = np.asarray(annotated)
        if marked.dtype != bool or marked.shape != (len(slices),):
            raise ValueError(
                f"annotated must be a bool array with one entry for each of the {len(slices)} slices, "
                f"not {marked.dtype} {marked.shape}"
            )
    drawn = np.flatnonzero(marked)
    if len(drawn) < 2:
        raise ValueError(f"interpolation needs at least two annotated slices, not {len(drawn)}")
    if not any(slices[n].any() for n in drawn):
        raise ValueError("the annotated slices hold no label: there is nothing to interpolate")
    return drawn


def _fill(
    volume: NDArray[np.uint8], first: int, second: int, structures: list[int], method: str, spacing: tuple[float, float]
) -> None:
    """Fill the slices between two annotated ones, inside the box that both structures' sections share."""
    least = np.zeros((second - first - 1, *volume.shape[1:]), np.float32)
    for structure in structures:
        one, other = volume[first] == structure, volume[second] == structure
        if not (one.any() or other.any()):
            continue
        box = _box(one | other)
        if method == "morphological":
            values = np.where(between(one[box], other[box], second - first), np.float32(-1), np.float32(1))
        else:
            values = _distances(one[box], other[box], second - first, spacing)
        here = (slice(None), *box)
        claimed = values < least[here]
        np.copyto(least[here], values, where=claimed)
        np.copyto(volume[first + 1 : second][here], np.uint8(structure), where=claimed)


def _box(mask: _Mask) -> tuple[slice, slice]:
    """Return the box of a mask and one pixel around it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)


def _distances(one: _Mask, other: _Mask, steps: int, spacing: tuple[float, float]) -> NDArray[np.float32]:
    """Return blended signed distances on the slices between; see `Fields.ends` for a section that is missing."""
    share = (np.arange(1, steps) / steps)[:, None, None]
    if one.any() and other.any():
        first, second = signed_distance(one, spacing), signed_distance(other, spacing)
    else:
        share = share**2 if one.any() else 1 - (1 - share) ** 2
        there = signed_distance(one | other, spacing)
        gone = there - 4 * there.min()
        first, second = (there, gone) if one.any() else (gone, there)
    return ((1 - share) * first + share * second).astype(np.float32)
