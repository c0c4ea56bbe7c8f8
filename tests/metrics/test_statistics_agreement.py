"""Agreement of observers against published tables and plain analysis of variance."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast.metrics import overlap
from usfast.metrics.statistics import bland_altman, coefficient_of_variation, dice_matrix, icc

# P. Shrout, J. Fleiss, Psychological Bulletin 86(2), 1979, table 2.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

# J. Bland, D. Altman, Lancet 327, 1986, table 1: peak expiratory flow by two meters, l/min.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_shrout_and_fleiss():
    agreement, consistency = icc(SHROUT_FLEISS), icc(SHROUT_FLEISS, kind="ICC(3,1)")
    assert agreement.value == pytest.approx(0.2898, abs=1e-4)
    assert agreement.interval == pytest.approx((0.0188, 0.7611), abs=1e-3)
    assert consistency.value == pytest.approx(0.7148, abs=1e-4)
    assert consistency.interval == pytest.approx((0.3425, 0.9459), abs=1e-3)
    assert agreement.p_value == consistency.p_value == pytest.approx(1.35e-4, rel=0.01)
    assert (agreement.subjects, agreement.observers, agreement.left_out) == (6, 4, 0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 12), k=st.integers(2, 5))
def test_a_bias_costs_agreement_and_no_consistency(seed, n, k):
    rng = np.random.default_rng(seed)
    table = rng.normal(0, 2, (n, 1)) + rng.normal(0, 1, (n, k))
    biased = table + 5 * np.arange(k)
    one, other = icc(table, kind="ICC(3,1)"), icc(biased, kind="ICC(3,1)")
    assert one.value == pytest.approx(other.value)
    assert abs(icc(biased).value) < abs(other.value) + 1e-12
    for kind in ("ICC(2,1)", "ICC(3,1)"):
        result = icc(table, kind=kind)
        assert result.value <= 1
        if result.value > 0:
            assert result.interval[0] <= result.value <= result.interval[1] + 1e-12


def test_perfect_and_constant_ratings():
    column = np.array([[1.0], [2.0], [4.0]])
    perfect = icc(np.repeat(column, 3, axis=1))
    assert (perfect.value, perfect.interval, perfect.p_value) == (1, (1, 1), 0)
    biased = np.hstack([column, column + 1])
    shifted = icc(biased, kind="ICC(3,1)")
    assert (shifted.value, shifted.interval) == (1, (1, 1))
    low, high = icc(biased).interval
    assert low <= icc(biased).value <= high
    assert np.isnan(icc(np.ones((3, 3))).value)


def test_subjects_with_gaps_are_left_out():
    table = [*SHROUT_FLEISS, [1, nan, 2, 3], [inf, 1, 2, 3]]
    assert icc(table).value == icc(SHROUT_FLEISS).value
    assert icc(table).left_out == 2


def test_bland_and_altman():
    result = bland_altman(WRIGHT, MINI)
    assert result.bias == pytest.approx(-2.1, abs=0.05)
    assert result.sd == pytest.approx(38.8, abs=0.05)
    # The paper takes two standard deviations, and gives the intervals (-22.0, 17.8), (-114.3, -45.1), (40.9, 110.1).
    two = bland_altman(WRIGHT, MINI, factor=2)
    assert (two.lower, two.upper) == pytest.approx((-79.7, 75.5), abs=0.1)
    assert two.bias_interval == pytest.approx((-22.0, 17.8), abs=0.15)
    assert two.lower_interval == pytest.approx((-114.3, -45.1), abs=0.2)
    assert two.upper_interval == pytest.approx((40.9, 110.1), abs=0.2)
    gaps = bland_altman([*WRIGHT, nan, 1], [*MINI, 1, inf])
    assert (gaps.bias, gaps.subjects, gaps.left_out) == (result.bias, 17, 2)


def test_variation():
    table = [[10.0, 12.0], [20.0, 20.0]]
    assert coefficient_of_variation(table) == pytest.approx(np.sqrt((np.sqrt(2) / 11) ** 2 / 2))
    assert coefficient_of_variation([*table, [nan, 1.0]]) == coefficient_of_variation(table)
    assert coefficient_of_variation(np.array(table) * 3) == pytest.approx(coefficient_of_variation(table))


def test_dice_of_every_pair():
    rng = np.random.default_rng(0)
    maps = [rng.integers(0, 3, (5, 6, 7)) for _ in range(3)]
    matrix = dice_matrix(maps, label=2)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    assert matrix[0, 2] == overlap(maps[0] == 2, maps[2] == 2).dice
    assert np.isnan(dice_matrix([np.zeros((3, 3), int)] * 2)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: icc([[1, 2]]), "two subjects and two observers with finite ratings, there are 1 and 2"),
        (lambda: icc([1, 2]), r"a table \(subjects, observers\), not shape \(2,\)"),
        (lambda: icc(SHROUT_FLEISS, kind="ICC(1,1)"), "kind must be"),
        (lambda: icc(SHROUT_FLEISS, confidence=2), "confidence must lie"),
        (lambda: bland_altman([1, 2], [1]), r"not \(2,\) and \(1,\)"),
        (lambda: bland_altman([1, nan], [1, 2]), "two pairs of finite values, there is 1"),
        (lambda: bland_altman([1, 2], [1, 2], factor=0), "factor must be positive"),
        (lambda: coefficient_of_variation([[1.0]]), "two finite ratings"),
        (lambda: coefficient_of_variation([[-1.0, 1.0]]), "positive means"),
        (lambda: dice_matrix([[[1, 1]]]), "two annotations, there is 1"),
        (lambda: dice_matrix([[[1, 1]], [[1, 1, 1]]]), "shape"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
