import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from usfast import Volume
from usfast.report import save_figure, slices_figure

VOLUME = Volume(np.arange(10 * 20 * 30, dtype=np.float32).reshape(10, 20, 30), (0.5, 1.0, 3.0), origin=(5.0, 6.0, 7.0))


def _images(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def _texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_planes_show_the_right_voxels() -> None:
    xy, zy, xz = _images(slices_figure(VOLUME, at=(3, 5, 7)))
    array = VOLUME.array
    for picture, plane in ((xy, array[7]), (zy, array[:, :, 3].T), (xz, array[:, 5, :])):
        assert picture.shape == (*plane.shape, 3)
        order = np.argsort(plane, axis=None)
        assert (np.diff(picture[..., 0].ravel()[order]) >= -1e-6).all(), "grey must rise with the value"


def test_millimetres_on_the_axes() -> None:
    figure = slices_figure(VOLUME, at=(3, 5, 7))
    extents = [axes.images[0].get_extent() for axes in figure.axes if axes.images]
    # left, right, bottom, top: half a voxel beyond the outer centres, y running down.
    assert extents[0] == pytest.approx((4.75, 19.75, 25.5, 5.5))
    assert extents[1] == pytest.approx((5.5, 35.5, 25.5, 5.5))
    assert extents[2] == pytest.approx((4.75, 19.75, 35.5, 5.5))
    assert all(axes.get_aspect() in (1, "equal") for axes in figure.axes if axes.images)
    assert [axes.get_xlabel() for axes in figure.axes[:3]] == ["x (mm)", "z (mm)", "x (mm)"]
    assert "5 mm" in _texts(figure)


def test_a_turned_volume_counts_from_its_own_first_voxel() -> None:
    turned = Volume(VOLUME.array, VOLUME.spacing, VOLUME.origin, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    figure = slices_figure(turned)
    assert figure.axes[0].images[0].get_extent() == pytest.approx((-0.25, 14.75, 19.5, -0.5))


def test_coverage_is_tinted_and_counted() -> None:
    coverage = np.ones(VOLUME.array.shape, bool)
    coverage[:, :5] = False
    figure = slices_figure(VOLUME, coverage, at=(3, 10, 5))
    assert "75.0 % of voxels covered" in _texts(figure)
    xy = _images(figure)[0]
    grey = np.ptp(xy, axis=-1) < 1e-6
    assert not grey[:5].any() and grey[5:].all()


def test_weights_serve_as_coverage() -> None:
    weight = np.zeros(VOLUME.array.shape, np.float32)
    weight[2] = 0.25
    assert "10.0 % of voxels covered" in _texts(slices_figure(VOLUME, weight))


def test_labels_have_colours_and_a_legend() -> None:
    labels = np.zeros(VOLUME.array.shape, np.uint8)
    labels[5, 5:9, 5:9] = 2
    labels[0] = 7
    figure = slices_figure(VOLUME, labels=labels, at=(6, 6, 5), label_names={2: "soleus"})
    legend = figure.axes[-1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["soleus", "label 7"]
    coloured = np.ptp(_images(figure)[0], axis=-1) > 0.02
    np.testing.assert_array_equal(coloured, labels[5] > 0)


def test_the_planes_meet_in_the_labels() -> None:
    labels = np.zeros(VOLUME.array.shape, np.uint8)
    labels[8, 3:6, 20:23] = 1
    assert "planes through voxel 21, 4, 8" in _texts(slices_figure(VOLUME, labels=labels))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 1, 1), np.uint8),
        np.full((3, 4, 5), np.nan, np.float32),
        np.full((3, 4, 5), -7, np.int16),
        np.ones((3, 4, 5), bool),
        np.random.default_rng(0).random((2, 300, 3)),
    ],
    ids=["one voxel", "nan", "constant", "bool", "thin"],
)
def test_any_volume_can_be_drawn(array: np.ndarray, tmp_path: Path) -> None:
    save_figure(slices_figure(Volume(array, (0.1, 2.0, 7.0)), title="any"), tmp_path / "a.png", dpi=50)


@pytest.mark.parametrize("at", [(30, 0, 0), (0, -1, 0), (0, 0), (0, 0, 0, 0)])
def test_at_outside(at: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at must be a voxel"):
        slices_figure(VOLUME, at=at)


def test_shapes_that_differ() -> None:
    with pytest.raises(ValueError, match="coverage has shape"):
        slices_figure(VOLUME, np.ones((2, 2, 2), bool))
    with pytest.raises(ValueError, match="labels has shape"):
        slices_figure(VOLUME, labels=np.ones((2, 2, 2), np.uint8))
    with pytest.raises(ValueError, match="labels must be integers"):
        slices_figure(VOLUME, labels=VOLUME.array)


def test_report_imports_no_matplotlib() -> None:
    code = "import sys, usfast.report; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
