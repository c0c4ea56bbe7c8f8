import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from usfast.phantom.speckle import SpeckleField


def test_rayleigh_statistics() -> None:
    field = SpeckleField(np.random.default_rng(1), size=64)
    z, y, x = np.meshgrid(*(np.arange(64) * step for step in (0.4, 0.22, 0.22)), indexing="ij")
    values = field.sample(x, y, z)
    assert values.dtype == np.float32
    assert np.mean(values**2) == pytest.approx(1.0, rel=1e-3)
    # A Rayleigh variable's mean over its standard deviation is 1.91.
    assert values.mean() / values.std() == pytest.approx(1.91, rel=0.05)


def test_sampling_is_trilinear_and_periodic() -> None:
    field = SpeckleField(np.random.default_rng(2), size=32, step=(0.2, 0.3, 0.5), cell=(0.3, 0.3, 0.5))
    x, y, z = np.random.default_rng(3).uniform(-20, 20, (3, 500)).astype(np.float32)
    grid = field._field.reshape(32, 32, 32)
    expected = map_coordinates(grid, [z / 0.5, y / 0.3, x / 0.2], order=1, mode="grid-wrap")
    np.testing.assert_allclose(field.sample(x, y, z), expected, atol=1e-4)


def test_size_must_be_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="power of two"):
        SpeckleField(np.random.default_rng(0), size=48)
