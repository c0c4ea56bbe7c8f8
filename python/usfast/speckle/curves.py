"""Decorrelation curves: how the correlation of patches falls with elevational distance, row by row of the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError
from usfast.speckle.patches import PatchGrid

__all__ = ["DecorrelationCurves", "decorrelation_curves", "patch_displacements"]

_Array = NDArray[np.float64]


def patch_displacements(image_to_world: ArrayLike, patches: PatchGrid, window: int = 20) -> tuple[_Array, _Array]:
    """Return how far every patch moves out of the plane, and in it, between the frames of known poses.

    Parameters
    ----------
    image_to_world : (N, 4, 4) array
        Pixel (u, v, 0, 1) to world mm. NaN where a pose is unknown.
    patches : PatchGrid
    window : int
        Largest distance between two frames of a pair, frames.

    Returns
    -------
    elevational : (N, window, P) float64 array
        At ``[i, lag - 1, p]``: displacement (mm) of the middle of patch p from frame i to frame i + lag along the
        bisector of the two frames' normals ``u x v``. NaN where there is no frame i + lag or no pose.
    in_plane : (N, window, P) float64 array
        Length of the rest of the displacement, mm.

    Raises
    ------
    ValueError
        If the shape is not (N, 4, 4) or the window is not positive.
    GeometryError
        If the axes of a pose are parallel or zero.

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = [0.0, 0.5, 2.0]
    >>> away, aside = patch_displacements(poses, PatchGrid.regular((8, 8), (8, 8)), window=2)
    >>> away[:, :, 0].tolist()
    [[0.5, 2.0], [1.5, nan], [nan, nan]]
    """
    poses = np.asarray(image_to_world, dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise ValueError(f"image_to_world must have shape (N, 4, 4), not {poses.shape}")
    check_window(window)
    count = len(poses)
    normals = np.cross(poses[:, :3, 0], poses[:, :3, 1])
    lengths = np.linalg.norm(normals, axis=1)
    bad = np.flatnonzero(lengths <= 1e-12)  # False for NaN
    if bad.size:
        raise GeometryError(f"image_to_world of frame {bad[0]} has no normal: its first two columns are parallel")
    normals = normals / lengths[:, None]
    centres = patches.centres
    pixels = np.column_stack([centres[:, 1], centres[:, 0], np.zeros(len(patches)), np.ones(len(patches))])
    places = (pixels @ np.swapaxes(poses, 1, 2))[..., :3]  # (N, P, 3)
    elevational = np.full((count, window, len(patches)), np.nan)
    in_plane = elevational.copy()
    for lag in range(1, min(window, count - 1) + 1):
        moved = places[lag:] - places[:-lag]
        mean = normals[lag:] + normals[:-lag]
        mean = mean / np.maximum(np.linalg.norm(mean, axis=1), 1e-12)[:, None]
        away = np.einsum("npk,nk->np", moved, mean)
        elevational[:-lag, lag - 1] = away
        in_plane[:-lag, lag - 1] = np.linalg.norm(moved - away[..., None] * mean[:, None], axis=-1)
    return elevational, in_plane


@dataclass(frozen=True, eq=False)
class DecorrelationCurves:
    """Correlation against elevational distance for each row of the patch grid.

    Attributes
    ----------
    edges : (B + 1,) float64 array
        Bins of distance, mm.
    distance : (R, B) float64 array
        Mean distance of the pairs in each bin, mm; NaN where there are none.
    mean, sd : (R, B) float64 arrays
        Mean and standard deviation of the correlation; NaN where there is no pair.
    quantiles : (R, Q, B) float64 array
        Quantiles of the correlation at `levels`.
    levels : (Q,) float64 array
    count : (R, B) int64 array
        Pairs of patches in each bin.
    """

    edges: _Array
    distance: _Array
    mean: _Array
    sd: _Array
    quantiles: NDArray[np.float64]
    levels: _Array
    count: NDArray[np.int64]

    def table(self) -> list[tuple[float, ...]]:
        """Return one row a bin that holds pairs: (grid row, distance mm, pairs, mean, sd, quantiles ...)."""
        return [
            (
                row,
                float(self.distance[row, b]),
                int(self.count[row, b]),
                float(self.mean[row, b]),
                float(self.sd[row, b]),
                *map(float, self.quantiles[row, :, b]),
            )
            for row, b in np.argwhere(self.count > 0).tolist()
        ]


def decorrelation_curves(
    correlation: ArrayLike,
    elevational: ArrayLike,
    patches: PatchGrid,
    bins: int | ArrayLike = 24,
    *,
    levels: Sequence[float] = (0.1, 0.5, 0.9),
) -> DecorrelationCurves:
    """Gather correlations into curves over distance, one for each row of the patch grid (one depth).

    Parameters
    ----------
    correlation : (N, window, P) array
        From `correlate_pairs`; NaN is left out.
    elevational : (N, window, P) array
        Distance of each pair, mm, from `patch_displacements`; its sign does not matter. NaN is left out.
    patches : PatchGrid
    bins : int or (B + 1,) array
        Number of equal bins up to the largest distance, or their edges in mm, increasing.
    levels : sequence of float
        Quantiles to report, in [0, 1].

    Returns
    -------
    DecorrelationCurves

    Raises
    ------
    ValueError
        If the shapes differ, do not fit the grid, no pair has both a correlation and a distance, or bins or levels
        are no such numbers.

    Examples
    --------
    >>> import numpy as np
    >>> patches = PatchGrid.regular((8, 16), (8, 8))
    >>> rho, apart = np.array([[[0.9, 0.7]]]), np.array([[[0.2, -0.3]]])
    >>> curves = decorrelation_curves(rho, apart, patches, bins=1)
    >>> curves.mean.round(3).tolist(), curves.count.tolist()
    ([[0.8]], [[2]])
    """
    rho, apart = checked_pairs(correlation, elevational, patches)
    used = np.isfinite(rho) & np.isfinite(apart)
    if not used.any():
        raise ValueError("no pair of frames has both a correlation and a distance")
    edges = _edges(bins, float(apart[used].max()))
    share = np.asarray(levels, dtype=np.float64)
    if share.ndim != 1 or not ((share >= 0) & (share <= 1)).all():
        raise ValueError(f"levels must be quantiles in [0, 1], not {levels!r}")
    rows, columns = patches.grid
    shape = (rows, len(edges) - 1)
    found = DecorrelationCurves(
        edges,
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full((rows, len(share), len(edges) - 1), np.nan),
        share,
        np.zeros(shape, np.int64),
    )
    for row in range(rows):
        part = slice(row * columns, (row + 1) * columns)
        inside = used[..., part]
        values, lengths = rho[..., part][inside], apart[..., part][inside]
        places = np.searchsorted(edges, lengths, side="right") - 1
        places[lengths == edges[-1]] = len(edges) - 2
        for b in range(len(edges) - 1):
            here = places == b
            if here.any():
                found.count[row, b] = np.count_nonzero(here)
                found.distance[row, b] = lengths[here].mean()
                found.mean[row, b], found.sd[row, b] = values[here].mean(), values[here].std()
                found.quantiles[row, :, b] = np.quantile(values[here], share)
    return found


def check_window(window: int) -> None:
    """Raise ValueError where `window` is no whole number of at least 1."""
    if isinstance(window, bool) or not isinstance(window, (int, np.integer)) or window < 1:
        raise ValueError(f"window must be a whole number of at least 1 (frames), not {window!r}")


def checked_pairs(correlation: ArrayLike, elevational: ArrayLike, patches: PatchGrid) -> tuple[_Array, _Array]:
    """Return correlations and unsigned distances where both are (N, window, P) for the patches of the grid."""
    rho = np.asarray(correlation, dtype=np.float64)
    apart = np.abs(np.asarray(elevational, dtype=np.float64))
    if rho.ndim != 3 or rho.shape != apart.shape:
        raise ValueError(
            f"correlation and elevational must share one shape (N, window, P), not {rho.shape} and {apart.shape}"
        )
    if rho.shape[2] != len(patches):
        raise ValueError(f"correlation is of {rho.shape[2]} patches, but the grid has {len(patches)}")
    return rho, apart


def _edges(bins: int | ArrayLike, largest: float) -> _Array:
    if np.ndim(bins) == 0:
        if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
            raise ValueError(f"bins must be a whole number of at least 1 or edges in mm, not {bins!r}")
        return np.linspace(0.0, largest if largest > 0 else 1.0, int(bins) + 1)
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise ValueError("bins must be increasing finite edges in mm, at least two")
    return edges
