"""Labels carried over: against the reference voxel by voxel, both ways, completed and reported on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.transfer import transferred

from usfast import GeometryError, Grid, Volume
from usfast.labels.registration.quality import checkerboard, registration_quality
from usfast.labels.registration.rigid import Registration
from usfast.labels.registration.similarity import Similarity
from usfast.labels.registration.transfer import complete_both, complete_labels, transfer_labels
from usfast.phantom.trajectories import rigid_motion

NOTHING = Similarity(1.0, 0.0, 0.0)


def registration(matrix):
    return Registration(matrix, "correlation", NOTHING, NOTHING, (1.0,), (0,), 1)


def two_boxes(dtype=np.uint8):
    array = np.zeros((14, 16, 18), dtype)
    array[3:9, 4:12, 2:9] = 1
    array[3:11, 4:12, 9:15] = 2
    return Volume(array, (1.0, 0.8, 1.2), (3, -2, 5))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), method=st.sampled_from(["smooth", "nearest"]))
def test_against_the_reference(seed, method):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 6, 3)
    labels = Volume(rng.integers(0, 4, shape).astype(np.uint16), rng.uniform(0.5, 2, 3), rng.normal(size=3))
    transform = rigid_motion(rng.normal(size=3), rng.normal(size=3) * 20)
    turn = rigid_motion([0, 0, 0], rng.normal(size=3) * 30)[:3, :3]
    to = Grid(tuple(int(n) for n in rng.integers(1, 7, 3)), rng.uniform(0.5, 2, 3), rng.normal(size=3), turn)
    out = transfer_labels(labels, transform, to, method=method)
    assert out.grid == to
    np.testing.assert_array_equal(out.array, transferred(labels, transform, to, method))


@pytest.mark.parametrize("method", ["smooth", "nearest"])
def test_identity_changes_nothing(method):
    labels = two_boxes(np.int32)
    out = transfer_labels(labels, np.eye(4), labels.grid, method=method)
    assert out.array.dtype == np.int32
    np.testing.assert_array_equal(out.array, labels.array)


def test_there_and_back():
    labels, motion = two_boxes(), rigid_motion([2.3, -1.2, 0.7], [8.0, -5.0, 10.0])
    found = registration(motion)
    away = Grid((40, 40, 40), 0.5, (0, -8, 0))
    there = transfer_labels(labels, found, Grid((44, 44, 44), 0.7, (-4, -10, -4)))
    back = transfer_labels(there, found, labels.grid, inverse=True)
    for label in (1, 2):
        one, other = labels.array == label, back.array == label
        assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.93
    assert transfer_labels(labels, motion, away).array.any()


def test_progress_counts_slices():
    steps = []
    transfer_labels(two_boxes(), np.eye(4), Grid((3, 3, 4), 1.0), progress=lambda *a: steps.append(a))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_completed_sets():
    mine, theirs = two_boxes(), two_boxes()
    only_one = Volume.on(mine.grid, np.where(mine.array == 1, 1, 0).astype(np.uint8))
    only_two = Volume.on(mine.grid, np.where(theirs.array == 2, 2, 0).astype(np.uint8))
    for out in complete_both(only_one, only_two, registration(np.eye(4))):
        np.testing.assert_array_equal(out.array, mine.array)
    region = np.zeros(mine.array.shape, bool)
    assert (complete_labels(only_one, only_two, np.eye(4), region=region).array == only_one.array).all()


def test_own_structures_grow_only_when_asked():
    small, large = np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint16)
    small[1, 1, 1], large[1:3, 1:3, 1:3] = 5, 5
    mine, theirs = Volume(small, 1.0), Volume(large, 1.0)
    assert complete_labels(mine, theirs, np.eye(4)).array.sum() == 5
    grown = complete_labels(mine, theirs, np.eye(4), fill="voxels")
    np.testing.assert_array_equal(grown.array, large)
    assert grown.array.dtype == np.uint16


def test_report():
    rng = np.random.default_rng(0)
    values = rng.random((14, 16, 18)).astype(np.float32) + 1
    labels, motion = two_boxes(), rigid_motion([4.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    fixed = Volume(values, labels.spacing, labels.origin)
    moving = Volume(values, labels.spacing, np.add(labels.origin, (4, 0, 0)))
    there = Volume(labels.array, labels.spacing, np.add(labels.origin, (4, 0, 0)))
    points = rng.normal(size=(5, 3))
    report = registration_quality(
        fixed, moving, registration(np.linalg.inv(motion)),
        fixed_labels=labels, moving_labels=there, landmarks=(points, np.add(points, (4, 0, 0))),
    )  # fmt: skip
    assert report.after.correlation == pytest.approx(1.0, abs=1e-4)
    assert report.after.mutual_information > report.before.mutual_information
    assert report.dice[1] == (pytest.approx(report.dice[1][0]), pytest.approx(1.0))
    assert report.dice[1][0] < 0.6
    np.testing.assert_allclose(report.landmark_mm[0], 4.0)
    np.testing.assert_allclose(report.landmark_mm[1], 0.0, atol=1e-12)
    assert "Dice of label 2" in str(report)
    assert "landmarks, mean mm" in str(report)


def test_checkerboard_takes_tiles_in_turn():
    one, other = np.full((4, 4, 4), 2.0), np.full((4, 4, 4), 3.0)
    one[0, 0, 0], other[0, 0, 0] = 0.0, 9.0
    everywhere = np.ones((4, 4, 4), bool)
    board = checkerboard(
        Volume(one, 1.0), Volume(other, 1.0), np.eye(4), tile_mm=1, fixed_mask=everywhere, moving_mask=everywhere
    )
    odd = np.indices((4, 4, 4)).sum(axis=0) % 2 == 1
    assert (board.array[odd] == 0).all()  # the moving volume's low value, stretched to 0
    assert (board.array[~odd][1:] == 1).all()


@pytest.mark.parametrize(
    ("call", "kind", "match"),
    [
        (lambda v: transfer_labels(v.array, np.eye(4), v.grid), TypeError, "labels must be a Volume"),
        (lambda v: transfer_labels(Volume(v.array * 1.0, 1.0), np.eye(4), v.grid), TypeError, "integers"),
        (lambda v: transfer_labels(Volume(v.array.astype(int) - 1, 1.0), np.eye(4), v.grid), ValueError, "negative"),
        (lambda v: transfer_labels(v, np.eye(4), v), TypeError, "to must be a Grid"),
        (lambda v: transfer_labels(v, np.eye(4) * 2, v.grid), GeometryError, "rigid"),
        (lambda v: transfer_labels(v, np.eye(4), v.grid, method="linear"), ValueError, "method must be one of"),
        (lambda v: complete_labels(v, v, np.eye(4), fill="all"), ValueError, "fill must be one of"),
        (lambda v: complete_labels(v, v, np.eye(4), region=np.ones(3)), ValueError, "region has shape"),
        (lambda v: complete_both(v, v, np.eye(4)), TypeError, "registration must be"),
        (lambda v: registration_quality(v, v, np.eye(4), fixed_labels=v), ValueError, "both"),
        (lambda v: registration_quality(v, v, np.eye(4), landmarks=([[1, 2]], [[1, 2]])), ValueError, "landmarks"),
        (lambda v: checkerboard(v, v, np.eye(4), tile_mm=0), ValueError, "tile_mm"),
    ],
)
def test_bad_arguments(call, kind, match):
    with pytest.raises(kind, match=match):
        call(two_boxes())
