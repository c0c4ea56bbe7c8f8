"""Correlation between frames that also move in their own plane: the in-plane motion is measured and taken out first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.speckle.correlation import correlate_pairs
from usfast.speckle.curves import check_window
from usfast.speckle.patches import PatchGrid
from usfast.speckle.robust import huber_weight, spread

__all__ = ["correlate_aligned", "fit_in_plane"]

_Array = NDArray[np.float64]


def fit_in_plane(shift: ArrayLike, positions: ArrayLike, correlation: ArrayLike) -> tuple[_Array, NDArray[np.bool_]]:
    """Fit a shift and a turn to the displacements of patches, with Huber weights.

    Parameters
    ----------
    shift : (K, P, 2) array
        Displacement of each patch's content, mm along u and v; NaN is left out.
    positions : (P, 2) array
        (x, y) of each patch, mm.
    correlation : (K, P) array
        Correlation found there; patches below 0 have no say.

    Returns
    -------
    motion : (K, 3) float64 array
        Shift along u and v at the point that positions are relative to, mm, and turn of the content, radians (from u
        towards v). 0 where it could not be measured.
    measured : (K,) bool array
        False where no patch was found again. With fewer than three, the turn is 0.

    Examples
    --------
    >>> import numpy as np
    >>> places = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> moved = np.array([0.2, 0.1]) + 0.01 * places[:, ::-1] * [-1, 1]
    >>> fit_in_plane(moved[None], places, np.ones((1, 3)))[0].round(4).tolist()
    [[0.2, 0.1, 0.01]]
    """
    moved, places = np.asarray(shift, dtype=np.float64), np.asarray(positions, dtype=np.float64)
    trust = np.nan_to_num(np.asarray(correlation, dtype=np.float64), nan=0.0)
    if moved.ndim != 3 or moved.shape[1:] != (len(places), 2) or trust.shape != moved.shape[:2]:
        raise ValueError(f"shift {moved.shape} and correlation {trust.shape} must fit {len(places)} patches")
    trust = np.where(np.isfinite(moved).all(axis=2), np.maximum(trust, 0.0), 0.0)
    motion = np.zeros((len(moved), 3))
    for n, weights in enumerate(trust):
        used = weights > 0
        if used.any():
            motion[n] = _rigid(moved[n, used], places[used], weights[used])
    return motion, np.asarray((trust > 0).any(axis=1))


def _rigid(moved: _Array, places: _Array, weights: _Array) -> _Array:
    zero, one = np.zeros(len(places)), np.ones(len(places))
    design = np.concatenate([np.stack([one, zero, -places[:, 1]], 1), np.stack([zero, one, places[:, 0]], 1)])
    columns = 3 if len(places) >= 3 else 2
    target, base, robust = np.concatenate([moved[:, 0], moved[:, 1]]), np.tile(weights, 2), np.ones(2 * len(places))
    found = np.zeros(3)
    for _ in range(10):
        root = np.sqrt(base * robust)
        found[:columns] = np.linalg.lstsq(design[:, :columns] * root[:, None], target * root, rcond=None)[0]
        residual = target - design @ found
        robust = huber_weight(residual / spread(residual))
    return found


def correlate_aligned(
    frames: NDArray[np.uint8],
    patches: PatchGrid,
    path: ArrayLike,
    window: int = 20,
    *,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.float32]:
    """Correlate patches between frames after moving the frames back by whole pixels along a known in-plane path.

    Parameters
    ----------
    frames : (N, H, W) uint8 array
    patches : PatchGrid
    path : (N, 2) array
        Where the content of frame 0 lies in each frame: accumulated shift along u and v, pixels.
    window : int
    num_threads, progress
        As for `correlate_pairs`.

    Returns
    -------
    (N, window, P) float32 array
        As `correlate_pairs` returns; NaN too where a patch leaves the image.

    Notes
    -----
    Frames go in blocks of twice the window, each moved onto its own middle: the path may be long, and only what moves
    within a block costs patches at the rim. Half a pixel of shift is left; it adds to the nugget.
    """
    where = np.asarray(path, dtype=np.float64)
    if where.shape != (len(frames), 2) or not np.isfinite(where).all():
        raise ValueError(f"path must be finite (N, 2) for {len(frames)} frames, not of shape {where.shape}")
    check_window(window)
    found = np.full((len(frames), window, len(patches)), np.nan, np.float32)
    for start in range(0, len(frames) - 1, window):
        block = slice(start, min(start + 2 * window, len(frames)))
        offsets = np.rint(where[block] - np.median(where[block], axis=0)).astype(np.int64)
        moved = np.stack([_shifted(frame, *offset) for frame, offset in zip(frames[block], offsets, strict=True)])
        rho = correlate_pairs(moved, patches, window, num_threads=num_threads)
        inside = _inside(patches, offsets, frames.shape[1:])
        for lag in range(1, min(window, len(moved) - 1) + 1):
            rho[:-lag, lag - 1][~(inside[:-lag] & inside[lag:])] = np.nan
        found[start : start + window] = rho[: len(found[start : start + window])]
        if progress is not None:
            progress(min(start + window, len(frames)), len(frames))
    return found


def _shifted(frame: NDArray[np.uint8], du: int, dv: int) -> NDArray[np.uint8]:
    """Return the frame with what was at (u + du, v + dv) at (u, v); 0 where that is outside."""
    height, width = frame.shape
    out = np.zeros_like(frame)
    rows, columns = slice(max(-dv, 0), min(height - dv, height)), slice(max(-du, 0), min(width - du, width))
    if rows.start < rows.stop and columns.start < columns.stop:
        out[rows, columns] = frame[rows.start + dv : rows.stop + dv, columns.start + du : columns.stop + du]
    return out


def _inside(patches: PatchGrid, offsets: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(N, P): whether a patch, moved along, still lies in the image."""
    first = patches.corners[None] + offsets[:, None, ::-1]  # (row, column)
    return np.asarray((first >= 0).all(axis=2) & (first + patches.size <= shape).all(axis=2))
