"""How the correlation of speckle falls with distance, and back: a correlation becomes a distance.

The squared complex coherence of fully developed speckle between two positions a distance d apart is
``x = exp(-d**2 / (2 sigma**2))`` for a Gaussian beam of pulse-echo amplitude weight ``exp(-e**2 / (2 sigma**2))``. What
Pearson's coefficient of two patches makes of x depends on what the pixels show (`MODELS`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MODELS", "check_model", "coherence", "correlation", "correlation_slope", "distance", "from_coherence"]

MODELS = ("log", "amplitude", "intensity", "rician")

_Array = NDArray[np.float64]
_LOG_PEAK = np.pi**2 / 6  # Li2(1)
_AMPLITUDE_PEAK = 4 / np.pi - 1  # 2F1(-1/2, -1/2; 1; 1) - 1
_TABLE = 4096


def check_model(model: str, k: float) -> float:
    """Return `k` as a float where `model` is one of `MODELS` and `k` fits it.

    Raises
    ------
    ValueError
        If the name is unknown, `k` is negative or not finite, or a model without coherent part is given one.
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, not {model!r}")
    ratio = float(k)
    if not (np.isfinite(ratio) and ratio >= 0):
        raise ValueError(f"k must be a finite ratio >= 0 (coherent to diffuse power), not {k!r}")
    if ratio > 0 and model != "rician":
        raise ValueError(f'k goes with model="rician", not "{model}"')
    return ratio


def correlation(distance: ArrayLike, sigma: ArrayLike, model: str = "log", *, k: float = 0.0) -> _Array:
    """Return the expected correlation of two patches of speckle a distance apart.

    Parameters
    ----------
    distance : array
        Elevational distance, mm (any sign). Broadcasts with `sigma`.
    sigma : array
        Width of the beam, mm: ``x = exp(-distance**2 / (2 sigma**2))``.
    model : {"log", "amplitude", "intensity", "rician"}
        What the pixels show: log-compressed amplitude (B-mode), amplitude, intensity (amplitude squared), or the
        intensity of speckle on a coherent background.
    k : float
        Power of the coherent part over that of the diffuse part, for ``"rician"``.

    Returns
    -------
    float64 array
        In [0, 1]; NaN where an argument is NaN.

    Raises
    ------
    ValueError
        If `sigma` is not positive, or model and `k` do not fit.

    Notes
    -----
    ``log``: ``Li2(x) / (pi**2 / 6)``; ``amplitude``: ``(2F1(-1/2, -1/2; 1; x) - 1) / (4 / pi - 1)``; ``intensity``: x
    (Wagner et al., IEEE Trans. Sonics Ultrason. 30, 1983); ``rician``: ``(x + 2 k sqrt(x)) / (1 + 2 k)``. Correlation
    does not change under a gain or an offset, so ``log`` needs no dynamic range.

    Examples
    --------
    >>> correlation([0.0, 0.5, 1.0], 0.5).round(3).tolist()
    [1.0, 0.448, 0.085]
    >>> correlation(0.5, 0.5, "intensity").round(3).item()
    0.607
    """
    width = np.asarray(sigma, dtype=np.float64)
    if (width <= 0).any() or np.isinf(width).any():
        raise ValueError("sigma must be positive and finite (mm)")
    with np.errstate(under="ignore", over="ignore"):
        x = np.exp(-0.5 * (np.asarray(distance, dtype=np.float64) / width) ** 2)
    return from_coherence(x, model, k=k)


