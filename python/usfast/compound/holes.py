"""Filling of holes: voxels between frames that no pixel reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import choice, odd, positive
from usfast._threads import get_num_threads

__all__ = ["FILLS", "fill_holes"]

FILLS = ("nearest", "mean", "sticks", "gaussian", "inverse_distance", "normalized_convolution")
MAX_SIZE = 101


def fill_holes(
    volume: ArrayLike,
    weight: ArrayLike,
    method: str = "gaussian",
    *,
    size: int = 5,
    sigma: float | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Give holes (weight 0) a value from the known voxels close by; everything else stays as it is.

    Parameters
    ----------
    volume : (Z, Y, X) float32 array
    weight : (Z, Y, X) float32 array
        Compounding weight; 0 marks a hole.
    method : {"nearest", "mean", "sticks", "gaussian", "inverse_distance", "normalized_convolution"}
        `"nearest"`: mean of the known voxels at the smallest distance. `"mean"`, `"gaussian"`,
        `"inverse_distance"`: their mean in the window, unweighted or by ``exp(-d**2 / (2 sigma**2))`` or ``1/d``.
        `"sticks"`: of the 13 lines through the hole with known voxels on both sides, the shortest (all of them
        on a tie), linearly interpolated. `"normalized_convolution"`: Gaussian, weighted by each voxel's
        compounding weight too, in a window that grows from 3 until it finds data.
    size : int
        Width of the window, voxels (odd); the largest one for `"normalized_convolution"`; for `"sticks"` the
        longest stick, in steps.
    sigma : float, optional
        Standard deviation in voxels at width `size`; default ``size / 5``. It shrinks with the window for
        `"normalized_convolution"`.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        A new array; holes with no known voxel in reach keep their value.
    filled : (Z, Y, X) bool array
        True where a hole got a value.

    Raises
    ------
    ValueError, TypeError
        If shapes, sizes or names are wrong.

    Notes
    -----
    Values come from known voxels alone, so the result depends on neither order nor threads. Distances are in
    voxels. Normalised convolution: Knutsson and Westin, CVPR 1993; sticks: as in PLUS/IGSIO.

    Examples
    --------
    >>> import numpy as np
    >>> volume = np.array([[[2, 0, 6, 0, 0, 0]]], np.float32)
    >>> values, filled = fill_holes(volume, (volume > 0).astype(np.float32), "mean", size=3)
    >>> values.tolist(), filled.tolist()
    ([[[2.0, 4.0, 6.0, 6.0, 0.0, 0.0]]], [[[False, True, False, True, False, False]]])
    """
    values = np.ascontiguousarray(volume, np.float32)
    known = np.ascontiguousarray(weight, np.float32)
    if values.ndim != 3 or values.shape != known.shape:
        raise ValueError(f"volume and weight must share one shape (Z, Y, X), not {values.shape} and {known.shape}")
    choice("fill", method, FILLS)
    if method != "sticks":
        odd("size", size, MAX_SIZE)
    elif not isinstance(size, (int, np.integer)) or not 2 <= size <= MAX_SIZE:
        raise ValueError(f"size must be from 2 to {MAX_SIZE} steps for sticks, not {size!r}")
    return _core.fill_holes(
        values,
        known,
        method,
        int(size),
        positive("sigma", size / 5 if sigma is None else sigma),
        get_num_threads(num_threads),
        progress,
    )
