"""TUS-REC errors against the explicit displacement fields."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import tracking as reference

from usfast.errors import GeometryError
from usfast.tracking import (
    TusRecErrors,
    displacement_fields,
    landmark_displacements,
    tus_rec_scores,
    write_displacement_fields,
)

few = settings(max_examples=25, deadline=None)
SCALE = np.diag([0.229389190673828, 0.220979690551758, 1, 1])
CALIBRATION = np.array(
    [
        [0.231064671309448, -0.218052035041340, 0.948189025293473, -70.7413],
        [-0.190847036221471, -0.965787272832032, -0.175591436013112, -80.6506],
        [0.954036962825936, -0.140386087807861, -0.264773903381482, -46.1766],
        [0, 0, 0, 1],
    ]
)
SHAPE = (30, 150)


def scene(trajectory, seed, count=6, shape=SHAPE):
    """Predicted and true poses, landmarks; the first landmark lies on frame 0."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-3, 1)
    true = trajectory(rng, count)
    predicted = true @ trajectory(rng, count, size, size)
    marks = np.column_stack(
        [rng.integers(0, count, 9), rng.integers(1, shape[1] + 1, 9), rng.integers(1, shape[0] + 1, 9)]
    )
    marks[0, 0] = 0
    return predicted, true, marks


def close(found, expected):
    values = [found.gpe, found.gle, found.lpe, found.lle]
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-9)


@settings(few, suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixture is a pure function
@given(seed=st.integers(0, 2**32 - 1))
def test_matches_the_fields(trajectory, seed):
    predicted, true, marks = scene(trajectory, seed)
    expected = reference.tus_rec_errors(predicted, true, SCALE, CALIBRATION, SHAPE, marks)
    close(tus_rec_scores(predicted, true, SCALE, CALIBRATION, SHAPE, marks, num_threads=2), expected)


def test_matches_the_fields_at_full_size(trajectory):
    shape = (480, 640)
    predicted, true, marks = scene(trajectory, 5, 4, shape)
    expected = reference.tus_rec_errors(predicted, true, SCALE, CALIBRATION, shape, marks)
    close(tus_rec_scores(predicted, true, SCALE, CALIBRATION, landmarks=marks), expected)


@pytest.mark.parametrize("turn_deg", [0.0, 1e-3, 0.1, 5.0, 90.0])
@pytest.mark.parametrize("pivot", [(320.4, 240.2), (1.0, 1.0), (-900.0, 200.0), (320.0, 1e6)])
def test_errors_that_vanish_in_or_near_the_image(turn_deg, pivot):
    """A turn about a pixel: the displacement has a zero there, and its length a kink."""
    angle = np.radians(turn_deg)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    centre = np.eye(4)
    centre[:2, 3] = pivot
    true = np.tile(np.eye(4), (2, 1, 1))
    predicted = np.stack([np.eye(4), centre @ turn @ np.linalg.inv(centre)])
    marks = [[1, 7, 9]]
    expected = reference.tus_rec_errors(predicted, true, np.eye(4), np.eye(4), (120, 640), marks)
    close(tus_rec_scores(predicted, true, np.eye(4), np.eye(4), (120, 640), marks), expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 63), (2, 64), (1, 65), (700, 1), (1, 5000)])
def test_any_size(trajectory, shape):
    predicted, true, marks = scene(trajectory, 11, 3, shape)
    expected = reference.tus_rec_errors(predicted, true, SCALE, CALIBRATION, shape, marks)
    close(tus_rec_scores(predicted, true, SCALE, CALIBRATION, shape, marks), expected)


def test_any_unit(trajectory):
    """Errors of 1e-12 or 1e12 mm lose nothing to single precision."""
    for size in (1e-12, 1e12):
        true = np.tile(np.eye(4), (3, 1, 1))
        predicted = true.copy()
        predicted[:, :3, 3] = np.arange(3)[:, None] * size
        found = tus_rec_scores(predicted, true, SCALE, np.eye(4), SHAPE)
        np.testing.assert_allclose([found.gpe, found.lpe], np.sqrt(3) * size * np.array([1.5, 1]), rtol=1e-6)


def test_motion_alone_counts(trajectory):
    predicted, true, marks = scene(trajectory, 7)
    first = tus_rec_scores(predicted, true, SCALE, CALIBRATION, SHAPE, marks)
    moved = tus_rec_scores(
        trajectory(np.random.default_rng(1), 2)[1] @ predicted, true, SCALE, CALIBRATION, SHAPE, marks
    )
    np.testing.assert_allclose([moved.gpe, moved.lle], [first.gpe, first.lle], rtol=1e-6)
    perfect = tus_rec_scores(true, true, SCALE, CALIBRATION, SHAPE, marks)
    assert perfect == TusRecErrors(0, 0, 0, 0)


