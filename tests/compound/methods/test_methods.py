"""What all methods that work by the voxel have in common."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.interpolation_sweeps import parallel_sweep, sweeps

from usfast.compound.methods import METHODS
from usfast.compound.methods.reach import frame_gap

few = settings(max_examples=15, deadline=None)
NAMES = ("voxel_nearest", "inverse_distance", "trajectory", "squared_distance", "adaptive", "median")
RUN = {"num_threads": 1, "progress": None}


def test_names():
    assert set(NAMES) <= set(METHODS)


@pytest.mark.parametrize("name", NAMES)
@few
@given(case=sweeps(smallest=2), value=st.sampled_from([0, 77, 255]))
def test_constant_frames_give_constant_volumes(name, case, value):
    (frames, *arrays), keywords = case
    frames = np.where(np.isfinite(frames), value, frames).astype(frames.dtype)
    volume, weight = METHODS[name](frames, *arrays, **keywords, **RUN)
    assert volume.dtype == weight.dtype == np.float32
    assert volume.shape == weight.shape == arrays[2][::-1]
    assert (weight >= 0).all()
    np.testing.assert_allclose(volume[weight > 0], value, rtol=1e-6)
    assert not volume[weight == 0].any()


@pytest.mark.parametrize("name", NAMES)
@few
@given(case=sweeps(smallest=2))
def test_bits_do_not_depend_on_threads(name, case):
    arrays, keywords = case
    keywords["progress"] = None
    runs = [METHODS[name](*arrays, **keywords, num_threads=threads) for threads in (1, 2, 5)]
    assert len({volume.tobytes() + weight.tobytes() for volume, weight in runs}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_grids_of_many_bricks_continue_each_other(name):
    """A voxel's value does not depend on where its grid begins."""
    (frames, index, poses, _), keywords = parallel_sweep(lambda u, v, i: (13 * u + 7 * v * v + 29 * i) % 97)
    poses = poses @ np.block([[np.diag([3.1, 2.3, 1.0]), np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]])
    options = {"max_gap": 3.0} if name == "trajectory" else {}
    whole = METHODS[name](frames, index, poses, (70, 40, 26), **keywords, **RUN, **options)
    moved = poses.copy()
    moved[:, :, 3] -= 21, 9, 5
    part = METHODS[name](frames, index, moved, (40, 20, 13), **keywords, **RUN, **options)
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_allclose(a[5:18, 9:29, 21:61], b, rtol=1e-5, atol=1e-4)
    assert (part[1] > 0).mean() > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_far_from_data_stays_empty(name):
    arrays, keywords = parallel_sweep(lambda u, v, i: 50)
    arrays[2][:, 1, 3] += 500
    volume, weight = METHODS[name](*arrays, **keywords, **RUN)
    assert not volume.any()
    assert not weight.any()
    arrays[2][:, 1, 3] += 1e12
    assert not METHODS[name](*arrays, **keywords, **RUN)[1].any()


@pytest.mark.parametrize("name", NAMES)
def test_pixels_that_do_not_count(name):
    """Without a pixel there is no value: masked, of importance 0, or not finite."""
    (frames, *arrays), keywords = parallel_sweep(lambda u, v, i: 50 + u)
    left = np.ascontiguousarray(np.broadcast_to(np.arange(frames.shape[2]) < 10, frames.shape[1:]))
    half = METHODS[name](np.where(left, frames, np.nan).astype(np.float32), *arrays, **keywords, **RUN)
    assert not half[1][:, :, 13:].any()
    assert (half[1][3:15, :, :9] > 0).all()
    masked = METHODS[name](frames, *arrays, **{**keywords, "mask": left.astype(np.uint8)}, **RUN)
    unimportant = METHODS[name](frames, *arrays, **{**keywords, "importance": left[None].astype(np.float32)}, **RUN)
    for same in (masked, unimportant):
        # Not the same bits for adaptive: what is usual speckle is found without regard to importance.
        np.testing.assert_allclose(half[0], same[0], rtol=1e-4)
        np.testing.assert_allclose(half[1], same[1], rtol=1e-3)
    nothing = METHODS[name](np.full_like(frames, np.nan), *arrays, **keywords, **RUN)
    assert not nothing[1].any()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "trajectory"])
