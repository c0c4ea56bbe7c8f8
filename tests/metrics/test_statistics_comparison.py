"""Friedman's test and its followers against scipy and published tables."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from usfast.metrics.statistics import compare, holm

# J. Demsar, JMLR 7, 2006, table 6: AUC of C4.5 with four choices of parameters on 14 data sets. Text: mean ranks
# 3.143, 2.000, 2.893, 1.964; chi-square 9.28; Nemenyi's critical difference 1.25 at 0.05, so no pair reaches it.
DEMSAR = {
    "C4.5": [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.94, 0.619, 0.972, 0.957],
    "C4.5+m": [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978],
    "C4.5+cf": [0.771, 0.59, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.0, 0.965, 0.614, 0.9751, 0.946],
    "C4.5+m+cf": [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.0, 0.962, 0.669, 0.975, 0.97],
}


def test_demsars_example():
    scores = {name: -np.array(column) for name, column in DEMSAR.items()}  # rank 1 for the best
    result = compare(scores, posthoc="nemenyi")
    assert list(result.mean_ranks.values()) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=0.001)
    assert all(pair.p_value > 0.05 for pair in result.pairs)
    n, k = 14, 4
    ranks = np.array(list(result.mean_ranks.values()))
    uncorrected = 12 * n / (k * (k + 1)) * ((ranks**2).sum() - k * (k + 1) ** 2 / 4)
    assert uncorrected == pytest.approx(9.28, abs=0.01)
    # the critical difference 1.25 is where p becomes 0.05 (the paper's 2.569 is rounded)
    critical = stats.studentized_range.isf(0.05, k, np.inf) / np.sqrt(2)
    assert critical == pytest.approx(2.569, abs=0.001)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 20), k=st.integers(3, 5), ties=st.booleans())
def test_friedman_is_scipys(seed, n, k, ties):
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 4, (k, n)).astype(float) if ties else rng.random((k, n))
    if (np.ptp(columns, axis=0) == 0).all():
        return
    result = compare({str(i): column for i, column in enumerate(columns)}, posthoc="conover")
    expected = stats.friedmanchisquare(*columns)
    assert result.friedman == pytest.approx(expected.statistic)
    assert result.p_value == pytest.approx(expected.pvalue)


def test_wilcoxon_is_scipys_and_two_methods_are_enough():
    rng = np.random.default_rng(3)
    first, second = rng.random(12), rng.random(12) + 0.2
    result = compare({"a": first, "b": second})
    (pair,) = result.pairs
    assert pair.p_value == stats.wilcoxon(first, second).pvalue
    assert pair.p_adjusted == pair.p_value
    assert pair.median_difference == pytest.approx(np.median(first - second))
    assert np.isnan(result.friedman)


def test_holm_over_the_pairs():
    rng = np.random.default_rng(4)
    scores = {name: rng.normal(mean, 1, 15) for name, mean in (("a", 0), ("b", 0.5), ("c", 2))}
    result = compare(scores)
    np.testing.assert_allclose([p.p_adjusted for p in result.pairs], holm([p.p_value for p in result.pairs]))


def test_nemenyi_is_tukeys_range_of_ranks():
    rng = np.random.default_rng(5)
    columns = rng.normal(np.array([[0.0], [0.7], [1.5]]), 1, (3, 10))
    result = compare(dict(zip("abc", columns, strict=True)), posthoc="nemenyi")
    for pair in result.pairs:
        apart = abs(result.mean_ranks[pair.first] - result.mean_ranks[pair.second])
        assert pair.statistic == pytest.approx(apart / np.sqrt(3 * 4 / (6 * 10)) * np.sqrt(2))
        assert pair.p_adjusted == pair.p_value == pytest.approx(stats.studentized_range.sf(pair.statistic, 3, np.inf))


def test_conover_by_hand():
    # Four cases; rank sums 4, 9, 11, sum of squared ranks 56: t = |Ri - Rj| / sqrt(2 (4 * 56 - 218) / 6)
    table = np.array([[1, 2, 3], [1, 2, 3], [1, 3, 2], [1, 2, 3]], float)
    result = compare(dict(zip("abc", table.T, strict=True)), posthoc="conover")
    error = np.sqrt(2 * (4 * 56 - (4**2 + 9**2 + 11**2)) / 6)
    assert [pair.statistic for pair in result.pairs] == pytest.approx([5 / error, 7 / error, 2 / error])
    assert result.pairs[0].p_value == pytest.approx(2 * stats.t.sf(5 / error, 6))


@pytest.mark.parametrize("posthoc", ["wilcoxon", "nemenyi", "conover"])
def test_methods_that_do_not_differ(posthoc):
    same = np.random.default_rng(0).random(8)
    result = compare({"a": same, "b": same, "c": same}, posthoc=posthoc)
    assert (result.friedman, result.p_value) == (0, 1)
    assert [pair.p_adjusted for pair in result.pairs] == pytest.approx([1, 1, 1])


def test_cases_with_gaps_are_left_out():
    result = compare({"a": [1, 2, 3, nan, 5], "b": [2, 3, 4, 5, 7], "c": [3, inf, 5, 6, 8]})
    assert (result.cases, result.left_out) == (3, 2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm(p_values):
    adjusted = holm(p_values)
    assert ((adjusted >= p_values) & (adjusted <= 1)).all()
    assert (adjusted <= np.minimum(np.array(p_values) * len(p_values), 1) + 1e-15).all()  # Bonferroni
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_knows_nan_as_no_test():
    np.testing.assert_allclose(holm([0.02, nan, 0.03]), [0.04, nan, 0.04])


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ({"a": [1, 2]}, {}, "at least two methods"),
        ({"a": [1, 2], "b": [1, 2, 3]}, {}, "numbers of cases are a: 2, b: 3"),
        ({"a": [[1, 2]], "b": [[1, 2]]}, {}, "one dimension"),
        ({"a": [1, nan], "b": [1, 2]}, {}, "only 1 of 2 cases"),
        ({"a": [1, 2], "b": [1, 2]}, {"posthoc": "nemenyi"}, "at least three methods"),
        ({"a": [1, 2], "b": [1, 2]}, {"posthoc": "t"}, "posthoc must be one of wilcoxon"),
    ],
)
def test_errors(scores, options, message):
    with pytest.raises(ValueError, match=message):
        compare(scores, **options)
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.5])
