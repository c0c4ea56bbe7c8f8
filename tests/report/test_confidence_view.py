from pathlib import Path

import numpy as np
import pytest

from usfast.report import confidence_figure, save_figure


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (300, 4), (40, 30)])
@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_draws_images_of_any_shape(shape: tuple[int, int], value: float, tmp_path: Path) -> None:
    image = np.random.default_rng(0).random(shape)
    image.flat[0] = value
    figure = confidence_figure(image, np.full(shape, value), title="map", pixel_size=(0.2, 0.3))
    save_figure(figure, tmp_path / "a.png", dpi=40)
    assert (tmp_path / "a.png").stat().st_size > 500


def test_several_maps_share_one_colour_bar() -> None:
    image = np.zeros((9, 8), np.uint8)
    figure = confidence_figure(image, {"walk": np.ones((9, 8)), "rough": np.zeros((9, 8))})
    assert [axes.get_title() for axes in figure.axes] == ["image", "walk", "rough", ""]


def test_wrong_maps() -> None:
    with pytest.raises(ValueError, match="walk has shape"):
        confidence_figure(np.zeros((9, 8)), {"walk": np.zeros((8, 9))})
    with pytest.raises(ValueError, match="no map"):
        confidence_figure(np.zeros((9, 8)), {})
