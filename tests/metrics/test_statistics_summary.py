"""Means, quartiles, bootstrap intervals and folds."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast.metrics.statistics import CaseTable, bootstrap_interval, summarize, summarize_folds

values = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


@settings(max_examples=30, deadline=None)
@given(finite=values, undefined=st.integers(0, 3), infinite=st.integers(0, 3))
def test_what_is_not_finite_is_counted_and_left_out(finite, undefined, infinite):
    summary = summarize([*finite, *[nan] * undefined, *[inf] * infinite], resamples=50)
    assert (summary.count, summary.undefined, summary.infinite) == (len(finite), undefined, infinite)
    assert summary.mean == pytest.approx(np.mean(finite), abs=1e-12)
    assert summary.sd == pytest.approx(np.std(finite, ddof=1), abs=1e-12)
    quartiles = (summary.minimum, summary.lower_quartile, summary.median, summary.upper_quartile, summary.maximum)
    np.testing.assert_allclose(quartiles, np.percentile(finite, [0, 25, 50, 75, 100]))
    assert summary.iqr == summary.upper_quartile - summary.lower_quartile
    assert summary.standard_error == pytest.approx(np.std(finite, ddof=1) / len(finite) ** 0.5, abs=1e-12)
    slack = 1e-9
    assert summary.minimum - slack <= summary.interval[0] <= summary.interval[1] <= summary.maximum + slack


def test_few_values():
    nothing = summarize([nan, inf])
    assert nothing.count == 0
    assert np.isnan([nothing.mean, nothing.sd, nothing.median, nothing.standard_error, *nothing.interval]).all()
    one = summarize([3.0])
    assert (one.mean, one.median) == (3, 3)
    assert np.isnan([one.sd, *one.interval]).all()
    same = summarize([3.0, 3.0, 3.0])
    assert (same.sd, same.interval) == (0, (3, 3))
    assert str(same) == "3 ± 0 (n = 3)"


@pytest.mark.parametrize("method", ["bca", "percentile", "basic"])
def test_bootstrap_is_scipys(method):
    from scipy.stats import bootstrap

    sample = np.random.default_rng(5).gamma(2.0, 1.5, 25)
    found = bootstrap_interval(sample, method=method, resamples=999, seed=7, confidence=0.9)
    name = "BCa" if method == "bca" else method
    expected = bootstrap(
        (sample,), np.mean, n_resamples=999, confidence_level=0.9, method=name, random_state=np.random.default_rng(7)
    ).confidence_interval
    assert found == (expected.low, expected.high)
    assert found == bootstrap_interval(sample, method=method, resamples=999, seed=7, confidence=0.9)
    assert found != bootstrap_interval(sample, method=method, resamples=999, seed=8, confidence=0.9)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_bootstrap_covers_the_mean(method):
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        low, high = bootstrap_interval(rng.normal(5, 2, 30), method=method, resamples=400, seed=seed)
        hits += low <= 5 <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_bootstrap_of_a_median_that_hardly_varies():
    low, high = bootstrap_interval([1, 1, 1, 1, 1, 1, 1, 9], statistic="median")
    assert low == 1 <= high


def test_tables():
    table = CaseTable(["a", "b", "c"], ["dice", "hd"], [[0.9, 2], [0.7, inf], [0.8, 4]])
    described = summarize(table)
    assert list(described) == ["dice", "hd"]
    assert described["hd"].mean == 3
    assert described["hd"].infinite == 1
    assert described["dice"].interval == bootstrap_interval(table["dice"])


def test_folds():
    rng = np.random.default_rng(1)
    folds = [
        CaseTable([f"{k}{n}" for n in range(size)], ["dice"], rng.random((size, 1))) for k, size in enumerate((3, 5))
    ]
    dice = summarize_folds(folds, resamples=99)["dice"]
    every = np.concatenate([fold["dice"] for fold in folds])
    means = [fold["dice"].mean() for fold in folds]
    assert dice.pooled.mean == pytest.approx(every.mean())
    assert dice.pooled.sd == pytest.approx(every.std(ddof=1))
    assert dice.mean == pytest.approx(np.mean(means))
    assert dice.sd == pytest.approx(np.std(means, ddof=1))
    assert [fold.count for fold in dice.folds] == [3, 5]


def test_folds_without_values_and_other_orders():
    first = CaseTable(["a"], ["dice", "hd"], [[0.5, inf]])
    second = CaseTable(["b"], ["hd", "dice"], [[3.0, 0.7]])
    result = summarize_folds([first, second])
    assert result["dice"].mean == pytest.approx(0.6)
    assert result["hd"].mean == 3
    assert np.isnan(result["hd"].sd)
    assert result["hd"].pooled.infinite == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: summarize([[1.0]]), r"one dimension, one value a case, not shape \(1, 1\)"),
        (lambda: bootstrap_interval([1, 2], confidence=1), "confidence must lie between 0 and 1"),
        (lambda: bootstrap_interval([1, 2], resamples=0), "resamples must be a positive whole number"),
        (lambda: bootstrap_interval([1, 2], method="magic"), "method must be one of bca"),
        (lambda: bootstrap_interval([1, 2], statistic="mode"), "statistic must be one of mean"),
        (lambda: summarize_folds([]), "there is no fold"),
        (
            lambda: summarize_folds([CaseTable(["a"], ["dice"], [[1]]), CaseTable(["a"], ["dice"], [[1]])]),
            "case 'a' of fold 1 was tested in an earlier fold",
        ),
        (
            lambda: summarize_folds([CaseTable(["a"], ["dice"], [[1]]), CaseTable(["b"], ["hd"], [[1]])]),
            "fold 1 does not have the metrics of fold 0: dice, hd",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
