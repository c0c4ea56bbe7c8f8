"""Fully developed speckle is told from structure, few scatterers and a coherent background."""

import numpy as np
import pytest
from reference.speckle_field import SpeckleField, log_compressed
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from usfast.speckle import (
    PatchGrid,
    coherent_ratio_from_decorrelation,
    coherent_ratio_from_moments,
    detect_speckle,
    drop_unusable,
    speckle_statistics,
)

SHAPE = (128, 128)
PATCHES = PatchGrid.regular(SHAPE, (32, 32))


def echoes(count=4):
    return np.stack([SpeckleField(SHAPE, 0.0, 1.0, seed=seed).echo(0.0) for seed in range(count)])


@pytest.mark.parametrize("method", ["amplitude", "log"])
def test_speckle_passes_whatever_its_level(method):
    level = np.geomspace(0.3, 1.0, 128)  # a gain that changes slowly with depth
    frames = np.stack([log_compressed(echo * level[:, None]) for echo in echoes()])
    statistics = speckle_statistics(frames, PATCHES)
    assert detect_speckle(statistics, method).mean() > 0.95
    assert statistics.snr.mean() == pytest.approx(1.913, rel=0.05)
    assert statistics.skewness.mean() == pytest.approx(0.631, abs=0.15)
    assert statistics.sd_db.mean() == pytest.approx(5.57, rel=0.05)


@pytest.mark.parametrize("method", ["amplitude", "log"])
def test_structure_and_sparse_scatterers_fail(method):
    rng = np.random.default_rng(0)
    echo = echoes(1)[0]
    edge = echo * np.where(np.arange(128) % 32 < 16, 1.0, 0.03)
    few = echo * (rng.random(SHAPE) < 0.02)
    few = gaussian_filter(few.real, 1.7) + 1j * gaussian_filter(few.imag, 1.7)
    frames = np.stack([log_compressed(edge), log_compressed(20 * few), log_compressed(echo + 4)])
    assert detect_speckle(speckle_statistics(frames, PATCHES), method).mean(axis=1).max() < 0.35


def test_constant_and_clipped_patches_fail():
    frames = np.zeros((2, *SHAPE), np.uint8)
    frames[1] = np.maximum(log_compressed(echoes(1)[0]), 190)  # dark speckles cut off
    statistics = speckle_statistics(np.where(frames == 190, 0, frames).astype(np.uint8), PATCHES)
    assert np.isnan(statistics.snr[0]).all() and (statistics.clipped[0] == 1).all()
    assert not detect_speckle(statistics).any()
    assert not detect_speckle(statistics, "log").any()


@pytest.mark.parametrize("k", [0.5, 2.0])
def test_coherent_ratio(k):
    noise = np.random.default_rng(4).standard_normal((2, 500, 1000))
    lines = gaussian_filter1d(noise[0], 1.7, mode="wrap") + 1j * gaussian_filter1d(noise[1], 1.7, mode="wrap")
    echo = lines / np.sqrt(np.mean(np.abs(lines) ** 2))
    pure = np.abs(echo) ** 2
    coherent = np.abs(echo + np.sqrt(k)) ** 2
    found = coherent_ratio_from_moments(coherent.mean() / coherent.std())
    assert found == pytest.approx(k, rel=0.25)

    def lateral(intensity):
        return np.corrcoef(intensity[..., 3:].ravel(), intensity[..., :-3].ravel())[0, 1]

    assert coherent_ratio_from_decorrelation(lateral(coherent), lateral(pure)) == pytest.approx(k, rel=0.35)


def test_coherent_ratio_at_its_limits():
    assert coherent_ratio_from_moments(0.5) == 0
    np.testing.assert_array_equal(coherent_ratio_from_decorrelation([0.1, 0.5, 0.9], 0.25), [0, np.inf, np.inf])
    assert np.isnan(coherent_ratio_from_decorrelation(np.nan, 0.25))
    with pytest.raises(ValueError, match="between 0 and 1"):
        coherent_ratio_from_decorrelation(0.5, 1.0)


def test_pairs_need_both_frames():
    usable = np.ones((4, 1), bool)
    usable[2] = False
    kept = np.isfinite(drop_unusable(np.zeros((4, 5, 1)), usable))
    assert np.argwhere(kept)[:, :2].tolist() == [[0, 0], [0, 2], [1, 1]]
    with pytest.raises(TypeError, match="bool"):
        drop_unusable(np.zeros((4, 5, 1)), np.ones((4, 1)))
    with pytest.raises(ValueError, match="usable has shape"):
        drop_unusable(np.zeros((4, 5, 1)), np.ones((4, 2), bool))


def test_bad_arguments():
    frames = np.zeros((2, *SHAPE), np.uint8)
    with pytest.raises(TypeError, match="uint8"):
        speckle_statistics(frames.astype(np.float32), PATCHES)
    with pytest.raises(ValueError, match="non-empty"):
        speckle_statistics(frames[0], PATCHES)
    with pytest.raises(ValueError, match="beyond"):
        speckle_statistics(frames[:, :-1], PATCHES)
    for value in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="dynamic_range_db"):
            speckle_statistics(frames, PATCHES, value)
    statistics = speckle_statistics(frames, PATCHES)
    with pytest.raises(ValueError, match="method"):
        detect_speckle(statistics, "k")
    with pytest.raises(ValueError, match="tolerance"):
        detect_speckle(statistics, tolerance=-1)
