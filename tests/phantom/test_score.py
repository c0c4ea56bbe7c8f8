import numpy as np
import pytest

from usfast import Grid, Volume
from usfast.phantom import limb_labels, score_labels


def _truth(grid: Grid) -> Volume:
    k, j, i = np.indices(grid.shape)
    points = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ grid.voxel_to_world.T
    return Volume.on(grid, limb_labels(points[..., :3]))


@pytest.mark.parametrize("direction", [np.eye(3), [[0, 1, 0], [1, 0, 0], [0, 0, 1]]])
def test_the_truth_scores_one(direction: object) -> None:
    labels = _truth(Grid((58, 58, 54), 1.9, (-55.0, -55.0, 0.5), direction))
    for score in score_labels(labels):
        assert score.dice == 1.0
        assert score.volume_ml == pytest.approx(score.muscle.volume_ml, rel=0.03)


def test_an_empty_volume_scores_zero() -> None:
    labels = _truth(Grid((58, 58, 54), 1.9, (-55.0, -55.0, 0.5)))
    scores = score_labels(Volume.on(labels.grid, np.zeros_like(labels.array)))
    assert all(score.volume_ml == 0 for score in scores)


def test_a_half_missing_muscle() -> None:
    labels = _truth(Grid((58, 58, 54), 1.9, (-55.0, -55.0, 0.5)))
    half = labels.array.copy()
    places = np.flatnonzero(half == 3)
    half.ravel()[places[::2]] = 0
    assert score_labels(Volume.on(labels.grid, half))[2].dice == pytest.approx(2 / 3, abs=0.01)
