"""Variability between and within observers: intraclass correlation, Bland-Altman, variation, pairwise Dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.metrics.overlap import overlap
from usfast.volume import Volume

__all__ = ["BlandAltman", "Icc", "bland_altman", "coefficient_of_variation", "dice_matrix", "icc"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Icc:
    """Intraclass correlation of single ratings.

    Attributes
    ----------
    value : float
    interval : (float, float)
        Confidence interval.
    p_value : float
        Of the hypothesis that the correlation is 0.
    subjects, observers : int
    left_out : int
        Subjects with a NaN or infinite rating.
    kind : str
    """

    value: float
    interval: tuple[float, float]
    p_value: float
    subjects: int
    observers: int
    left_out: int
    kind: str


def icc(ratings: ArrayLike, *, kind: str = "ICC(2,1)", confidence: float = 0.95) -> Icc:
    """Return how far observers' single measurements agree, relative to how subjects differ.

    Parameters
    ----------
    ratings : (subjects, observers) array
        Every subject measured once by every observer; for variability within an observer, repetitions take the
        observers' place. Subjects with a NaN or infinite rating are left out and counted.
    kind : {"ICC(2,1)", "ICC(3,1)"}
        Absolute agreement with observers drawn at random (two-way random effects), or consistency of these very
        observers (two-way mixed effects): a constant bias lowers the first alone.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Icc
        NaN where all ratings are equal; a NaN interval of ICC(2,1) where the approximation leaves less
        than one degree of freedom, as for negative correlations of few subjects.

    Raises
    ------
    ValueError
        If there are fewer than two subjects or observers.

    Notes
    -----
    P. Shrout, J. Fleiss, Psychological Bulletin 86(2), 1979; intervals of ICC(2,1) as there, after Satterthwaite.

    Examples
    --------
    The table of Shrout and Fleiss; they give 0.29 and 0.71.

    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> round(icc(table).value, 2), round(icc(table, kind="ICC(3,1)").value, 2)
    (0.29, 0.71)
    """
    if kind not in ("ICC(2,1)", "ICC(3,1)"):
        raise ValueError(f'kind must be "ICC(2,1)" or "ICC(3,1)", not {kind!r}')
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    table, left_out = _whole_rows("ratings", ratings)
    n, k = table.shape
    if n < 2 or k < 2:
        raise ValueError(f"ICC needs two subjects and two observers with finite ratings, there are {n} and {k}")
    squares = _mean_squares(table)
    between, observers, error = squares
    bias = 0.0 if kind == "ICC(3,1)" else k * (observers - error) / n
    scale = between + (k - 1) * error + bias
    value = (between - error) / scale if scale > 0 else nan
    f_value = between / error if error > 0 else inf if between > 0 else nan
    from scipy.stats import f

    interval = _interval(squares, n, k, kind, confidence) if value == value else (nan, nan)
    p_value = float(f.sf(f_value, n - 1, (n - 1) * (k - 1))) if f_value == f_value else nan
    return Icc(float(value), interval, p_value, n, k, left_out, kind)


def _mean_squares(table: Floats) -> tuple[float, float, float]:
    """Return the mean squares of subjects, observers and residuals of a two-way analysis of variance."""
    n, k = table.shape
    mean = table.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    between = k * float(((rows - mean) ** 2).sum()) / (n - 1)
    observers = n * float(((columns - mean) ** 2).sum()) / (k - 1)
    rest = table - rows[:, None] - columns + mean
    error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    # What rounding leaves of an exact zero must not look like spread.
    return between, observers, error if error > 1e-28 * float((table**2).mean()) else 0.0


def _interval(squares: tuple[float, float, float], n: int, k: int, kind: str, confidence: float) -> tuple[float, float]:
    from scipy.stats import f

    between, observers, error = squares
    tail = (1 + confidence) / 2
    freedom = (n - 1) * (k - 1)
    if error == 0 and (kind == "ICC(3,1)" or observers == 0):
        return 1.0, 1.0
    if kind == "ICC(3,1)":
        low = between / error / f.ppf(tail, n - 1, freedom)
        high = between / error * f.ppf(tail, freedom, n - 1)
        return float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1))
    rho = (between - error) / (between + (k - 1) * error + k * (observers - error) / n)
    a = k * rho / (n * (1 - rho))
    b = 1 + k * rho * (n - 1) / (n * (1 - rho))
    spread = (a * observers) ** 2 / (k - 1) + (b * error) ** 2 / freedom
    v = (a * observers + b * error) ** 2 / spread if spread > 0 else 0.0
    if v < 1:
        return nan, nan
    lower, upper = float(f.ppf(tail, n - 1, v)), float(f.ppf(tail, v, n - 1))
    rest = k * observers + (k * n - k - n) * error
    low = n * (between / lower - error) / (rest + n * between / lower)
    high = n * (between - error / upper) / (rest / upper + n * between)
    return low, high


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two measurements of the same subjects, in their own unit.

    Attributes
    ----------
    bias : float
        Mean of first - second.
    sd : float
        Standard deviation (n - 1) of the differences.
    lower, upper : float
        Limits of agreement: bias -+ `factor` * sd.
    bias_interval, lower_interval, upper_interval : (float, float)
        Confidence intervals by Student's t; those of the limits with the standard error sqrt(3 / n) sd.
    subjects, left_out : int
        Pairs of finite values, and others.
    """

    bias: float
    sd: float
    lower: float
    upper: float
    bias_interval: tuple[float, float]
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]
    subjects: int
    left_out: int


