"""The steps between frames that fit all correlations: least squares over a banded system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import GeometryError
from usfast.speckle.models import correlation_slope, distance, from_coherence
from usfast.speckle.plane import median_of_known
from usfast.speckle.robust import huber_weight, spread, spread_shape

__all__ = ["ElevationalMotion", "StepProblem"]

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


@dataclass(eq=False)
class StepProblem:
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
        pooled = median_of_known(np.where(self.known, self.values, np.nan))
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
        neighbours[self.first[near]] = median_of_known(np.where(self.known[near], self.values[near], np.nan))
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
