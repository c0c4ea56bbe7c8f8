"""Relative and absolute poses; interpolation in time against scipy's Slerp."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from usfast.errors import GeometryError
from usfast.geometry import absolute_to_relative, interpolate_poses, relative_to_absolute


def random_poses(count: int, seed: int = 0) -> np.ndarray:
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.random(count, random_state=seed).as_matrix()
    poses[:, :3, 3] = np.random.default_rng(seed).normal(size=(count, 3)) * 100
    return poses


def shifts(*x: float) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(x), 1, 1))
    poses[:, 0, 3] = x
    return poses


def test_relative_and_absolute_undo_each_other():
    poses = random_poses(30)
    relative = absolute_to_relative(poses)
    assert relative.shape == (29, 4, 4)
    np.testing.assert_allclose(relative_to_absolute(relative, poses[0]), poses, atol=1e-10)
    np.testing.assert_allclose(relative_to_absolute(relative)[0], np.eye(4))


def test_the_order_is_that_of_equation_1_3():
    poses = random_poses(3)
    first, second = absolute_to_relative(poses)
    point = np.array([1.0, 2.0, 3.0, 1.0])
    np.testing.assert_allclose(poses[0] @ first @ second @ point, poses[2] @ point, atol=1e-10)
    # Turn a quarter about z, then go on along the new x axis: that is the old y.
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    np.testing.assert_allclose(relative_to_absolute([turn, shifts(5.0)[0]])[2, :3, 3], [0, 5, 0], atol=1e-12)


def test_chain_errors():
    assert relative_to_absolute(np.empty((0, 4, 4))).shape == (1, 4, 4)
    assert absolute_to_relative(random_poses(1)).shape == (0, 4, 4)
    with pytest.raises(ValueError, match=r"relative must have shape \(N, 4, 4\)"):
        relative_to_absolute(np.eye(4))
    with pytest.raises(ValueError, match="start must have shape"):
        relative_to_absolute(random_poses(2), np.eye(3))
    with pytest.raises(ValueError, match="at least one pose"):
        absolute_to_relative(np.empty((0, 4, 4)))
    with pytest.raises(GeometryError, match="singular"):
        absolute_to_relative(np.zeros((2, 4, 4)))


def test_interpolation_against_scipy():
    poses = random_poses(20)
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.2, 20))
    at = np.random.default_rng(2).uniform(times[0], times[-1], 200)
    found, valid = interpolate_poses(times, poses, at)
    assert valid.all()
    np.testing.assert_allclose(
        found[:, :3, :3], Slerp(times, Rotation.from_matrix(poses[:, :3, :3]))(at).as_matrix(), atol=1e-12
    )
    for axis in range(3):
        np.testing.assert_allclose(found[:, axis, 3], np.interp(at, times, poses[:, axis, 3]), atol=1e-10)
    assert (found[:, 3] == (0, 0, 0, 1)).all()


def test_samples_come_back():
    poses, times = random_poses(10), np.arange(10) / 7
    found, valid = interpolate_poses(times, poses, times)
    assert valid.all()
    np.testing.assert_allclose(found, poses, atol=1e-12)


def test_unmoved_and_half_turned_samples_are_exact():
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[2, :3, :3] = np.diag([-1.0, -1.0, 1.0])
    found, valid = interpolate_poses([0, 1, 2], poses, [0.5, 1.5])
    assert valid.all()
    np.testing.assert_allclose(found[0], np.eye(4), atol=1e-15)
    assert np.abs(found[1, :3, :3] @ [0, 0, 1] - [0, 0, 1]).max() < 1e-12  # a quarter turn about z either way
    assert abs(found[1, 0, 0]) < 1e-12


@pytest.mark.parametrize("scale", [(0.3, 0.3, 0.3, 1), (0.1, 0.2, 1.0, 1), (0.3, 0.3, -0.3, 1)])
def test_pixel_scale_is_kept(scale):
    image_to_probe = random_poses(1, 8)[0] @ np.diag(scale)
    probe_to_tracker = random_poses(6)
    probe_to_tracker[:, :3, 3] = 0
    image_to_probe[:3, 3] = 0
    times, at = np.arange(6.0), np.linspace(0, 5, 23)
    probe, _ = interpolate_poses(times, probe_to_tracker, at)
    image, valid = interpolate_poses(times, probe_to_tracker @ image_to_probe, at)
    assert valid.all()
    np.testing.assert_allclose(image, probe @ image_to_probe, atol=1e-12)


def test_never_extrapolates():
    found, valid = interpolate_poses([1, 2], shifts(0, 1), [0.999, 1, 2, 2.001, np.nan, np.inf, -np.inf])
    assert valid.tolist() == [False, True, True, False, False, False, False]
    assert np.isnan(found[~valid]).all()


def test_offset_is_the_latency():
    times = 1.7e9 + np.arange(10) / 10
    found, valid = interpolate_poses(times, shifts(*range(10)), times[2:] - 0.2, offset=0.2)
    assert valid.all()  # the last one too, though its time is rounded
    np.testing.assert_allclose(found[:, 0, 3], np.arange(2, 10), atol=1e-4)


def test_gaps():
    times = np.array([0.0, 0.1, 0.2, 0.7, 0.8])
    poses = shifts(0, 1, 2, 7, 8)
    at = [0.15, 0.2, 0.3, 0.69, 0.7, 0.75]
    assert interpolate_poses(times, poses, at, max_gap=0.2)[1].tolist() == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]
    assert interpolate_poses(times, poses, at)[1].all()


def test_invalid_samples_are_skipped():
    poses = shifts(0, 99, 2, 99, 4)
    poses[3] = np.nan
    found, valid = interpolate_poses([0, np.nan, 2, 1, 4], poses, [1, 3], valid=[True, False, True, True, True])
    assert valid.all()
    np.testing.assert_allclose(found[:, 0, 3], [1, 3])
    for none in (np.zeros(5, bool), [True, False, False, False, False]):
        assert not interpolate_poses(np.arange(5), poses, [0.5], valid=none)[1].any()


def test_of_repeated_times_the_first_counts():
    found, valid = interpolate_poses([0, 1, 1, 2], shifts(0, 1, 50, 2), [1, 1.5])
    assert valid.all()
    np.testing.assert_allclose(found[:, 0, 3], [1, 1.5])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0, 2, 1, 0], shifts(0, 1, 2, 3), [0]), {}, r"sample 2 \(1.0 s\) comes before sample 1 \(2.0 s\)"),
        (([0, np.nan], shifts(0, 1), [0]), {}, "timestamp 1 is nan"),
        (([0], shifts(0, 1), [0]), {}, "there are 2 poses"),
        (([0, 1], shifts(0, 1), 0.5), {}, r"at must have shape \(M,\)"),
        (([0, 1], np.eye(4), [0]), {}, r"poses must have shape \(N, 4, 4\)"),
        (([0, 1], shifts(0, 1), [0]), {"valid": [True]}, r"valid has shape \(1,\)"),
        (([0, 1], shifts(0, 1), [0]), {"max_gap": 0}, "max_gap must be positive"),
        (([0, 1], shifts(0, 1), [0]), {"offset": np.nan}, "offset must be a finite"),
    ],
)
def test_interpolation_refuses(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        interpolate_poses(*arguments, **options)


def test_mirrored_halfway_is_refused():
    poses = shifts(0, 1)
    poses[1, 2, 2] = -1
    with pytest.raises(GeometryError, match="left- and right-handed"):
        interpolate_poses([0, 1], poses, [0.5])


def test_no_times_asked():
    found, valid = interpolate_poses([0, 1], shifts(0, 1), [])
    assert found.shape == (0, 4, 4) and valid.shape == (0,)
