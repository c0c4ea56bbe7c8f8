"""fill_holes against the NumPy reference, and its determinism."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import compounding as reference
from scipy import ndimage

from usfast.compound import FILLS, fill_holes

few = settings(max_examples=40, deadline=None)


@st.composite
def volumes(draw):
    """(volume, weight): some voxels known, the rest 0; sometimes all or none known."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(*[st.sampled_from((1, 2, 3, 5, 8, 9))] * 3))
    known = rng.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.6, 0.95, 1.0]))
    weight = np.where(known, rng.uniform(1e-3, 30, shape), 0)
    return np.where(known, rng.uniform(0, 255, shape), 0).astype(np.float32), weight.astype(np.float32)


def sizes(method):
    return st.sampled_from((2, 3, 5, 8, 12) if method == "sticks" else (3, 5, 7))


@pytest.mark.parametrize("method", [method for method in FILLS if method != "diffusion"])
@few
@given(data=st.data(), arrays=volumes(), sigma=st.sampled_from([None, None, 0.5, 2.0, 0.1]), extend=st.booleans())
def test_matches_reference(method, data, arrays, sigma, extend):
    size = data.draw(sizes(method))
    volume, filled = fill_holes(*arrays, method, size=size, sigma=sigma, extend=extend, num_threads=1)
    expected, reached = reference.fill_holes(*arrays, method, size=size, sigma=sigma, extend=extend)
    assert volume.dtype == np.float32
    assert filled.dtype == bool
    np.testing.assert_array_equal(filled, reached)
    np.testing.assert_allclose(volume, expected, rtol=0, atol=1e-3)
    known = arrays[1] > 0
    np.testing.assert_array_equal(volume[known], arrays[0][known])
    assert not (filled & known).any()


@few
@given(arrays=volumes(), size=st.sampled_from((3, 5)), extend=st.booleans())
def test_diffusion_solves_laplace(arrays, size, extend):
    volume, filled = fill_holes(*arrays, "diffusion", size=size, extend=extend)
    expected, reached = reference.fill_holes(*arrays, "diffusion", size=size, extend=extend)
    np.testing.assert_array_equal(filled, reached)
    # Groups of holes that touch known voxels by corners only have no boundary: any constant solves the equation.
    bounded = touching(filled, arrays[1] > 0)
    np.testing.assert_allclose(volume[bounded], expected[bounded], rtol=0, atol=1)


def touching(filled, known):
    """Filled voxels of groups that share a face with a known voxel."""
    groups, _ = ndimage.label(filled)
    return filled & np.isin(groups, groups[ndimage.binary_dilation(known)])


