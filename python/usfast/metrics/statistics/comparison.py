"""Is one method better than another on the same cases: Friedman's test, pairs, Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Comparison", "PairTest", "compare", "holm"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairTest:
    """Two methods on the same cases.

    Attributes
    ----------
    first, second : str
    median_difference : float
        Of first - second over the cases.
    statistic : float
        W of Wilcoxon's test, q of Nemenyi's, t of Conover's.
    p_value : float
        Two-sided, of this pair alone; for Nemenyi already that of the family.
    p_adjusted : float
        Corrected for the number of pairs by Holm; Nemenyi's as it is.
    """

    first: str
    second: str
    median_difference: float
    statistic: float
    p_value: float
    p_adjusted: float


@dataclass(frozen=True)
class Comparison:
    """Several methods on the same cases.

    Attributes
    ----------
    methods : tuple of str
    cases : int
        Cases that every method has a finite value for.
    left_out : int
        Cases with NaN or an infinite value in any method: ranks could count them, differences cannot.
    mean_ranks : dict of str to float
        1 for the method with the smallest value of each case; ties share their mean.
    friedman, p_value : float
        Chi-square of Friedman's test, corrected for ties, and its p-value; NaN for two methods.
    pairs : tuple of PairTest
    posthoc : str
    """

    methods: tuple[str, ...]
    cases: int
    left_out: int
    mean_ranks: Mapping[str, float]
    friedman: float
    p_value: float
    pairs: tuple[PairTest, ...]
    posthoc: str


def compare(scores: Mapping[str, ArrayLike], *, posthoc: str = "wilcoxon") -> Comparison:
    """Test whether methods differ on the same cases, then which pairs of them do.

    Parameters
    ----------
    scores : dict of str to (N,) array
        By method: one value a case, the same cases in the same order.
    posthoc : {"wilcoxon", "nemenyi", "conover"}
        Signed-rank test of the differences, exact where scipy can, with Holm's correction (recommended by A.
        Benavoli et al., JMLR 17, 2016: it does not depend on the other methods); Nemenyi's test of mean ranks by
        the studentised range (J. Demsar, JMLR 7, 2006); Conover's t test of rank sums after Friedman (W. Conover,
        Practical Nonparametric Statistics, 1999, p. 371), with Holm's correction.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If there are fewer than two methods, numbers of cases differ, fewer than two cases are left, or the test
        is unknown. Nemenyi and Conover need three methods.

    Examples
    --------
    >>> scores = {
    ...     "unet": [0.80, 0.82, 0.79, 0.85, 0.81, 0.83], "vnet": [0.78, 0.80, 0.75, 0.84, 0.80, 0.80],
    ...     "unetr": [0.60, 0.65, 0.70, 0.66, 0.61, 0.64]}
    >>> result = compare(scores)
    >>> result.friedman, round(result.p_value, 4), dict(result.mean_ranks)
    (12.0, 0.0025, {'unet': 3.0, 'vnet': 2.0, 'unetr': 1.0})
    >>> [(pair.first, pair.second, pair.p_value, pair.p_adjusted) for pair in result.pairs][0]
    ('unet', 'vnet', 0.03125, 0.09375)
    """
    if posthoc not in _POSTHOC:
        raise ValueError(f"posthoc must be one of {', '.join(_POSTHOC)}, not {posthoc!r}")
    methods, values = _values(scores)
    if len(methods) < 3 and posthoc != "wilcoxon":
        raise ValueError(f"{posthoc} compares at least three methods, there are {len(methods)}")
    whole = np.isfinite(values).all(axis=1)
    kept = values[whole]
    if len(kept) < 2:
        raise ValueError(f"only {len(kept)} of {len(values)} cases have a finite value for every method")
    from scipy.stats import rankdata

    ranks = rankdata(kept, axis=1)
    chi_square, p_value = _friedman(ranks) if len(methods) > 2 else (nan, nan)
    tests = [_POSTHOC[posthoc](kept, ranks, chi_square, i, j) for i, j in combinations(range(len(methods)), 2)]
    p_values = [p for _, p in tests]
    adjusted = p_values if posthoc == "nemenyi" else holm(p_values).tolist()
    pairs = tuple(
        PairTest(methods[i], methods[j], float(np.median(kept[:, i] - kept[:, j])), statistic, p, corrected)
        for (i, j), (statistic, p), corrected in zip(combinations(range(len(methods)), 2), tests, adjusted, strict=True)
    )
    return Comparison(
        methods=methods,
        cases=len(kept),
        left_out=int((~whole).sum()),
        mean_ranks=dict(zip(methods, ranks.mean(axis=0).tolist(), strict=True)),
        friedman=chi_square,
        p_value=p_value,
        pairs=pairs,
        posthoc=posthoc,
    )


def holm(p_values: ArrayLike) -> Floats:
    """Correct p-values of several tests by Holm's step-down method.

    S. Holm, Scand. J. Statist. 6, 1979: the family-wise error rate holds for any dependence, and no test loses
    against Bonferroni's correction.

    Parameters
    ----------
    p_values : (K,) array
        Between 0 and 1; NaN (no test) stays NaN and does not count.

    Returns
    -------
    (K,) float64 array

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005]).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    values = np.asarray(p_values, np.float64)
    if values.ndim != 1 or ((values < 0) | (values > 1)).any():
        raise ValueError("p_values must be a list of numbers between 0 and 1")
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    result = np.full(values.shape, nan)
    factors = np.arange(len(order), 0, -1)
    result[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1)
    return result


