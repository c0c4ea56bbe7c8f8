"""trajectory against the NumPy reference, and on motions with a known answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import trajectory as reference
from reference.interpolation_sweeps import parallel_sweep, sweeps
from scipy.spatial.transform import Rotation

from usfast.compound.methods import trajectory
from usfast.errors import GeometryError

RUN = {"num_threads": 2, "progress": None}


@settings(max_examples=30, deadline=None)
@given(case=sweeps(smallest=2), max_gap=st.sampled_from([0.8, 2.0, 5.0, 100.0]))
def test_matches_reference(case, max_gap):
    arrays, keywords = case
    found = trajectory(*arrays, **keywords, max_gap=max_gap, **RUN)
    expected = reference.trajectory(*arrays, **keywords, max_gap=max_gap)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


def test_keeps_linear_ramps():
    arrays, keywords = parallel_sweep(lambda u, v, i: 3 * u - 2 * v + 5 * (2 + 2.5 * i))
    volume, weight = trajectory(*arrays, **keywords, **RUN)
    z, y, x = np.meshgrid(*(np.arange(n) for n in volume.shape), indexing="ij")
    np.testing.assert_allclose(volume[2:20], (3 * x - 2 * y + 5 * z)[2:20], atol=1e-4)
    np.testing.assert_allclose(weight[2:20], 1, rtol=1e-6)
    assert not weight[:2].any()
    assert not weight[20:].any()


def test_follows_a_fan():
    """A probe that turns about an axis in its image: pixels keep their radius, values follow the angle."""
    angles = np.arange(-30, 31, 10)
    u = np.tile(np.arange(61.0), (41, 1))
    frames = np.stack([2 * u + angle for angle in angles]).astype(np.float32)
    image_to_voxel = np.zeros((len(angles), 3, 4))
    for i, angle in enumerate(angles):
        turn = Rotation.from_euler("y", angle, degrees=True).as_matrix()
        image_to_voxel[i, :, 0], image_to_voxel[i, :, 1] = turn[:, 0], [0, 1, 0]
        image_to_voxel[i, :, 3] = [0, 0, 40]
    size = (62, 41, 81)
    keywords = {"spacing": np.ones(3), "mask": None, "importance": None}
    volume, weight = trajectory(frames, np.arange(len(angles)), image_to_voxel, size, **keywords, max_gap=30, **RUN)
    z, _, x = np.meshgrid(*(np.arange(n) for n in volume.shape), indexing="ij")
    radius, angle = np.hypot(x, z - 40), np.degrees(np.arctan2(40 - z, x))
    inner = (np.abs(angle) < 29) & (radius > 2) & (radius < 59)
    assert (weight[inner] > 0).all()
    # The centre of the image moves along a chord, not an arc: at most 30 (1 - cos 5 deg) = 0.11 pixels off.
    np.testing.assert_allclose(volume[inner], (2 * radius + angle)[inner], atol=0.6)


def test_leaves_jumps_and_turnarounds_empty():
    arrays, keywords = parallel_sweep(lambda u, v, i: 50, size=(20, 18, 60))
    arrays[2][4:, 2, 3] += 30
    weight = trajectory(*arrays, **keywords, max_gap=2.0, **RUN)[1]
    assert (weight[2:10] > 0).all()
    assert not weight[10:42].any()
    assert (weight[42:50] > 0).all()
    assert (trajectory(*arrays, **keywords, max_gap=20.0, **RUN)[1][2:50] > 0).all()
    arrays[2][1::2, :, :2] *= -1  # turned by 180 degrees about the normal
    assert not trajectory(*arrays, **keywords, **RUN)[1].any()


def test_the_same_pose_twice():
    arrays, keywords = parallel_sweep(lambda u, v, i: 10 * i)
    arrays[2][3, 2, 3] = arrays[2][2, 2, 3] = 7
    volume, weight = trajectory(*arrays, **keywords, **RUN)
    assert (weight[2:20] > 0).all()
    assert np.isfinite(volume).all()
    arrays[2][:, 2, 3] = 7
    volume, weight = trajectory(*arrays, **keywords, **RUN)
    assert volume[7].max() == 0  # the first frame's
    assert (weight[7] > 0).all()


def test_needs_two_frames_that_move_rigidly():
    (frames, index, poses, size), keywords = parallel_sweep(lambda u, v, i: 50)
    with pytest.raises(ValueError, match="only one frame"):
        trajectory(frames, index[:1], poses[:1], size, **keywords, **RUN)
    poses[5, :, 0] *= 1.2
    with pytest.raises(GeometryError, match="frame 5"):
        trajectory(frames, index, poses, size, **keywords, **RUN)
