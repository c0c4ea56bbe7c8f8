"""radial_basis, bspline and rayleigh: each against its NumPy reference, and what they have in common."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import functions as reference
from reference.interpolation_sweeps import parallel_sweep, sweeps

from usfast import io
from usfast.compound.methods.bspline import bspline
from usfast.compound.methods.functions import data_reach
from usfast.compound.methods.radial_basis import radial_basis
from usfast.compound.methods.rayleigh import rayleigh, speckle_compression, speckle_level

few = settings(max_examples=10, deadline=None)
RUN = {"num_threads": 2, "progress": None}
METHODS = {"radial_basis": radial_basis, "bspline": bspline, "rayleigh": rayleigh}
every = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
reaches = st.sampled_from([0.4, 1.0, 2.3])


def small(case, largest=7):
    """The same sweep into a corner of the grid."""
    (*arrays, size), keywords = case
    return (*arrays, tuple(min(n, largest) for n in size)), keywords


def assert_alike(found, expected, atol=2e-3):
    np.testing.assert_array_equal(found[1] > 0, expected[1] > 1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=atol)


@few
@given(case=sweeps(), reach=reaches, smoothing=st.sampled_from([0.05, 1.0, 20.0]))
def test_radial_basis_matches_reference(case, reach, smoothing):
    arrays, keywords = small(case)
    options = {"reach": reach, "smoothing": smoothing}
    found = radial_basis(*arrays, **keywords, **options, **RUN, max_centres=2000)
    assert_alike(found, reference.radial_basis(*arrays, **keywords, **options))


@few
@given(case=sweeps(), reach=reaches, finest=st.sampled_from([1, 2, 4]))
def test_bspline_matches_reference(case, reach, finest):
    arrays, keywords = case
    found = bspline(*arrays, **keywords, reach=reach, finest=finest, **RUN)
    assert_alike(found, reference.bspline(*arrays, **keywords, reach=reach, finest=finest))


@few
@given(case=sweeps(), reach=reaches, regularisation=st.sampled_from([0.2, 3.0]), envelope=st.booleans())
def test_rayleigh_finds_the_maximum_of_the_posterior(case, reach, regularisation, envelope):
    (frames, index, *others), keywords = small(case)
    options = {"envelope": True} if envelope else {"compression": 40.0}
    found = rayleigh(
        frames, index, *others, **keywords, **options, **RUN,
        reach=reach, regularisation=regularisation, iterations=5000, tolerance=2e-6,
    )  # fmt: skip
    used = frames[index]
    darkest = used[np.isfinite(used)].max(initial=0) / 510
    level = speckle_level(frames, index, keywords["mask"], 0.0 if envelope else 40.0)

    def power(pixel):
        return max(pixel, darkest) ** 2 / 2 if envelope else np.exp(pixel / 20) / 2

    theta, cover = reference.rayleigh(
        frames, index, *others, **keywords, reach=reach, regularisation=regularisation, quantity=power
    )
    finite = used[np.isfinite(used)]
    lowest = finite.min() if finite.size else 0.0
    shown = np.maximum(20 * (theta + np.log(2)) + level, lowest)
    expected = level * np.sqrt(2 * np.exp(theta)) if envelope else shown
    assert_alike(found, (np.where(cover > 0, expected, 0), cover), atol=0.5)


@every
def test_constant_frames_give_constant_volumes(method):
    arrays, keywords = parallel_sweep(lambda u, v, i: 77)
    volume, weight = method(*arrays, **keywords, **RUN)
    assert volume.dtype == weight.dtype == np.float32
    assert volume.shape == weight.shape == arrays[3][::-1]
    assert (weight > 0).sum() > 5000
    np.testing.assert_allclose(volume[weight > 0], 77, rtol=1e-4)
    assert not volume[weight == 0].any()


@pytest.mark.parametrize("method", [radial_basis, bspline])
def test_a_smooth_field_is_found_between_the_frames(method):
    """Over several patches, without a step where they meet."""
    (*arrays, size), keywords = parallel_sweep(lambda u, v, i: 100 + 30 * np.sin(u / 5) + 2 * v + 8 * i)
    volume, weight = method(*arrays, size, **keywords, **RUN)
    z, _, x = np.indices(volume.shape)
    truth = 100 + 30 * np.sin(x / 5) + 2 * np.indices(volume.shape)[1] + 8 * (z - 2) / 2.5
    inner = np.s_[2:20, 2:-2, 2:-2]
    assert (weight[inner] > 0).all()
    assert np.abs(volume - truth)[inner].max() < 4
    assert np.abs(np.diff(volume - truth, axis=2))[inner].max() < 2


@every
@few
@given(case=sweeps())
def test_bits_do_not_depend_on_threads(method, case):
    arrays, keywords = case
    runs = [method(*arrays, **keywords, progress=None, num_threads=threads) for threads in (1, 2, 5)]
    assert len({volume.tobytes() + weight.tobytes() for volume, weight in runs}) == 1
    assert all(np.isfinite(volume).all() for volume, _ in runs)


@every
def test_only_near_data(method):
    arrays, keywords = parallel_sweep(lambda u, v, i: 50 + u, count=1)
    volume, weight = method(*arrays, **keywords, reach=1.3, **RUN)
    planes = np.flatnonzero(weight.any(axis=(1, 2)))
    assert planes.tolist() == [0, 1, 2, 3, 4, 5]  # 1.3 mm are 3.25 voxels from plane 2
    arrays[2][:, 1, 3] += 1e12
    volume, weight = method(*arrays, **keywords, **RUN)
    assert not volume.any()
    assert not weight.any()


@every
def test_pixels_that_do_not_count(method):
    (frames, *arrays), keywords = parallel_sweep(lambda u, v, i: 50 + (13 * u + 7 * v + 29 * i) % 97)
    options = {"reach": 1.0} | ({"envelope": True} if method is rayleigh else {})
    left = np.ascontiguousarray(np.broadcast_to(np.arange(frames.shape[2]) < 10, frames.shape[1:]))
    half = method(np.where(left, frames, np.nan).astype(np.float32), *arrays, **keywords, **options, **RUN)
    assert not half[1][:, :, 12:].any()
    assert (half[1][3:15, :, :9] > 0).all()
    masked = method(frames, *arrays, **{**keywords, "mask": left.astype(np.uint8)}, **options, **RUN)
    nothing = method(np.full_like(frames, np.nan), *arrays, **keywords, **options, **RUN)
    assert not nothing[1].any()
    assert not nothing[0].any()
    importance = {**keywords, "importance": left[None].astype(np.float32)}
    unimportant = method(frames, *arrays, **importance, **options, **RUN)
    np.testing.assert_array_equal(half[1], masked[1])
    np.testing.assert_array_equal(half[1], unimportant[1])
    np.testing.assert_allclose(half[0], masked[0], rtol=0.02)
    np.testing.assert_allclose(half[0], unimportant[0], rtol=0.1 if method is rayleigh else 1e-4)


@every
def test_progress_is_called_and_can_stop(method):
    arrays, keywords = parallel_sweep(lambda u, v, i: 50 + u)
    seen = []

    def record(done, total):
        seen.append((done, total, threading.current_thread() is threading.main_thread()))

    method(*arrays, **keywords, num_threads=2, progress=record)
    assert seen[-1][0] == seen[-1][1] > 1
    assert [done for done, *_ in seen] == sorted(done for done, *_ in seen)
    assert all(main for *_, main in seen)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        method(*arrays, **keywords, num_threads=2, progress=stop)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (radial_basis, {"reach": 0}, "reach must be positive"),
        (bspline, {"reach": 100}, "reach must be at most 32 voxels, 22.4 mm"),
        (radial_basis, {"smoothing": float("nan")}, "smoothing must be positive"),
        (radial_basis, {"max_centres": 4}, "max_centres must be a whole number from 8"),
        (radial_basis, {"max_centres": 9.5}, "max_centres must be a whole number from 8"),
        (bspline, {"finest": 3}, "finest must be one of 1, 2, 4"),
        (rayleigh, {"reach": -1}, "reach must be positive"),
        (rayleigh, {"regularisation": 0}, "regularisation must be positive"),
        (rayleigh, {"iterations": 0}, "iterations must be a whole number"),
        (rayleigh, {"tolerance": -1}, "tolerance must be positive"),
        (rayleigh, {"compression": 0.01}, "compression is too small"),
        (rayleigh, {"compression": 30, "envelope": True}, "compression is for log-compressed frames"),
    ],
)
def test_bad_options(method, options, message):
    arrays, keywords = parallel_sweep(lambda u, v, i: 50)
    with pytest.raises(ValueError, match=message):
        method(*arrays, **keywords, **RUN, **options)


def test_amplitudes_are_not_negative():
    arrays, keywords = parallel_sweep(lambda u, v, i: u - 1)
    with pytest.raises(ValueError, match="amplitudes must not be negative, but -1 occurs"):
        rayleigh(*arrays, **keywords, **RUN, envelope=True)


def test_speckle_becomes_smooth_at_its_mean():
    rng = np.random.default_rng(5)
    (_, *arrays), keywords = parallel_sweep(lambda u, v, i: 0)
    field = 20 * (1 + (np.arange(20) > 7))
    amplitude = rng.rayleigh(np.broadcast_to(field, (8, 18, 20)))
    for frames, options, truth in (
        (amplitude, {"envelope": True}, field * np.sqrt(np.pi / 2)),
        (40 * np.log(amplitude), {"compression": 40.0}, 40 * np.log(field) + 20 * (np.log(2) - np.euler_gamma)),
    ):
        frames = frames.astype(np.float32)
        volume, _ = rayleigh(frames, *arrays, **keywords, **RUN, **options, regularisation=0.5)
        profile = volume[4:18].mean(axis=(0, 1))
        np.testing.assert_allclose(profile[[3, 4, 12, 13]], truth[[3, 4, 12, 13]], rtol=0.12)
        assert volume[4:18, :, 9:15].std() < 0.6 * frames[:, :, 2:6].std()


def test_texture_of_frames_without_any():
    frames = np.full((2, 20, 20), 9, np.uint8)
    assert speckle_level(frames, np.arange(2), None, 30.0) == 0
    assert speckle_level(frames, np.arange(2), None, 0.0) == 1
    assert speckle_compression(frames, np.arange(2), np.zeros((20, 20), np.uint8)) == 1


def test_reach_is_the_gap_between_frames():
    (frames, _, poses, _), keywords = parallel_sweep(lambda u, v, i: 50)
    assert data_reach(None, poses, keywords["spacing"], frames.shape[1:]) == pytest.approx(1.0)
    assert data_reach(0.7, poses, keywords["spacing"], frames.shape[1:]) == 0.7


@pytest.mark.parametrize(("name", "limit"), [("radial_basis", 9.5), ("bspline", 10.5), ("rayleigh", 12.0)])
def test_leave_one_frame_out_of_a_real_sweep(data_dir, name, limit):
    """Mean error in grey levels on the plane of a frame left out; its neighbours lie 1.6 mm away on either side."""
    path = data_dir / "tracked" / "plus_spine" / "SpinePhantomFreehand.igs.mha"
    config = data_dir / "tracked" / "igsio_recon_refs" / "NNMEAN_Config_VolumeReconstruction_SpinePhantom_NN_MEAN.xml"
    sweep = io.read_sweep(path, config=config)
    sweep = sweep[np.flatnonzero(sweep.valid)]
    left_out = len(sweep) // 2
    others = np.array([left_out - 2, left_out - 1, left_out + 1, left_out + 2])
    plane = sweep.image_to_world[left_out].copy()
    pitch = np.linalg.norm(plane[:3, 0]) * 8
    normal = np.cross(plane[:3, 0], plane[:3, 1])
    plane[:3, 2] = normal / np.linalg.norm(normal)
    matrices = (np.diag([0.125, 0.125, 1 / pitch, 1.0]) @ np.linalg.inv(plane) @ sweep.image_to_world[others])[:, :3]
    height, width = (n // 8 for n in sweep.image_size)
    volume, weight = METHODS[name](
        sweep.frames, others, np.ascontiguousarray(matrices), (width, height, 1), spacing=np.full(3, pitch), mask=None,
        importance=None, **RUN, reach=2.5,
    )  # fmt: skip
    truth = sweep.frames[left_out, : 8 * height : 8, : 8 * width : 8].astype(np.float64)
    known = weight[0] > 0
    assert known.mean() > 0.95
    assert np.abs(volume[0] - truth)[known].mean() < limit
