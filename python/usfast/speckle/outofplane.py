"""Out-of-plane motion from correlations: elevational translation, tilt and yaw of every step, over all lags at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError
from usfast.speckle.models import check_model, correlation_slope, distance, from_coherence
from usfast.speckle.robust import huber_weight, spread, spread_shape

__all__ = ["ElevationalMotion", "estimate_motion", "fit_plane"]

_Array = NDArray[np.float64]
_RIDGE = 1e-6  # of the mean curvature: shares a gap's motion evenly between its steps


@dataclass(frozen=True, eq=False)
class ElevationalMotion:
    """Motion of each step from frame i to frame i + 1, in the plane's own axes: x along u, y along v, z = x cross y.

    Attributes
    ----------
    translation_mm : (N - 1,) float64 array
        Along z, at the point that `positions` are relative to; its sign is that of `signs`.
    tilt_deg : (N - 1,) float64 array
        Turn about x: positive moves y > 0 towards z.
    yaw_deg : (N - 1,) float64 array
        Turn about y: positive moves x > 0 away from z.
    nugget_mm2 : (R,) float64 array
        What noise adds to every squared distance, for each row, mm^2.
    neighbours : (N - 1,) float64 array
        Median correlation of neighbouring frames; NaN where none was measured. Steps where it is close to 0 are
        guesses.
    residual_sd : float
        Robust standard deviation of the correlations about the fit, at ``rho = 0``.
    iterations : int
    converged : bool
    """

    translation_mm: _Array
    tilt_deg: _Array
    yaw_deg: _Array
    nugget_mm2: _Array
    neighbours: _Array
    residual_sd: float
    iterations: int
    converged: bool


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
    places = _positions(positions)
    values = np.asarray(distances, dtype=np.float64)
    if values.ndim < 1 or values.shape[-1] != len(places):
        raise ValueError(f"distances have shape {values.shape}, but there are {len(places)} patches")
    _check_plane(places)
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
        scale = 1.4826 * _median(np.abs(residual))
        robust = np.nan_to_num(huber_weight(residual / np.maximum(scale, 1e-12)[..., None]), nan=0.0)
    return b


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
) -> _Problem:
    """Check all arguments of `estimate_motion`."""
    ratio = check_model(model, k)
    rho = np.asarray(correlation, dtype=np.float64)
    if rho.ndim != 3:
        raise ValueError(f"correlation must have shape (N, window, P), not {rho.shape}")
    count, window, patches = rho.shape
    if count < 2:
        raise ValueError("there is one frame only: motion needs at least two")
    places, width = _positions(positions), np.asarray(sigma, dtype=np.float64)
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
        _check_plane(places[usable])
    return _Problem(
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


@dataclass(eq=False)
class _Problem:
    """Least squares over the steps' (translation, slope along x, slope along y) and the rows' noise."""

    rho: _Array  # (N, W, P)
    places: _Array  # (P, 2)
    sigma: _Array  # (P,)
    row: NDArray[np.int64]  # (P,)
    nugget: _Array  # (R,)
    model: str
    k: float
    plane: bool
    lags: NDArray[np.int64]
    signs: _Array  # (N - 1,)
    free_nugget: bool

    def __post_init__(self) -> None:
        used = np.isin(np.arange(1, self.rho.shape[1] + 1), self.lags)
        self.rho[:, ~used] = np.nan
        self.known = np.isfinite(self.rho)
        self.pairs = np.argwhere(self.known.any(axis=2))  # (K, 2): first frame, lag - 1
        self.first = self.pairs[:, 0]
        self.last = self.first + self.pairs[:, 1] + 1
        inside = self.last < len(self.rho)
        self.first, self.last = self.first[inside], self.last[inside]
        at = (self.first, self.last - self.first - 1)
        self.values = np.where(self.known[at], self.rho[at], 0.0)  # (K, P)
        self.known = self.known[at]
        unit = np.ones((len(self.sigma), 1))
        self.design = np.hstack([unit, self.places]) if self.plane else unit  # (P, m)
        self.rows = np.equal(self.row[:, None], np.arange(len(self.nugget))).astype(np.float64)  # (P, R)
        # Noise as the loss of log coherence, one a row; sigma differs only where rows are not rows of a grid.
        self.row_sigma = np.array([self._median_sigma(r) for r in range(len(self.nugget))])
        self._check_spanned()

    def _median_sigma(self, row: int) -> float:
        own = self.sigma[self.row == row]
        return float(np.median(own)) if own.size else 1.0

    def _check_spanned(self) -> None:
        steps = len(self.rho) - 1
        spans = np.bincount(self.first, minlength=steps + 1) - np.bincount(self.last, minlength=steps + 1)
        bare = np.flatnonzero(np.cumsum(spans)[:steps] == 0)
        if bare.size:
            raise GeometryError(
                f"no pair of frames spans the step from frame {bare[0]} to {bare[0] + 1} ({bare.size} such steps): "
                "the patches there have no variance, or are all left out"
            )

    def solve(self, max_iterations: int, progress: Callable[[int, int], Any] | None) -> ElevationalMotion:
        theta = np.zeros((len(self.rho) - 1, self.design.shape[1]))
        theta[:, 0] = self.signs * self._start()
        loss = self.nugget / (2 * self.row_sigma**2)
        damping, converged, done = 1e-3, False, 0
        state = self._evaluate(theta, loss)
        for iteration in range(max_iterations):
            done = iteration + 1
            if progress is not None:
                progress(done, max_iterations)
            cost = self._cost(theta, loss, state)
            while damping < 1e8:
                new_theta, new_loss = self._step(theta, loss, state, damping)
                new_cost = self._cost(new_theta, new_loss, state)
                if new_cost <= cost:
                    break
                damping *= 10
            else:
                converged = True  # no step makes it better
                break
            change = np.abs(new_theta[:, 0] - theta[:, 0]).max() / max(float(np.abs(theta[:, 0]).mean()), 1e-12)
            theta, loss, damping = new_theta, new_loss, max(damping / 10, 1e-6)
            state = self._evaluate(theta, loss)
            if change < 5e-4 or cost - new_cost < 1e-9 * cost:
                converged = True
                break
        return self._result(theta, loss, state, done, converged)

    def _start(self) -> _Array:
        """Length of each step by the pooled distances of the pairs across it, those near rho = 1/2 counting most."""
        pooled = _median(np.where(self.known, self.values, np.nan))
        sigma = float(np.median(self.sigma))
        noise = float(np.median(self.nugget))
        apart = distance(np.clip(pooled, 0.02, 0.999), sigma, self.model, k=self.k)
        speed = np.sqrt(np.maximum(apart**2 - noise, (0.05 * apart) ** 2)) / (self.last - self.first)
        weight = np.clip(pooled * (1 - pooled), 1e-3, None)
        steps = len(self.rho) - 1
        return np.asarray(self._over_steps(weight * speed, steps) / self._over_steps(weight, steps))

    def _over_steps(self, values: _Array, steps: int) -> _Array:
        """Sum what belongs to pairs (K, ...) over the steps that each pair spans: (steps, ...)."""
        total = np.zeros((steps + 1, *values.shape[1:]))
        np.add.at(total, self.first, values)
        np.subtract.at(total, self.last, values)
        return np.asarray(np.cumsum(total, axis=0)[:steps])

    def _predict(self, theta: _Array, loss: _Array) -> tuple[_Array, _Array]:
        """Signed distances and squared coherences (K, P) that the parameters predict."""
        position = np.concatenate([np.zeros((1, theta.shape[1])), np.cumsum(theta, axis=0)])
        apart = (position[self.last] - position[self.first]) @ self.design.T
        return apart, np.exp(-0.5 * (apart / self.sigma) ** 2 - loss[self.row])

    def _evaluate(self, theta: _Array, loss: _Array) -> _State:
        apart, x = self._predict(theta, loss)
        expected = from_coherence(x, self.model, k=self.k)
        scale = spread_shape(expected)
        residual = (self.values - expected) / scale
        sd = spread(residual[self.known])
        weight = np.where(self.known, huber_weight(residual / sd), 0.0) / scale**2
        return _State(apart, correlation_slope(x, self.model, k=self.k), self.values - expected, weight, sd)

    def _cost(self, theta: _Array, loss: _Array, state: _State) -> float:
        """Weighted squared residuals under the weights of `state`."""
        x = self._predict(theta, loss)[1]
        return float(np.sum(state.weight * (self.values - from_coherence(x, self.model, k=self.k)) ** 2))

    def _step(self, theta: _Array, loss: _Array, state: _State, damping: float) -> tuple[_Array, _Array]:
        """One damped Gauss-Newton step, held at the bounds: no step backwards, no negative noise."""
        steps, m = theta.shape
        to_apart = -state.slope * state.apart / self.sigma**2
        to_loss = -state.slope
        weighted = state.weight * to_apart
        outer = np.einsum("pa,pb->pab", self.design, self.design).reshape(len(self.sigma), -1)
        blocks = ((weighted * to_apart) @ outer).reshape(-1, m, m)
        gradient = self._over_steps((weighted * state.residual) @ self.design, steps)
        band = self._band(blocks, steps, m)
        diagonal = band[0].reshape(steps, m)
        lam = damping * diagonal + _RIDGE * diagonal.mean(axis=0) + 1e-300
        held = (np.abs(theta[:, 0]) <= 1e-12) & (gradient[:, 0] * self.signs < 0)
        if not self.free_nugget:
            moved = _solve_band(band, lam, held, gradient[..., None])[..., 0]
            return self._bounded(theta + moved), loss
        crossed = (self.design[:, :, None] * self.rows[:, None, :]).reshape(len(self.sigma), -1)
        mixed = self._over_steps((weighted * to_loss) @ crossed, steps).reshape(steps, m, -1)
        own = ((state.weight * to_loss**2) @ self.rows).sum(axis=0)
        own_gradient = ((state.weight * to_loss * state.residual) @ self.rows).sum(axis=0)
        solved = _solve_band(band, lam, held, np.concatenate([gradient[..., None], mixed], axis=-1))
        mixed[held, 0] = 0.0
        schur = np.diag(own * (1 + damping) + 1e-12 * own.max() + 1e-300) - np.einsum(
            "kar,kas->rs", mixed, solved[..., 1:]
        )
        right = own_gradient - np.einsum("kar,ka->r", mixed, solved[..., 0])
        stuck = (loss <= 0) & (right < 0)
        schur[stuck], schur[:, stuck], right[stuck] = 0.0, 0.0, 0.0
        schur[stuck, stuck] = 1.0
        change = np.clip(np.linalg.lstsq(schur, right, rcond=None)[0], -0.5, 0.5)
        return self._bounded(theta + solved[..., 0] - solved[..., 1:] @ change), np.maximum(loss + change, 0.0)

    def _bounded(self, theta: _Array) -> _Array:
        theta[:, 0] = self.signs * np.maximum(self.signs * theta[:, 0], 0.0)
        return theta

    def _band(self, blocks: _Array, steps: int, m: int) -> _Array:
        """Lower band (LAPACK's layout) of the normal matrix: block (k, l) sums the pairs that span both steps."""
        reach = int((self.last - self.first).max())
        band = np.zeros((reach * m, steps * m))
        for apart in range(reach):  # block (l + apart, l): pairs with first <= l and last > l + apart
            long = self.last - self.first > apart
            total = np.zeros((steps + 1, m, m))
            np.add.at(total, self.first[long], blocks[long])
            np.subtract.at(total, self.last[long] - apart, blocks[long])
            total = np.cumsum(total, axis=0)[: steps - apart]
            for a in range(m):
                for b in range(m):
                    offset = apart * m + a - b
                    if offset >= 0:
                        band[offset, b : (steps - apart) * m : m] = total[:, a, b]
        return band

    def _result(self, theta: _Array, loss: _Array, state: _State, done: int, converged: bool) -> ElevationalMotion:
        steps = len(theta)
        neighbours = np.full(steps, np.nan)
        near = self.last - self.first == 1
        neighbours[self.first[near]] = _median(np.where(self.known[near], self.values[near], np.nan))
        slopes = theta[:, 1:] if self.plane else np.zeros((steps, 2))
        return ElevationalMotion(
            theta[:, 0].copy(),
            np.degrees(np.arctan(slopes[:, 1])),
            -np.degrees(np.arctan(slopes[:, 0])),
            2 * self.row_sigma**2 * loss,
            neighbours,
            state.sd,
            done,
            converged,
        )


@dataclass(frozen=True, eq=False)
class _State:
    """What a set of parameters predicts: all (K, P), and the spread of the residuals."""

    apart: _Array
    slope: _Array  # x times the derivative of the correlation by x
    residual: _Array
    weight: _Array
    sd: float


def _solve_band(band: _Array, lam: _Array, held: NDArray[np.bool_], right: _Array) -> _Array:
    """Solve (band + diag(lam)) z = right with the held translations left at 0; right (steps, m, c)."""
    from scipy.linalg import solveh_banded

    steps, m, columns = right.shape
    matrix, sides = band.copy(), right.copy()
    matrix[0] += lam.ravel()
    fixed = np.flatnonzero(held) * m
    sides[held, 0] = 0.0
    matrix[:, fixed] = 0.0
    for offset in range(1, len(matrix)):
        above = fixed[fixed >= offset] - offset
        matrix[offset, above] = 0.0
    matrix[0, fixed] = 1.0
    solved = solveh_banded(matrix[: steps * m], sides.reshape(steps * m, columns), lower=True)
    return np.asarray(solved.reshape(steps, m, columns))


def _median(values: _Array) -> _Array:
    """Median over the last axis, NaN left out; NaN where nothing is left."""
    known = np.isfinite(values).any(axis=-1)
    found = np.full(values.shape[:-1], np.nan)
    if known.any():
        found[known] = np.nanmedian(values[known], axis=-1)
    return found


def _positions(positions: ArrayLike) -> _Array:
    places = np.asarray(positions, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise ValueError(f"positions must be finite (P, 2) (x, y in mm), not of shape {places.shape}")
    return places


def _check_plane(places: _Array) -> None:
    """Raise ValueError unless three of the places span a plane."""
    if len(places) < 3:
        raise ValueError(
            f'a plane needs at least 3 usable patches, not {len(places)}; motion="translation" needs only one'
        )
    spans = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if spans[1] <= 1e-6 * spans[0]:
        raise ValueError('a plane needs patches that do not lie on a line; motion="translation" does not')


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
