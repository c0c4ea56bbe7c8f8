"""Arguments, degenerate images, masks and stacks of confidence_map."""

import numpy as np
import pytest
from reference import confidence as reference

from usfast import GeometryError
from usfast.confidence import clear_cache, confidence_map


def speckle(shape, seed=0):
    return (255 * np.random.default_rng(seed).rayleigh(0.3, shape).clip(0, 1)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(64, 80), (130, 67), (97, 260)])
@pytest.mark.parametrize("sink_mode", ["all", "mid"])
def test_larger_images(shape, sink_mode):
    image = speckle(shape)
    found = [confidence_map(image, sink_mode=sink_mode, num_threads=threads) for threads in (1, 2, 5)]
    np.testing.assert_allclose(found[0], reference.confidence_map(image, sink_mode=sink_mode), rtol=0, atol=1e-10)
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


@pytest.mark.parametrize("variant", ["paper", "port"])
def test_variants(variant):
    image = np.random.default_rng(6).integers(0, 255, (47, 39), np.uint8)
    found = confidence_map(image, gamma=0.06, variant=variant)
    np.testing.assert_allclose(found, reference.confidence_map(image, gamma=0.06, variant=variant), rtol=0, atol=1e-10)
    assert np.abs(found - confidence_map(image, gamma=0.06)).max() > 0.01


def test_rf_data():
    rng = np.random.default_rng(1)
    rf = rng.normal(0, 900, (3, 61, 20)).astype(np.int16)
    found = confidence_map(rf, mode="RF")
    for image, result in zip(rf, found, strict=True):
        np.testing.assert_allclose(result, reference.confidence_map(image, mode="RF"), rtol=0, atol=1e-10)


def test_constant_image_falls_in_a_line():
    for value in (0, 5):
        found = confidence_map(np.full((11, 30), value, np.uint8))
        np.testing.assert_allclose(found, np.tile(np.linspace(1, 0, 11)[:, None], 30), atol=1e-13)
    found = confidence_map(speckle((11, 30)), beta=0)
    np.testing.assert_allclose(found, np.tile(np.linspace(1, 0, 11)[:, None], 30), atol=1e-13)


def test_tiny_images():
    assert confidence_map([[3]]).tolist() == [[1.0]]
    assert confidence_map([[3, 4, 5]]).tolist() == [[1.0, 1.0, 1.0]]
    assert confidence_map([[3], [4]]).tolist() == [[1.0], [0.0]]
    column = confidence_map(np.arange(9)[:, None] ** 2.0)
    np.testing.assert_allclose(column, reference.confidence_map(np.arange(9)[:, None] ** 2.0), atol=1e-12)
    assert confidence_map(np.zeros((0, 4, 5))).shape == (0, 4, 5)


def test_extreme_parameters():
    image = speckle((40, 30))
    for change in ({"beta": 1e300}, {"alpha": 1e300}, {"gamma": 1e300}, {"beta": 1e300, "gamma": 0.0}):
        for precision in ("double", "single"):
            found = confidence_map(image, **change, precision=precision)
            assert ((found >= 0) & (found <= 1)).all()
    assert np.isfinite(confidence_map(np.array([[0, 1e300], [1e-300, 1.0], [3.0, 1e300]]))).all()


def test_regions_without_a_seed():
    image = speckle((30, 40))
    mask = np.ones(image.shape, bool)
    mask[10] = False  # the upper part has no sink, the lower one no source
    found = confidence_map(image, mask=mask)
    np.testing.assert_allclose(found[:10], 1, rtol=1e-13)
    assert not found[10:].any()
    mask[20:] = False  # rows 11 to 19 now touch neither
    found = confidence_map(image, mask=mask)
    np.testing.assert_allclose(found[:10], 1, rtol=1e-13)
    assert not found[10:].any()
    nothing = np.zeros(image.shape, bool)
    assert not confidence_map(image, sources=nothing, sinks=nothing).any()


def test_outside_of_the_mask_does_not_matter():
    image = speckle((45, 60)).astype(np.float64)
    v, u = np.mgrid[:45, :60]
    radius = np.hypot(u - 29.5, v + 20)
    mask = (radius > 21) & (radius < 62) & (np.abs(u - 29.5) < 0.6 * (v + 20))
    sources, sinks = mask & (radius < 23), mask & (radius > 60)
    arguments = {"sources": sources, "sinks": sinks, "mask": mask, "depth": ((radius - 21) / 41).clip(0, 1)}
    found = confidence_map(image, **arguments)
    np.testing.assert_allclose(found, reference.confidence_map(image, **arguments), atol=1e-10)
    image[~mask] = np.nan
    np.testing.assert_array_equal(confidence_map(image, **arguments), found)
    assert (found[sources] == 1).all()
    assert not found[sinks].any()


