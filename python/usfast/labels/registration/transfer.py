"""Labels carried from one acquisition to another, and label sets completed from each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice
from usfast._threads import get_num_threads
from usfast.labels.registration.rigid import Registration, as_rigid
from usfast.volume import Grid, Volume

__all__ = ["FILLINGS", "METHODS", "as_label_volume", "complete_both", "complete_labels", "transfer_labels"]

METHODS = ("smooth", "nearest")
FILLINGS = ("structures", "voxels")
_CORNERS = [(k, j, i) for k in (0, 1) for j in (0, 1) for i in (0, 1)]
_AT_ONCE = 1 << 19  # voxels; bounds the memory beside the two volumes


def transfer_labels(
    labels: Volume,
    transform: Registration | ArrayLike,
    to: Grid,
    *,
    inverse: bool = False,
    method: str = "smooth",
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Volume:
    """Carry a label volume over to another grid through a rigid motion.

    Parameters
    ----------
    labels : Volume of integers
        0 is background.
    transform : Registration or (4, 4) array
        A registration takes labels of its moving volume to the fixed one's world. An array takes points of the
        labels' world to the world of `to`, mm.
    to : Grid
        Where to.
    inverse : bool
        The other way: labels of the fixed volume to the moving one's world.
    method : {"smooth", "nearest"}
        "smooth": each label's membership (0 or 1) is interpolated linearly and the largest wins, background among
        them; of equal ones the lowest label. Borders come out smoother than by the nearest voxel, and structures
        never overlap.
    num_threads : int, optional
        The result does not depend on it.
    progress : callable, optional
        Called as ``progress(slices done, slices)``.

    Returns
    -------
    Volume
        Of the labels' dtype (uint8 for bool); 0 where `labels` do not reach.

    Raises
    ------
    ValueError, TypeError
        If an argument is of the wrong kind.
    GeometryError
        If the transform is not rigid.

    Examples
    --------
    >>> labels = Volume(np.full((2, 2, 2), 3, np.uint8), spacing=2.0)
    >>> shift = np.eye(4)
    >>> shift[0, 3] = 2.0
    >>> transfer_labels(labels, shift, Grid((3, 1, 1), 2.0)).array.ravel().tolist()
    [0, 3, 3]
    """
    source = as_label_volume("labels", labels)
    if not isinstance(to, Grid):
        raise TypeError(f"to must be a Grid, not {type(to).__name__}; a Volume has .grid")
    choice("method", method, METHODS)
    motion = _motion(transform)
    if inverse:
        motion = np.asarray(np.linalg.inv(motion), np.float64)
    to_source = source.grid.world_to_voxel @ np.linalg.inv(motion) @ to.voxel_to_world
    out = np.zeros(to.shape, source.array.dtype)
    cropped, first = _cropped(source.array)
    to_source[:3, 3] -= first
    depth, height, width = to.shape
    sample = _nearest if method == "nearest" else _smooth
    rows = max(1, _AT_ONCE // width)
    i, j = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))

    def carry(k: int) -> None:
        for start in range(0, height, rows):
            part = np.s_[start : start + rows]
            index = np.stack([i[part].ravel(), j[part].ravel(), np.full(i[part].size, float(k))])
            places = to_source[:3, :3] @ index + to_source[:3, 3:]
            out[k, part] = sample(cropped, places).reshape(-1, width)

    pool = ThreadPoolExecutor(min(get_num_threads(num_threads), depth))
    try:
        for k, _ in enumerate(pool.map(carry, range(depth))):
            if progress is not None:
                progress(k + 1, depth)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return Volume.on(to, out)


def complete_labels(
    labels: Volume,
    other: Volume,
    transform: Registration | ArrayLike,
    *,
    inverse: bool = False,
    fill: str = "structures",
    region: ArrayLike | None = None,
    method: str = "smooth",
) -> Volume:
    """Add to the labels of one acquisition what only the other one has; own labels always stay.

    Parameters
    ----------
    labels : Volume of integers
        To be completed.
    other : Volume of integers
        Labels of the other acquisition, in its own world; a label means the same structure in both.
    transform, inverse, method
        As in `transfer_labels`, from `other` to `labels`.
    fill : {"structures", "voxels"}
        "structures" takes over the structures that `labels` lack altogether; "voxels" every voxel that `labels`
        call background, so that own structures may grow by what the other annotator drew.
    region : (Z, Y, X) bool array, optional
        Voxels that may be filled, e.g. the coverage of the acquisition that is completed.

    Returns
    -------
    Volume
        On the grid of `labels`, of a dtype that holds both.

    Raises
    ------
    ValueError, TypeError, GeometryError
        As `transfer_labels`; or if `region` has another shape.

    Examples
    --------
    >>> mine = Volume(np.uint8([[[1, 1, 0, 0]]]), spacing=1.0)
    >>> theirs = Volume(np.uint8([[[0, 2, 2, 1]]]), spacing=1.0)
    >>> complete_labels(mine, theirs, np.eye(4)).array.ravel().tolist()
    [1, 1, 2, 0]
    """
    own = as_label_volume("labels", labels)
    theirs = as_label_volume("other", other)
    choice("fill", fill, FILLINGS)
    free = own.array == 0
    if region is not None:
        allowed = np.asarray(region)
        if allowed.shape != own.array.shape:
            raise ValueError(f"region has shape {allowed.shape}, but labels {own.array.shape} (Z, Y, X)")
        free &= allowed.astype(bool, copy=False)
    carried = transfer_labels(theirs, transform, own.grid, inverse=inverse, method=method).array
    if fill == "structures":
        free &= ~np.isin(carried, np.unique(own.array))
    dtype = np.result_type(own.array, carried)
    return Volume.on(own.grid, np.where(free, carried, own.array).astype(dtype))


def complete_both(
    fixed_labels: Volume,
    moving_labels: Volume,
    registration: Registration,
    *,
    fill: str = "structures",
    fixed_region: ArrayLike | None = None,
    moving_region: ArrayLike | None = None,
    method: str = "smooth",
) -> tuple[Volume, Volume]:
    """Complete the label sets of both acquisitions from each other.

    Parameters
    ----------
    fixed_labels, moving_labels : Volume of integers
    registration : Registration
        Of the two acquisitions.
    fill, method
        As in `complete_labels`.
    fixed_region, moving_region : bool arrays, optional
        Where each may be filled.

    Returns
    -------
    (Volume, Volume)
        The fixed and the moving acquisition's labels, each on its own grid, both from what was given: neither gets
        back what it gave.

    Examples
    --------
    >>> from usfast.labels.registration.similarity import Similarity
    >>> nothing = Similarity(1.0, 0.0, 0.0)
    >>> found = Registration(np.eye(4), "correlation", nothing, nothing, (1.0,), (0,), 1)
    >>> one = Volume(np.uint8([[[1, 0, 0]]]), spacing=1.0)
    >>> two = Volume(np.uint8([[[0, 0, 2]]]), spacing=1.0)
    >>> [volume.array.ravel().tolist() for volume in complete_both(one, two, found)]
    [[1, 0, 2], [1, 0, 2]]
    """
    if not isinstance(registration, Registration):
        raise TypeError(f"registration must be a Registration, not {type(registration).__name__}")
    return (
        complete_labels(fixed_labels, moving_labels, registration, fill=fill, region=fixed_region, method=method),
        complete_labels(
            moving_labels, fixed_labels, registration, inverse=True, fill=fill, region=moving_region, method=method
        ),
    )


def as_label_volume(name: str, labels: Volume) -> Volume:
    """Return labels as a Volume of integers, bool as uint8, or say what they are instead."""
    if not isinstance(labels, Volume):
        raise TypeError(f"{name} must be a Volume, not {type(labels).__name__}")
    if labels.array.dtype.kind == "b":
        return Volume.on(labels.grid, labels.array.view(np.uint8))
    if labels.array.dtype.kind not in "ui":
        raise TypeError(f"{name} must hold integers, not {labels.array.dtype}")
    if labels.array.dtype.kind == "i" and labels.array.min() < 0:
        raise ValueError(f"{name} hold {labels.array.min()}; labels are not negative")
    return labels


def _motion(transform: Registration | ArrayLike) -> NDArray[np.float64]:
    return transform.moving_to_fixed if isinstance(transform, Registration) else as_rigid("transform", transform)


def _cropped(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the box of all labels with a rim of background, and the index (x, y, z) of its first voxel."""
    box = []
    for axis in range(3):
        where = np.flatnonzero(labels.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 1))
    first = np.array([part.start - 1 for part in reversed(box)], np.float64)
    return np.pad(labels[tuple(box)], 1), first


