"""Distances between the marching-cubes meshes of two masks: a definition below the voxel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.metrics.definitions import Definition
from usfast.metrics.distances import DistanceTable
from usfast.metrics.pairs import Pair

__all__ = ["mesh_distances"]

Floats = NDArray[np.float64]
_CHUNK = 20_000  # points at a time: bounds the memory


def mesh_distances(
    pair: Pair,
    only: NDArray[np.uint8] | None,
    how: Definition,
    num_threads: int,
    progress: Callable[[int, int], Any] | None,
) -> tuple[DistanceTable, DistanceTable, tuple[int, int, int]]:
    """Return the distances from the facets of either mesh to the other mesh, weighted by their size, and voxel counts.

    A facet (triangle, or line segment in 2D) stands for its centroid; the distance to the other mesh is exact.
    Masks are meshed at the level 0.5 as they are, without smoothing, beyond the image's edge too.
    """
    meshes = [_facets(mask, pair.spacing) for mask in (pair.pred, pair.ref)]
    here = None if only is None else np.asarray(only, bool)
    tables = []
    for number, (source, target) in enumerate((meshes, meshes[::-1])):
        centres, size = source.mean(axis=1), _size(source)
        if here is not None and len(centres):
            keep = _marked(centres, here, pair.spacing)
            centres, size = centres[keep], size[keep]
        tables.append(_table(_to_mesh(centres, target, num_threads), size))
        if progress is not None:
            progress(number + 1, 2)
    pred, ref = (mask != 0 for mask in (pair.pred, pair.ref))
    a, b, both = (int(np.count_nonzero(mask)) for mask in (pred, ref, pred & ref))
    return tables[0], tables[1], (a, b, both)


def _facets(mask: NDArray[Any], spacing: tuple[float, ...]) -> Floats:
    """Return the facets (F, ndim, ndim) in mm of the array's axes."""
    from skimage.measure import find_contours, marching_cubes

    if not mask.any():
        return np.empty((0, mask.ndim, mask.ndim))
    padded = np.pad(mask != 0, 1).astype(np.float32)
    if mask.ndim == 3:
        vertices, faces, *_ = marching_cubes(padded, 0.5)
        return np.asarray((vertices[faces] - 1) * spacing, np.float64)
    lines = [np.stack([line[:-1], line[1:]], axis=1) for line in find_contours(padded, 0.5)]
    return np.asarray((np.concatenate(lines) - 1) * spacing, np.float64)


def _size(facets: Floats) -> Floats:
    if facets.shape[1] == 2:
        return np.asarray(np.linalg.norm(facets[:, 1] - facets[:, 0], axis=1))
    normal = np.cross(facets[:, 1] - facets[:, 0], facets[:, 2] - facets[:, 0])
    return np.asarray(np.linalg.norm(normal, axis=1) / 2)


def _marked(points: Floats, here: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    """Return which points lie in a marked voxel; beyond the image the nearest voxel counts."""
    voxel = np.clip(np.rint(points / spacing).astype(np.int64), 0, np.subtract(here.shape, 1))
    return np.asarray(here[tuple(voxel.T)])


def _table(distance: Floats, weight: Floats) -> DistanceTable:
    values, place = np.unique(distance, return_inverse=True)
    return DistanceTable(values, np.bincount(place, weight, minlength=len(values)).astype(np.float64))


def _to_mesh(points: Floats, facets: Floats, num_threads: int) -> Floats:
    """Return the exact distance from each point to the nearest facet."""
    from scipy.spatial import cKDTree

    if not len(facets) or not len(points):
        return np.full(len(points), np.inf)
    centres = facets.mean(axis=1)
    reach = float(np.linalg.norm(facets - centres[:, None], axis=2).max())
    tree = cKDTree(centres)
    parts = [
        _nearest(points[start : start + _CHUNK], facets, tree, reach, num_threads)
        for start in range(0, len(points), _CHUNK)
    ]
    return np.concatenate(parts)


def _nearest(points: Floats, facets: Floats, tree: Any, reach: float, num_threads: int) -> Floats:
    """The nearest facet's centre lies within `reach` of its nearest point: look until no other can be nearer."""
    result = np.empty(len(points))
    open_points, count = np.arange(len(points)), min(8, len(facets))
    while len(open_points):
        away, which = tree.query(points[open_points], count, workers=num_threads)
        away, which = away.reshape(len(open_points), -1), which.reshape(len(open_points), -1)
        distance = _to_facet(points[open_points][:, None], facets[which]).min(axis=1)
        sure = (distance <= away[:, -1] - reach) | (count == len(facets))
        result[open_points[sure]] = distance[sure]
        open_points, count = open_points[~sure], min(4 * count, len(facets))
    return result


def _to_facet(points: Floats, facets: Floats) -> Floats:
    corners = [facets[..., k, :] for k in range(facets.shape[-2])]
    if len(corners) == 2:
        return _to_segment(points, *corners)
    a, b, c = corners
    edges = np.minimum(_to_segment(points, a, b), np.minimum(_to_segment(points, b, c), _to_segment(points, c, a)))
    normal = np.cross(b - a, c - a)
    inside = np.ones(edges.shape, bool)
    for start, end in ((a, b), (b, c), (c, a)):
        inside &= (np.cross(end - start, points - start) * normal).sum(axis=-1) >= 0
    length = np.linalg.norm(normal, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # a facet without area is its edges
        height = np.abs(((points - a) * normal).sum(axis=-1)) / length
    return np.asarray(np.where(inside & (length > 0), height, edges))


def _to_segment(points: Floats, start: Floats, end: Floats) -> Floats:
    along = end - start
    squared = (along * along).sum(axis=-1)
    place = ((points - start) * along).sum(axis=-1) / np.where(squared > 0, squared, 1)
    nearest = start + np.clip(place, 0, 1)[..., None] * along
    return np.asarray(np.linalg.norm(points - nearest, axis=-1))
