"""resample against NumPy, SciPy and compounding, of which it is the adjoint."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import resample as reference

from usfast import Volume
from usfast.compound import compound_arrays
from usfast.errors import GeometryError
from usfast.geometry import euler_to_matrix
from usfast.simulate import resample

few = settings(max_examples=40, deadline=None)


def volume_of(rng, shape, dtype=np.float32):
    array = rng.integers(0, 256, shape).astype(dtype) if np.dtype(dtype).kind in "iu" else rng.normal(0, 50, shape)
    direction = euler_to_matrix(rng.uniform(-180, 180, 3))
    return Volume(array.astype(dtype), rng.uniform(0.3, 2, 3), rng.normal(0, 20, 3), direction)


def poses_in(rng, volume, shape, count=3):
    """Slices at random angles whose centres lie in the volume; some reach far outside."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    for pose in poses:
        pixel = rng.uniform(0.05, 1, 3)
        pose[:3, :3] = euler_to_matrix(rng.uniform(-180, 180, 3)) * pixel
        centre = volume.grid.voxel_to_world @ [*(rng.random(3) * (np.array(volume.grid.size) - 1)), 1]
        pose[:3, 3] = centre[:3] - pose[:3, 0] * shape[1] / 2 - pose[:3, 1] * shape[0] / 2
    return poses


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@few
@given(seed=st.integers(0, 2**32 - 1), fill=st.sampled_from([0.0, -7.5, 300.0]))
def test_linear_matches_reference(dtype, seed, fill):
    rng = np.random.default_rng(seed)
    volume = volume_of(rng, tuple(rng.choice((1, 2, 3, 9, 30), 3)), dtype)
    shape = tuple(rng.choice((1, 5, 40, 150), 2).tolist())
    poses = poses_in(rng, volume, shape)
    result = resample(volume, poses, shape, fill=fill, num_threads=2)
    assert result.dtype == np.float32
    expected = reference.linear(volume, poses, shape, fill)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * max(np.abs(volume.array).max(), abs(fill), 1))


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_linear_is_the_adjoint_of_compounding(seed):
    rng = np.random.default_rng(seed)
    volume = volume_of(rng, (12, 15, 10))
    shape = (33, 47)
    poses = poses_in(rng, volume, shape, 4)
    frames = rng.integers(0, 256, (4, *shape)).astype(np.uint8)
    mean, weight = compound_arrays(frames, poses, volume.grid, "linear")
    scattered = mean.astype(np.float64) * weight
    values = volume.array.astype(np.float64)
    slices = resample(volume, poses, shape).astype(np.float64)
    scale = (np.abs(slices) * frames).sum()
    assert abs((slices * frames).sum() - (values * scattered).sum()) <= 1e-6 * max(scale, 1)


@few
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([np.uint8, np.int16, np.float32]))
def test_cubic_is_that_of_scipy(seed, dtype):
    from scipy.ndimage import map_coordinates

    rng = np.random.default_rng(seed)
    volume = volume_of(rng, tuple(rng.choice((2, 3, 5, 20, 70), 3)), dtype)
    shape = (20, 70)
    poses = poses_in(rng, volume, shape)
    result = resample(volume, poses, shape, order="cubic", fill=-1000.0)
    at = np.moveaxis(reference.places(volume, poses, shape)[..., ::-1], -1, 0)
    expected = map_coordinates(volume.array.astype(np.float64), at, order=3, mode="mirror")
    last = np.array(volume.array.shape).reshape(3, 1, 1, 1) - 1
    outside = ((at < -1e-5) | (at > last + 1e-5)).any(axis=0)
    inside = ((at >= 0) & (at <= last)).all(axis=0)
    tolerance = 2e-5 * np.abs(volume.array).max()
    np.testing.assert_allclose(result[inside], expected[inside], rtol=0, atol=max(tolerance, 1e-4))
    assert (result[outside] == -1000).all()


@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_planes_of_voxels_come_back(order):
    rng = np.random.default_rng(1)
    array = rng.integers(0, 256, (6, 80, 90)).astype(np.uint8)
    volume = Volume(array, (0.4, 0.5, 2.0), (1, 2, 3))
    poses = np.tile(volume.grid.voxel_to_world, (6, 1, 1))
    poses[:, :3, 3] += poses[:, :3, 2] * np.arange(6)[:, None]
    slices = resample(volume, poses, (80, 90), order=order, fill=np.nan)
    np.testing.assert_allclose(slices, array, rtol=0, atol=0 if order == "linear" else 1e-3)


@pytest.mark.parametrize("order", ["linear", "cubic"])
@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_constant_stays_constant_in_thin_volumes(order, side):
    volume = Volume(np.full((side, 5, side), 9, np.int16), 1.0)
    pose = np.eye(4)
    pose[0, 0] = (side - 1) / 4
    pose[2, 3] = (side - 1) / 2
    np.testing.assert_allclose(resample(volume, pose, (5, 5), order=order, fill=-1), 9, rtol=1e-6)


