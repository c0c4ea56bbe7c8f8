"""compound_arrays against the NumPy reference, and its determinism."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import compounding as reference
from reference.sweeps import cases

from usfast import Grid
from usfast.compound import METHODS, compound_arrays

VALUES = ("mean", "maximum", "latest")
few = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
fewer = settings(few, max_examples=20)
kernels = st.tuples(st.sampled_from([1, 3, 5, 7]), st.sampled_from([0.4, 1.0, 1.7]))


def assert_same(found, expected, leave_out=()):
    """Volume to 1e-3 grey levels, weight to 1e-5; nothing where no weight is.

    Weights near the rounding error of one pixel's (1 - f) say nothing: values count from 1e-9 on.
    """
    volume, weight = (a.copy() for a in found)
    for array in (volume, weight, *expected) if len(leave_out) else ():
        array[leave_out] = 0
    assert volume.dtype == weight.dtype == np.float32
    assert volume.shape == weight.shape == expected[0].shape
    np.testing.assert_allclose(weight, expected[1], rtol=1e-5, atol=1e-14)
    known = expected[1] > 1e-9
    np.testing.assert_allclose(volume[known], expected[0][known], rtol=0, atol=1e-3)
    assert not volume[weight == 0].any()


@pytest.mark.parametrize("mode", VALUES)
@pytest.mark.parametrize("method", METHODS)
@few
@given(case=cases(), kernel=kernels)
def test_values_match_reference(method, mode, case, kernel):
    options = {"mask": case.mask, "kernel_size": kernel[0], "sigma": kernel[1]}
    found = compound_arrays(*case.arrays, method, mode, num_threads=1, **options)
    unsure = () if mode == "mean" else reference.doubtful(*case.arrays, method, **options)
    assert_same(found, reference.compound(*case.arrays, method, mode, **options), unsure)


@few
@given(case=cases(dtypes=(np.uint8,)))
def test_uint8_nearest_mean_is_exact(case):
    volume, weight = compound_arrays(*case.arrays, "nearest", "mean", mask=case.mask)
    expected, count = reference.compound(*case.arrays, "nearest", "mean", mask=case.mask)
    np.testing.assert_array_equal(volume, expected.astype(np.float32))
    np.testing.assert_array_equal(weight, count.astype(np.float32))


@pytest.mark.parametrize("method", METHODS)
@few
@given(case=cases(), kernel=kernels, axes=st.sampled_from(["frame", "pixel", "both"]))
def test_weighted_matches_reference(method, case, kernel, axes):
    count, *image = case.frames.shape
    shape = {"frame": (count,), "pixel": tuple(image), "both": case.frames.shape}[axes]
    if axes == "pixel" and tuple(image) == (count,):
        return
    weights = case.rng.uniform(0, 3, shape) * (case.rng.random(shape) < 0.8)
    options = {"mask": case.mask, "weights": weights, "kernel_size": kernel[0], "sigma": kernel[1]}
    found = compound_arrays(*case.arrays, method, "weighted", **options)
    assert_same(found, reference.compound(*case.arrays, method, "weighted", **options))


@pytest.mark.parametrize("method", METHODS)
@few
@given(
    case=cases(dtypes=(np.uint8,)),
    kernel=kernels,
    dtype=st.sampled_from([np.uint8, np.int16, np.uint16, np.int64]),
)
def test_vote_matches_reference(method, case, kernel, dtype):
    labels = np.array([0, 2, 3, 7, 200], dtype)[case.rng.integers(0, 5, case.frames.shape)]
    arrays = labels, case.image_to_world, case.grid
    options = {"mask": case.mask, "kernel_size": kernel[0], "sigma": kernel[1]}
    volume, weight = compound_arrays(*arrays, method, "vote", **options)
    expected, total = reference.compound(*arrays, method, "vote", **options)
    assert volume.dtype == dtype
    np.testing.assert_allclose(weight, total, rtol=1e-5, atol=1e-14)
    clear = (reference.vote_margin(*arrays, method, **options) > 1e-9) & ((total > 1e-9) | (total == 0))
    if method == "nearest":
        clear[:] = True  # whole numbers: ties are exact, the smaller label wins
    np.testing.assert_array_equal(volume[clear], expected[clear])


@pytest.mark.parametrize("mode", [*VALUES, "weighted", "vote"])
@pytest.mark.parametrize("method", METHODS)
@fewer
@given(case=cases())
def test_bits_do_not_depend_on_threads(method, mode, case):
    frames = case.rng.integers(0, 4, case.frames.shape) if mode == "vote" else case.frames
    weights = case.rng.uniform(0, 2, case.frames.shape) if mode == "weighted" else None
    runs = [
        compound_arrays(
            frames,
            case.image_to_world,
            case.grid,
            method,
            mode,
            mask=case.mask,
            weights=weights,
            num_threads=threads,
        )
        for threads in (1, 2, 3, 8)
    ]
    for volume, weight in runs[1:]:
        assert volume.tobytes() == runs[0][0].tobytes()
        assert weight.tobytes() == runs[0][1].tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_bits_do_not_depend_on_threads_for_many_frames(method):
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 256, (15, 40, 80)).astype(np.uint8)
    poses = np.tile(np.eye(4), (15, 1, 1))
    poses[:, 2, 3] = np.linspace(0, 30, 15)
    poses[:, :3, :3] += rng.normal(0, 0.02, (15, 3, 3))
    grid = Grid((70, 40, 32), 1.1)
    runs = [compound_arrays(frames, poses, grid, method, num_threads=n) for n in (1, 2, 3, 8, 2, 8)]
    assert len({volume.tobytes() + weight.tobytes() for volume, weight in runs}) == 1
    assert_same(runs[0], reference.compound(frames, poses, grid, method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", VALUES)
def test_exact_halves_count_in_their_nearest_voxel(method, mode):
    """A pixel midway between voxels must reach its nearest one for every sigma, rounding or not."""
    pose = np.eye(4)
    pose[:3, 3] = 1.5
    for sigma in np.linspace(0.3, 3, 60):
        volume, weight = compound_arrays(
            np.full((1, 1, 1), 7, np.uint8), pose[None], Grid((4, 4, 4), 1.0), method, mode, sigma=sigma
        )
        np.testing.assert_allclose(volume[2, 2, 2], 7, rtol=3e-7)
        assert weight[2, 2, 2] > 0


def test_a_pixel_on_a_voxel_gives_it_its_value():
    pose = np.eye(4)
    pose[:3, 3] = (2, 1, 1)
    volume, weight = compound_arrays(np.full((1, 1, 1), 200, np.uint8), pose[None], Grid((4, 3, 2), 1.0))
    expected = np.zeros((2, 3, 4))
    expected[1, 1, 2] = 1
    np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(volume, 200 * expected)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_stays_constant(method):
    rng = np.random.default_rng(3)
    poses = np.tile(np.eye(4), (6, 1, 1))
    poses[:, :3] += rng.normal(0, 0.05, (6, 3, 4))
    volume, weight = compound_arrays(np.full((6, 20, 20), 129, np.uint8), poses, Grid((20, 20, 3), 1.0), method)
    np.testing.assert_allclose(volume[weight > 0], 129, rtol=1e-6)


def test_invalid_frames_may_hold_anything():
    poses = np.stack([np.eye(4), np.full((4, 4), np.nan)])
    frames = np.full((2, 3, 3), 9, np.uint8)
    volume, weight = compound_arrays(frames, poses, Grid((3, 3, 1), 1.0), valid=[True, False])
    assert (volume == 9).all()
    assert (weight == 1).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_read_only_and_strided_input(dtype):
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (6, 14, 22)).astype(dtype)
    frames = whole[::2, 1::2, ::-3]
    poses = np.broadcast_to(np.eye(4), (3, 4, 4))
    mask = np.ones((22, 14), bool).T[1::2, ::-3]
    frames.flags.writeable = poses.flags.writeable = mask.flags.writeable = False
    grid = Grid((8, 7, 1), 1.0)
    found = compound_arrays(frames, poses, grid, mask=mask)
    expected = compound_arrays(frames.copy(), poses.copy(), grid, mask=mask.copy())
    np.testing.assert_array_equal(found[0], expected[0])
    assert_same(found, reference.compound(frames, poses, grid))


def test_arguments_are_not_changed():
    rng = np.random.default_rng(1)
    frames, poses = rng.uniform(0, 255, (2, 8, 9)).astype(np.float32), np.tile(np.eye(4), (2, 1, 1))
    copies = frames.copy(), poses.copy()
    compound_arrays(frames, poses, Grid((9, 8, 2), 1.0), "gaussian")
    np.testing.assert_array_equal(frames, copies[0])
    np.testing.assert_array_equal(poses, copies[1])


def test_progress_is_called_and_may_interrupt():
    seen = []
    frames, poses = np.zeros((30, 200, 200), np.uint8), np.tile(np.eye(4), (30, 1, 1))
    compound_arrays(frames, poses, Grid((200, 200, 50), 1.0), progress=lambda done, total: seen.append((done, total)))
    assert all(0 <= done <= total for done, total in seen)

    def stop(done, total):
        raise KeyboardInterrupt

    if seen:  # a run too short to report anything cannot be stopped by its report
        with pytest.raises(KeyboardInterrupt):
            compound_arrays(frames, poses, Grid((200, 200, 50), 1.0), progress=stop)


@pytest.mark.parametrize("method", METHODS)
@fewer
@given(case=cases())
def test_statistics_match_reference(method, case):
    volume, weight, variance, hits = compound_arrays(*case.arrays, method, mask=case.mask, statistics=True)
    assert_same((volume, weight), reference.compound(*case.arrays, method, mask=case.mask))
    _, value, voxel, share = reference.listed(*case.arrays, method, case.mask, 5, 1.0)
    count = case.grid.voxels
    mean, total = reference.mean(voxel, value, share, count)
    spread, _ = reference.mean(voxel, (value - mean[voxel]) ** 2, share, count)
    assert variance.dtype == np.float32
    assert hits.dtype == np.uint32
    sure = total > 1e-9
    np.testing.assert_allclose(variance.ravel()[sure], spread[sure], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(hits.ravel(), np.bincount(voxel, minlength=count))


def test_statistics_are_those_of_a_mean():
    with pytest.raises(ValueError, match="statistics"):
        compound_arrays(np.zeros((1, 2, 2)), np.eye(4)[None], Grid((2, 2, 1), 1.0), mode="maximum", statistics=True)


@pytest.mark.parametrize("mode", VALUES)
@pytest.mark.parametrize("method", METHODS)
def test_the_weight_may_be_left_out(method, mode):
    frames, poses = np.arange(60, dtype=np.uint8).reshape(1, 6, 10), np.eye(4)[None]
    grid = Grid((10, 6, 2), 1.0)
    volume, weight = compound_arrays(frames, poses, grid, method, mode, return_weight=False)
    assert weight is None
    np.testing.assert_array_equal(volume, compound_arrays(frames, poses, grid, method, mode)[0])


def test_more_hits_than_a_packed_voxel_holds():
    frames = np.full((5000, 1, 1), 201, np.uint8)
    frames[4500:] = 1
    volume, weight = compound_arrays(frames, np.tile(np.eye(4), (5000, 1, 1)), Grid((1, 1, 1), 1.0), "nearest")
    assert volume[0, 0, 0] == 181
    assert weight[0, 0, 0] == 5000


@pytest.mark.parametrize("method", ["linear", "gaussian"])
def test_frames_may_lie_along_any_axes(method):
    """The order of axes is chosen for speed alone: permuting the grid permutes the result, up to the last bits."""
    rng = np.random.default_rng(8)
    frames, pose = rng.integers(0, 256, (20, 50, 40)).astype(np.uint8), np.tile(np.eye(4), (20, 1, 1))
    pose[:, :3, :3] += rng.normal(0, 0.02, (20, 3, 3))
    pose[:, 2, 3] = np.arange(20)
    volume, weight = compound_arrays(frames, pose, Grid((40, 50, 20), 1.0), method)
    for axes in ((1, 2, 0), (2, 0, 1), (2, 1, 0), (0, 2, 1)):
        size = tuple(np.array((40, 50, 20))[list(axes)].tolist())
        turned, turned_weight = compound_arrays(frames, pose[:, [*axes, 3]], Grid(size, 1.0), method)
        back = np.argsort([2 - axes[2 - a] for a in range(3)])
        np.testing.assert_allclose(turned.transpose(back), volume, atol=2e-4)
        np.testing.assert_allclose(turned_weight.transpose(back), weight, rtol=1e-6, atol=1e-7)


def test_weights_have_a_limit():
    with pytest.raises(ValueError, match="1e\\+15"):
        compound_arrays(np.zeros((1, 2, 2)), np.eye(4)[None], Grid((2, 2, 1), 1.0), mode="weighted", weights=[1e16])
