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

FILLS = ("nearest", "mean", "sticks", "gaussian", "inverse_distance", "normalized_convolution", "diffusion")
SEPARABLE = ("mean", "gaussian", "normalized_convolution", "diffusion")
MAX_SIZE = 101


def fill_holes(
    volume: ArrayLike,
    weight: ArrayLike,
    method: str = "gaussian",
    *,
    size: int | tuple[int, int, int] = 5,
    sigma: float | tuple[float, float, float] | None = None,
    extend: bool = False,
    out: NDArray[np.float32] | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Give holes (weight 0) a value from the known voxels close by; everything else stays as it is.

    Parameters
    ----------
    volume : (Z, Y, X) float32 array
    weight : (Z, Y, X) float32 array
        Compounding weight; 0 marks a hole.
    method : {"nearest", "mean", "sticks", "gaussian", "inverse_distance", "normalized_convolution", "diffusion"}
        `"nearest"`: mean of the known voxels at the smallest distance. `"mean"`, `"gaussian"`,
        `"inverse_distance"`: their mean in the window, unweighted or by ``exp(-d**2 / (2 sigma**2))`` or ``1/d``.
        `"sticks"`: of the 13 lines through the hole with known voxels on both sides, the shortest (all of them
        on a tie), linearly interpolated. `"normalized_convolution"`: Gaussian, weighted by each voxel's
        compounding weight too, in a window that grows from 3 until it finds data. `"diffusion"`: the smoothest
        values that meet the known ones (Laplace's equation), to 1e-4 of the largest value.
    size : int or (int, int, int)
        Width of the window, voxels (odd), one for all axes or (z, y, x); the largest one for
        `"normalized_convolution"`. For `"sticks"` the longest stick, in steps. Three widths, an ellipsoidal
        kernel, go with `"mean"`, `"gaussian"`, `"normalized_convolution"` and `"diffusion"`.
    sigma : float or (float, float, float), optional
        Standard deviation in voxels at width `size`; default ``size / 5`` along each axis. It shrinks with the
        window for `"normalized_convolution"`.
    extend : bool
        Fill every hole within half a window of data. By default a hole is filled only in a gap: inside the
        morphological closing of the known voxels by the window. A gap of up to ``size - 1`` voxels is closed
        from side to side, and nothing is invented outside the sweep. Sticks have ends on both sides and never
        leave the sweep.
    out : (Z, Y, X) float32 array, optional
        Where the result goes, C-contiguous; may be `volume` itself, which saves a copy.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        A new array, or `out`; holes that are not filled keep their value.
    filled : (Z, Y, X) bool array
        True where a hole got a value.

    Raises
    ------
    ValueError, TypeError
        If shapes, sizes or names are wrong.

    Notes
    -----
    Values come from known voxels alone, so the result depends on neither order nor threads. Distances are in
    voxels. The separable methods take a time proportional to the sum of the sizes, not to their product, and only in
    rows that have holes to fill. Sums are taken in single precision (relative error about 1e-6), in double where
    the kernel's weights span more than 12 decimal orders. Memory: a byte a voxel for `filled`, half a byte while
    it works, and 4 for a new result. Normalised convolution: Knutsson and Westin, CVPR 1993; sticks: as in
    PLUS/IGSIO.

    Examples
    --------
    >>> import numpy as np
    >>> volume = np.array([[[2, 0, 6, 0, 0, 0]]], np.float32)
    >>> values, filled = fill_holes(volume, (volume > 0).astype(np.float32), "mean", size=3)
    >>> values.tolist(), filled.tolist()
    ([[[2.0, 4.0, 6.0, 0.0, 0.0, 0.0]]], [[[False, True, False, False, False, False]]])
    >>> fill_holes(volume, (volume > 0).astype(np.float32), "mean", size=3, extend=True)[0].tolist()
    [[[2.0, 4.0, 6.0, 6.0, 0.0, 0.0]]]
    """
    values = np.asarray(volume)
    known = np.ascontiguousarray(weight, np.float32)
    if values.ndim != 3 or values.shape != known.shape:
        raise ValueError(f"volume and weight must share one shape (Z, Y, X), not {values.shape} and {known.shape}")
    choice("fill", method, FILLS)
    widths = _sizes(size, method)
    deviations = _per_axis("sigma", tuple(width / 5 for width in widths) if sigma is None else sigma)
    if out is None:
        out = np.array(values, np.float32, order="C")
    else:
        if not isinstance(out, np.ndarray) or out.dtype != np.float32 or not out.flags.carray:
            raise TypeError("out must be a writeable C-contiguous float32 array")
        if out.shape != values.shape:
            raise ValueError(f"out must have the volume's shape {values.shape}, not {out.shape}")
        if out is not values:
            out[...] = values
    if not out.size:
        return out, np.zeros(out.shape, bool)
    filled = _core.fill_holes(
        out,
        known,
        method,
        widths[::-1],
        (positive("sigma", deviations[2]), positive("sigma", deviations[1]), positive("sigma", deviations[0])),
        bool(extend),
        get_num_threads(num_threads),
        progress,
    )
    return out, filled


def _sizes(size: int | tuple[int, int, int], method: str) -> tuple[int, int, int]:
    """Return the widths along z, y, x."""
    sizes = _per_axis("size", size)
    if method not in SEPARABLE and len(set(sizes)) > 1:
        raise ValueError(f"three sizes go with {', '.join(SEPARABLE)}, not with {method}")
    if method == "sticks":
        longest = sizes[0]
        if not isinstance(longest, (int, np.integer)) or not 2 <= longest <= MAX_SIZE:
            raise ValueError(f"size must be from 2 to {MAX_SIZE} steps for sticks, not {size!r}")
        return int(longest), int(longest), int(longest)
    return odd("size", sizes[0], MAX_SIZE), odd("size", sizes[1], MAX_SIZE), odd("size", sizes[2], MAX_SIZE)


def _per_axis(name: str, value: Any) -> tuple[Any, Any, Any]:
    if np.ndim(value) == 0:
        return value, value, value
    values = tuple(value)
    if len(values) != 3:
        raise ValueError(f"{name} must be one number or three (z, y, x), not {value!r}")
    return values
