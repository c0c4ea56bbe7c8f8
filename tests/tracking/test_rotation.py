"""Angles between orientations, small and large."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast import tracking
from usfast.errors import GeometryError
from usfast.geometry import euler_to_matrix, matrix_to_quaternion

few = settings(max_examples=50, deadline=None)


def turn(axis, degrees):
    """Rodrigues' formula."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def about_one_axis(rng, degrees):
    """Poses turned by these angles about one axis, the first in any orientation."""
    poses = np.tile(np.eye(4), (len(degrees), 1, 1))
    start = euler_to_matrix(rng.uniform(-180, 180, 3))
    poses[:, :3, :3] = [start @ turn([1, -2, 3], angle) for angle in degrees]
    return poses


@few
@given(seed=st.integers(0, 2**32 - 1), degrees=st.floats(0, 180))
def test_angle_of_a_known_rotation(seed, degrees):
    rng = np.random.default_rng(seed)
    base = euler_to_matrix(rng.uniform(-180, 180, 3))
    turned = base @ turn(rng.normal(size=3), degrees)
    np.testing.assert_allclose(tracking.geodesic_error(turned, base), degrees, atol=1e-6)
    np.testing.assert_allclose(tracking.geodesic_error(base, turned), degrees, atol=1e-6)


@few
@given(seed=st.integers(0, 2**32 - 1), degrees=st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.05, 1.0, 179.99]))
def test_float32_keeps_small_angles(seed, degrees):
    rng = np.random.default_rng(seed)
    base = euler_to_matrix(rng.uniform(-180, 180, 3))
    turned = base @ turn(rng.normal(size=3), degrees)
    found = tracking.geodesic_error(turned.astype(np.float32), base.astype(np.float32))
    np.testing.assert_allclose(found, degrees, atol=2e-5)


def test_the_arccos_form_loses_them():
    base, turned = np.eye(3), turn([1, 2, 3], 0.02)
    p, q = (matrix_to_quaternion(r).astype(np.float32) for r in (base, turned))
    assert 2 * np.degrees(np.arccos(np.minimum(np.abs(p @ q), np.float32(1)))) < 0.001  # eq. 2.4 in float32
    assert tracking.geodesic_error(turned, base) == pytest.approx(0.02)


def test_pixel_size_and_mirroring_do_not_matter():
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, :3, :3] = turn([0, 1, 1], 30)
    for image_to_probe in (np.diag([0.1, 0.2, 1, 1]), np.diag([0.1, -0.2, 0.3, 1])):
        images = poses @ image_to_probe
        np.testing.assert_allclose(tracking.geodesic_error(images[1], images[0]), 30)
    assert tracking.geodesic_error(poses, poses[:1]).shape == (2,)


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_metrics_of_accumulated_angles(seed):
    rng = np.random.default_rng(seed)
    true_deg = np.concatenate([[0], np.cumsum(rng.uniform(0.5, 2, 9))])
    guess_deg = true_deg + np.concatenate([[0], rng.normal(0, 1, 9)])
    true, guess = (about_one_axis(rng, degrees) for degrees in (true_deg, guess_deg))
    theta, rate = np.abs(guess_deg - true_deg), np.abs(guess_deg - true_deg)[1:] / true_deg[1:]
    np.testing.assert_allclose(tracking.rotation_errors(guess, true), theta, atol=1e-6)
    np.testing.assert_allclose(tracking.rotation_path(true), true_deg, atol=1e-6)
    assert tracking.average_rotation_rate(guess, true) == pytest.approx(rate.mean(), abs=1e-6)
    assert tracking.maximum_rotation_rate(guess, true) == pytest.approx(rate.max(), abs=1e-6)
    assert tracking.mean_rotation_error(guess, true) == pytest.approx(theta.mean(), abs=1e-6)


def test_bad_arguments():
    poses = np.tile(np.eye(4), (3, 1, 1))
    with pytest.raises(ValueError, match="3x3 or 4x4"):
        tracking.geodesic_error(np.zeros(4), np.eye(3))
    with pytest.raises(GeometryError, match="predicted holds a rotation that is not finite"):
        tracking.geodesic_error(np.full((3, 3), np.nan), np.eye(3))
    with pytest.raises(ValueError, match="3 predicted poses, but 2 true ones"):
        tracking.rotation_errors(poses, poses[:2])
    with pytest.raises(ValueError, match="at least two frames"):
        tracking.rotation_path(poses[:1])
    with pytest.raises(GeometryError, match=r"never reaches min_rotation_deg \(0.1 degrees\)"):
        tracking.average_rotation_rate(poses, poses)
    with pytest.raises(GeometryError, match="never reaches"):
        tracking.maximum_rotation_rate(poses, poses)