def test_one_frame(name):
    (frames, _, poses, size), keywords = parallel_sweep(lambda u, v, i: u)
    poses[:, 2, 3] = 4
    volume, weight = METHODS[name](frames, np.array([3]), poses[3:4], size, **keywords, **RUN)
    np.testing.assert_allclose(volume[4, 5, 2:-2], np.arange(2, 18), atol=1e-5)
    assert (weight[4] > 0).all()
    assert not weight[7:].any()


@pytest.mark.parametrize("name", NAMES)
def test_importance_weighs(name):
    """Where two frames share a voxel, doubling the importance of both changes nothing but the weight."""
    arrays, keywords = parallel_sweep(lambda u, v, i: (13 * u + 7 * v + 29 * i) % 97)
    plain = METHODS[name](*arrays, **keywords, **RUN)
    double = METHODS[name](*arrays, **{**keywords, "importance": np.full((1, 1, 1), 2, np.float32)}, **RUN)
    np.testing.assert_allclose(double[0], plain[0], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(double[1], 2 * plain[1], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_uint8_and_float32_agree(name):
    (frames, *arrays), keywords = parallel_sweep(lambda u, v, i: (13 * u + 7 * v + 29 * i) % 97)
    a = METHODS[name](frames, *arrays, **keywords, **RUN)
    b = METHODS[name](frames.astype(np.uint8), *arrays, **keywords, **RUN)
    np.testing.assert_allclose(a[0], b[0], rtol=1e-6)
    np.testing.assert_allclose(a[1], b[1], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_progress_is_called_and_can_stop(name):
    arrays, keywords = parallel_sweep(lambda u, v, i: 50)
    seen = []

    def record(done, total):
        seen.append((done, total, threading.current_thread() is threading.main_thread()))

    METHODS[name](*arrays, **keywords, num_threads=2, progress=record)
    assert seen[-1][0] == seen[-1][1] > 1
    assert all(main for *_, main in seen)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        METHODS[name](*arrays, **keywords, num_threads=2, progress=stop)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("voxel_nearest", {"max_distance": 0}, "max_distance must be positive"),
        ("inverse_distance", {"max_distance": float("nan")}, "max_distance must be positive"),
        ("trajectory", {"max_gap": -1}, "max_gap must be positive"),
        ("squared_distance", {"radius": 0}, "radius must be positive"),
        ("squared_distance", {"radius": 100}, "radius must be at most 32 voxels, 22.4 mm"),
        ("squared_distance", {"alpha": float("inf")}, "alpha must be positive"),
        ("adaptive", {"radius": -2}, "radius must be positive"),
        ("adaptive", {"halfway": 0}, "halfway must be positive"),
        ("adaptive", {"smallest_alpha": 0}, "smallest_alpha must be positive"),
        ("adaptive", {"smallest_alpha": 2, "largest_alpha": 1}, "largest_alpha must not be below smallest_alpha"),
        ("median", {"radius": float("nan")}, "radius must be positive"),
        ("median", {"alpha": 0}, "alpha must be positive"),
    ],
)
def test_bad_options(name, options, message):
    arrays, keywords = parallel_sweep(lambda u, v, i: 50)
    with pytest.raises(ValueError, match=message):
        METHODS[name](*arrays, **keywords, **RUN, **options)


def test_frame_gap_passes_over_a_jump():
    (_, _, poses, _), keywords = parallel_sweep(lambda u, v, i: 50, count=40)
    step = 2.5 * 0.4
    assert frame_gap(poses, keywords["spacing"], (18, 20)) == pytest.approx(step)
    poses[20:, 2, 3] += 300  # a new sweep, 120 mm away
    assert frame_gap(poses, keywords["spacing"], (18, 20)) == pytest.approx(step)
    diagonal = np.linalg.norm(keywords["spacing"])
    assert frame_gap(poses[:1], keywords["spacing"], (18, 20)) == pytest.approx(diagonal)
    poses[:, 2, 3] = 0
    assert frame_gap(poses, keywords["spacing"], (18, 20)) == pytest.approx(diagonal)
