"""Euclidean distance to a part: dense samples of its surface for the start, then Newton on the analytic faces.

Inside, the distance to the boundary is the least distance to the zero set of any one face, since the outside is the
union of the faces' outsides. Outside, the closest point lies on one face, or on the edge or corner where two or three
faces meet, and satisfies the other faces; each choice is followed from the closest sample and the best valid one kept.
Every candidate is a true point of the boundary, so what is kept can only be too far, never too near.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.structure import Part

__all__ = ["part_distance", "project", "surface_samples"]

Points = NDArray[np.float64]
_SPACING = 1.0  # of the samples, mm
_ITERATIONS = 40
_VALID = 1e-7  # how far above zero a face may be at a valid point
_CHUNK = 20_000  # points
_SAMPLES: WeakKeyDictionary[Part, tuple[Any, Points]] = WeakKeyDictionary()


def part_distance(part: Part, points: Points) -> NDArray[np.float64]:
    """Return the distance of points (N, 3) to the boundary of a part, mm; negative inside."""
    if part not in _SAMPLES:
        from scipy.spatial import cKDTree

        samples = surface_samples(part, _SPACING)
        _SAMPLES[part] = (cKDTree(samples), samples)
    tree, samples = _SAMPLES[part]
    result = np.empty(len(points))
    for start in range(0, len(points), _CHUNK):
        chunk = points[start : start + _CHUNK]
        distance, index = tree.query(chunk)
        result[start : start + _CHUNK] = _refined(part, chunk, samples[index], distance)
    return result


def surface_samples(part: Part, spacing: float) -> Points:
    """Return points (M, 3) on the part's boundary, about `spacing` apart, edges and corners included."""
    low, high = part.box[0] - spacing, part.box[1] + spacing
    axes = [np.arange(a, b + spacing, spacing) for a, b in zip(low, high, strict=True)]
    found = []
    for z in axes[2]:
        x, y = (grid.ravel() for grid in np.meshgrid(axes[0], axes[1], indexing="ij"))
        faces = _values(part, np.stack([x, y, np.full_like(x, z)], axis=1))
        near = np.abs(faces.max(axis=1)) < 2.0 * spacing
        if near.any():
            found.append(np.stack([x[near], y[near], np.full(int(near.sum()), z)], axis=1))
    seeds = np.concatenate(found) if found else np.empty((0, 3))
    values = _values(part, seeds)
    samples = []
    for size in (1, 2, 3):
        for chosen in combinations(range(values.shape[1]), size):
            close = (np.abs(values[:, chosen]) < 2.0 * spacing).all(axis=1)
            foot = _onto(part, seeds[close], list(chosen), steps=6)
            samples.append(foot[_on_boundary(part, foot, list(chosen))])
    return np.concatenate(samples)


def _refined(part: Part, points: Points, start: Points, distance: NDArray[np.float64]) -> NDArray[np.float64]:
    values = _values(part, points)
    inside = values.max(axis=1) < 0
    near = np.abs(_values(part, start)) < 3.0 * _SPACING
    best = distance.copy()
    count = values.shape[1]
    for size in (1, 2, 3):
        for chosen in combinations(range(count), size):
            faces = list(chosen)
            # Inside, every face counts, alone and without regard to the others.
            rows = np.nonzero(
                near[:, faces].all(axis=1) | inside if size == 1 else near[:, faces].all(axis=1) & ~inside
            )[0]
            if not len(rows):
                continue
            foot = _closest(part, points[rows], start[rows], faces)
            valid = np.abs(_values(part, foot)[:, faces]).max(axis=1) < _VALID
            valid &= inside[rows] | _on_boundary(part, foot, faces)
            length = np.linalg.norm(foot - points[rows], axis=1)
            best[rows] = np.where(valid, np.minimum(best[rows], length), best[rows])
    return np.where(inside, -best, best)


