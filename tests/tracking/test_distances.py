"""Drift metrics against loops over the printed formulas, and their limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import tracking as reference

from usfast import tracking
from usfast.errors import GeometryError

few = settings(max_examples=30, deadline=None)


def walk(rng, count, points=1):
    return np.cumsum(rng.normal([0, 0, 0.5], 0.3, (count, points, 3)), axis=0)


@pytest.mark.parametrize("denominator", ["path", "straight"])
@few
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 40), points=st.sampled_from((1, 3)))
def test_matches_reference(denominator, seed, count, points):
    rng = np.random.default_rng(seed)
    true, predicted = walk(rng, count, points), walk(rng, count, points)
    expected = np.mean(
        [reference.drift_metrics(predicted[:, k], true[:, k], denominator, 1e-9) for k in range(points)], axis=0
    )
    found = [
        tracking.final_drift_rate(predicted, true, denominator),
        tracking.average_drift_rate(predicted, true, denominator, min_path=1e-9),
        tracking.maximum_drift(predicted, true),
        tracking.sum_of_drift(predicted, true),
        tracking.hausdorff_distance(predicted, true),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(tracking.distance_error(predicted, true) * count, found[3], rtol=1e-12)


def test_a_known_case():
    true = np.array([[0, 0, 0], [3, 4, 0], [3, 4, 12], [0, 0, 12.0]])  # 5 + 12 + 5 mm, 12 mm straight
    predicted = true + np.array([[0, 0, 0], [0, 0, 1], [2, 0, 0], [0, 3, 0]])
    assert tracking.path_length(true) == 22
    assert tracking.drift(predicted, true) == 3
    np.testing.assert_allclose(tracking.final_drift_rate(predicted, true), 3 / 22)
    np.testing.assert_allclose(tracking.final_drift_rate(predicted, true, "straight"), 3 / 12)
    np.testing.assert_allclose(tracking.average_drift_rate(predicted, true), (1 / 5 + 2 / 17 + 3 / 22) / 3)
    np.testing.assert_allclose(tracking.average_drift_rate(predicted, true, "straight"), (1 / 5 + 2 / 13 + 3 / 12) / 3)
    assert tracking.maximum_drift(predicted, true) == 3
    assert tracking.sum_of_drift(predicted, true) == 6
    assert tracking.distance_error(predicted, true) == 1.5


def test_average_rate_leaves_out_the_first_steps():
    true = np.array([[0, 0, 0], [0, 0, 0.01], [0, 0, 1], [0, 0, 2]])
    predicted = true + np.array([[0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_allclose(tracking.average_drift_rate(predicted, true), (1 + 0.5) / 2)
    np.testing.assert_allclose(tracking.average_drift_rate(predicted, true, min_path=0), (100 + 1 + 0.5) / 3)


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_thesis_formula_is_blind_to_direction(seed):
    rng = np.random.default_rng(seed)
    true = walk(rng, 10)
    mirrored = 2 * true[0] - true
    assert tracking.thesis_drift(mirrored, true) < 1e-6
    assert tracking.final_drift_rate(mirrored, true, "straight") == pytest.approx(2)
    longer = true[0] + 1.1 * (true - true[0])
    assert tracking.thesis_drift(longer, true) == pytest.approx(np.sqrt(1.1**2 - 1))  # 0.458; the drift is 0.1


@pytest.mark.parametrize("function", [tracking.frame_errors, tracking.drift, tracking.hausdorff_distance])
def test_bad_arguments(function):
    good = np.zeros((3, 3))
    with pytest.raises(ValueError, match=r"shape \(3, 1, 3\), but the true ones \(2, 1, 3\)"):
        function(good, good[:2])
    with pytest.raises(ValueError, match="at least two frames, not one"):
        function(good[:1], good[:1])
    with pytest.raises(ValueError, match=r"\(N, K, 3\) or \(N, 3\), not \(3, 2\)"):
        function(good[:, :2], good)
    bad = good.copy()
    bad[1] = np.nan
    with pytest.raises(GeometryError, match="true position of frame 1 is not finite"):
        function(good, bad)


def test_no_way_no_rate():
    still = np.zeros((3, 3))
    for rate in (tracking.final_drift_rate, tracking.thesis_drift):
        with pytest.raises(GeometryError, match="0 mm long"):
            rate(still + np.arange(3)[:, None], still)
    with pytest.raises(GeometryError, match=r"never reaches min_path \(0.1 mm\)"):
        tracking.average_drift_rate(still, still)
    loop = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0.0]])
    assert tracking.final_drift_rate(loop, loop) == 0
    with pytest.raises(GeometryError, match="true straight"):
        tracking.final_drift_rate(loop, loop, "straight")
    with pytest.raises(ValueError, match="path, straight"):
        tracking.final_drift_rate(loop, loop, "euclidean")
    for least in (-1, np.nan):
        with pytest.raises(ValueError, match="min_path must be at least 0"):
            tracking.average_drift_rate(loop, loop, min_path=least)
