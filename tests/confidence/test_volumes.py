"""Confidence maps of volumes: against a direct solver, against the maps of images, and what any such map must be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import confidence_volume as reference

from usfast import GeometryError, UsfastError, Volume, io
from usfast.confidence import confidence_map, confidence_volume

few = settings(max_examples=25, deadline=None)
sides = st.integers(1, 11)
parameters = {
    "alpha": st.sampled_from([0.0, 0.5, 2.0, 30.0]),
    "beta": st.sampled_from([0.0, 20.0, 90.0, 1e6]),
    "gamma": st.sampled_from([0.0, 0.05, 1.0]),
}


@st.composite
def volumes(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(sides, sides, sides))
    kind = draw(st.sampled_from(["speckle", "shadow", "constant", "sparse"]))
    if kind == "constant":
        return np.full(shape, draw(st.sampled_from([0, 7, 255])), np.uint8)
    volume = 255 * rng.rayleigh(0.3, shape).clip(0, 1)
    if kind == "shadow":
        volume[:, shape[1] // 2 :] *= 0.05
    elif kind == "sparse":
        volume *= rng.random(shape) < 0.1
    return volume.astype(draw(st.sampled_from([np.uint8, np.uint16, np.float32, np.float64])))


def speckle(shape, seed=0):
    return (255 * np.random.default_rng(seed).rayleigh(0.3, shape).clip(0, 1)).astype(np.uint8)


@few
@given(volume=volumes(), axis=st.integers(0, 2), **parameters)
def test_matches_direct_solution(volume, axis, alpha, beta, gamma):
    found = confidence_volume(volume, alpha, beta, gamma, axis=axis)
    assert found.shape == volume.shape and found.dtype == np.float64
    expected = reference.confidence_volume(volume, alpha, beta, gamma, axis=axis)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert ((found >= 0) & (found <= 1)).all()
    planes = np.moveaxis(found, axis, 0)
    assert (planes[0] == 1).all()
    if len(planes) > 1:
        assert (planes[-1] == 0).all()


@few
@given(volume=volumes(), data=st.data(), **parameters)
def test_masks_match_direct_solution(volume, data, alpha, beta, gamma):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    share = data.draw(st.sampled_from([0.3, 0.6, 0.95]))
    mask, sources, sinks = (rng.random(volume.shape) < p for p in (share, 0.03, 0.03))
    mask[0, 0, 0] = True
    chosen = {"sources": sources, "sinks": sinks, "mask": mask, "depth": rng.random(volume.shape)}
    found = confidence_volume(volume, alpha, beta, gamma, **chosen)
    expected = reference.confidence_volume(volume, alpha, beta, gamma, **chosen)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert not found[~mask].any()


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("gamma", [0.0, 0.05])
def test_keeps_its_tolerance_with_a_single_sink(tolerance, gamma):
    volume = speckle((14, 16, 12))
    sinks = np.zeros(volume.shape, bool)
    sinks[7, -1, 6] = True
    found = confidence_volume(volume, gamma=gamma, sinks=sinks, tolerance=tolerance)
    expected = reference.confidence_volume(volume, gamma=gamma, sinks=sinks)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("sideways", [0, 2])
def test_one_plane_is_an_image(sideways):
    image = speckle((60, 41))
    volume = np.expand_dims(image, sideways)
    found = confidence_volume(volume, gamma=0.06, axis=1 if sideways == 0 else 0).squeeze(sideways)
    np.testing.assert_allclose(found, confidence_map(image, gamma=0.06), rtol=0, atol=1e-6)


@few
@given(volume=volumes(), **parameters)
def test_mirror(volume, alpha, beta, gamma):
    found = confidence_volume(volume, alpha, beta, gamma)
    mirrored = confidence_volume(volume[::-1, :, ::-1], alpha, beta, gamma)[::-1, :, ::-1]
    np.testing.assert_allclose(found, mirrored, rtol=0, atol=2e-6)


def test_gain_offset_order_and_type_do_not_matter():
    volume = speckle((9, 20, 13))
    found = confidence_volume(volume)
    np.testing.assert_allclose(confidence_volume(volume * 4.0 - 512), found, rtol=0, atol=2e-6)
    for other in (volume.astype(np.int64), np.asfortranarray(volume), np.repeat(volume, 2, axis=2)[..., ::2]):
        np.testing.assert_allclose(confidence_volume(other), found, rtol=0, atol=2e-6)
    turned = confidence_volume(np.moveaxis(volume, 1, 0), axis=0)
    np.testing.assert_allclose(np.moveaxis(turned, 0, 1), found, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(confidence_volume(Volume(volume, 0.5)), found)


def test_keeps_its_tolerance_where_no_direct_solution_fits():
    volume = speckle((64, 64, 64))
    volume[:, 30:32, 20:44] = 255  # a plate and its shadow
    volume[:, 32:, 20:44] //= 8
    exact = confidence_volume(volume, tolerance=1e-8)
    np.testing.assert_allclose(confidence_volume(volume), exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 300, 500), (40, 60, 60)])  # several slabs that are relaxed side by side
def test_bits_do_not_depend_on_threads_with_slabs(shape):
    one, three = (confidence_volume(speckle(shape), tolerance=0.1, num_threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_bits_do_not_depend_on_threads():
    volume = speckle((20, 60, 60))  # several chunks of the work
    runs = {confidence_volume(volume, num_threads=n).tobytes() for n in (1, 2, 3)}
    assert len(runs) == 1


def test_constant_volume_falls_in_a_line():
    line = np.linspace(1, 0, 11)[None, :, None]
    for volume, beta in ((np.full((6, 11, 7), 5, np.uint8), 90.0), (speckle((6, 11, 7)), 0.0)):
        np.testing.assert_allclose(confidence_volume(volume, beta=beta), np.broadcast_to(line, (6, 11, 7)), atol=1e-6)


def test_tiny_and_extreme():
    assert confidence_volume([[[3]]]).tolist() == [[[1.0]]]
    assert confidence_volume([[[3], [4]]]).tolist() == [[[1.0], [0.0]]]
    assert confidence_volume(np.zeros((5, 1, 4))).min() == 1
    volume = speckle((8, 12, 10))
    for change in ({"beta": 1e300}, {"alpha": 1e300}, {"gamma": 1e300}, {"beta": 1e300, "gamma": 0.0}):
        found = confidence_volume(volume, **change)
        assert ((found >= 0) & (found <= 1)).all()


def test_regions_without_a_seed():
    volume = speckle((8, 24, 9)).astype(float)
    mask = np.ones(volume.shape, bool)
    mask[:, 10] = False
    volume[:, 10] = np.inf
    found = confidence_volume(volume, mask=mask)
    np.testing.assert_allclose(found[:, :10], 1, atol=1e-6)
    assert not found[:, 10:].any()
    mask[:, 20:] = False
    assert not confidence_volume(volume, mask=mask)[:, 10:].any()
    nothing = np.zeros(volume.shape, bool)
    assert not confidence_volume(volume, mask=mask, sources=nothing, sinks=nothing).any()


@pytest.mark.parametrize("name", ["train_fixed_images_case000000.nii.gz"])
def test_a_real_volume(data_dir, name):
    volume = io.read_volume(data_dir / "volumes" / "trus_prostate" / name).array
    middle = tuple(slice(n // 2 - 8, n // 2 + 8) for n in volume.shape)
    for axis in (0, 1):
        found = confidence_volume(volume[middle], axis=axis)
        expected = reference.confidence_volume(volume[middle], axis=axis)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_real_brain(data_dir):
    files = sorted((data_dir / "volumes" / "resect_brain").iterdir())
    if not files:
        pytest.skip("no brain volume")
    volume = io.read_volume(next(f for f in files if f.name.endswith((".nii.gz", ".nii", ".nrrd", ".mha")))).array
    middle = tuple(slice(n // 2 - 8, n // 2 + 8) for n in volume.shape)
    found = confidence_volume(volume[middle])
    np.testing.assert_allclose(found, reference.confidence_volume(volume[middle]), rtol=0, atol=1e-6)


def test_progress_and_cancelling():
    seen = []
    volume = speckle((12, 30, 20))
    confidence_volume(volume, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (100, 100) and seen == sorted(seen)

    def stop(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confidence_volume(volume, progress=stop, num_threads=2)


def test_never_returns_a_map_that_is_not_exact(monkeypatch):
    monkeypatch.setattr("usfast.confidence.volumes.MOST_ITERATIONS", 3)
    with pytest.raises(UsfastError, match="after 3 iterations"):
        confidence_volume(speckle((12, 30, 20)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"volume": np.ones((5, 6))}, GeometryError, r"\(Z, Y, X\)"),
        ({"volume": np.ones((0, 4, 3))}, GeometryError, "must have voxels"),
        ({"volume": np.ones((2, 6, 5), complex)}, TypeError, "real numbers"),
        ({"volume": np.full((2, 6, 5), np.nan)}, ValueError, "not finite"),
        ({"volume": np.array([[[1e308, -1e308]]])}, ValueError, "too wide"),
        ({"alpha": -1.0}, ValueError, "alpha must be finite and not negative"),
        ({"beta": float("nan")}, ValueError, "beta must be"),
        ({"gamma": float("inf")}, ValueError, "gamma must be"),
        ({"axis": 3}, ValueError, "axis must be 0, 1 or 2"),
        ({"axis": 1.0}, ValueError, "axis must be 0, 1 or 2"),
        ({"tolerance": 1e-12}, ValueError, "tolerance must lie between"),
        ({"tolerance": float("nan")}, ValueError, "tolerance must lie between"),
        ({"mask": np.zeros((2, 6, 5))}, ValueError, "leaves no voxel"),
        ({"mask": np.ones((6, 5))}, GeometryError, "mask must have the volume's shape"),
        ({"sources": np.ones((5, 6))}, GeometryError, "sources must"),
        ({"sinks": np.ones((5, 6))}, GeometryError, "sinks must"),
        ({"depth": np.ones(5)}, GeometryError, "depth must be"),
        ({"depth": np.full(6, 2.0)}, ValueError, "depth must be finite"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_bad_arguments(change, error, message):
    with pytest.raises(error, match=message):
        confidence_volume(**({"volume": np.arange(60).reshape(2, 6, 5)} | change))


def test_refuses_what_does_not_fit(monkeypatch):
    import psutil

    class Little:
        available = 10_000_000

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    with pytest.raises(MemoryError, match=r"needs .* GB"):
        confidence_volume(np.zeros((100, 100, 100), np.uint8))
