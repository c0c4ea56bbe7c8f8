"""What a confidence map must be, whatever the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import confidence as reference

from usfast.confidence import confidence_map

few = settings(max_examples=40, deadline=None)
sides = st.sampled_from((1, 2, 3, 4, 7, 15, 16, 17, 18, 19, 31, 33, 34, 47, 50))


@st.composite
def images(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(sides, sides))
    kind = draw(st.sampled_from(["speckle", "shadow", "constant", "sparse"]))
    if kind == "constant":
        return np.full(shape, draw(st.sampled_from([0, 7, 255])), np.uint8)
    image = 255 * rng.rayleigh(0.3, shape).clip(0, 1)
    if kind == "shadow":
        image[shape[0] // 2 :] *= 0.05
    elif kind == "sparse":
        image *= rng.random(shape) < 0.1
    return image.astype(draw(st.sampled_from([np.uint8, np.uint16, np.float32, np.float64])))


parameters = {
    "alpha": st.sampled_from([0.0, 0.5, 2.0, 30.0]),
    "beta": st.sampled_from([0.0, 20.0, 90.0, 1e6]),
    "gamma": st.sampled_from([0.0, 0.05, 1.0]),
}


@few
@given(image=images(), sink_mode=st.sampled_from(["all", "mid", "min"]), **parameters)
def test_matches_reference(image, sink_mode, alpha, beta, gamma):
    found = confidence_map(image, alpha, beta, gamma, sink_mode=sink_mode)
    expected = reference.confidence_map(image, alpha, beta, gamma, sink_mode=sink_mode)
    assert found.shape == image.shape
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    single = confidence_map(image, alpha, beta, gamma, sink_mode=sink_mode, precision="single")
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, found, rtol=2e-5, atol=1e-30)


@few
@given(image=images(), data=st.data(), **parameters)
def test_masks_match_reference(image, data, alpha, beta, gamma):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    share = data.draw(st.sampled_from([0.3, 0.6, 0.95]))
    mask, sources, sinks = (rng.random(image.shape) < p for p in (share, 0.03, 0.03))
    mask[0, 0] = True
    depth = rng.random(image.shape)
    found = confidence_map(image, alpha, beta, gamma, sources=sources, sinks=sinks, mask=mask, depth=depth)
    expected = reference.confidence_map(image, alpha, beta, gamma, sources=sources, sinks=sinks, mask=mask, depth=depth)
    # Far from any seed the reference's own subtractions cost it 1e-8.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert not found[~mask].any()


@pytest.mark.parametrize("precision", ["double", "single"])
@few
@given(image=images(), **parameters)
def test_is_a_probability(precision, image, alpha, beta, gamma):
    found = confidence_map(image, alpha, beta, gamma, precision=precision)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[0] == 1).all()
    if len(image) > 1:
        assert (found[-1] == 0).all()
        # Maximum principle: no pixel beyond the largest and the smallest of its neighbours.
        padded = np.pad(found, 1, mode="edge")
        around = np.stack(
            [padded[1 + r : padded.shape[0] - 1 + r, 1 + c : padded.shape[1] - 1 + c] for r, c in NEIGHBOURS]
        )
        slack = 1e-5 if precision == "single" else 1e-12
        assert (found[1:-1] <= around.max(axis=0)[1:-1] * (1 + slack)).all()
        assert (found[1:-1] >= around.min(axis=0)[1:-1] * (1 - slack)).all()


NEIGHBOURS = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]


@few
@given(image=images(), **parameters)
def test_mirror(image, alpha, beta, gamma):
    found = confidence_map(image, alpha, beta, gamma)
    mirrored = confidence_map(image[:, ::-1], alpha, beta, gamma)[:, ::-1]
    np.testing.assert_allclose(found, mirrored, rtol=1e-10, atol=1e-300)


@few
@given(image=images(), gain=st.sampled_from([0.25, 2.0, 1024.0]), offset=st.sampled_from([0, 64, -512]))
def test_gain_and_offset_do_not_matter(image, gain, offset):
    if image.dtype.kind == "f":
        image = np.round(image)
    found = confidence_map(image)
    scaled = confidence_map(image.astype(np.float64) * gain + offset)
    # The range is divided by itself plus 2^-52, as in the authors' code: equal but for that.
    np.testing.assert_allclose(found, scaled, rtol=1e-9)


def test_dark_regions_are_as_accurate():
    rng = np.random.default_rng(3)
    image = (255 * rng.rayleigh(0.3, (60, 40)).clip(0, 1)).astype(np.uint8)
    image[20:26] = 255 * (np.arange(40) % 2)
    # Backwards: with sources and sinks exchanged the confidences add up to 1, and small ones stay exact.
    sources, sinks = np.zeros((2, *image.shape), bool)
    sources[0] = sinks[-1] = True
    down = confidence_map(image, sources=sources, sinks=sinks)
    up = confidence_map(image, sources=sinks, sinks=sources)
    np.testing.assert_allclose(down + up, 1, rtol=0, atol=1e-14)
    single = confidence_map(image, sources=sources, sinks=sinks, precision="single")
    np.testing.assert_allclose(single, down, rtol=1e-5)


@few
@given(image=images(), count=st.integers(1, 5))
def test_bits_depend_on_neither_threads_nor_batch(image, count):
    stack = np.stack([np.roll(image, n, axis=1) for n in range(count)])
    for precision in ("double", "single"):
        runs = [confidence_map(stack, num_threads=t, precision=precision) for t in (1, 2, 3, 8)]
        single = np.stack([confidence_map(i, num_threads=2, precision=precision) for i in stack])
        assert len({r.tobytes() for r in [*runs, single]}) == 1