def _values(scores: Mapping[str, ArrayLike]) -> tuple[tuple[str, ...], Floats]:
    if len(scores) < 2:
        raise ValueError(f"a comparison needs at least two methods, there is {len(scores)}")
    columns = {str(name): np.asarray(values, np.float64) for name, values in scores.items()}
    sizes = {name: column.shape for name, column in columns.items()}
    for name, shape in sizes.items():
        if len(shape) != 1:
            raise ValueError(f"scores of {name!r} must have one dimension, not shape {shape}")
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name}: {shape[0]}" for name, shape in sizes.items())
        raise ValueError(f"methods must have the same cases; numbers of cases are {told}")
    return tuple(columns), np.stack(list(columns.values()), axis=1)


def _friedman(ranks: Floats) -> tuple[float, float]:
    from scipy.stats import chi2

    n, k = ranks.shape
    # Without ties the denominator is n k (k + 1) / 12 (k - 1) times (k - 1).
    spread = float(((ranks - (k + 1) / 2) ** 2).sum())
    if spread == 0:  # all methods tie in every case
        return 0.0, 1.0
    between = float(((ranks.sum(axis=0) - n * (k + 1) / 2) ** 2).sum())
    statistic = (k - 1) * between / spread
    return statistic, float(chi2.sf(statistic, k - 1))


def _wilcoxon(values: Floats, ranks: Floats, chi_square: float, i: int, j: int) -> tuple[float, float]:
    from scipy.stats import wilcoxon

    difference = values[:, i] - values[:, j]
    if not difference.any():
        return 0.0, 1.0
    test = wilcoxon(difference)
    return float(test.statistic), float(test.pvalue)


def _nemenyi(values: Floats, ranks: Floats, chi_square: float, i: int, j: int) -> tuple[float, float]:
    from scipy.stats import studentized_range

    n, k = ranks.shape
    apart = abs(float(ranks[:, i].mean() - ranks[:, j].mean()))
    statistic = apart / sqrt(k * (k + 1) / (6 * n)) * sqrt(2)
    return statistic, float(studentized_range.sf(statistic, k, np.inf))


def _conover(values: Floats, ranks: Floats, chi_square: float, i: int, j: int) -> tuple[float, float]:
    from scipy.stats import t

    n, k = ranks.shape
    sums = ranks.sum(axis=0)
    freedom = (n - 1) * (k - 1)
    variance = 2 * (n * float((ranks**2).sum()) - float((sums**2).sum())) / freedom
    apart = abs(float(sums[i] - sums[j]))
    if variance <= 1e-12:  # every case ranks the methods alike
        return (0.0, 1.0) if apart == 0 else (float("inf"), 0.0)
    statistic = apart / sqrt(variance)
    return statistic, float(2 * t.sf(statistic, freedom))


_POSTHOC = {"wilcoxon": _wilcoxon, "nemenyi": _nemenyi, "conover": _conover}
