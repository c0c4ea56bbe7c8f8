"""The smooth surface of a labelled structure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.labels.images.scenes import as_label_map, as_steps, box_of
from usfast.labels.surfaces.mesh import Mesh
from usfast.volume import Volume

__all__ = ["surface_mesh", "volumes_ml"]


def surface_mesh(
    labels: ArrayLike | Volume,
    label: int = 1,
    *,
    spacing: ArrayLike | None = None,
    smooth: float | None = None,
    step: int = 1,
) -> Mesh:
    """Return the closed surface of a structure in world coordinates, mm.

    Parameters
    ----------
    labels : (Z, Y, X) array of bool or integers, or Volume
    label : int
        The structure.
    spacing : float or (z, y, x), optional
        Of a bare array, mm; default 1. Then the world's origin is the centre of voxel 0.
    smooth : float, optional
        Standard deviation (mm) of the Gaussian over the structure's membership; default 1.5 times the largest spacing.
        0: none, the stairs of the voxels stay.
    step : int
        Voxels between the mesh's samples: 2 gives about a quarter of the triangles.

    Returns
    -------
    Mesh
        Faces look outwards. It is closed also where the structure meets the border of the volume.

    Raises
    ------
    ValueError, TypeError
        If the labels are no labels or hold no voxel of the structure; if an option is out of range.

    Notes
    -----
    Marching cubes (Lewiner 2003, scikit-image) at the level that as many voxels exceed as the structure has, not at
    0.5: smoothing alone would shrink it. Flat triangles still cut off a little of what is convex: vertices move along
    their normals until the volume is that of the voxels, by a quarter of a voxel (times `step`) at most. Without
    smoothing the mesh stays as it is. Memory: about 30 bytes a voxel of the structure's box beside the mesh.

    Examples
    --------
    >>> z, y, x = np.indices((24, 24, 24)) - 11.5
    >>> ball = x**2 + y**2 + z**2 < 81
    >>> mesh = surface_mesh(ball, spacing=0.5)
    >>> mesh.is_closed, round(mesh.volume_ml, 2), round(volumes_ml(ball, spacing=0.5)[1], 2)
    (True, 0.39, 0.39)
    """
    from skimage.measure import marching_cubes

    array, steps = as_label_map("labels", labels), as_steps(labels, spacing)
    width = 1.5 * max(steps) if smooth is None else float(smooth)
    if not (np.isfinite(width) and width >= 0):
        raise ValueError(f"smooth must be 0 or positive (mm), not {smooth!r}")
    if not isinstance(step, (int, np.integer)) or not 1 <= step <= 16:
        raise ValueError(f"step must be a whole number from 1 to 16, not {step!r}")
    field, first = _membership(array, label, [width / s for s in steps], int(step))
    corners, faces, *_ = marching_cubes(field, _level(field, array, label, width), step_size=int(step))
    voxel = (corners.astype(np.float64) + first)[:, ::-1]
    if isinstance(labels, Volume):
        world = voxel * labels.spacing @ labels.direction.T + labels.origin
    else:
        world = voxel * np.array(steps[::-1])
    mesh = Mesh(world, faces)
    if mesh.volume_ml < 0:
        mesh = Mesh(world, faces[:, ::-1])
    if width == 0:
        return mesh
    voxels = np.count_nonzero(array == label) * float(np.prod(steps)) / 1000
    return _moved(mesh, (voxels - mesh.volume_ml) * 10 / mesh.area_cm2, min(steps) * int(step) / 4)


def volumes_ml(labels: ArrayLike | Volume, *, spacing: ArrayLike | None = None) -> dict[int, float]:
    """Return the volume of every structure, ml, by counting voxels.

    Parameters
    ----------
    labels : (Z, Y, X) array of bool or integers, or Volume
    spacing : float or (z, y, x), optional
        Of a bare array, mm; default 1.

    Raises
    ------
    ValueError, TypeError
        If the labels are no labels.

    Examples
    --------
    >>> volumes_ml([[[0, 3, 3, 7]]], spacing=10)
    {3: 2.0, 7: 1.0}
    """
    array, steps = as_label_map("labels", labels), as_steps(labels, spacing)
    counts: dict[int, int] = {}
    for part in array:
        for name, count in zip(*np.unique(part, return_counts=True), strict=True):
            counts[int(name)] = counts.get(int(name), 0) + int(count)
    counts.pop(0, None)
    return {name: counts[name] * float(np.prod(steps)) / 1000 for name in sorted(counts)}


def _membership(
    array: NDArray[Any], label: int, widths: list[float], step: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the structure's smoothed membership in its box, 0 all around, and the index of its first element."""
    from scipy.ndimage import gaussian_filter

    inside = array == label
    box = box_of(inside)
    if label == 0 or box is None:
        present = sorted(set(np.unique(array).tolist()) - {0})
        raise ValueError(f"no voxel has the label {label}; the labels are {present}")
    margins = [int(np.ceil(4 * width)) + 1 + step for width in widths]
    # The far side is rounded up to whole steps, which marching cubes would leave out otherwise.
    pads = [
        (margin, margin + (-(s.stop - s.start + 2 * margin - 1)) % step) for margin, s in zip(margins, box, strict=True)
    ]
    field = np.pad(inside[box].astype(np.float32), pads)
    if max(widths) > 0:
        field = gaussian_filter(field, widths, mode="constant", truncate=4)
    return field, np.array([s.start - margin for s, margin in zip(box, margins, strict=True)], np.int64)


def _level(field: NDArray[np.float32], array: NDArray[Any], label: int, width: float) -> float:
    """Return a level, held by no element, above which there are as many elements as the structure has voxels."""
    if width == 0:
        return 0.5
    count = int(np.count_nonzero(array == label))
    last = np.partition(field, field.size - count, axis=None)[field.size - count]
    return (float(last) + float(field[field < last].max())) / 2


def _moved(mesh: Mesh, distance: float, limit: float) -> Mesh:
    """Return the mesh with its vertices moved outwards by a distance (mm), within a limit."""
    corners = [mesh.vertices[mesh.faces[:, k]] for k in range(3)]
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    count = len(mesh.vertices)
    outwards = np.zeros((count, 3))
    for k in range(3):
        for axis in range(3):
            outwards[:, axis] += np.bincount(mesh.faces[:, k], normal[:, axis], minlength=count)
    length = np.linalg.norm(outwards, axis=1, keepdims=True)
    np.divide(outwards, length, out=outwards, where=length > 0)
    return Mesh(mesh.vertices + float(np.clip(distance, -limit, limit)) * outwards, mesh.faces)
