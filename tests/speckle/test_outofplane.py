"""Least squares over all lags: exact on exact correlations, within 3 % of the path on simulated speckle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.speckle_field import SpeckleField, pearson_pairs, planes

from usfast import GeometryError
from usfast.speckle import PatchGrid, calibrate, estimate_motion, fit_plane, patch_displacements, patch_positions
from usfast.speckle.models import correlation

SHAPE, SPACING, SIGMA = (160, 160), (0.1, 0.1), 1.2
PATCHES = PatchGrid.regular(SHAPE, (32, 32), grid=(5, 5))
PLACES = patch_positions(PATCHES, SHAPE, SPACING)
ROWS = np.repeat(np.arange(5), 5)


def exact(steps, tilts, yaws, nugget=0.0, window=8, places=PLACES, sigma=SIGMA, model="log"):
    """Expected correlations of a motion: slopes tilts and yaws are tangents."""
    theta = np.cumsum(np.vstack([np.zeros(3), np.column_stack([steps, np.negative(yaws), tilts])]), axis=0)
    design = np.column_stack([np.ones(len(places)), places])
    rho = np.full((len(theta), window, len(places)), np.nan)
    for lag in range(1, min(window, len(steps)) + 1):
        apart = (theta[lag:] - theta[:-lag]) @ design.T
        rho[:-lag, lag - 1] = correlation(np.sqrt(apart**2 + nugget), sigma, model)
    return rho


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.0, 0.05, 0.4]), st.sampled_from(["log", "amplitude", "intensity"]))
def test_exact_correlations_give_the_motion(seed, nugget, model):
    rng = np.random.default_rng(seed)
    steps = rng.uniform(0.1, 0.4, 12)
    tilts, yaws = rng.normal(0, 0.003, (2, 12))
    rho = exact(steps, tilts, yaws, nugget, model=model)
    found = estimate_motion(rho, PLACES, np.full(25, SIGMA), rows=ROWS, model=model)
    assert found.converged
    np.testing.assert_allclose(found.translation_mm, steps, atol=2e-3)
    np.testing.assert_allclose(found.tilt_deg, np.degrees(tilts), atol=0.02)
    np.testing.assert_allclose(found.yaw_deg, np.degrees(yaws), atol=0.02)
    np.testing.assert_allclose(found.nugget_mm2, nugget, atol=2e-3)


def test_outlying_patches_are_outvoted():
    steps = np.full(15, 0.2)
    rho = exact(steps, np.full(15, 0.004), np.zeros(15), 0.05)
    rho[..., [3, 17, 22]] = np.where(np.isnan(rho[..., :3]), np.nan, 0.95)  # a still artefact in the image
    rho[4, :, 11] = np.nan
    found = estimate_motion(rho, PLACES, np.full(25, SIGMA), rows=ROWS)
    assert found.translation_mm.sum() == pytest.approx(3.0, rel=0.03)
    assert found.tilt_deg.sum() == pytest.approx(np.degrees(0.06), abs=0.4)


def test_reversals_where_told():
    signs = np.where(np.arange(16) < 8, 1, -1)
    steps = 0.2 * signs
    rho = exact(steps, np.zeros(16), np.zeros(16), 0.03)
    found = estimate_motion(rho, PLACES, np.full(25, SIGMA), signs=signs, motion="translation")
    np.testing.assert_allclose(found.translation_mm, steps, atol=5e-3)
    forward = estimate_motion(rho, PLACES, np.full(25, SIGMA), motion="translation")
    assert (forward.translation_mm >= 0).all()  # the wrong assumption does not fold the path
    backward = estimate_motion(exact([0.2] * 5, [0] * 5, [0] * 5), PLACES, np.full(25, SIGMA), signs=-1)
    np.testing.assert_allclose(backward.translation_mm, -0.2, atol=2e-3)


def test_a_probe_at_rest_stays():
    rho = exact(np.zeros(10), np.zeros(10), np.zeros(10), 0.1)
    found = estimate_motion(rho, PLACES, np.full(25, SIGMA), motion="translation", rows=ROWS, nugget=0.1)
    assert found.translation_mm.sum() < 0.1


def simulated(steps, tilts=0.0, yaws=0.0, snr=20.0, seed=0):
    z = planes(SHAPE, SPACING[0], steps, tilts, yaws)
    field = SpeckleField(SHAPE, z.max() - z.min(), SIGMA, seed=seed)
    frames = np.stack([field.bmode(place - z.min(), snr) for place in z])
    return pearson_pairs(frames, PATCHES.corners, PATCHES.size, 20)


@pytest.fixture(scope="module")
def sigma():
    """Widths calibrated on a sweep of their own."""
    steps = np.full(79, 0.15 * SIGMA)
    poses = np.tile(np.diag([*SPACING, 0.1, 1.0]), (80, 1, 1))
    poses[1:, 2, 3] = np.cumsum(steps)
    apart = patch_displacements(poses, PATCHES)[0]
    return calibrate(simulated(steps, seed=100), apart, PATCHES, SHAPE, SPACING).sigma_of_patches


FAST_SLOW = SIGMA * (0.2 + 0.16 * np.sin(np.arange(49) / 5))
CONSTANT = np.full(49, 0.167 * SIGMA)


@pytest.mark.parametrize(
    ("steps", "tilt", "snr", "adjacent"),
    [
        (CONSTANT, 0.0, 20, 1.4),
        (CONSTANT, 0.0, 12, 2.5),
        (FAST_SLOW, 0.0, 12, 2.0),
        (CONSTANT, np.radians(0.4), 20, 1.4),
    ],
    ids=["constant 20 dB", "constant 12 dB", "fast-slow 12 dB", "tilted 20 dB"],
)
def test_path_of_simulated_sweeps(sigma, steps, tilt, snr, adjacent):
    rho = simulated(steps, tilt * np.sin(np.arange(49) / 8), 0.0, snr, seed=7)
    found = estimate_motion(rho, PLACES, sigma, rows=ROWS)
    assert found.converged
    assert found.translation_mm.sum() == pytest.approx(steps.sum(), rel=0.03)
    textbook = estimate_motion(rho, PLACES, sigma, lags="adjacent", motion="translation")
    assert textbook.translation_mm.sum() > adjacent * steps.sum()


def test_fit_plane_is_robust_and_batched():
    rng = np.random.default_rng(0)
    true = np.array([[0.5, 0.01, -0.02], [1.0, 0.0, 0.03]])
    z = true[:, :1] + true[:, 1:] @ PLACES.T + rng.normal(0, 0.001, (2, 25))
    z[0, 4], z[1, 9] = 9.0, np.nan
    np.testing.assert_allclose(fit_plane(z, PLACES), true, atol=2e-3)
    assert np.isnan(fit_plane(np.full(25, np.nan), PLACES)).all()
    few = np.full(25, np.nan)
    few[:5] = 1.0  # one row: a line
    assert np.isnan(fit_plane(few, PLACES)).all()
    weights = np.ones(25)
    weights[::2] = 0
    noisy = np.where(weights > 0, 1.0, 7.0)
    np.testing.assert_allclose(fit_plane(noisy, PLACES, weights), [1, 0, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("places", "message"), [(PLACES[:2], "at least 3"), (PLACES[:5], "on a line"), (np.zeros((4, 2)), "on a line")]
)
def test_planes_need_three_patches(places, message):
    with pytest.raises(ValueError, match=message):
        fit_plane(np.ones(len(places)), places)
    rho = exact(np.full(4, 0.2), np.zeros(4), np.zeros(4), places=places)
    with pytest.raises(ValueError, match=message):
        estimate_motion(rho, places, np.full(len(places), SIGMA))
    one = estimate_motion(rho, places, np.full(len(places), SIGMA), motion="translation")
    np.testing.assert_allclose(one.translation_mm, 0.2, atol=1e-3)


def test_only_calibrated_patches_count():
    rho = exact(np.full(6, 0.2), np.zeros(6), np.zeros(6))
    width = np.full(25, SIGMA)
    width[5:] = np.nan
    with pytest.raises(ValueError, match="on a line"):
        estimate_motion(rho, PLACES, width)
    with pytest.raises(GeometryError, match="no patch"):
        estimate_motion(rho, PLACES, np.full(25, np.nan))


def test_gaps():
    rho = exact(np.full(9, 0.2), np.zeros(9), np.zeros(9))
    lost = rho.copy()
    lost[4] = np.nan  # frame 4 is constant
    for lag in range(1, 5):
        lost[4 - lag, lag - 1] = np.nan
    found = estimate_motion(lost, PLACES, np.full(25, SIGMA), motion="translation")
    np.testing.assert_allclose(found.translation_mm[3:5].sum(), 0.4, atol=5e-3)
    assert np.isnan(found.neighbours[3:5]).all()
    split = rho[:, :1].copy()
    split[5] = np.nan
    with pytest.raises(GeometryError, match="step from frame 5 to 6"):
        estimate_motion(split, PLACES, np.full(25, SIGMA))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correlation": np.zeros((5, 4))}, "correlation must have shape"),
        ({"correlation": np.zeros((1, 4, 25))}, "one frame only"),
        ({"positions": PLACES[:3]}, "one entry for each of 25"),
        ({"positions": PLACES * np.nan}, "positions must be finite"),
        ({"sigma": np.zeros(25)}, "sigma must be positive"),
        ({"rows": np.zeros(25)}, "rows must be"),
        ({"rows": ROWS, "nugget": [0.0, 1.0]}, "nugget must be"),
        ({"nugget": -1.0}, "nugget must be"),
        ({"motion": "loop"}, "motion must be"),
        ({"lags": "some"}, "lags must be"),
        ({"lags": [0, 1]}, "lags must be"),
        ({"lags": [9]}, "lags must be"),
        ({"lags": []}, "lags must be"),
        ({"signs": 0}, "signs must be"),
        ({"signs": [1, -1]}, "signs must be"),
        ({"model": "gauss"}, "model must be"),
    ],
)
def test_bad_arguments(change, message):
    rho = exact(np.full(8, 0.2), np.zeros(8), np.zeros(8))
    arguments = {"correlation": rho, "positions": PLACES, "sigma": np.full(25, SIGMA)} | change
    with pytest.raises(ValueError, match=message):
        estimate_motion(**arguments)