def _nearest(labels: NDArray[Any], places: NDArray[np.float64]) -> NDArray[Any]:
    """Return the labels at the voxels nearest to places (x, y, z) x points; 0 outside."""
    index = np.floor(places + 0.5)
    shape = np.array(labels.shape[::-1], np.float64)[:, None]
    inside = np.flatnonzero(((index >= 0) & (index < shape)).all(axis=0))
    out = np.zeros(places.shape[1], labels.dtype)
    out[inside] = labels.ravel()[_flat(labels, index[:, inside])]
    return out


def _smooth(labels: NDArray[Any], places: NDArray[np.float64]) -> NDArray[Any]:
    """Return the labels with the largest linearly interpolated membership; `labels` have a rim of background."""
    base = np.floor(places)
    last = np.array(labels.shape[::-1], np.float64)[:, None] - 2
    reached = np.flatnonzero(((base >= 0) & (base <= last)).all(axis=0))
    out = np.zeros(places.shape[1], labels.dtype)
    if not reached.size:
        return out
    at, values = _flat(labels, base[:, reached]), labels.ravel()
    steps = np.array([labels.shape[1] * labels.shape[2], labels.shape[2], 1])
    corners = np.stack([values[at + int(steps @ corner)] for corner in _CORNERS])
    mixed = np.flatnonzero((corners != corners[0]).any(axis=0))
    found = corners[0].copy()
    if mixed.size:
        rest = (places[:, reached[mixed]] - base[:, reached[mixed]])[::-1]
        weights = np.stack(
            [np.prod([r if c else 1 - r for r, c in zip(rest, corner, strict=True)], axis=0) for corner in _CORNERS]
        )
        found[mixed] = _winners(corners[:, mixed], weights)
    out[reached] = found
    return out


def _flat(labels: NDArray[Any], index: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where voxels (x, y, z) x points lie in the flattened array."""
    i, j, k = index.astype(np.int64)
    return np.asarray((k * labels.shape[1] + j) * labels.shape[2] + i)


def _winners(corners: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[Any]:
    """Return for each point the label whose corners weigh most together; the lowest of equal ones."""
    best = np.full(corners.shape[1], -1.0)
    winner = np.zeros(corners.shape[1], corners.dtype)
    for label in np.unique(corners):
        weight = np.where(corners == label, weights, 0.0).sum(axis=0)
        better = weight > best + 1e-12
        best[better], winner[better] = weight[better], label
    return winner
