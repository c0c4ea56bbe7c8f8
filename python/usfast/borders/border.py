"""The border of every structure in a label map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.borders.arrays import as_labels, as_steps
from usfast.volume import Volume

__all__ = ["label_border"]


def label_border(
    labels: ArrayLike | Volume,
    spacing: ArrayLike | None = None,
    *,
    thickness: float | None = None,
    num_threads: int | None = None,
) -> NDArray[np.bool_]:
    """Return the inner border of every structure.

    Parameters
    ----------
    labels : (H, W) or (Z, Y, X) array of bool or integers, or Volume
        0 is background. Two structures that touch have a border each.
    spacing : float or (z, y, x) or (y, x), optional
        Of the array's own axes, mm; default 1. Not allowed beside a volume, which carries its own.
    thickness : float, optional
        The border is what lies within this distance of the nearest voxel outside its structure, centre to centre,
        mm. Default: the voxels with a neighbour through a face outside, as `usfast.metrics.surface` has them.
    num_threads : int, optional
        Does not change the result.

    Returns
    -------
    bool array of the labels' shape
        What lies beyond the image counts as outside.

    Raises
    ------
    ValueError, TypeError
        If the labels are empty, of other than 2 or 3 dimensions or no labels; if a number is out of range.

    Examples
    --------
    >>> label_border([[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]])[1].tolist()
    [True, False, False, True, False]
    >>> label_border([[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]], thickness=2)[1].tolist()
    [True, True, True, True, False]
    """
    array, steps = as_labels(labels), as_steps(labels, spacing)
    if thickness is None:
        return _one_voxel(array)
    if not (np.isfinite(thickness) and thickness > 0):
        raise ValueError(f"thickness must be positive, not {thickness!r}")
    return _band(array, steps, thickness, get_num_threads(num_threads))


def _one_voxel(labels: NDArray[Any]) -> NDArray[np.bool_]:
    border = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        along, seen = np.moveaxis(labels, axis, 0), np.moveaxis(border, axis, 0)
        differs = along[1:] != along[:-1]
        seen[1:] |= differs
        seen[:-1] |= differs
        seen[0] = seen[-1] = True
    border &= labels != 0
    return border


def _band(labels: NDArray[Any], spacing: tuple[float, ...], thickness: float, threads: int) -> NDArray[np.bool_]:
    from scipy.ndimage import find_objects

    planar = labels.ndim == 2
    z, y, x = (1.0, *spacing) if planar else spacing
    present, compact = np.unique(labels, return_inverse=True)
    border = np.zeros(labels.shape, bool)
    for label, box in zip(present, find_objects(compact.reshape(labels.shape) + 1), strict=True):
        if label == 0:
            continue
        # Nothing outside the box belongs to the structure: a rim of background stands for all of it.
        inside = np.pad(labels[box] == label, 1)
        if planar:
            inside = inside[None]
        distance, _ = _core.distance_transform(inside.view(np.uint8), (z, y, x), False, False, threads, None)
        near = inside & (distance <= thickness * (1 + 1e-9))
        border[box] |= near[0, 1:-1, 1:-1] if planar else near[1:-1, 1:-1, 1:-1]
    return border
