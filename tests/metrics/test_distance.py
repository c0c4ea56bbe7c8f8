"""The distance transform, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from usfast.metrics import distance_transform

SHAPES = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 80)),
    st.tuples(st.integers(1, 20), st.integers(1, 140)),
)


@given(
    st.integers(0, 2**32),
    SHAPES,
    st.sampled_from([0.01, 0.5, 0.98]),
    st.tuples(*[st.sampled_from([0.3, 1.0, 2.0])] * 3),
)
@settings(max_examples=80, deadline=None)
def test_against_scipy(seed: int, shape: tuple[int, ...], density: float, steps: tuple[float, ...]) -> None:
    mask = np.random.default_rng(seed).random(shape) < density
    spacing = steps[-len(shape) :]
    distance, indices = distance_transform(mask, spacing, return_indices=True)
    if mask.all():
        assert np.isinf(distance).all() and (indices == -1).all()
        return
    np.testing.assert_allclose(distance, distance_transform_edt(mask, spacing), rtol=1e-12, atol=1e-12)
    assert not mask[tuple(indices)].any()
    offset = (indices - np.indices(shape)) * np.reshape(spacing, (-1, *[1] * len(shape)))
    np.testing.assert_allclose(np.sqrt((offset**2).sum(axis=0)), distance, rtol=1e-12, atol=1e-12)
    signed = distance_transform(mask, spacing, signed=True)
    np.testing.assert_allclose(signed[mask], -distance[mask])
    if mask.any():
        np.testing.assert_allclose(signed[~mask], distance_transform_edt(~mask, spacing)[~mask], rtol=1e-12)


def test_every_label_on_its_own() -> None:
    labels = np.kron(np.random.default_rng(0).integers(0, 4, (3, 4, 5)), np.ones((4, 3, 5), int))
    found = distance_transform(labels, (1.0, 0.5, 2.0), multi_label=True)
    for label in range(1, 4):
        expected = distance_transform_edt(labels == label, (1.0, 0.5, 2.0))
        np.testing.assert_allclose(found[labels == label], expected[labels == label])
    assert not found[labels == 0].any()
    assert np.isinf(distance_transform(np.full((3, 3), 2), multi_label=True)).all()


def test_threads_do_not_change_a_bit() -> None:
    mask = np.random.default_rng(1).random((20, 30, 100)) < 0.9
    one, two = (distance_transform(mask, (1.1, 0.7, 0.3), num_threads=n) for n in (1, 2))
    assert one.tobytes() == two.tobytes()


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match="non-empty image"):
        distance_transform(np.zeros(5, bool))
    with pytest.raises(TypeError, match="booleans or integer"):
        distance_transform(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="does not go with signed"):
        distance_transform(np.zeros((3, 3), bool), signed=True, return_indices=True)
    with pytest.raises(ValueError, match="multi_label"):
        distance_transform(np.zeros((3, 3), bool), signed=True, multi_label=True)