def bland_altman(first: ArrayLike, second: ArrayLike, *, factor: float = 1.96, confidence: float = 0.95) -> BlandAltman:
    """Return bias and limits of agreement of two observers, or two methods, on the same subjects.

    Parameters
    ----------
    first, second : (N,) array
        The two measurements of each subject; pairs with a NaN or infinite value are left out and counted.
    factor : float
        Standard deviations from the bias to the limits; 1.96 for 95 % of normal differences.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    BlandAltman

    Raises
    ------
    ValueError
        If lengths differ or fewer than two pairs are left.

    Notes
    -----
    J. Bland, D. Altman, Lancet 327, 1986.

    Examples
    --------
    >>> result = bland_altman([10.0, 12.0, 11.0, 14.0], [9.0, 12.5, 10.0, 13.0])
    >>> result.bias, round(result.sd, 3), round(result.lower, 2), round(result.upper, 2)
    (0.625, 0.75, -0.84, 2.09)
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"first and second must have one dimension and one length, not {one.shape} and {other.shape}")
    if not (np.isfinite(factor) and factor > 0):
        raise ValueError(f"factor must be positive, not {factor!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    table, left_out = _whole_rows("measurements", np.stack([one, other], axis=1))
    n = len(table)
    if n < 2:
        raise ValueError(f"limits of agreement need two pairs of finite values, there is {n}")
    from scipy.stats import t

    difference = table[:, 0] - table[:, 1]
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    reach = float(t.ppf((1 + confidence) / 2, n - 1))
    lower, upper = bias - factor * sd, bias + factor * sd

    def around(value: float, error: float) -> tuple[float, float]:
        return value - reach * error, value + reach * error

    of_bias, of_limit = sd / sqrt(n), sd * sqrt(3 / n)
    return BlandAltman(
        bias, sd, lower, upper, around(bias, of_bias), around(lower, of_limit), around(upper, of_limit), n, left_out
    )


def coefficient_of_variation(ratings: ArrayLike) -> float:
    """Return the within-subject coefficient of variation of repeated measurements.

    The root of the mean of (standard deviation / mean)^2 over the subjects (J. Bland, D. Altman, BMJ 313, 1996,
    "root mean square method").

    Parameters
    ----------
    ratings : (subjects, repetitions) array
        Of a positive quantity such as a volume. Subjects with a NaN or infinite rating are left out.

    Returns
    -------
    float
        A share: 0.05 is 5 %.

    Raises
    ------
    ValueError
        If there are fewer than two repetitions, no subject, or a subject's mean is not positive.

    Examples
    --------
    >>> round(coefficient_of_variation([[100.0, 104.0], [50.0, 49.0]]), 4)
    0.0221
    """
    table, _ = _whole_rows("ratings", ratings)
    if table.shape[0] < 1 or table.shape[1] < 2:
        raise ValueError(f"variation needs a subject with two finite ratings, ratings have shape {table.shape}")
    mean = table.mean(axis=1)
    if (mean <= 0).any():
        raise ValueError("the coefficient of variation needs positive means; one subject's is not")
    return float(np.sqrt(np.mean((table.std(axis=1, ddof=1) / mean) ** 2)))


def dice_matrix(
    annotations: Sequence[ArrayLike | Volume], *, label: int | None = None, num_threads: int | None = None
) -> Floats:
    """Return the Dice score of every pair of annotations of one case.

    Parameters
    ----------
    annotations : sequence of arrays of bool or integers, or of Volume
        One an observer, or one a repetition.
    label : int, optional
        The structure. Default: everything that is not 0.
    num_threads : int, optional
        Does not change the result.

    Returns
    -------
    (R, R) float64 array
        Symmetric; 1 on the diagonal, NaN where both are empty.

    Raises
    ------
    ValueError, TypeError, GeometryError
        As `usfast.metrics.overlap`; if there are fewer than two annotations.

    Examples
    --------
    >>> dice_matrix([[[1, 1, 0]], [[1, 0, 0]], [[0, 0, 1]]]).round(2).tolist()
    [[1.0, 0.67, 0.0], [0.67, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    count = len(annotations)
    if count < 2:
        raise ValueError(f"agreement needs two annotations, there is {count}")
    result = np.empty((count, count))
    for i in range(count):
        for j in range(i, count):
            pair = annotations[i], annotations[j]
            if label is None:
                dice = overlap(*pair, num_threads=num_threads).dice
            else:
                dice = overlap(*pair, labels=[label], num_threads=num_threads)[label].dice
            result[i, j] = result[j, i] = dice
    return result


def _whole_rows(name: str, values: ArrayLike) -> tuple[Floats, int]:
    """Return the rows without NaN or infinite values, and how many others there were."""
    table = np.asarray(values, np.float64)
    if table.ndim != 2:
        raise ValueError(f"{name} must be a table (subjects, observers), not shape {table.shape}")
    whole = np.isfinite(table).all(axis=1)
    return table[whole], int((~whole).sum())
