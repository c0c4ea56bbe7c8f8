"""A plane through the distances of patches, and what it takes to have one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.speckle.robust import huber_weight

__all__ = ["check_plane", "fit_plane", "median_of_known", "patch_positions"]

_Array = NDArray[np.float64]


def fit_plane(distances: ArrayLike, positions: ArrayLike, weights: ArrayLike | None = None) -> _Array:
    """Fit planes ``z = b0 + b1 x + b2 y`` through the patches of frame pairs, with Huber weights.

    Parameters
    ----------
    distances : (..., P) array
        Signed elevational distance of each patch, mm; patches that are not finite are left out.
    positions : (P, 2) array
        (x, y) of each patch, mm.
    weights : (..., P) array, optional
        Importance of each patch, >= 0.

    Returns
    -------
    (..., 3) float64 array
        b0 (mm), b1, b2 (slopes along x and y): tilt ``atan(b2)``, yaw ``-atan(b1)``. NaN where fewer than three patches
        are left, or they lie on a line.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or there are fewer than three patches or all lie on a line.

    Notes
    -----
    Krupa, Fichtinger and Hager, Int. J. Robotics Res. 28 (2009), with iteratively reweighted least squares.

    Examples
    --------
    >>> fit_plane([1.0, 1.1, 1.2, 1.3], [[0, 0], [1, 0], [0, 1], [1, 1]]).round(6).tolist()
    [1.0, 0.1, 0.2]
    """
    places = patch_positions(positions)
    values = np.asarray(distances, dtype=np.float64)
    if values.ndim < 1 or values.shape[-1] != len(places):
        raise ValueError(f"distances have shape {values.shape}, but there are {len(places)} patches")
    check_plane(places)
    importance = np.ones(values.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if importance.shape != values.shape or not (importance >= 0).all():
        raise ValueError(f"weights must be >= 0 and of shape {values.shape}")
    design = np.column_stack([np.ones(len(places)), places])
    known = np.isfinite(values)
    z, base = np.where(known, values, 0.0), np.where(known, importance, 0.0)
    robust = np.ones(values.shape)
    b = np.full((*values.shape[:-1], 3), np.nan)
    for _ in range(20):
        weight = base * robust
        normal = np.einsum("...p,pa,pb->...ab", weight, design, design)
        trace = np.trace(normal, axis1=-2, axis2=-1)
        unit = np.eye(3)
        sound = (trace > 0) & (np.linalg.cond(np.where((trace > 0)[..., None, None], normal, unit)) < 1e10)
        right = np.einsum("...p,pa->...a", weight * z, design)
        b = np.linalg.solve(np.where(sound[..., None, None], normal, unit), right[..., None])[..., 0]
        b[~sound] = np.nan
        residual = np.where(base > 0, z - b @ design.T, np.nan)
        scale = 1.4826 * median_of_known(np.abs(residual))
        robust = np.nan_to_num(huber_weight(residual / np.maximum(scale, 1e-12)[..., None]), nan=0.0)
    return b


def median_of_known(values: _Array) -> _Array:
    """Median over the last axis, NaN left out; NaN where nothing is left."""
    known = np.isfinite(values).any(axis=-1)
    found = np.full(values.shape[:-1], np.nan)
    if known.any():
        found[known] = np.nanmedian(values[known], axis=-1)
    return found


def patch_positions(positions: ArrayLike) -> _Array:
    places = np.asarray(positions, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise ValueError(f"positions must be finite (P, 2) (x, y in mm), not of shape {places.shape}")
    return places


def check_plane(places: _Array) -> None:
    """Raise ValueError unless three of the places span a plane."""
    if len(places) < 3:
        raise ValueError(
            f'a plane needs at least 3 usable patches, not {len(places)}; motion="translation" needs only one'
        )
    spans = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if spans[1] <= 1e-6 * spans[0]:
        raise ValueError('a plane needs patches that do not lie on a line; motion="translation" does not')
