from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import confidence_variants as reference

from usfast.confidence.attenuation import attenuation_map


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 8),
    st.integers(0, 999),
    st.sampled_from([0.0, 0.3, 1.0, 4.0]),
    st.floats(0.01, 0.9),
    st.floats(0, 1),
    st.sampled_from([1, 3, 9]),
)
def test_reference(
    height: int, width: int, seed: int, alpha: float, last_row: float, background: float, beam: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    found = attenuation_map(image, alpha=alpha, last_row=last_row, background=background, width=beam)
    expected = reference.attenuation(image, alpha, last_row, background, beam)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (found[0] == 1).all() and (np.diff(found, axis=0) <= 0).all()


@pytest.mark.parametrize("value", [0, 7.5, -3, 1e300])
def test_constant_images_fall_evenly(value: float) -> None:
    found = attenuation_map(np.full((5, 3), value), last_row=0.1)
    np.testing.assert_allclose(found, np.repeat(0.1 ** (np.arange(5) / 5), 3).reshape(5, 3), rtol=1e-6)


def test_stacks_and_contrast() -> None:
    stack = np.random.default_rng(0).integers(0, 200, (3, 16, 20), np.uint16)
    maps = attenuation_map(stack)
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps[1], attenuation_map(stack[1]))
    np.testing.assert_allclose(attenuation_map(stack[1] * 2.5 - 40.0), maps[1], rtol=1e-5)


def test_follows_the_random_walk_on_a_leg(data_dir: Path) -> None:
    folder = data_dir / "confmap" / "monai"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    walk = np.load(folder / "femur_result.npy")
    found = attenuation_map(iio.imread(folder / "femur_input.png"))
    orders = [np.argsort(np.argsort(values[::5, ::5].ravel())) for values in (walk, found)]
    assert np.corrcoef(orders)[0, 1] > 0.95
    assert np.abs(found - walk).mean() < 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image": np.zeros(5)}, "shape"),
        ({"image": np.full((3, 3), np.inf)}, "finite"),
        ({"last_row": 1.0}, "last_row"),
        ({"alpha": -1}, "alpha"),
        ({"alpha": np.inf}, "alpha"),
        ({"background": 1.2}, "background"),
        ({"background": np.nan}, "background"),
        ({"width": 4}, "width"),
        ({"width": 2.5}, "width"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        attenuation_map(**({"image": np.zeros((3, 3))} | arguments))
