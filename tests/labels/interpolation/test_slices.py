"""Parallel slices: morphological and signed-distance interpolation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import labels as reference

from usfast import _core
from usfast.labels import SLICE_METHODS, fill_between_slices

few = settings(max_examples=30, deadline=None)


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_dilation_steps_match_reference(seed):
    rng = np.random.default_rng(seed)
    region = rng.random((12, 13)) < 0.75
    seed_mask = region & (rng.random(region.shape) < 0.05)
    got = _core.dilation_steps(seed_mask.view(np.uint8), region.view(np.uint8))
    np.testing.assert_array_equal(got, reference.dilation_steps(seed_mask, region))


def muscle(count=61):
    """The tapering, drifting ellipse of a muscle."""
    z, y, x = np.mgrid[:count, :60, :70].astype(float)
    t = (z - count / 2) / (count / 2)
    a, b = 22 * np.sqrt(np.maximum(1 - t**2, 1e-9)), 12 * np.sqrt(np.maximum(1 - t**2, 1e-9))
    return (((x - 35 - 5 * t) / a) ** 2 + ((y - 30 - 4 * np.sin(3 * t)) / b) ** 2 <= 1).astype(np.uint8)


@pytest.mark.parametrize("method", SLICE_METHODS)
def test_a_muscle_annotated_on_every_tenth_slice(method):
    truth = muscle()
    marked = np.arange(61) % 10 == 0
    got = fill_between_slices(truth, annotated=marked, method=method)
    assert (got[marked] == truth[marked]).all()
    assert 2 * (got & truth).sum() / (got.sum() + truth.sum()) > 0.94
    across = fill_between_slices(np.moveaxis(truth, 0, 2), 2, marked, method=method)
    np.testing.assert_array_equal(np.moveaxis(across, 2, 0), got)


@few
@given(seed=st.integers(0, 2**32 - 1), method=st.sampled_from(SLICE_METHODS))
def test_drawings_stay_and_nothing_is_invented(seed, method):
    rng = np.random.default_rng(seed)
    volume = np.zeros((6, 14, 15), np.uint8)
    volume[[0, 5]] = np.kron(rng.integers(0, 3, (2, 5, 5)), np.ones((3, 3), int))[:, :14, :15]
    volume[0, 4, 4] = 1
    marked = np.array([1, 0, 0, 0, 0, 1], bool)
    got = fill_between_slices(volume, annotated=marked, method=method)
    assert (got[marked] == volume[marked]).all()
    assert set(np.unique(got)) <= set(np.unique(volume))


def test_branches_join_and_lone_parts_end_in_a_point():
    volume = np.zeros((9, 30, 60), np.uint8)
    volume[0, 10:20, 10:50] = 1
    volume[8, 10:20, 10:22] = volume[8, 10:20, 38:50] = 1
    got = fill_between_slices(volume)
    middle = got[4]
    assert middle[:, :30].sum() == middle[:, 30:].sum()
    assert middle[15, 12]
    assert not middle[15, 30]
    alone = np.zeros((9, 30, 60), np.uint8)
    alone[0, 10:21, 10:21] = 1
    marked = np.arange(9) % 8 == 0
    areas = [int(s.sum()) for s in fill_between_slices(alone, annotated=marked)]
    assert areas == sorted(areas, reverse=True)
    assert areas[7] >= 1
    assert areas[8] == 0


def test_a_part_that_moves_away_keeps_its_size():
    volume = np.zeros((5, 30, 60), np.uint8)
    volume[0, 5:15, 5:25] = volume[4, 9:19, 20:40] = 1
    got = fill_between_slices(volume)
    assert [int(s.sum()) for s in got] == [200] * 5
    assert got[2, 7:17, 12:32].sum() >= 180


def test_bad_input():
    volume = np.zeros((4, 5, 6), np.uint8)
    volume[0, 2, 2] = volume[3, 2, 2] = 1
    with pytest.raises(ValueError, match="at least two annotated slices, not 1"):
        fill_between_slices(volume[:3])
    with pytest.raises(ValueError, match="hold no label"):
        fill_between_slices(0 * volume, annotated=np.ones(4, bool))
    with pytest.raises(ValueError, match="axis"):
        fill_between_slices(volume, 3)
    with pytest.raises(ValueError, match="method"):
        fill_between_slices(volume, method="linear")
    with pytest.raises(ValueError, match="volume"):
        fill_between_slices(volume[0])
    with pytest.raises(TypeError, match="integers"):
        fill_between_slices(volume.astype(float))
    with pytest.raises(ValueError, match="0 to 255"):
        fill_between_slices(volume.astype(int) * 256)
    with pytest.raises(ValueError, match="one entry for each"):
        fill_between_slices(volume, annotated=[True, False])
    with pytest.raises(ValueError, match="spacing"):
        fill_between_slices(volume, spacing=-1.0)
