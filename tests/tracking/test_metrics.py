"""trajectory_metrics: points, alignment, sweeps and what is refused."""

import numpy as np
import pytest

from usfast import Sweep, tracking
from usfast.errors import GeometryError
from usfast.tracking.metrics import trajectory_metrics

PIXELS = np.diag([0.2, 0.3, 0.25, 1.0])
SHAPE = (48, 64)


def pair(trajectory, seed=0, count=30):
    rng = np.random.default_rng(seed)
    return trajectory(rng, count) @ PIXELS, trajectory(rng, count) @ PIXELS


@pytest.mark.parametrize("points", ["center", "three", "corners"])
@pytest.mark.parametrize("denominator", ["path", "straight"])
def test_fields_are_the_single_functions(trajectory, points, denominator):
    predicted, true = pair(trajectory)
    predicted = true[0] @ np.linalg.inv(predicted[0]) @ predicted
    pixels = tracking.image_points(SHAPE, points)
    p, q = tracking.track_points(predicted, pixels), tracking.track_points(true, pixels)
    found = trajectory_metrics(predicted, true, shape=SHAPE, points=points, denominator=denominator)
    theta = tracking.rotation_errors(predicted, true)
    expected = {
        "frames": 30,
        "path_length": tracking.path_length(q),
        "drift": tracking.drift(p, q),
        "fdr": tracking.final_drift_rate(p, q, denominator),
        "adr": tracking.average_drift_rate(p, q, denominator),
        "md": tracking.maximum_drift(p, q),
        "sd": tracking.sum_of_drift(p, q),
        "hd": tracking.hausdorff_distance(p, q),
        "distance_error": tracking.distance_error(p, q),
        "agr": tracking.average_rotation_rate(predicted, true),
        "mgr": tracking.maximum_rotation_rate(predicted, true),
        "sg": theta.sum(),
        "mg": theta.max(),
        "ag": theta.mean(),
    }
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_a_perfect_estimate_is_perfect(trajectory):
    true = trajectory(np.random.default_rng(1), 20) @ PIXELS
    found = trajectory_metrics(true, true, shape=SHAPE, points="corners")
    assert max(found.drift, found.fdr, found.adr, found.md, found.sd, found.hd, found.distance_error) < 1e-9
    assert max(found.ag, found.mg, found.sg, found.agr, found.mgr) < 1e-9  # an arccos would say 0.0256 degrees


def test_alignment_undoes_any_start(trajectory):
    predicted, true = pair(trajectory, 2)
    elsewhere = trajectory(np.random.default_rng(3), 2)[1] @ predicted
    first = trajectory_metrics(predicted, true, shape=SHAPE)
    second = trajectory_metrics(elsewhere, true, shape=SHAPE)
    assert second.drift == pytest.approx(first.drift)
    assert second.sg == pytest.approx(first.sg)
    assert trajectory_metrics(elsewhere, true, shape=SHAPE, align=False).drift != pytest.approx(first.drift)
    with pytest.raises(GeometryError, match="pixel sizes"):
        trajectory_metrics(elsewhere @ np.diag([1.1, 1, 1, 1]), true, shape=SHAPE)


def test_sweeps_tell_their_size_and_their_valid_frames(trajectory):
    predicted, true = pair(trajectory, 4, 12)
    frames = np.zeros((12, *SHAPE), np.uint8)
    valid = np.ones(12, bool)
    valid[[3, 7]] = False
    broken = true.copy()
    broken[3] = np.nan
    found = trajectory_metrics(predicted, Sweep(frames, broken, valid=valid))
    assert found == trajectory_metrics(predicted[valid], true[valid], shape=SHAPE)
    assert found.frames == 10
    both = trajectory_metrics(Sweep(frames, predicted), Sweep(frames, true), points=[[0, 0, 0]])
    assert both == trajectory_metrics(predicted, true, points=np.zeros(3))


def test_no_way_and_no_turn_leave_rates_open():
    line = np.tile(np.eye(4), (5, 1, 1))
    line[:, 2, 3] = np.arange(5)
    still = np.tile(np.eye(4), (5, 1, 1))
    found = trajectory_metrics(line, still, shape=SHAPE)
    assert found.drift == 4
    assert np.isnan([found.fdr, found.adr, found.agr, found.mgr]).all()
    found = trajectory_metrics(still, line, shape=SHAPE)
    assert (found.fdr, found.adr) == (1, 1)
    assert np.isnan([found.agr, found.mgr]).all()


def test_bad_arguments():
    poses = np.tile(np.eye(4), (3, 1, 1))
    frames = np.zeros((3, 4, 5), np.uint8)
    bad = poses.copy()
    bad[1, 0, 3] = np.nan
    for arguments, error, message in (
        ((poses, poses[:2]), ValueError, "3 predicted poses, but 2 true ones"),
        ((poses, np.eye(4)), ValueError, r"true must be a Sweep or have shape \(N, 4, 4\), not \(4, 4\)"),
        ((poses[:1], poses[:1]), ValueError, "at least two valid frames, not one"),
        ((poses, bad), GeometryError, "pose 1 of true is not finite"),
        ((poses, Sweep(frames, bad, valid=[0, 0, 0])), GeometryError, "none of the 3 frames"),
        ((Sweep(frames, poses), Sweep(frames[:, 1:], poses)), ValueError, "images of different sizes"),
    ):
        with pytest.raises(error, match=message):
            trajectory_metrics(*arguments, shape=SHAPE)
    with pytest.raises(ValueError, match="give shape="):
        trajectory_metrics(poses, poses)
    with pytest.raises(ValueError, match="path, straight"):
        trajectory_metrics(poses, poses, shape=SHAPE, denominator="none")
    with pytest.raises(ValueError, match="min_path"):
        trajectory_metrics(poses, poses, shape=SHAPE, min_path=-1)
