import numpy as np
import pytest

from usfast.phantom import MUSCLES, limb_labels
from usfast.phantom.anatomy import LENGTH, limb_radius, limb_tissue


def _points(step: float) -> np.ndarray:
    axes = np.arange(-60, 60, step), np.arange(-60, 60, step), np.arange(-5, LENGTH + 5, step)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def test_label_volumes_match_the_formula() -> None:
    labels = limb_labels(_points(1.0))
    counts = np.bincount(labels.ravel(), minlength=4)
    for muscle in MUSCLES:
        assert counts[muscle.label] / 1000 == pytest.approx(muscle.volume_ml, rel=0.01)


def test_muscles_lie_inside_the_limb_and_apart() -> None:
    points = _points(1.0)
    x, y, z = np.moveaxis(points, -1, 0)
    inside = [muscle.level(x, y, z) < 1 for muscle in MUSCLES]
    assert np.sum(inside, axis=0).max() == 1, "two muscles share a point"
    assert (limb_radius(z) > np.hypot(x, y))[np.any(inside, axis=0)].all()


def test_no_muscle_in_bone() -> None:
    x, y, z = np.moveaxis(_points(2.0), -1, 0)
    tissue = limb_tissue(x, y, z)
    assert tissue.bone.any()
    assert not (tissue.bone & (tissue.labels > 0)).any()


def test_labels_of_any_shape() -> None:
    assert limb_labels([0.0, -12.0, 53.0]) == 3
    assert limb_labels(np.zeros((2, 5, 3))).shape == (2, 5)
    assert limb_labels(np.empty((0, 3))).shape == (0,)


@pytest.mark.parametrize("points", [1.0, [1.0, 2.0], np.zeros((3, 2))])
def test_points_without_three_coordinates_are_refused(points: object) -> None:
    with pytest.raises(ValueError, match="points must have shape"):
        limb_labels(points)
