"""A metric over many cases: mean, spread, quartiles and a bootstrap interval."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.metrics.statistics.table import CaseTable

__all__ = ["Summary", "bootstrap_interval", "finite_values", "summarize"]

_STATISTICS: Mapping[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}
_METHODS = ("bca", "percentile", "basic")


@dataclass(frozen=True)
class Summary:
    """What describes the values of one metric.

    Attributes
    ----------
    count : int
        Finite values, from which all numbers below are taken.
    undefined, infinite : int
        Values left out: NaN (nothing to measure), and infinite (a structure missing). Report them with the mean.
    mean, sd : float
        The standard deviation is the sample's (n - 1); NaN of fewer than two values.
    median, lower_quartile, upper_quartile, minimum, maximum : float
    interval : (float, float)
        Confidence interval of the mean.
    confidence : float
    """

    count: int
    undefined: int
    infinite: int
    mean: float
    sd: float
    median: float
    lower_quartile: float
    upper_quartile: float
    minimum: float
    maximum: float
    interval: tuple[float, float]
    confidence: float

    @property
    def iqr(self) -> float:
        """Interquartile range."""
        return self.upper_quartile - self.lower_quartile

    @property
    def standard_error(self) -> float:
        """Of the mean."""
        return self.sd / sqrt(self.count) if self.count else nan

    def __str__(self) -> str:
        left_out = [f"{n} {what}" for n, what in ((self.infinite, "infinite"), (self.undefined, "undefined")) if n]
        text = f"{self.mean:.3g} ± {self.sd:.2g} (n = {self.count}"
        return text + ("; left out: " + ", ".join(left_out) if left_out else "") + ")"


@overload
def summarize(
    values: CaseTable, *, confidence: float = ..., resamples: int = ..., method: str = ..., seed: int = ...
) -> dict[str, Summary]: ...
@overload
def summarize(
    values: ArrayLike, *, confidence: float = ..., resamples: int = ..., method: str = ..., seed: int = ...
) -> Summary: ...
def summarize(
    values: CaseTable | ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 9999,
    method: str = "bca",
    seed: int = 0,
) -> Summary | dict[str, Summary]:
    """Describe the values of one metric, or of each metric of a table.

    Parameters
    ----------
    values : (N,) array of float, or CaseTable
        NaN and infinite values are counted and left out.
    confidence, resamples, method, seed
        Of the interval of the mean, as for `bootstrap_interval`.

    Returns
    -------
    Summary, or dict of str to Summary for a table

    Raises
    ------
    ValueError
        If the values have more than one dimension or a number is out of range.

    Examples
    --------
    >>> print(summarize([0.91, 0.87, 0.93, float("inf"), float("nan")]))
    0.903 ± 0.031 (n = 3; left out: 1 infinite, 1 undefined)
    """
    if isinstance(values, CaseTable):
        return {
            metric: summarize(values[metric], confidence=confidence, resamples=resamples, method=method, seed=seed)
            for metric in values.metrics
        }
    array, finite = finite_values(values)
    interval = bootstrap_interval(finite, confidence=confidence, resamples=resamples, method=method, seed=seed)
    least, lower, median, upper, most = (
        np.quantile(finite, (0, 0.25, 0.5, 0.75, 1)).tolist() if finite.size else [nan] * 5
    )
    return Summary(
        count=finite.size,
        undefined=int(np.isnan(array).sum()),
        infinite=int(np.isinf(array).sum()),
        mean=float(finite.mean()) if finite.size else nan,
        sd=float(finite.std(ddof=1)) if finite.size > 1 else nan,
        median=median,
        lower_quartile=lower,
        upper_quartile=upper,
        minimum=least,
        maximum=most,
        interval=interval,
        confidence=confidence,
    )


def bootstrap_interval(
    values: ArrayLike,
    *,
    statistic: str = "mean",
    confidence: float = 0.95,
    resamples: int = 9999,
    method: str = "bca",
    seed: int = 0,
) -> tuple[float, float]:
    """Return a bootstrap confidence interval over the cases.

    Parameters
    ----------
    values : (N,) array of float
        One value a case; NaN and infinite values are left out. Values of one patient depend on each other: give
        their mean.
    statistic : {"mean", "median"}
    confidence : float
        Between 0 and 1.
    resamples : int
    method : {"bca", "percentile", "basic"}
        Bias-corrected and accelerated (B. Efron, JASA 82, 1987; percentile where that is undefined), or simpler ones.
    seed : int
        The same seed gives the same interval.

    Returns
    -------
    low, high : float
        NaN of fewer than two values; the value itself where all are equal.

    Raises
    ------
    ValueError
        If the values have more than one dimension, a name is unknown or a number out of range.

    Examples
    --------
    >>> low, high = bootstrap_interval([0.91, 0.87, 0.93, 0.85, 0.90, 0.88])
    >>> round(low, 2), round(high, 2)
    (0.87, 0.91)
    """
    if statistic not in _STATISTICS:
        raise ValueError(f"statistic must be one of {', '.join(_STATISTICS)}, not {statistic!r}")
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    if not isinstance(resamples, (int, np.integer)) or resamples < 1:
        raise ValueError(f"resamples must be a positive whole number, not {resamples!r}")
    _, finite = finite_values(values)
    if finite.size < 2:
        return nan, nan
    if np.ptp(finite) == 0:
        return float(finite[0]), float(finite[0])
    interval = _interval(finite, statistic, confidence, int(resamples), method, seed)
    if not np.isfinite(interval).all():  # of a statistic that hardly varies, BCa has no acceleration or bias
        interval = _interval(finite, statistic, confidence, int(resamples), "percentile", seed)
    return interval


def _interval(
    finite: NDArray[np.float64], statistic: str, confidence: float, resamples: int, method: str, seed: int
) -> tuple[float, float]:
    from scipy.stats import bootstrap

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy's word for an undefined interval: seen to above
        interval = bootstrap(
            (finite,),
            _STATISTICS[statistic],
            n_resamples=resamples,
            batch=max(1, 10_000_000 // finite.size),
            confidence_level=confidence,
            method="BCa" if method == "bca" else method,
            random_state=np.random.default_rng(seed),  # the name that every scipy from 1.11 on knows
        ).confidence_interval
    return float(interval.low), float(interval.high)


def finite_values(values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values (N,) as float64, and those of them that are finite."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise ValueError(f"values must have one dimension, one value a case, not shape {array.shape}")
    return array, array[np.isfinite(array)]
