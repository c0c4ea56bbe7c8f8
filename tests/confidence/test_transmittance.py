from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import confidence_variants as reference

from usfast.confidence.transmittance import transmittance


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 999), st.floats(0.01, 5))
def test_reference(height: int, width: int, seed: int, spacing: float) -> None:
    rng = np.random.default_rng(seed)
    loss, reflection, border = rng.normal(size=(height, width)), rng.random((height, width)), rng.random((height, 1))
    found = transmittance(loss, reflection, border, spacing=spacing)
    np.testing.assert_allclose(found, reference.transmittance(loss, reflection * border, spacing), rtol=1e-11)
    assert (found[0] == 1).all() and (np.diff(found, axis=0) <= 0).all()


def test_one_coefficient_is_beer_lambert() -> None:
    np.testing.assert_allclose(transmittance(np.full((50, 2), 0.2), spacing=0.5)[:, 0], np.exp(-0.1 * np.arange(50)))


def test_axis_and_stacks() -> None:
    loss = np.random.default_rng(0).random((2, 6, 4))
    found = transmittance(loss)
    np.testing.assert_array_equal(found[1], transmittance(loss[1]))
    np.testing.assert_array_equal(found, transmittance(loss.swapaxes(1, 2), axis=-1).swapaxes(1, 2))
    np.testing.assert_array_equal(transmittance(loss[0, :, 0], axis=0), found[0, :, 0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"attenuation": np.ones((3, 2)), "spacing": 0}, "spacing"),
        ({"attenuation": np.full((3, 2), np.inf)}, "attenuation"),
        ({"attenuation": np.ones((3, 2)), "reflection": np.full((3, 2), 1.5)}, "reflection"),
        ({"attenuation": np.ones((3, 2)), "reflection": np.full((3, 2), np.nan)}, "reflection"),
        ({"attenuation": np.ones((3, 2)), "border": np.ones((3, 2))}, "reflection too"),
        ({"attenuation": np.ones((3, 2)), "reflection": np.ones((4, 2))}, "one shape"),
        ({"attenuation": 1.0}, "axis"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        transmittance(**arguments)