def distance(rho: ArrayLike, sigma: ArrayLike, model: str = "log", *, k: float = 0.0) -> _Array:
    """Return the distance at which speckle has a correlation: the inverse of `correlation`.

    Parameters
    ----------
    rho : array
        Measured correlation. Broadcasts with `sigma`.
    sigma : array
        Width of the beam, mm.
    model, k
        As for `correlation`.

    Returns
    -------
    float64 array
        Distance in mm, >= 0. Infinite where ``rho <= 0``: the patches share nothing that could be measured. 0 where
        ``rho >= 1``. NaN where an argument is NaN.

    Raises
    ------
    ValueError
        If `sigma` is not positive, or model and `k` do not fit.

    Notes
    -----
    Good to 1e-6 sigma. The sign of the motion is lost, and noise lets even a still probe appear to move: see
    `estimate_motion`.

    Examples
    --------
    >>> distance([1.0, 0.448, 0.0], 0.5).round(3).tolist()
    [0.0, 0.5, inf]
    """
    width = np.asarray(sigma, dtype=np.float64)
    if (width <= 0).any() or np.isinf(width).any():
        raise ValueError("sigma must be positive and finite (mm)")
    with np.errstate(divide="ignore"):
        return np.asarray(width * np.sqrt(2 * np.log(1 / coherence(rho, model, k=k))))


def from_coherence(x: ArrayLike, model: str = "log", *, k: float = 0.0) -> _Array:
    """Return the correlation that patches of squared complex coherence `x` have (formulas: `correlation`).

    Parameters
    ----------
    x : array
        In [0, 1]; clipped to it.
    model, k
        As for `correlation`.

    Examples
    --------
    >>> from_coherence([0.0, 0.5, 1.0], "amplitude").round(4).tolist()
    [0.0, 0.474, 1.0]
    """
    ratio = check_model(model, k)
    value = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1.0)
    if model == "log":
        from scipy.special import spence

        return np.asarray(spence(1 - value) / _LOG_PEAK)
    if model == "amplitude":
        from scipy.special import hyp2f1

        return np.asarray((hyp2f1(-0.5, -0.5, 1.0, value) - 1) / _AMPLITUDE_PEAK)
    return np.asarray((value + 2 * ratio * np.sqrt(value)) / (1 + 2 * ratio))


def correlation_slope(x: ArrayLike, model: str = "log", *, k: float = 0.0) -> _Array:
    """Return x times the derivative of the correlation with respect to x, which is finite where x > 0 falls from 1.

    For ``"log"`` this is ``-ln(1 - x) / (pi**2 / 6)``; it is taken at ``x = 1 - 1e-12`` where x is closer to 1.

    Examples
    --------
    >>> correlation_slope(0.5, "intensity").item()
    0.5
    """
    ratio = check_model(model, k)
    value = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1 - 1e-12)
    if model == "log":
        return np.asarray(-np.log1p(-value) / _LOG_PEAK)
    if model == "amplitude":
        from scipy.special import hyp2f1

        return np.asarray(0.25 * value * hyp2f1(0.5, 0.5, 2.0, value) / _AMPLITUDE_PEAK)
    return np.asarray((value + ratio * np.sqrt(value)) / (1 + 2 * ratio))


def coherence(rho: ArrayLike, model: str = "log", *, k: float = 0.0) -> _Array:
    """Return the squared complex coherence x that explains a correlation: the inverse of `from_coherence`.

    Parameters
    ----------
    rho : array
        Clipped to [0, 1]; NaN stays NaN.
    model, k
        As for `correlation`.

    Examples
    --------
    >>> coherence([-0.2, 0.5, 1.0]).round(4).tolist()
    [0.0, 0.6601, 1.0]
    """
    ratio = check_model(model, k)
    value = np.clip(np.asarray(rho, dtype=np.float64), 0.0, 1.0)
    if model in ("intensity", "rician"):
        root = np.sqrt(ratio**2 + value * (1 + 2 * ratio)) - ratio
        return np.asarray(root**2)
    xs, rhos = _table(model)
    x = np.asarray(np.interp(value, rhos, xs))
    inner = (value > 0) & (value < 1)
    for _ in range(3):  # the table is good to 1e-4; each Newton step squares that
        found = np.maximum(x[inner], 1e-300)
        step = (from_coherence(found, model) - value[inner]) * found / correlation_slope(found, model)
        x[inner] = np.clip(found - step, 0.5 * found, 0.5 * (1 + found))
    return np.asarray(x)


@cache
def _table(model: str) -> tuple[_Array, _Array]:
    """Return x and its correlation, denser towards x = 1 where the slope of the dilogarithm has no bound."""
    x = 1 - np.linspace(1.0, 0.0, _TABLE) ** 3
    return x, from_coherence(x, model)
