"""Ground truth on a grid, and a structure's surface as a mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.distance import project
from usfast.phantom.structure import Part, Structure
from usfast.phantom.tissue import Phantom
from usfast.volume import Grid, Volume

__all__ = ["label_volume", "surface", "tissue_volume"]


def label_volume(phantom: Phantom, grid: Grid, *, progress: Callable[[int, int], Any] | None = None) -> Volume:
    """Return the true label at each voxel's centre.

    Parameters
    ----------
    phantom : Phantom
    grid : Grid
    progress : callable, optional
        Called with (slices done, slices) after each slice.

    Returns
    -------
    Volume of uint8

    Examples
    --------
    >>> from usfast.phantom import HomogeneousPhantom, Tissue
    >>> block = HomogeneousPhantom(Tissue("liver", 7, -20.0, 0.5, 1.65))
    >>> label_volume(block, Grid((1, 4, 1), 1.0, (0.0, -1.5, 0.0))).array.ravel().tolist()
    [0, 0, 7, 7]
    """
    return _on_grid(phantom.labels, grid, progress)


def tissue_volume(phantom: Phantom, grid: Grid, *, progress: Callable[[int, int], Any] | None = None) -> Volume:
    """Return the index into ``phantom.tissues`` at each voxel's centre: a uint8 Volume.

    Parameters as for `label_volume`.
    """
    return _on_grid(phantom.tissue, grid, progress)


def _on_grid(
    ask: Callable[[NDArray[np.float64]], NDArray[np.uint8]], grid: Grid, progress: Callable[[int, int], Any] | None
) -> Volume:
    if not isinstance(grid, Grid):
        raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
    depth, height, width = grid.shape
    out = np.empty(grid.shape, np.uint8)
    step = grid.direction * grid.spacing
    i, j = np.meshgrid(np.arange(width), np.arange(height))
    plane = grid.origin + i[..., None] * step[:, 0] + j[..., None] * step[:, 1]
    for k in range(depth):
        out[k] = ask(plane + k * step[:, 2])
        if progress is not None:
            progress(k + 1, depth)
    return Volume(out, grid.spacing, grid.origin, grid.direction)


def surface(phantom: Any, structure: int | str, spacing: float = 2.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return a structure's surface as triangles, by marching cubes and then projection onto the analytic faces.

    Parameters
    ----------
    phantom : CalfPhantom, ThyroidPhantom or ProstatePhantom
    structure : int or str
        Label or name.
    spacing : float
        Of the marching cubes, mm.

    Returns
    -------
    vertices : (V, 3) float64 array
        World mm, on the surface to 1e-6 mm. Sharp edges between faces are met to about a tenth of `spacing`.
    faces : (F, 3) int64 array
        Vertex indices.

    Raises
    ------
    ValueError
        If there is no such structure or the spacing is not positive.
    ImportError
        If scikit-image is not installed.
    """
    if not 0 < spacing < np.inf:
        raise ValueError(f"spacing must be positive (mm), not {spacing!r}")
    chosen: Structure = phantom.structure(structure)
    vertices, faces, count = [], [], 0
    for part in chosen.parts:
        v, f = _part_surface(part, spacing)
        vertices.append(v)
        faces.append(f + count)
        count += len(v)
    return np.concatenate(vertices), np.concatenate(faces)


def _part_surface(part: Part, spacing: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise ImportError("surface needs scikit-image: pip install scikit-image") from error
    axes = [
        np.arange(low - 1.5 * spacing, high + 2.5 * spacing, spacing)
        for low, high in zip(part.box[0], part.box[1], strict=True)
    ]
    level = np.empty(tuple(len(axis) for axis in axes))
    for k, z in enumerate(axes[2]):
        x, y = np.meshgrid(axes[0], axes[1], indexing="ij")
        level[:, :, k] = part.level(x, y, np.full_like(x, z))
    # The level grows outwards: with "descent" the triangles turn counter-clockwise seen from outside.
    vertices, faces, _, _ = marching_cubes(level, 0.0, spacing=(spacing,) * 3, gradient_direction="descent")
    start = np.array([axis[0] for axis in axes])
    return project(part, vertices.astype(np.float64) + start), faces.astype(np.int64)
