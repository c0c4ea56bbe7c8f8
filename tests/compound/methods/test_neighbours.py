"""squared_distance, adaptive and median against the NumPy reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import neighbours as reference
from reference.interpolation_sweeps import parallel_sweep, sweeps

from usfast.compound.methods import adaptive, median, squared_distance
from usfast.compound.methods.adaptive import speckle_ratio

RUN = {"num_threads": 2, "progress": None}
some = settings(max_examples=25, deadline=None)


def assert_alike(found, expected):
    np.testing.assert_array_equal(found[1] > 0, expected[1] > 0)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


@some
@given(case=sweeps(), radius=st.sampled_from([0.5, 1.0, 2.5]), alpha=st.sampled_from([1e-3, 0.25, 50.0]))
def test_squared_distance_matches_reference(case, radius, alpha):
    arrays, keywords = case
    found = squared_distance(*arrays, **keywords, radius=radius, alpha=alpha, **RUN)
    assert_alike(found, reference.squared_distance(*arrays, **keywords, radius=radius, alpha=alpha))


@some
@given(case=sweeps(), radius=st.sampled_from([0.5, 1.0, 2.5]), halfway=st.sampled_from([0.1, 10.0, 100.0]))
def test_adaptive_matches_reference(case, radius, halfway):
    arrays, keywords = case
    options = {"radius": radius, "smallest_alpha": 0.01, "largest_alpha": 4.0, "halfway": halfway}
    found = adaptive(*arrays, **keywords, **options, **RUN)
    assert_alike(found, reference.adaptive(*arrays, **keywords, **options))


@some
@given(case=sweeps(), radius=st.sampled_from([0.5, 1.0, 2.5]), alpha=st.sampled_from([None, None, 0.3]))
def test_median_matches_reference(case, radius, alpha):
    arrays, keywords = case
    found = median(*arrays, **keywords, radius=radius, alpha=alpha, **RUN)
    assert_alike(found, reference.median(*arrays, **keywords, radius=radius, alpha=alpha))


def test_median_is_that_of_numpy():
    """One voxel, frames through it: even and odd numbers of pixels."""
    rng = np.random.default_rng(1)
    for count in (1, 2, 7, 10):
        frames = rng.integers(0, 256, (count, 9, 9)).astype(np.uint8)
        poses = np.tile(np.eye(4)[:3], (count, 1, 1))
        poses[:, 0, 3] = poses[:, 1, 3] = -4
        volume, weight = median(
            frames,
            np.arange(count),
            poses,
            (1, 1, 1),
            spacing=np.ones(3),
            mask=None,
            importance=None,
            radius=2.1,
            **RUN,
        )
        v, u = np.mgrid[:9, :9]
        near = frames[:, np.hypot(u - 4, v - 4) < 2.1]
        assert volume[0, 0, 0] == np.float32(np.median(near))
        assert weight[0, 0, 0] == near.size


def test_median_drops_outliers():
    arrays, keywords = parallel_sweep(lambda u, v, i: 40)
    arrays[0][:, ::4, ::4] = 255
    volume, weight = median(*arrays, **keywords, radius=1.2, **RUN)
    np.testing.assert_array_equal(volume[2:19][weight[2:19] > 0], 40)


def test_squared_distance_keeps_ramps_where_pixels_lie_evenly():
    arrays, keywords = parallel_sweep(lambda u, v, i: 3 * u - 2 * v + 5 * (2 + i), gap=1, count=15)
    volume, _ = squared_distance(*arrays, **keywords, **RUN)
    z, y, x = np.meshgrid(*(np.arange(n) for n in volume.shape), indexing="ij")
    inner = np.s_[5:14, 3:-3, 3:-3]
    np.testing.assert_allclose(volume[inner], (3 * x - 2 * y + 5 * z)[inner], rtol=1e-6)


def test_adaptive_is_sharper_at_an_edge_and_smoother_in_speckle():
    rng = np.random.default_rng(3)
    speckle = rng.gamma(9, 5, (8, 18, 20))
    arrays, keywords = parallel_sweep(lambda u, v, i: np.where(u < 10, speckle[i], speckle[i] + 150), gap=1.0)
    plain = squared_distance(*arrays, **keywords, **RUN)[0]
    fine = adaptive(*arrays, **keywords, halfway=10.0, **RUN)[0]  # twice the 225 / 45 of the speckle
    truth = arrays[0]
    edge, flat = np.s_[:, 3:-3, 9:11], np.s_[:, 3:-3, 3:7]
    assert np.abs(fine[2:10][edge] - truth[edge]).mean() < np.abs(plain[2:10][edge] - truth[edge]).mean()
    assert fine[4:8][flat].std() < plain[4:8][flat].std()


def test_speckle_ratio():
    frames = np.random.default_rng(0).gamma(4, 10, (30, 50, 70)).astype(np.float32)
    assert speckle_ratio(frames, np.arange(30)) == pytest.approx(10, rel=0.1)
    mask = np.zeros(frames.shape[1:], np.uint8)
    assert speckle_ratio(frames, np.arange(30), mask) == 1
    assert speckle_ratio(np.full((2, 50, 70), 9, np.uint8), np.arange(2)) == 1
    assert speckle_ratio(frames[:, :5, :5], np.arange(30)) == 1
    frames[:, :20] = np.nan
    assert speckle_ratio(frames, np.arange(30)) == pytest.approx(10, rel=0.1)
