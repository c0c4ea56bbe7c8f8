from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import confidence_variants as reference

from usfast.confidence.directed import directed_map


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 26))
    image = np.random.default_rng(draw(st.integers(0, 999))).random((height, width))
    image.flat[0], image.flat[-1] = 0, image.size > 1  # spans 0..1: scaling leaves it alone
    return image


@settings(max_examples=25, deadline=None)
@given(images(), st.sampled_from(["published", "edge"]), st.floats(0, 3), st.floats(0.05, 0.9), st.floats(0.5, 2))
def test_reference(image: np.ndarray, anchor: str, alpha: float, last_row: float, power: float) -> None:
    found = directed_map(image, alpha=alpha, last_row=last_row, variance=5.0, power=power, anchor=anchor)
    expected = reference.directed(image, alpha, last_row, 5.0, power, anchor == "published")
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert (found[0] == 1).all() and found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("anchor", ["published", "edge"])
def test_symmetry_scaling_and_stacks(anchor: str) -> None:
    stack = np.random.default_rng(3).integers(0, 200, (3, 20, 31), np.uint8)
    maps = directed_map(stack, anchor=anchor)
    assert maps.dtype == np.float64 and maps.shape == stack.shape
    for image, expected in zip(stack, maps, strict=True):
        np.testing.assert_array_equal(directed_map(image, anchor=anchor), expected)
        np.testing.assert_allclose(directed_map(image[:, ::-1], anchor=anchor)[:, ::-1], expected, rtol=1e-12)
        np.testing.assert_allclose(directed_map(3.5 * image - 20.0, anchor=anchor), expected, rtol=1e-9)


def test_constant_image_ends_at_the_last_row() -> None:
    found = directed_map(np.full((40, 30), 7), variance=2.0, last_row=0.25)
    np.testing.assert_allclose(found[-1], 0.25, rtol=1e-3)


def test_structural_confidence_is_a_share_of_the_reference() -> None:
    rng = np.random.default_rng(1)
    image, plain = rng.random((9, 24)), rng.random((9, 24))
    image.flat[:2] = plain.flat[:2] = (0, 1)
    normal = directed_map(plain)
    cap = normal.max(axis=1)
    found = directed_map(image, reference=normal)
    np.testing.assert_allclose(found, reference.directed(image, cap=cap), rtol=1e-10)
    assert found.max() <= 1


def test_needle_and_artifact() -> None:
    image = np.random.default_rng(2).random((30, 40))
    needle = np.zeros_like(image)
    needle[10:13, 15:25] = 1
    plain, below = directed_map(image), directed_map(image, needle=needle)
    np.testing.assert_array_equal(below[:10], plain[:10])
    assert (below[13:18, 18:22] < plain[13:18, 18:22]).all()
    artifact = np.zeros_like(image)
    artifact[20:] = 0.5
    np.testing.assert_array_equal(directed_map(image, artifact=artifact)[:20], plain[:20])
    assert directed_map(image, artifact=np.ones_like(image)).max() == 0


@pytest.mark.parametrize("anchor", ["published", "edge"])
@pytest.mark.parametrize("power", [1.0, 0.7])
def test_marks_match_the_reference(anchor: str, power: float) -> None:
    rng = np.random.default_rng(6)
    image = rng.random((14, 37))
    image.flat[:2] = (0, 1)
    needle, artifact = (rng.random(image.shape) * (rng.random(image.shape) < p) for p in (0.9, 0.2))
    needle = np.minimum(1.8 * needle, 1)
    found = directed_map(image, needle=needle, artifact=artifact, anchor=anchor, power=power)
    expected = reference.directed(image, power=power, published=anchor == "published", needle=needle, artifact=artifact)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_bits_do_not_depend_on_threads() -> None:
    stack = np.random.default_rng(5).integers(0, 200, (7, 25, 33), np.uint8)
    needle = np.random.default_rng(6).random(stack.shape)
    runs = {directed_map(stack, needle=needle, power=1.5, num_threads=n).tobytes() for n in (1, 2, 3)}
    assert len(runs) == 1


@pytest.mark.parametrize("power", [1e-300, 1e300])
def test_extreme_powers(power: float) -> None:
    found = directed_map(np.random.default_rng(7).random((6, 12)), power=power)
    assert found.min() >= 0 and found.max() <= 1


def test_progress_counts_images() -> None:
    seen: list[tuple[int, int]] = []
    directed_map(np.zeros((3, 4, 5)), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("image", "arguments", "error", "words"),
    [
        (np.zeros((2, 2, 2, 2)), {}, ValueError, "shape"),
        (np.zeros((0, 4)), {}, ValueError, "pixels"),
        (np.full((3, 3), np.nan), {}, ValueError, "finite"),
        (np.full((3, 3), 1j), {}, TypeError, "real"),
        (np.zeros((3, 3)), {"last_row": 0.0}, ValueError, "last_row"),
        (np.zeros((3, 3)), {"last_row": np.nan}, ValueError, "last_row"),
        (np.zeros((3, 3)), {"alpha": -1}, ValueError, "alpha"),
        (np.zeros((3, 3)), {"variance": 0}, ValueError, "variance"),
        (np.zeros((3, 3)), {"power": np.inf}, ValueError, "power"),
        (np.zeros((3, 3)), {"anchor": "paper"}, ValueError, "anchor"),
        (np.zeros((3, 3)), {"reference": np.ones((2, 3))}, ValueError, "reference"),
        (np.zeros((3, 3)), {"reference": np.zeros((3, 3))}, ValueError, "row 0"),
        (np.zeros((3, 3)), {"needle": np.full((3, 3), 2)}, ValueError, "needle"),
        (np.zeros((3, 3)), {"artifact": np.zeros((4, 3))}, ValueError, "artifact"),
        (np.zeros((3, 3)), {"num_threads": 0}, ValueError, "num_threads"),
        (np.zeros((3, 3)), {"progress": 1}, TypeError, "progress"),
    ],
)
def test_wrong_arguments(image: Any, arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        directed_map(image, **arguments)
