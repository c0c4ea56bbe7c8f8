"""R3, R4, R6, R9 against scipy, at every singularity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from usfast.errors import GeometryError
from usfast.geometry import (
    euler_to_matrix,
    matrix_to_euler,
    matrix_to_quaternion,
    matrix_to_r6,
    nearest_rotation,
    polar,
    quaternion_to_matrix,
    r6_to_matrix,
)

# Angles that meet at the singular places: zero, quarter and half turns, and next to them.
SPECIAL = [base + step for base in (-180, -90, 0, 90, 180) for step in (-1e-6, -1e-13, 0, 1e-13, 1e-9, 1e-4)]
angle = st.one_of(st.sampled_from(SPECIAL), st.floats(-180, 180))
rotation = st.tuples(angle, angle, angle).map(lambda a: Rotation.from_euler("xyz", a, degrees=True))


@settings(max_examples=300, deadline=None)
@given(rotation)
def test_round_trips(expected):
    matrix = expected.as_matrix()
    for there, back in (
        (matrix_to_quaternion, quaternion_to_matrix),
        (matrix_to_euler, euler_to_matrix),
        (matrix_to_r6, r6_to_matrix),
    ):
        np.testing.assert_allclose(back(there(matrix)), matrix, atol=1e-12)


@settings(max_examples=300, deadline=None)
@given(rotation)
def test_quaternion_against_scipy(expected):
    quaternion = matrix_to_quaternion(expected.as_matrix())
    theirs = expected.as_quat()[[3, 0, 1, 2]]
    assert min(np.abs(quaternion - theirs).max(), np.abs(quaternion + theirs).max()) < 1e-12
    assert quaternion[0] >= 0
    np.testing.assert_allclose(quaternion_to_matrix(-3 * theirs), expected.as_matrix(), atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.tuples(angle, angle, angle))
def test_euler_against_scipy(angles):
    expected = Rotation.from_euler("xyz", angles, degrees=True)
    np.testing.assert_allclose(euler_to_matrix(angles), expected.as_matrix(), atol=1e-12)
    ours = matrix_to_euler(expected.as_matrix())
    assert (np.abs(ours) <= (180, 90, 180)).all()


@settings(max_examples=200, deadline=None)
@given(st.tuples(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179)))
def test_euler_angles_come_back(angles):
    np.testing.assert_allclose(matrix_to_euler(euler_to_matrix(angles)), angles, atol=1e-10)


def test_euler_is_equation_1_5():
    r = Rotation.from_euler("xyz", [10, -35, 130], degrees=True).as_matrix()
    alpha, beta, gamma = np.radians(matrix_to_euler(r))
    assert np.tan(gamma) == pytest.approx(r[1, 0] / r[0, 0])
    assert np.tan(beta) == pytest.approx(-r[2, 0] / np.sqrt(1 - r[2, 0] ** 2))
    assert np.tan(alpha) == pytest.approx(r[2, 1] / r[2, 2])


@pytest.mark.parametrize("beta", [90, -90])
def test_gimbal_lock_has_no_roll(beta):
    matrix = euler_to_matrix([20, beta, 50])
    alpha, found, gamma = matrix_to_euler(matrix)
    assert gamma == 0
    assert found == pytest.approx(beta)
    assert alpha == pytest.approx(-30 if beta > 0 else 70)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -2, 3), (-1, 0, 2)])
@pytest.mark.parametrize("short", [0.0, 1e-15, 1e-9, 1e-6])
def test_half_turns_lose_no_digits(axis, short):
    turn = Rotation.from_rotvec((np.pi - short) * np.array(axis) / np.linalg.norm(axis))
    quaternion = matrix_to_quaternion(turn.as_matrix())
    np.testing.assert_allclose(quaternion_to_matrix(quaternion), turn.as_matrix(), atol=1e-14)


def test_half_turn_sign_is_fixed():
    assert matrix_to_quaternion(np.diag([1.0, -1.0, -1.0])).tolist() == [0, 1, 0, 0]
    assert matrix_to_quaternion(np.diag([-1.0, 1.0, -1.0])).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("batch", [(), (0,), (5,), (2, 3)])
def test_batches_and_nan(batch):
    matrix = np.broadcast_to(np.eye(3), (*batch, 3, 3)).copy()
    if matrix.size > 9:
        matrix[(0,) * len(batch)] = np.nan
    for there, back, length in (
        (matrix_to_quaternion, quaternion_to_matrix, 4),
        (matrix_to_euler, euler_to_matrix, 3),
        (matrix_to_r6, r6_to_matrix, 6),
    ):
        short = there(matrix)
        assert short.shape == (*batch, length)
        np.testing.assert_array_equal(back(short), matrix)
    np.testing.assert_allclose(nearest_rotation(matrix), matrix, atol=1e-15)


def test_what_is_no_rotation_is_refused():
    for convert in (matrix_to_quaternion, matrix_to_euler, matrix_to_r6):
        with pytest.raises(GeometryError, match="matrix 1 of 2 is not a rotation"):
            convert([np.eye(3), 2 * np.eye(3)])
        with pytest.raises(GeometryError, match="not a rotation"):
            convert(np.diag([1.0, 1.0, -1.0]))
        with pytest.raises(GeometryError, match="infinite"):
            convert(np.full((3, 3), np.inf))
        with pytest.raises(ValueError, match=r"\(\.\.\., 3, 3\), not \(4, 4\)"):
            convert(np.eye(4))


def test_degenerate_numbers_are_refused():
    with pytest.raises(GeometryError, match="entry 1 of 2 is the zero quaternion"):
        quaternion_to_matrix([[1, 0, 0, 0], [0, 0, 0, 0]])
    with pytest.raises(GeometryError, match="column of zeros"):
        r6_to_matrix([1, 0, 0, 0, 0, 0])
    with pytest.raises(GeometryError, match="parallel"):
        r6_to_matrix([1, 2, 3, -2, -4, -6])
    with pytest.raises(ValueError, match=r"quaternions must have shape \(\.\.\., 4\), not \(3,\)"):
        quaternion_to_matrix([1, 0, 0])
    with pytest.raises(GeometryError, match="rank below two"):
        nearest_rotation(np.diag([1.0, 0.0, 0.0]))


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_any_length_of_quaternion_and_columns(size):
    np.testing.assert_allclose(quaternion_to_matrix([size, 0, 0, size]), euler_to_matrix([0, 0, 90]), atol=1e-15)
    np.testing.assert_allclose(r6_to_matrix([size, 0, 0, size, size, 0]), np.eye(3), atol=1e-15)


def test_nearest_rotation_beats_every_other():
    rng = np.random.default_rng(3)
    noisy = Rotation.random(20, random_state=4).as_matrix() + rng.normal(size=(20, 3, 3)) * 0.2
    nearest = nearest_rotation(noisy)
    np.testing.assert_allclose(nearest @ np.swapaxes(nearest, 1, 2), np.tile(np.eye(3), (20, 1, 1)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(nearest), 1, atol=1e-14)
    distance = np.linalg.norm(noisy - nearest, axis=(1, 2))
    for _ in range(20):
        other = nearest @ Rotation.from_rotvec(rng.normal(size=(20, 3)) * 0.1).as_matrix()
        assert (np.linalg.norm(noisy - other, axis=(1, 2)) > distance).all()


@pytest.mark.parametrize("scale", [(0.3, 0.3, 0.3), (0.1, 0.2, 1.0), (0.3, 0.3, -0.3)])
def test_polar_splits_pixel_size_off(scale):
    rotations = Rotation.random(20, random_state=5).as_matrix()
    found, stretch = polar(rotations @ np.diag(scale))
    np.testing.assert_allclose(found @ stretch, rotations @ np.diag(scale), atol=1e-15)
    if min(scale) > 0:
        np.testing.assert_allclose(found, rotations, atol=1e-14)
    else:  # mirrored: one fixed turn apart, not a random one
        apart = np.swapaxes(rotations, 1, 2) @ found
        np.testing.assert_allclose(apart, np.broadcast_to(apart[0], apart.shape), atol=1e-14)
