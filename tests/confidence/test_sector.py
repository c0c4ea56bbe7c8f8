import numpy as np
import pytest

from usfast.confidence import confidence_map
from usfast.confidence.sector import sector_seeds
from usfast.geometry import fan_mask, rectangle_mask


@pytest.mark.parametrize("angles", [(-30, 30), (-45, 20), (-10, 40), (-70, 70), (-5, 5)])
def test_arcs_of_a_convex_probe(angles: tuple[float, float]) -> None:
    mask = fan_mask((130, 260), (130, 0), angles, (35, 125))
    seeds = sector_seeds(mask)
    v, u = np.indices(mask.shape)
    radius = np.hypot(u - 130, v)
    assert (np.abs(radius[seeds.sources] - 35) < 3).all()
    assert (np.abs(radius[seeds.sinks] - 125) < 2).all()
    # The arcs are there from end to end.
    angle = np.degrees(np.arctan2(u - 130, v))
    for arc, slack in ((seeds.sources, 4.0), (seeds.sinks, 1.5)):
        assert angle[arc].min() < angles[0] + slack and angle[arc].max() > angles[1] - slack


def test_rectangle() -> None:
    mask = rectangle_mask((30, 20), (3, 5), (10, 15))
    seeds = sector_seeds(mask)
    rows, columns = np.nonzero(seeds.sources)
    assert set(rows) == {5} and list(columns) == list(range(3, 14))
    rows, columns = np.nonzero(seeds.sinks)
    assert set(rows) == {20} and list(columns) == list(range(3, 14))
    np.testing.assert_allclose(seeds.depth[5:21], np.linspace(0, 1, 16))


def test_a_clipped_image_has_the_map_of_its_cutting() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 20), np.uint8)
    mask = rectangle_mask(image.shape, (3, 5), (10, 15))
    seeds = sector_seeds(mask)
    found = confidence_map(image, mask=mask, sources=seeds.sources, sinks=seeds.sinks, depth=seeds.depth)
    np.testing.assert_allclose(found[5:21, 3:14], confidence_map(image[5:21, 3:14]), atol=1e-9)


def test_tip_of_a_phased_array() -> None:
    mask = fan_mask((200, 301), (150, 0), (-45, 45), (4, 195))
    rows, columns = np.nonzero(sector_seeds(mask).sources)
    assert rows.max() < 6 and 3 <= len(columns) <= 9 and abs(columns.mean() - 150) < 1


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 6), (6, 1), (2, 2)])
def test_small_masks(rows: int, columns: int) -> None:
    seeds = sector_seeds(np.ones((rows, columns), bool))
    assert seeds.sources[0].all() and not (seeds.sources & seeds.sinks).any()
    assert seeds.sinks.sum() == (columns if rows > 1 else 0)


@pytest.mark.parametrize("mask", [np.zeros((3, 4), bool), np.ones(4, bool)])
def test_wrong_masks(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="mask must be"):
        sector_seeds(mask)
