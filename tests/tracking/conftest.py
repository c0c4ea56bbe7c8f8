"""Trajectories for the tests of this stage."""

import numpy as np
import pytest

from usfast.geometry import euler_to_matrix, relative_to_absolute


def random_trajectory(rng, count, step=1.0, turn_deg=2.0):
    """(N, 4, 4) rigid poses that wander along z."""
    steps = np.tile(np.eye(4), (count - 1, 1, 1))
    steps[:, :3, :3] = euler_to_matrix(rng.normal(0, turn_deg, (count - 1, 3)))
    steps[:, :3, 3] = rng.normal([0, 0, step], 0.3 * step, (count - 1, 3))
    start = np.eye(4)
    start[:3, :3] = euler_to_matrix(rng.uniform(-180, 180, 3))
    start[:3, 3] = rng.normal(0, 100, 3)
    return relative_to_absolute(steps, start)


@pytest.fixture
def trajectory():
    """The function that makes one from a generator and a number of frames."""
    return random_trajectory