def test_a_region_of_interest_is_the_cropped_image():
    image = speckle((50, 60))
    mask = np.zeros(image.shape, bool)
    mask[5:41, 10:43] = True
    sources, sinks = np.zeros((2, *image.shape), bool)
    sources[5], sinks[40] = True, True
    depth = np.zeros(50)
    depth[5:41] = np.linspace(0, 1, 36)
    found = confidence_map(image, mask=mask, sources=sources, sinks=sinks, depth=depth)
    np.testing.assert_allclose(found[5:41, 10:43], confidence_map(image[5:41, 10:43]), rtol=1e-12)


def test_stacks():
    stack = speckle((7, 33, 29))
    for sink_mode in ("all", "mid", "min"):
        found = confidence_map(stack, sink_mode=sink_mode, num_threads=2)
        for image, result in zip(stack, found, strict=True):
            np.testing.assert_array_equal(result, confidence_map(image, sink_mode=sink_mode))
    sinks = np.random.default_rng(0).random(stack.shape) < 0.05
    found = confidence_map(stack, sinks=sinks)
    for image, seeds, result in zip(stack, sinks, found, strict=True):
        np.testing.assert_allclose(result, confidence_map(image, sinks=seeds), rtol=1e-11)


def test_views_and_types():
    image = speckle((40, 30))
    expected = confidence_map(image)
    for other in (image.astype(np.int64), image.astype(np.float32), image.astype(np.uint16) * 257):
        np.testing.assert_allclose(confidence_map(other), expected, rtol=1e-10)
    np.testing.assert_array_equal(confidence_map(np.asfortranarray(image)), expected)
    np.testing.assert_array_equal(confidence_map(np.repeat(image, 2, axis=1)[:, ::2]), expected)
    np.testing.assert_array_equal(confidence_map(image > 40), confidence_map((image > 40).astype(np.uint8)))
    image.flags.writeable = False
    np.testing.assert_array_equal(confidence_map(image), expected)
    clear_cache()
    np.testing.assert_array_equal(confidence_map(image), expected)


def test_progress_and_cancelling():
    seen = []
    confidence_map(speckle((5, 70, 70)), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (5, 5)

    def stop(_done, _total):
        raise KeyboardInterrupt

    for stack in (speckle((5, 70, 70)), speckle((70, 70))):
        with pytest.raises(KeyboardInterrupt):
            confidence_map(stack, progress=stop, num_threads=2)
    assert confidence_map(speckle((70, 70)))[0, 0] == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"image": np.ones(5)}, GeometryError, r"\(H, W\) or \(N, H, W\)"),
        ({"image": np.ones((1, 2, 3, 4))}, GeometryError, r"\(1, 2, 3, 4\)"),
        ({"image": np.ones((0, 4))}, GeometryError, "rows and columns"),
        ({"image": np.ones((6, 5), complex)}, TypeError, "real numbers"),
        ({"image": np.full((6, 5), "a")}, TypeError, "real numbers"),
        ({"image": np.full((6, 5), np.nan)}, ValueError, "not finite"),
        ({"image": np.array([[1, np.inf], [2, 3]])}, ValueError, "not finite"),
        ({"image": np.array([[1e308, -1e308], [2, 3]])}, ValueError, "too wide"),
        ({"alpha": -1.0}, ValueError, "alpha must be finite and not negative"),
        ({"beta": float("nan")}, ValueError, "beta must be"),
        ({"gamma": float("inf")}, ValueError, "gamma must be"),
        ({"mode": "M"}, ValueError, "mode must be one of B, RF"),
        ({"variant": "monai"}, ValueError, "variant must be one of authors, paper, port"),
        ({"sink_mode": "top"}, ValueError, "sink_mode must be one of all, mid, min, mask"),
        ({"sink_mode": "mask"}, ValueError, "needs sinks"),
        ({"precision": "half"}, ValueError, "precision must be one of double, single"),
        ({"mask": np.zeros((6, 5))}, ValueError, "leaves no pixel"),
        ({"mask": np.ones((5, 6))}, GeometryError, r"mask must have the image's shape \(6, 5\)"),
        ({"sources": np.ones((5, 6))}, GeometryError, "sources must be"),
        ({"sinks": np.ones((5, 6))}, GeometryError, "sinks must be"),
        ({"depth": np.ones(5)}, GeometryError, "depth must be"),
        ({"depth": np.full(6, 2.0)}, ValueError, "depth must be finite"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_bad_arguments(change, error, message):
    with pytest.raises(error, match=message):
        confidence_map(**({"image": np.arange(30).reshape(6, 5)} | change))


def test_refuses_what_does_not_fit(monkeypatch):
    import psutil

    class Little:
        available = 10_000_000

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    with pytest.raises(MemoryError, match=r"needs .* GB"):
        confidence_map(np.zeros((1000, 1000), np.uint8))
