"""gradient_magnitude against explicit float64 kernels, at the edge of the data, and its determinism."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import borders as reference

from usfast.borders import gradient, gradient_magnitude


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(12, 15), (1, 7), (6, 7, 8), (1, 5, 6), (30, 4, 5)]),
    sigma=st.sampled_from((0.0, 0.4, 1.0, 2.5)),
    anisotropic=st.booleans(),
)
def test_matches_reference(seed, shape, sigma, anisotropic):
    image = np.random.default_rng(seed).uniform(0, 255, shape)
    spacing = (2.0, 1.0, 0.5)[: len(shape)] if anisotropic else (1.0,) * len(shape)
    found = gradient_magnitude(image, spacing, sigma=sigma)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference.gradient(image, spacing, sigma), rtol=2e-5, atol=2e-3)


def test_slabs_and_threads_do_not_show(monkeypatch):
    rng = np.random.default_rng(3)
    image = rng.uniform(0, 255, (90, 9, 10)).astype(np.float32)
    image[rng.random(image.shape) < 0.2] = np.nan
    whole = gradient_magnitude(image, sigma=1.0)
    monkeypatch.setattr(gradient, "_SLAB", 1)
    seen = []
    for threads in (1, 2, 5):
        found = gradient_magnitude(
            image, sigma=1.0, num_threads=threads, progress=lambda done, total: seen.append((done, total))
        )
        np.testing.assert_array_equal(found, whole)
    assert seen[:4] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_default_sigma_is_two_of_the_smallest_voxel():
    image = np.random.default_rng(0).uniform(0, 1, (12, 12))
    np.testing.assert_array_equal(gradient_magnitude(image, (1.0, 0.5)), gradient_magnitude(image, (1.0, 0.5), sigma=1))


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0])
def test_the_edge_of_the_data_is_no_edge(sigma):
    image = np.full((30, 30), 80.0)
    fan = np.add.outer(np.arange(30), -np.abs(np.arange(30) - 15)) > 0
    masked = gradient_magnitude(np.where(fan, image, 0), sigma=sigma, mask=fan)
    with_nan = gradient_magnitude(np.where(fan, image, np.nan), sigma=sigma)
    np.testing.assert_array_equal(masked, with_nan)
    np.testing.assert_array_equal(np.isnan(masked), ~fan)
    np.testing.assert_allclose(masked[fan], 0, atol=1e-3)
    assert np.nanmax(gradient_magnitude(np.where(fan, image, 0), sigma=sigma)) > 5  # without the mask it is one


def test_integers_are_read_as_they_are():
    image = np.zeros((8, 8), np.uint8)
    image[:, 4:] = 255
    assert gradient_magnitude(image, sigma=0).max() == 127.5


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (np.full((4, 4), np.nan), {}, ValueError, "nothing but NaN"),
        (np.array([[1.0, np.inf]]), {}, ValueError, "infinite"),
        (np.ones((4, 4)), {"mask": np.zeros((4, 4), bool)}, ValueError, "no data inside the mask"),
        (np.ones((4, 4)), {"mask": np.ones((4, 5), bool)}, ValueError, r"mask has shape \(4, 5\), but image \(4, 4\)"),
        (np.ones((4, 4)), {"sigma": -1}, ValueError, "sigma must not be negative"),
        (np.ones((4, 4), complex), {}, TypeError, "complex128"),
        (np.ones(4), {}, ValueError, "not shape"),
    ],
)
def test_errors(image, options, error, message):
    with pytest.raises(error, match=message):
        gradient_magnitude(image, **options)


def test_an_error_in_progress_ends_the_work():
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gradient_magnitude(np.ones((20, 20)), progress=stop)
