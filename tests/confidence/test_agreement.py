from typing import Any

import numpy as np
import pytest

from usfast import GeometryError, Sweep
from usfast.confidence.agreement import agreeing_maps


def _crossing() -> Sweep:
    """Two frames at right angles, which share the column x = z = 10; a third without a valid pose."""
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[0, 2, 3] = 10
    poses[1] = [[0, 0, 1, 10], [0, 1, 0, 0], [-1, 0, 0, 20], [0, 0, 0, 1]]
    return Sweep(np.zeros((3, 12, 21), np.uint8), poses, valid=[True, True, False])


def test_crossing_frames_agree_where_they_cross() -> None:
    rng = np.random.default_rng(0)
    sweep, maps = _crossing(), rng.random((3, 12, 21))
    found = agreeing_maps(sweep, maps, 1.0)
    np.testing.assert_allclose(found[0, :, 10], (maps[0, :, 10] + maps[1, :, 10]) / 2, atol=1e-6)
    np.testing.assert_allclose(found[1, :, 10], found[0, :, 10], atol=1e-6)
    np.testing.assert_allclose(found[0, :, :9], maps[0, :, :9], atol=1e-6)  # nobody else was there
    np.testing.assert_array_equal(found[2], maps[2].astype(np.float32))


def test_pixels_without_a_map_learn_from_others() -> None:
    maps = np.full((3, 12, 21), 0.25)
    maps[0, :, 10] = np.nan
    maps[0, :, 0] = np.nan
    found = agreeing_maps(_crossing(), maps, 1.0)
    np.testing.assert_allclose(found[0, :, 10], 0.25, atol=1e-6)
    assert np.isnan(found[0, :, 0]).all()


@pytest.mark.parametrize(
    ("maps", "error", "words"),
    [
        (np.zeros((2, 12, 21)), ValueError, "shape"),
        (np.full((3, 12, 21), 1.5), ValueError, "0 to 1"),
    ],
)
def test_wrong_maps(maps: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        agreeing_maps(_crossing(), maps, 1.0)


def test_wrong_sweeps() -> None:
    with pytest.raises(TypeError, match="Sweep"):
        agreeing_maps(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), 1.0)  # type: ignore[arg-type]
    with pytest.raises(GeometryError):
        agreeing_maps(_crossing()[2:], np.zeros((1, 12, 21)), 1.0)