def _closest(part: Part, points: Points, start: Points, faces: list[int]) -> Points:
    """Walk along the common zero set of some faces to the point nearest to each of `points`.

    A step goes towards the foot of the point on the tangent space and back onto the faces. Its length follows the
    curvature seen over the last step (Barzilai and Borwein 1988, *IMA J. Numer. Anal.* 8(1), eq. 5); where it does
    not come nearer, a shorter one is tried next, so the distance decreases monotonically.
    """
    foot = _onto(part, start, faces, steps=4)
    length = np.linalg.norm(foot - points, axis=1)
    stride = np.ones(len(points))
    last_move, last_step = np.zeros_like(foot), np.zeros_like(foot)
    moving = np.arange(len(points))
    for _ in range(_ITERATIONS):
        here = foot[moving]
        step = _tangent(_gradients(part, here, faces), points[moving] - here)
        # Where the last try failed, nothing was moved: the shortened stride stays.
        moved = last_move[moving]
        curved = np.einsum("ni,ni->n", moved, last_step[moving] - step)
        stride[moving] = np.where(
            curved > 0,
            np.clip(np.einsum("ni,ni->n", moved, moved) / np.maximum(curved, 1e-300), 0.02, 4.0),
            stride[moving],
        )
        tried = _onto(part, here + stride[moving, None] * step, faces, steps=2)
        reached = np.linalg.norm(tried - points[moving], axis=1)
        better = reached < length[moving]
        foot[moving] = np.where(better[:, None], tried, here)
        last_move[moving] = np.where(better[:, None], tried - here, 0.0)
        last_step[moving] = step
        length[moving] = np.where(better, reached, length[moving])
        stride[moving] = np.where(better, stride[moving], 0.4 * stride[moving])
        # A tangential step of 1e-4 mm changes the distance by less than 1e-6 mm.
        moving = moving[(np.linalg.norm(step, axis=1) > 1e-4) & (stride[moving] > 1e-4)]
        if not len(moving):
            break
    return _onto(part, foot, faces, steps=3)


def _onto(part: Part, points: Points, faces: list[int], steps: int) -> Points:
    """Gauss-Newton onto the common zero set of some faces, by the shortest step each time."""
    for _ in range(steps):
        values = _values(part, points)[:, faces]
        gradients = _gradients(part, points, faces)
        step = np.einsum("nki,nk->ni", gradients, _solve(gradients, values))
        length = np.linalg.norm(step, axis=1, keepdims=True)
        points = points - step * np.minimum(1.0, 5.0 / np.maximum(length, 1e-300))
    return points


def _tangent(gradients: NDArray[np.float64], vectors: Points) -> Points:
    along = np.einsum("nki,ni->nk", gradients, vectors)
    return np.asarray(vectors - np.einsum("nki,nk->ni", gradients, _solve(gradients, along)))


def _solve(gradients: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve ``(G G^T) a = values``; nearly parallel faces get a bounded answer instead of a singular one."""
    gram = np.einsum("nki,nli->nkl", gradients, gradients)
    gram += 1e-9 * np.eye(gram.shape[1])
    return np.asarray(np.linalg.solve(gram, values[..., None])[..., 0])


def _on_boundary(part: Part, points: Points, faces: list[int]) -> NDArray[np.bool_]:
    values = _values(part, points)
    on = (np.abs(values[:, faces]) < _VALID).all(axis=1)
    return np.asarray(on & (values.max(axis=1, initial=-np.inf) < _VALID))


def _values(part: Part, points: Points) -> NDArray[np.float64]:
    return np.stack(part.faces(points[:, 0], points[:, 1], points[:, 2]), axis=-1)


def _gradients(part: Part, points: Points, faces: list[int], step: float = 1e-4) -> NDArray[np.float64]:
    """Central differences: (N, K, 3)."""
    result = np.empty((len(points), len(faces), 3))
    for axis in range(3):
        ends = []
        for sign in (step, -step):
            moved = points.copy()
            moved[:, axis] += sign
            ends.append(_values(part, moved)[:, faces])
        result[:, :, axis] = (ends[0] - ends[1]) / (2 * step)
    return result


def project(part: Part, points: Points) -> Points:
    """Return points (N, 3) moved onto the part's boundary by Newton's method on its largest face.

    For points that lie near the boundary already, such as the vertices of a mesh.
    """
    moved = points.copy()
    for _ in range(12):
        values = _values(part, moved)
        largest = np.argmax(values, axis=1)
        rows = np.nonzero(np.abs(values.max(axis=1)) > 1e-9)[0]
        if not len(rows):
            break
        for face in np.unique(largest[rows]):
            those = rows[largest[rows] == face]
            moved[those] = _onto(part, moved[those], [int(face)], steps=1)
    return moved