@few
@given(arrays=volumes(), size=st.tuples(*[st.sampled_from((1, 3, 5))] * 3), extend=st.booleans())
def test_ellipsoidal_window(arrays, size, extend):
    volume, weight = arrays
    sigma = tuple(0.3 + 0.2 * width for width in size)
    found, filled = fill_holes(volume, weight, "gaussian", size=size, sigma=sigma, extend=extend)
    sums, totals = weight > 0, (weight > 0).astype(float)
    sums = np.where(sums, volume, 0).astype(float)
    for axis, (width, deviation) in enumerate(zip(size, sigma, strict=True)):
        kernel = np.exp(-(np.arange(-(width // 2), width // 2 + 1) ** 2) / (2 * deviation**2))
        sums, totals = (ndimage.correlate1d(array, kernel, axis, mode="constant") for array in (sums, totals))
    wanted = (weight == 0) & (totals > 0)
    if not extend:
        wanted &= reference.in_closing(weight, [width // 2 for width in size])
    np.testing.assert_array_equal(filled, wanted)
    np.testing.assert_allclose(found[wanted], (sums[wanted] / totals[wanted]), atol=1e-3)


def test_gaps_are_closed_and_nothing_grows_outwards():
    weight = np.zeros((14, 9, 70), np.float32)
    weight[[2, 7]], weight[13] = 1, 1  # gaps of 4 and of 5 planes
    for method in set(FILLS) - {"sticks"}:
        _, filled = fill_holes(5 * weight, weight, method, size=5)
        assert filled[3:7].all(), method
        assert filled.sum() == filled[3:7].sum(), method
    _, filled = fill_holes(5 * weight, weight, "gaussian", size=5, extend=True)
    assert filled[[0, 1, 3, 4, 5, 6, 8, 9, 11, 12]].all()
    assert not filled[10].any()


def test_fills_in_place():
    rng = np.random.default_rng(9)
    weight = (rng.random((9, 8, 7)) < 0.4).astype(np.float32)
    volume = (weight * rng.uniform(0, 255, weight.shape)).astype(np.float32)
    expected = fill_holes(volume, weight)
    found, filled = fill_holes(volume, weight, out=volume)
    assert found is volume
    np.testing.assert_array_equal(found, expected[0])
    np.testing.assert_array_equal(filled, expected[1])
    with pytest.raises(TypeError, match="out must be"):
        fill_holes(volume, weight, out=volume.astype(np.float64))
    with pytest.raises(ValueError, match="out must have the volume's shape"):
        fill_holes(volume, weight, out=volume[1:])


@pytest.mark.parametrize("method", FILLS)
@few
@given(arrays=volumes())
def test_bits_do_not_depend_on_threads(method, arrays):
    runs = [fill_holes(*arrays, method, num_threads=threads) for threads in (1, 2, 3, 8)]
    assert len({volume.tobytes() + filled.tobytes() for volume, filled in runs}) == 1


@pytest.mark.parametrize("method", FILLS)
def test_a_constant_stays_constant_and_input_untouched(method):
    rng = np.random.default_rng(2)
    weight = (rng.random((20, 21, 22)) < 0.2).astype(np.float32)
    volume = 77 * weight
    volume.flags.writeable = weight.flags.writeable = False
    result, filled = fill_holes(volume, weight, method)
    np.testing.assert_allclose(result[filled], 77, rtol=1e-6)
    assert filled.any()
    assert not (volume[weight == 0]).any()


@pytest.mark.parametrize("method", FILLS)
def test_strided_input(method):
    rng = np.random.default_rng(4)
    weight = (rng.random((10, 9, 8)) < 0.3).astype(np.float64)
    volume = weight * rng.uniform(0, 255, weight.shape)
    found = fill_holes(volume.transpose(2, 0, 1)[::2], weight.transpose(2, 0, 1)[::2], method)
    same = fill_holes(volume.transpose(2, 0, 1)[::2].copy(), weight.transpose(2, 0, 1)[::2].copy(), method)
    np.testing.assert_array_equal(found[0], same[0])


def test_far_from_data_stays_empty():
    weight = np.zeros((40, 40, 40), np.float32)
    weight[0, 0, 0] = 1
    for method in FILLS:
        _, filled = fill_holes(weight, weight, method, size=5, extend=True)
        assert filled.sum() == (0 if method == "sticks" else 26)
        assert not fill_holes(weight, weight, method, size=5)[1].any()


def test_stick_is_interpolated_linearly():
    volume = np.zeros((1, 1, 6), np.float32)
    volume[0, 0, 0], volume[0, 0, 5] = 10, 60
    result, filled = fill_holes(volume, volume, "sticks", size=5)
    np.testing.assert_allclose(result[0, 0], [10, 20, 30, 40, 50, 60], rtol=1e-6)
    assert filled.sum() == 4
    assert not fill_holes(volume, volume, "sticks", size=4)[1].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "spline"}, "nearest, mean, sticks, gaussian, inverse_distance, normalized_convolution"),
        ({"size": 4}, "size must be odd"),
        ({"size": (3, 5)}, "one number or three"),
        ({"size": (3, 5, 3), "method": "nearest"}, "three sizes go with"),
        ({"size": 0}, "size must be"),
        ({"size": -3}, "size must be"),
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"sigma": float("nan")}, "sigma must be positive"),
    ],
)
def test_bad_arguments(change, message):
    volume = np.ones((3, 3, 3), np.float32)
    with pytest.raises(ValueError, match=message):
        fill_holes(volume, volume, **change)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"volume and weight .*\(3, 3, 3\).*\(3, 3, 2\)"):
        fill_holes(np.ones((3, 3, 3)), np.ones((3, 3, 2)))
