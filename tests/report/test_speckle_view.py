from pathlib import Path

import numpy as np
import pytest

from usfast import GeometryError, Sweep
from usfast.report import save_figure
from usfast.report.speckle_view import decorrelation_figure, pose_errors, trajectory_figure
from usfast.speckle import Calibration, DecorrelationCurves, PatchGrid, decorrelation_curves
from usfast.speckle.models import correlation


@pytest.fixture
def tracked() -> Sweep:
    poses = np.tile(np.diag([0.1, 0.1, 0.1, 1.0]), (30, 1, 1))
    poses[:, 2, 3] = np.arange(30) * 0.2
    return Sweep(np.zeros((30, 64, 96), np.uint8), poses)


def test_pose_errors(tracked: Sweep) -> None:
    moved = tracked.image_to_world.copy()
    moved[:, 2, 3] *= 1.5
    turn = np.eye(4)
    turn[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    estimated = Sweep(tracked.frames, turn @ moved, valid=np.arange(30) != 3)
    translation, rotation = pose_errors(estimated, tracked)
    np.testing.assert_allclose(translation[-1], [0, 0, 2.9], atol=1e-9)
    np.testing.assert_allclose(rotation[-1], 0, atol=1e-9)
    assert np.isnan(translation[3]).all()
    with pytest.raises(ValueError, match="cannot be compared"):
        pose_errors(estimated[:4], tracked)
    with pytest.raises(GeometryError, match="no frame"):
        pose_errors(estimated[[3]], tracked[[3]])


def test_figures_of_little(tracked: Sweep) -> None:
    assert len(trajectory_figure(tracked[:1]).axes) == 3
    one = np.ones((1, 1))
    curves = DecorrelationCurves(
        np.array([0.0, 1.0]), one, one, one, np.ones((1, 1, 1)), np.array([0.5]), one.astype(int)
    )
    assert len(decorrelation_figure(curves).axes) == 1
    two = Calibration([1.0, 1.0], [0, 0], [0, 0], (2, 1), (8, 8), (8, 16), (0.1, 0.1))
    with pytest.raises(ValueError, match="2 rows, but the curves 1"):
        decorrelation_figure(curves, two)


def test_figures_with_model_and_truth(tracked: Sweep, tmp_path: Path) -> None:
    patches = PatchGrid.regular((64, 96), (32, 32))
    apart = np.linspace(0, 2, 120).reshape(10, 2, 6)
    curves = decorrelation_curves(correlation(apart, 0.8), apart, patches, bins=6)
    fit = Calibration([0.8, np.nan], [0.0, np.nan], [0.1, np.nan], (2, 3), (32, 32), (64, 96), (0.1, 0.1))
    figure = decorrelation_figure(curves, fit, "title")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("0.80 mm" in text for text in texts) and "no calibration" in texts
    save_figure(figure, tmp_path / "a.png", dpi=50)
    save_figure(trajectory_figure(tracked, tracked, "title"), tmp_path / "b.png", dpi=50)
    assert (tmp_path / "b.png").stat().st_size > 1000
