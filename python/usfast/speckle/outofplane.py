"""Out-of-plane motion from correlations: elevational translation, tilt and yaw of every step, over all lags at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError
from usfast.speckle.models import check_model
from usfast.speckle.plane import check_plane, patch_positions
from usfast.speckle.steps import ElevationalMotion, StepProblem

__all__ = ["estimate_motion"]

_Array = NDArray[np.float64]


def estimate_motion(
    correlation: ArrayLike,
    positions: ArrayLike,
    sigma: ArrayLike,
    *,
    rows: ArrayLike | None = None,
    nugget: ArrayLike = 0.0,
    model: str = "log",
    k: float = 0.0,
    motion: str = "plane",
    lags: str | Sequence[int] = "all",
    signs: ArrayLike = 1,
    max_iterations: int = 100,
    progress: Callable[[int, int], Any] | None = None,
) -> ElevationalMotion:
    """Estimate elevational translation, tilt and yaw of every step from the correlations over many lags.

    Parameters
    ----------
    correlation : (N, window, P) array
        From `correlate_pairs`: patch p of frame i against frame i + lag at ``[i, lag - 1, p]``. NaN is left out.
    positions : (P, 2) array
        (x, y) of each patch in the image plane, mm, relative to the point whose translation is wanted.
    sigma : (P,) array
        Width of the beam at each patch, mm; NaN leaves a patch out.
    rows : (P,) integer array, optional
        Row of the grid of each patch, 0, 1, ...: patches of one row share a nugget. Default: one row.
    nugget : (R,) array or float
        Where the search for the nuggets starts, mm^2, e.g. the calibration's.
    model, k
        As for `correlation`.
    motion : {"plane", "translation"}
        Whether frames may tilt and yaw. ``"plane"`` needs three patches that do not lie on a line.
    lags : "all", "adjacent" or sequence of int
        Which pairs count. ``"adjacent"`` is the textbook method (neighbouring frames only): it can tell noise from
        motion only by `nugget`, which it keeps, and adds the noise of every step; for comparison.
    signs : +1, -1 or (N - 1,) array of them
        Direction of each step along z = x cross y. Correlation does not show it. Default: all forward.
    max_iterations : int
    progress : callable, optional
        Called as ``progress(iteration, max_iterations)``.

    Returns
    -------
    ElevationalMotion

    Raises
    ------
    ValueError
        If arguments do not fit each other; if there is one frame; if fewer than three patches are usable for a plane.
    GeometryError
        If no pair spans some step, e.g. between frames of constant intensity.

    Notes
    -----
    The model is ``d_ij^2 = (sum of the steps from i to j)^2 + c`` at each patch, with translation steps that never
    point against `signs`. It is fitted as ``rho = f(exp(-d_ij^2 / (2 sigma^2)))`` by Gauss-Newton with Huber weights, a
    residual counting in units of the scatter of a sample correlation: where that is small against the slope of f this
    is the same as weighting d by its variance, and pairs too far apart to show anything lose their say by themselves.
    Time is O(N window P) an iteration, memory about 140 N window P bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast.speckle.models import correlation
    >>> apart = np.array([[0.1, 0.3], [0.2, 0.3], [0.1, np.nan], [np.nan, np.nan]])
    >>> motion = estimate_motion(correlation(apart, 0.6)[..., None], [[0, 0]], [0.6], motion="translation")
    >>> motion.translation_mm.round(2).tolist()
    [0.1, 0.2, 0.1]
    """
    problem = _problem(correlation, positions, sigma, rows, nugget, model, k, motion, lags, signs)
    return problem.solve(max_iterations, progress)


def _problem(
    correlation: ArrayLike,
    positions: ArrayLike,
    sigma: ArrayLike,
    rows: ArrayLike | None,
    nugget: ArrayLike,
    model: str,
    k: float,
    motion: str,
    lags: str | Sequence[int],
    signs: ArrayLike,
) -> StepProblem:
    """Check all arguments of `estimate_motion`."""
    ratio = check_model(model, k)
    rho = np.asarray(correlation, dtype=np.float64)
    if rho.ndim != 3:
        raise ValueError(f"correlation must have shape (N, window, P), not {rho.shape}")
    count, window, patches = rho.shape
    if count < 2:
        raise ValueError("there is one frame only: motion needs at least two")
    places, width = patch_positions(positions), np.asarray(sigma, dtype=np.float64)
    if len(places) != patches or width.shape != (patches,):
        raise ValueError(
            f"positions {places.shape} and sigma {width.shape} must have one entry for each of {patches} patches"
        )
    if (width <= 0).any() or np.isinf(width).any():
        raise ValueError("sigma must be positive and finite (mm), or NaN to leave a patch out")
    if motion not in ("plane", "translation"):
        raise ValueError(f"motion must be plane or translation, not {motion!r}")
    row = np.zeros(patches, np.int64) if rows is None else np.asarray(rows)
    if row.shape != (patches,) or row.dtype.kind not in "iu" or row.min() < 0:
        raise ValueError("rows must be one whole number >= 0 for each patch")
    noise = np.asarray(nugget, dtype=np.float64)
    noise = np.full(row.max() + 1, noise) if noise.ndim == 0 else noise
    if noise.shape != (row.max() + 1,) or (noise < 0).any():
        raise ValueError(f"nugget must be >= 0 and one number or {row.max() + 1}, one for each row")
    allowed = _lags(lags, window)
    usable = np.isfinite(width) & np.isfinite(rho[:, allowed - 1]).any(axis=(0, 1))
    if not usable.any():
        raise GeometryError("no patch has a calibrated sigma and a correlation")
    if motion == "plane":
        check_plane(places[usable])
    return StepProblem(
        np.ascontiguousarray(rho[:, : allowed.max(), usable]),
        places[usable],
        width[usable],
        row[usable].astype(np.int64),
        np.nan_to_num(noise),
        model,
        ratio,
        motion == "plane",
        allowed,
        _signs(signs, count - 1),
        lags != "adjacent",
    )


def _lags(lags: str | Sequence[int], window: int) -> NDArray[np.int64]:
    if isinstance(lags, str):
        if lags not in ("all", "adjacent"):
            raise ValueError(f'lags must be "all", "adjacent" or whole numbers, not {lags!r}')
        return np.arange(1, (window if lags == "all" else 1) + 1)
    numbers = np.unique(np.asarray(lags))
    if numbers.dtype.kind not in "iu" or not numbers.size or numbers[0] < 1 or numbers[-1] > window:
        raise ValueError(f"lags must be whole numbers from 1 to {window} (the window), not {lags!r}")
    return numbers.astype(np.int64)


def _signs(signs: ArrayLike, steps: int) -> _Array:
    given = np.asarray(signs, dtype=np.float64)
    if given.shape not in ((), (steps,)):
        raise ValueError(f"signs must be one number or one for each of {steps} steps, not of shape {given.shape}")
    if not np.isin(given, (-1.0, 1.0)).all():
        raise ValueError("signs must be +1 or -1")
    return np.broadcast_to(given, (steps,)).copy()
