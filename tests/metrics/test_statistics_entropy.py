"""Entropy of annotations and predictions against scipy and by hand."""

from math import e, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from usfast.metrics.statistics import entropy_map, uncertainty_maps

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=30, deadline=None)


@few
@given(seed=seeds, raters=st.integers(1, 6), labels=st.integers(1, 4), base=st.sampled_from((2.0, e, 10.0)))
def test_annotations_match_scipy(seed, raters, labels, base):
    stack = np.random.default_rng(seed).integers(0, labels, (raters, 4, 5), np.uint8)
    shares = np.stack([(stack == label).mean(axis=0) for label in range(labels)])
    found = entropy_map(stack, base=base)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, entropy(shares, base=base, axis=0), atol=1e-6)
    assert found.max() <= log(min(raters, labels), base) + 1e-6
    assert not np.signbit(found).any()


def test_masks():
    stack = np.zeros((4, 3), bool)
    stack[:2, 0] = stack[:1, 1] = True
    np.testing.assert_allclose(entropy_map(stack), [1, -0.25 * np.log2(0.25) - 0.75 * np.log2(0.75), 0], rtol=1e-6)


@few
@given(seed=seeds, times=st.integers(1, 5), classes=st.integers(2, 4))
def test_predictions_match_scipy(seed, times, classes):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.3), (times, 3, 4)).transpose(0, 3, 1, 2)
    maps = uncertainty_maps(probabilities)
    total = entropy(probabilities.mean(axis=0), base=2, axis=0)
    expected = entropy(probabilities, base=2, axis=1).mean(axis=0)
    np.testing.assert_allclose(maps.total, total, atol=1e-6)
    np.testing.assert_allclose(maps.expected, expected, atol=1e-6)
    np.testing.assert_allclose(maps.mutual_information, total - expected, atol=1e-6)
    assert (maps.mutual_information >= 0).all()


def test_one_channel_is_a_structure_against_background():
    p = np.random.default_rng(0).random((3, 1, 5)).astype(np.float32)
    both = np.concatenate([1 - p, p], axis=1)
    np.testing.assert_allclose(uncertainty_maps(p).total, uncertainty_maps(both).total, atol=1e-6)


def test_half_precision_and_certainty():
    p = np.full((2, 3, 4), 1 / 3, np.float16)
    np.testing.assert_allclose(uncertainty_maps(p).total, np.log2(3), rtol=1e-3)
    certain = uncertainty_maps(np.array([[[1.0], [0.0]]] * 3))
    assert (certain.total, certain.expected, certain.mutual_information) == (0, 0, 0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: entropy_map([0, 1]), ValueError, r"a stack \(R, ...\) of label maps, not shape \(2,\)"),
        (lambda: entropy_map(np.ones((2, 3)) / 2), TypeError, "see uncertainty_maps"),
        (lambda: entropy_map(np.ones((2, 3), int), base=1), ValueError, "base must be above 1"),
        (lambda: uncertainty_maps(np.ones((2, 3))), ValueError, r"an array \(T, C, ...\)"),
        (lambda: uncertainty_maps(np.ones((2, 2, 3), int)), ValueError, "floating-point numbers, not int64"),
        (lambda: uncertainty_maps(np.full((2, 2, 3), np.nan)), ValueError, "prediction 0 holds NaN"),
        (lambda: uncertainty_maps(np.full((2, 2, 3), 4.0)), ValueError, "values from 4 to 4, no probabilities"),
        (lambda: uncertainty_maps(np.full((2, 2, 3), 0.7)), ValueError, "add up to 1.4 to 1.4, not 1"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
