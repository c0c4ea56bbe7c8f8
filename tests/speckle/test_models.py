"""Closed forms of decorrelation: against each other's limits, against simulated speckle, and their inverses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.speckle_field import SpeckleField, pearson_pairs

from usfast.speckle.models import MODELS, coherence, correlation, correlation_slope, distance, from_coherence

few = settings(max_examples=60, deadline=None)
models = st.sampled_from([(model, k) for model in MODELS for k in ((0.0, 0.3, 4.0) if model == "rician" else (0.0,))])


@few
@given(models, st.floats(1e-6, 4.0), st.floats(0.05, 20.0))
def test_distance_undoes_correlation(model_k, apart, sigma):
    model, k = model_k
    rho = correlation(apart * sigma, sigma, model, k=k)
    # Near rho = 1 the float itself is coarser than the inverse: its spacing bounds d**2.
    assert abs(distance(rho, sigma, model, k=k) - apart * sigma) <= (1e-6 + 1e-15 / apart) * sigma * (1 + 2 * k)


@few
@given(models, st.floats(0.0, 1.0))
def test_coherence_undoes_its_correlation(model_k, rho):
    model, k = model_k
    assert abs(from_coherence(coherence(rho, model, k=k), model, k=k) - rho) < 1e-9


@few
@given(models, st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20))
def test_correlation_rises_with_coherence_from_0_to_1(model_k, xs):
    model, k = model_k
    values = from_coherence(np.sort(xs), model, k=k)
    assert (np.diff(values) >= -1e-12).all()
    np.testing.assert_allclose(from_coherence([0.0, 1.0], model, k=k), [0, 1], atol=1e-12)


@pytest.mark.parametrize(("model", "k"), [("log", 0), ("amplitude", 0), ("intensity", 0), ("rician", 1.5)])
def test_slope_is_the_derivative(model, k):
    x = np.linspace(0.02, 0.98, 49)
    h = 1e-6
    numeric = (from_coherence(x + h, model, k=k) - from_coherence(x - h, model, k=k)) / (2 * h)
    np.testing.assert_allclose(correlation_slope(x, model, k=k), x * numeric, rtol=1e-5)


def test_known_values():
    # Li2(1/2) = pi**2 / 12 - ln(2)**2 / 2
    assert from_coherence(0.5) == pytest.approx((np.pi**2 / 12 - np.log(2) ** 2 / 2) / (np.pi**2 / 6), abs=1e-12)
    assert from_coherence(0.3, "intensity") == 0.3
    assert from_coherence(0.25, "rician", k=1.0) == pytest.approx((0.25 + 1.0) / 3)
    assert from_coherence(0.36, "rician") == pytest.approx(0.36)


@pytest.mark.parametrize("x", [0.1, 0.5, 0.9])
def test_simulated_speckle(x):
    rng = np.random.default_rng(1)
    n = 200_000
    a, other = rng.standard_normal((2, n)) + 1j * rng.standard_normal((2, n))
    b = np.sqrt(x) * a + np.sqrt(1 - x) * other
    for model, seen in (("log", np.log), ("amplitude", np.abs), ("intensity", np.square)):
        rho = np.corrcoef(seen(np.abs(a)), seen(np.abs(b)))[0, 1]
        assert rho == pytest.approx(from_coherence(x, model), abs=0.01)
    shift = np.sqrt(2 * 2.0)  # k = 2: coherent power twice the diffuse power, which is 2
    rho = np.corrcoef(np.abs(a + shift) ** 2, np.abs(b + shift) ** 2)[0, 1]
    assert rho == pytest.approx(from_coherence(x, "rician", k=2.0), abs=0.01)


def test_simulated_frames_follow_the_dilogarithm():
    apart, found = np.arange(0, 2.01, 0.25), []
    corners = np.argwhere(np.ones((5, 5))) * 32
    for seed in range(10):
        field = SpeckleField((160, 160), 2.0, 1.0, seed=seed)
        frames = np.stack([field.bmode(place) for place in apart])
        found.append(pearson_pairs(frames, corners, (32, 32), len(apart) - 1)[0])
    assert np.abs(np.mean(found, axis=(0, 2)) - correlation(apart[1:], 1.0)).max() < 0.02


def test_limits():
    np.testing.assert_array_equal(distance([-0.5, 0.0, 1.0, 1.5], 0.7), [np.inf, np.inf, 0, 0])
    assert np.isnan(distance(np.nan, 0.7)) and np.isnan(correlation(np.nan, 0.7))
    assert not np.signbit(distance(1.0, 0.7))
    assert correlation(1e200, 1e-3) == 0
    assert correlation(0.3, 0.5) == correlation(-0.3, 0.5)
    assert distance(np.full((3, 1), 0.5), [0.5, 1.0]).shape == (3, 2)


@pytest.mark.parametrize("function", [correlation, distance])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"sigma": -1.0}, "sigma must be positive"),
        ({"sigma": np.inf}, "sigma must be positive"),
        ({"model": "gauss"}, "model must be one of log, amplitude, intensity, rician"),
        ({"k": 1.0}, "k goes with model"),
        ({"model": "rician", "k": -1.0}, "k must be a finite ratio"),
        ({"model": "rician", "k": np.nan}, "k must be a finite ratio"),
    ],
)
def test_bad_arguments(function, change, message):
    with pytest.raises(ValueError, match=message):
        function(0.5, **({"sigma": 1.0} | change))