def test_score(trajectory):
    predicted, true, marks = scene(trajectory, 8)
    arguments = (true, SCALE, CALIBRATION, SHAPE, marks)
    still = tus_rec_scores(np.tile(np.eye(4), (6, 1, 1)), *arguments)
    assert still.score(still) == 0
    assert tus_rec_scores(true, *arguments).score(still) == 1
    half = TusRecErrors(still.gpe / 2, still.gle, 2 * still.lpe, still.lle / 4)
    assert half.score(still) == pytest.approx((0.5 + 0 - 1 + 0.75) / 4)
    without = tus_rec_scores(predicted, true, SCALE, CALIBRATION, SHAPE)
    assert without.gle is None
    assert without.score(without) == 0
    with pytest.raises(ValueError, match="gle is known for only one"):
        without.score(still)
    with pytest.raises(ValueError, match="nothing moves"):
        still.score(TusRecErrors(0.0, 1.0, 1.0, 1.0))


def test_bits_do_not_depend_on_threads(trajectory):
    predicted, true, marks = scene(trajectory, 9, 9)
    runs = {tus_rec_scores(predicted, true, SCALE, CALIBRATION, SHAPE, marks, num_threads=n) for n in (1, 2, 5)}
    assert len(runs) == 1


def test_fields_and_files(trajectory, tmp_path):
    _, true, marks = scene(trajectory, 10)
    expected = reference.displacement_fields(true, SCALE, CALIBRATION, SHAPE)
    fields = list(displacement_fields(true, SCALE, CALIBRATION, SHAPE, dtype=np.float64))
    for which in (0, 1):
        np.testing.assert_allclose(np.stack([pair[which] for pair in fields]), expected[which], atol=1e-9)
    write_displacement_fields(tmp_path, true, SCALE, CALIBRATION, SHAPE, marks)
    at = (marks[:, 2] - 1) * SHAPE[1] + marks[:, 1] - 1
    on = marks[:, 0] > 0
    moved = landmark_displacements(true, SCALE, CALIBRATION, marks, SHAPE)
    for which, name in enumerate("GL"):
        field = np.load(tmp_path / f"{name}P.npy")
        assert field.dtype == np.float32
        np.testing.assert_allclose(field, expected[which], rtol=1e-6, atol=1e-5)
        landmark = np.load(tmp_path / f"{name}L.npy")
        np.testing.assert_allclose(landmark, moved[which], rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(landmark.T[on], field[marks[on, 0] - 1, :, at[on]], rtol=1e-5, atol=1e-5)
        assert not landmark.T[~on].any()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["GL.npy", "GP.npy", "LL.npy", "LP.npy"]


def test_progress_can_stop_it(trajectory):
    predicted, true, _ = scene(trajectory, 12)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tus_rec_scores(predicted, true, SCALE, CALIBRATION, SHAPE, progress=stop)


POSES = np.tile(np.eye(4), (3, 1, 1))
NAN = POSES.copy()
NAN[2, 1, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"predicted": POSES[:2]}, ValueError, "2 predicted poses, but 3 true ones"),
        ({"predicted": POSES[:1]}, ValueError, "predicted must hold at least two poses"),
        ({"true": NAN}, GeometryError, "pose 2 of true is not finite"),
        ({"predicted": np.eye(4)}, ValueError, r"predicted must have shape \(N, 4, 4\)"),
        ({"true": POSES * [[1], [1], [0], [1]]}, GeometryError, "singular"),
        ({"scale": np.eye(3)}, ValueError, r"scale must have shape \(4, 4\), not \(3, 3\)"),
        ({"calibration": np.full((4, 4), np.inf)}, GeometryError, "calibration is not finite"),
        ({"shape": (480, -1)}, ValueError, "two positive whole numbers"),
        ({"landmarks": [[0, 1]]}, ValueError, r"\(L, 3\)"),
        ({"landmarks": [[3, 1, 1]]}, ValueError, "landmark 0 has frame 3, but frame must be from 0 to 2"),
        ({"landmarks": [[1, 1, 1], [1, 0, 1]]}, ValueError, "landmark 1 has x 0, but x must be from 1 to 640"),
        ({"landmarks": [[1, 1, 481]]}, ValueError, "y must be from 1 to 480"),
        ({"landmarks": [[1, 1.5, 1]]}, TypeError, "whole numbers"),
        ({"landmarks": [[1, np.nan, 1]]}, TypeError, "whole numbers"),
        ({"num_threads": -2}, ValueError, "num_threads"),
        ({"progress": 1}, TypeError, "callable"),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"predicted": POSES, "true": POSES, "scale": SCALE, "calibration": CALIBRATION} | change
    with pytest.raises(error, match=message):
        tus_rec_scores(**arguments)
