"""Decorrelation curves and the calibration of a beam, and their files."""

import json

import numpy as np
import pytest
from reference.speckle_field import SpeckleField, pearson_pairs, planes

from usfast import FormatError, GeometryError
from usfast.speckle import (
    Calibration,
    PatchGrid,
    calibrate,
    decorrelation_curves,
    patch_displacements,
    read_calibration,
    write_calibration,
)
from usfast.speckle.models import correlation

PATCHES = PatchGrid.regular((64, 96), (32, 32), grid=(2, 3))


def poses_along(z):
    poses = np.tile(np.diag([0.1, 0.1, 0.1, 1.0]), (len(z), 1, 1))
    poses[:, 2, 3] = z
    return poses


@pytest.fixture(scope="module")
def scan():
    """Correlations and distances of 40 simulated frames, sigma 1.2 mm, 20 dB."""
    z = planes((64, 96), 0.1, np.full(39, 0.18))[:, 0, 0]
    field = SpeckleField((64, 96), z[-1], 1.2, seed=5)
    frames = np.stack([field.bmode(place, 20) for place in z])
    rho = pearson_pairs(frames, PATCHES.corners, PATCHES.size, 20)
    return rho, patch_displacements(poses_along(z), PATCHES)[0]


def test_log_decorrelation_follows_the_dilogarithm(scan):
    rho, apart = scan
    noise = 2 * np.log(1 + 10**-2.0)  # loss of log coherence by noise at 20 dB
    curves = decorrelation_curves(rho, apart, PATCHES, bins=np.arange(0.09, 2.6, 0.18))
    known = curves.count.sum(axis=0) > 0
    mean = (curves.mean * curves.count)[:, known].sum(axis=0) / curves.count[:, known].sum(axis=0)
    apart = np.nanmean(curves.distance[:, known], axis=0)
    expected = correlation(np.sqrt(apart**2 + 2 * 1.2**2 * noise), 1.2)
    assert np.abs(mean - expected).max() < 0.06  # six patches


def test_sigma_and_nugget_are_found(scan):
    fit = calibrate(*scan, PATCHES, (64, 96), (0.1, 0.1))
    np.testing.assert_allclose(fit.sigma_mm, 1.2, rtol=0.1)
    np.testing.assert_allclose(fit.nugget_mm2, 2 * 1.2**2 * 2 * np.log(1.01), rtol=0.5)
    assert fit.sigma_of_patches.shape == (6,)


def test_a_row_that_does_not_decorrelate_is_unknown(scan):
    rho, apart = (array.copy() for array in scan)
    rho[..., 3:] = 0.9
    fit = calibrate(rho, apart, PATCHES, (64, 96), (0.1, 0.1))
    assert np.isfinite(fit.sigma_mm[0]) and np.isnan(fit.sigma_mm[1])
    rho[..., :3] = np.nan
    with pytest.raises(GeometryError, match="no row of patches can be calibrated"):
        calibrate(rho, apart, PATCHES, (64, 96), (0.1, 0.1))


@pytest.mark.parametrize(("model", "k"), [("log", 0.0), ("amplitude", 0.0), ("intensity", 0.0), ("rician", 2.0)])
def test_exact_curves_give_exact_parameters(model, k):
    apart = np.linspace(0.02, 2.5, 100).reshape(50, 2, 1)
    one = PatchGrid.regular((8, 8), (8, 8))
    rho = correlation(np.sqrt(apart**2 + 0.05), 0.9, model, k=k)
    fit = calibrate(rho, apart, one, (8, 8), (0.1, 0.1), model=model, k=k)
    np.testing.assert_allclose([fit.sigma_mm[0], fit.nugget_mm2[0]], [0.9, 0.05], rtol=1e-4)


def test_in_plane_limit():
    apart = np.linspace(0.02, 2.5, 100).reshape(50, 2, 1)
    one = PatchGrid.regular((8, 8), (8, 8))
    rho = correlation(apart, 0.9)
    aside = np.zeros_like(apart)
    rho[::2], aside[::2] = 0.1, 1.0  # half of the pairs moved in the plane
    fit = calibrate(rho, apart, one, (8, 8), (0.1, 0.1), in_plane=aside, in_plane_limit=0.5)
    assert fit.sigma_mm[0] == pytest.approx(0.9, rel=1e-4)
    with pytest.raises(ValueError, match="in_plane_limit needs in_plane"):
        calibrate(rho, apart, one, (8, 8), (0.1, 0.1), in_plane_limit=0.5)


def test_displacements_of_a_tilt():
    poses = poses_along(np.zeros(2))
    angle = np.radians(2.0)
    poses[1, :3, 1] = np.array([0, np.cos(angle), np.sin(angle)]) * 0.1
    away, aside = patch_displacements(poses, PatchGrid([[0, 0], [90, 0]], (2, 2)), window=1)
    np.testing.assert_allclose(away[0, 0], 0.1 * np.array([0.5, 90.5]) * 2 * np.sin(angle / 2), rtol=1e-9)
    np.testing.assert_allclose(aside[0, 0], 0, atol=1e-12)
    assert np.isnan(away[1]).all()