@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_bits_do_not_depend_on_threads(order):
    rng = np.random.default_rng(2)
    volume = volume_of(rng, (20, 30, 25))
    poses = poses_in(rng, volume, (200, 230), 3)
    runs = [resample(volume, poses, (200, 230), order=order, num_threads=n).tobytes() for n in (1, 2, 5)]
    assert len(set(runs)) == 1


@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_far_outside_is_fill(order):
    volume = Volume(np.ones((4, 4, 4), np.float32), 1.0)
    pose = np.eye(4)
    pose[:3, :2] *= 1e8
    pose[0, 3] = -1e11
    assert (resample(volume, pose, (3, 200), order=order, fill=5.0) == 5).all()


def test_other_dtypes_and_third_column():
    array = np.arange(27).reshape(3, 3, 3)
    pose = np.eye(4)
    expected = resample(Volume(array.astype(np.float32), 1.0), pose, (3, 3))
    pose[:, 2] = np.nan  # an image has no thickness: this column is not read
    for dtype in (np.float64, np.int64, np.uint16, np.int8):
        np.testing.assert_array_equal(resample(Volume(array.astype(dtype), 1.0), pose, (3, 3)), expected)
    flags = Volume(array % 2 == 0, 1.0)
    np.testing.assert_array_equal(resample(flags, pose, (3, 3))[0], flags.array[0])


def test_border_fades_to_fill():
    volume = Volume(np.full((1, 1, 2), 10, np.uint8), 1.0)
    pose = np.diag([0.5, 1, 1, 1])
    pose[0, 3] = -1.0
    found = resample(volume, pose, (1, 7), fill=2.0)[0, 0]
    np.testing.assert_allclose(found, [2, 6, 10, 10, 10, 6, 2])


def test_progress_and_stop():
    volume = Volume(np.zeros((4, 4, 4), np.uint8), 1.0)
    poses = np.tile(np.eye(4), (4, 1, 1))
    seen = []
    resample(
        volume, poses, (8, 8), order="cubic", num_threads=1, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (4, 4)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resample(volume, poses, (8, 8), progress=stop)


VOLUME = Volume(np.zeros((3, 3, 3), np.float32), 1.0)
NAN_POSE = np.tile(np.eye(4), (3, 1, 1))
NAN_POSE[1, 0, 3] = np.nan


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"volume": np.zeros((3, 3, 3))}, TypeError, "volume must be a Volume, not ndarray"),
        ({"image_to_world": np.eye(3)}, ValueError, r"shape \(N, 4, 4\), not \(3, 3\)"),
        ({"image_to_world": np.zeros((0, 4, 4))}, ValueError, r"not \(0, 4, 4\)"),
        ({"image_to_world": NAN_POSE}, GeometryError, "slice 1 is not finite"),
        ({"image_to_world": np.eye(4) * 2}, GeometryError, "0 0 0 1"),
        ({"image_to_world": np.diag([1e300, 1, 1, 1])}, GeometryError, "1e12 voxels"),
        ({"shape": (0, 3)}, ValueError, "two positive whole numbers"),
        ({"shape": (3,)}, ValueError, "two positive whole numbers"),
        ({"shape": (3, 2.5)}, ValueError, "two positive whole numbers"),
        ({"order": "spline"}, ValueError, "linear, cubic"),
        ({"fill": 1e300}, ValueError, "fill is too large"),
        ({"num_threads": 0}, ValueError, "num_threads"),
        ({"progress": 3}, TypeError, "progress must be callable"),
        ({"volume": Volume(np.full((1, 1, 1), 1e300), 1.0)}, ValueError, "too large for float32"),
        ({"shape": (10**8, 10**8)}, MemoryError, "GB are available"),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"volume": VOLUME, "image_to_world": np.eye(4), "shape": (4, 4)} | change
    with pytest.raises(error, match=message):
        resample(arguments.pop("volume"), arguments.pop("image_to_world"), arguments.pop("shape"), **arguments)


def test_adjoint_of_compounding_on_a_real_sweep(data_dir):
    from usfast import Grid, io

    folder = data_dir / "tracked" / "plus_spine"
    sweep = io.read_sweep(
        folder / "SpinePhantomFreehand.igs.mha",
        config=folder / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml",
    )
    sweep = sweep[np.flatnonzero(sweep.valid)[::40]]
    grid = Grid.enclosing(sweep, 1.5)
    mean, weight = compound_arrays(sweep.frames, sweep.image_to_world, grid, "linear")
    slices = resample(Volume.on(grid, mean), sweep.image_to_world, sweep.image_size).astype(np.float64)
    by_pixels = (slices * sweep.frames).sum()
    by_voxels = (mean.astype(np.float64) ** 2 * weight).sum()
    assert by_pixels == pytest.approx(by_voxels, rel=1e-6)
