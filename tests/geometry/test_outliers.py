"""Jumps of the tracker: found where they were put, nothing found where there are none."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from usfast.errors import GeometryError
from usfast.geometry import reject_outliers


def smooth(count: int = 200, noise: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return times at about 25 Hz and a curved, turning path of a probe with scale, mm."""
    rng = np.random.default_rng(seed)
    times = np.arange(count) / 25 + rng.uniform(-0.005, 0.005, count)
    poses = np.tile(np.eye(4), (count, 1, 1))
    turn = np.stack([20 * np.sin(times), 15 * np.cos(0.7 * times), 10 * times], axis=1)
    turn += noise * rng.normal(size=turn.shape)
    poses[:, :3, :3] = 0.3 * Rotation.from_rotvec(turn, degrees=True).as_matrix()
    poses[:, 0, 3] = 30 * np.sin(0.8 * times)
    poses[:, 1, 3] = 20 * times
    poses[:, :3, 3] += noise * rng.normal(size=(count, 3))
    return times, poses


def rejected(times, poses, **options) -> list[int]:
    return np.flatnonzero(~reject_outliers(times, poses, **options)).tolist()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_smooth_motion_is_left_alone(noise, seed):
    assert rejected(*smooth(noise=noise, seed=seed)) == []


@pytest.mark.parametrize("seed", range(5))
def test_injected_jumps_are_found_and_nothing_else(seed):
    times, poses = smooth(noise=0.1, seed=seed)
    rng = np.random.default_rng(seed)
    where = np.sort(rng.choice(np.arange(1, 66) * 3, 12, replace=False))
    for k, i in enumerate(where):
        if k % 2:
            poses[i, :3, 3] += 8 * rng.choice([-1, 1], 3)
        else:
            axis = 20 * rng.choice([-1, 1], 3)
            poses[i, :3, :3] = poses[i, :3, :3] @ Rotation.from_rotvec(axis, degrees=True).as_matrix()
    assert rejected(times, poses) == where.tolist()


@pytest.mark.parametrize("where", [0, 1, 2, 197, 198, 199])
def test_jumps_at_the_ends(where):
    times, poses = smooth(noise=0.05)
    poses[where, 0, 3] += 20
    assert rejected(times, poses) == [where]


def test_start_stop_and_sharp_turn_are_no_jumps():
    times = np.arange(100) / 25
    poses = np.tile(np.eye(4), (100, 1, 1))
    poses[:, 0, 3] = np.clip(times - 1, 0, 1) * 40  # 1.6 mm a sample, from one to the next
    poses[:, 1, 3] = np.abs(times - 3) * 40
    assert rejected(times, poses) == []


def test_unknown_poses_are_false_and_in_nobodys_way():
    times, poses = smooth()
    poses[[5, 50, 51]] = np.nan
    poses[80, 2, 3] += 5
    assert rejected(times, poses) == [5, 50, 51, 80]


def test_speed_limit():
    times = np.arange(20.0)
    poses = np.tile(np.eye(4), (20, 1, 1))
    poses[:, 0, 3] = 10 * times
    poses[8, 1, 3] = 40.0
    turned = poses.copy()
    turned[3, :3, :3] = Rotation.from_euler("y", 30, degrees=True).as_matrix()
    assert rejected(times, poses, max_speed_mm_s=20, threshold=np.inf) == [8]
    assert rejected(times, poses, max_speed_mm_s=50, threshold=np.inf) == []
    assert rejected(times, turned, max_rotation_deg_s=20, threshold=np.inf) == [3]
    poses[8, 1, 3] = 0
    poses[0, 1, 3] = 40
    assert rejected(times, poses, max_speed_mm_s=20, threshold=np.inf) == [0]


@pytest.mark.parametrize("count", range(6))
def test_few_samples(count):
    times, poses = smooth(6)
    assert reject_outliers(times[:count], poses[:count], max_speed_mm_s=1000).all()


def test_repeats_share_the_fate():
    times, poses = smooth(40)
    poses[20, 0, 3] += 9
    again = np.sort(np.r_[np.arange(40), 10, 20])
    keep = reject_outliers(times[again], poses[again])
    assert np.flatnonzero(~keep).tolist() == [21, 22]


@pytest.mark.parametrize("options", [{"threshold": 0}, {"max_speed_mm_s": -1}, {"max_rotation_deg_s": float("nan")}])
def test_limits_must_be_positive(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be positive"):
        reject_outliers(*smooth(10), **options)


def test_times_and_poses_are_checked():
    times, poses = smooth(10)
    with pytest.raises(ValueError, match=r"sample 1 .* comes before sample 0"):
        reject_outliers(times[::-1], poses)
    with pytest.raises(GeometryError, match="rank below two"):
        reject_outliers(times, np.zeros((10, 4, 4)))