def test_displacements_with_unknown_poses_and_windows_longer_than_the_sweep():
    poses = poses_along(np.arange(3.0))
    poses[1] = np.nan
    away = patch_displacements(poses, PATCHES, window=5)[0]
    assert np.isfinite(away[0, 1]).all()
    assert np.isfinite(away).sum() == len(PATCHES)
    assert np.isnan(patch_displacements(poses[:1], PATCHES, window=5)[0]).all()


@pytest.mark.parametrize(
    ("poses", "window", "error"),
    [(np.eye(4), 1, "shape"), (np.zeros((2, 4, 4)), 1, "no normal"), (np.tile(np.eye(4), (2, 1, 1)), 0, "window")],
)
def test_bad_poses(poses, window, error):
    with pytest.raises(ValueError, match=error):
        patch_displacements(poses, PATCHES, window)


def test_curves_of_nothing_and_bad_bins(scan):
    rho, apart = scan
    with pytest.raises(ValueError, match="no pair"):
        decorrelation_curves(rho * np.nan, apart, PATCHES)
    with pytest.raises(ValueError, match="share one shape"):
        decorrelation_curves(rho, apart[:-1], PATCHES)
    with pytest.raises(ValueError, match="6 patches"):
        decorrelation_curves(rho, apart, PatchGrid.regular((64, 96), (32, 32), grid=(1, 1)))
    for bins in (0, -3, True, [1.0], [2.0, 1.0], [0.0, np.nan]):
        with pytest.raises(ValueError, match="bins must be"):
            decorrelation_curves(rho, apart, PATCHES, bins)
    with pytest.raises(ValueError, match="levels"):
        decorrelation_curves(rho, apart, PATCHES, levels=(0.5, 2.0))


def test_curves_count_every_pair(scan):
    rho, apart = scan
    curves = decorrelation_curves(rho, apart, PATCHES, bins=7)
    assert curves.count.sum() == np.isfinite(rho).sum()
    assert len(curves.table()) == np.count_nonzero(curves.count)
    quantiles = curves.quantiles[:, :, curves.count.min(axis=0) > 0]
    assert (np.diff(quantiles, axis=1) >= 0).all()


KNOWN = Calibration([0.7, np.nan], [0.1, np.nan], [0.1, np.nan], (2, 3), (32, 32), (64, 96), (0.1, 0.2), "rician", 0.5)


def test_files_keep_everything(tmp_path):
    write_calibration(KNOWN, tmp_path / "a.json")
    found = read_calibration(tmp_path / "a.json")
    for name in ("sigma_mm", "nugget_mm2", "residual_sd"):
        np.testing.assert_array_equal(getattr(found, name), getattr(KNOWN, name))
    for name in ("grid", "patch_size", "image_size", "pixel_spacing", "model", "k"):
        assert getattr(found, name) == getattr(KNOWN, name)


def test_rubbish_is_refused(tmp_path):
    path = tmp_path / "a.json"
    for text in (b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b'{"format": "other"}', b"[" * 100_000):
        path.write_bytes(text)
        with pytest.raises(FormatError, match=r"a\.json"):
            read_calibration(path)
    write_calibration(KNOWN, path)
    good = json.loads(path.read_text())
    for key, value in (
        ("version", 2),
        ("model", "gauss"),
        ("model", None),
        ("k", "much"),
        ("k", -1),
        ("k", [1]),
        ("grid", [2]),
        ("grid", [0, 3]),
        ("grid", "2x3"),
        ("image_size", [64, None]),
        ("pixel_spacing", [0.1, -1]),
        ("sigma_mm", [0.7]),
        ("sigma_mm", [0, 0]),
        ("sigma_mm", [None, None]),
        ("sigma_mm", [True, 1]),
        ("sigma_mm", [float("inf"), 1]),
        ("nugget_mm2", [None, None]),
        ("nugget_mm2", [-1, 1]),
        ("residual_sd", None),
    ):
        path.write_text(json.dumps(good | {key: value}))
        with pytest.raises(FormatError, match=r"a\.json"):
            read_calibration(path)
    with pytest.raises(FileNotFoundError):
        read_calibration(tmp_path / "b.json")


def test_fits_only_its_own_patches():
    KNOWN.check_fits(PATCHES, (64, 96))
    for patches, size, word in (
        (PATCHES, (64, 97), "image size"),
        (PatchGrid.regular((64, 96), (16, 32), grid=(2, 3)), (64, 96), "patch size"),
        (PatchGrid.regular((64, 96), (32, 32), grid=(3, 2)), (64, 96), "grid of 2 x 3"),
    ):
        with pytest.raises(ValueError, match=word):
            KNOWN.check_fits(patches, size)
