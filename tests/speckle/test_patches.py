"""PatchGrid: where patches lie, and what it refuses."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast.speckle.patches import PatchGrid

few = settings(max_examples=60, deadline=None)
pairs = st.tuples(st.integers(2, 40), st.integers(2, 40))


@few
@given(size=pairs, room=pairs, grid=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_a_grid_spans_the_image(size, room, grid):
    shape = (size[0] + room[0], size[1] + room[1])
    patches = PatchGrid.regular(shape, size, grid)
    assert patches.grid == grid
    assert len(patches) == grid[0] * grid[1]
    patches.check_inside(shape)
    for axis in (0, 1):
        start = patches.corners[:, axis]
        if grid[axis] > 1:
            assert start.min() == 0
            assert start.max() == room[axis]
            places = np.unique(start)
            assert len(places) == 1 + min(grid[axis] - 1, room[axis]) or np.ptp(np.diff(places)) <= 1
        else:
            assert set(start) == {room[axis] // 2}


@few
@given(size=pairs, room=pairs, step=st.integers(1, 20))
def test_steps_are_even_and_no_patch_is_missing(size, room, step):
    shape = (size[0] + room[0], size[1] + room[1])
    patches = PatchGrid.regular(shape, size, step=step)
    patches.check_inside(shape)
    for axis in (0, 1):
        places = np.unique(patches.corners[:, axis])
        assert (np.diff(places) == step).all()
        before, after = places[0], room[axis] - places[-1]
        assert before + after < step
        assert 0 <= after - before <= 1


def test_rows_of_the_grid_are_rows_of_the_image():
    patches = PatchGrid.regular((100, 120), (10, 20), (3, 4))
    rows = patches.corners.reshape(3, 4, 2)
    assert (np.ptp(rows[..., 0], axis=1) == 0).all()
    assert (np.ptp(rows[..., 1], axis=0) == 0).all()
    np.testing.assert_allclose(patches.centres, patches.corners + np.array([4.5, 9.5]))


def test_it_is_frozen():
    patches = PatchGrid([[0, 0]], (4, 4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        patches.size = (3, 3)
    with pytest.raises(ValueError, match="read-only"):
        patches.corners[0] = 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: PatchGrid([[0, 0]], (1, 8)), ValueError, "size must be two whole numbers of at least 2"),
        (lambda: PatchGrid([[0, 0]], (256, 256)), ValueError, "at most 32768 pixels"),
        (lambda: PatchGrid([[0, 0]], (8.0, 8)), ValueError, "size must be two whole numbers"),
        (lambda: PatchGrid([[0.0, 1.5]], (8, 8)), TypeError, "whole numbers"),
        (lambda: PatchGrid([[0, -1]], (8, 8)), ValueError, "negative"),
        (lambda: PatchGrid(np.zeros((0, 2), int), (8, 8)), ValueError, "at least one patch"),
        (lambda: PatchGrid([0, 1], (8, 8)), ValueError, r"corners must be \(P, 2\)"),
        (lambda: PatchGrid([[0, 0], [1, 1]], (8, 8), (3, 1)), ValueError, "a grid of 3 x 1 does not hold 2"),
        (lambda: PatchGrid.regular((20, 20)), ValueError, "32 x 32 does not fit an image of 20 x 20"),
        (lambda: PatchGrid.regular((64, 64), grid=(0, 2)), ValueError, "grid must be"),
        (lambda: PatchGrid.regular((64, 64), grid=(2, 2), step=3), ValueError, "grid or step, not both"),
        (lambda: PatchGrid.regular((64, 64), step=0), ValueError, "step must be"),
        (lambda: PatchGrid.regular((64, 64)).check_inside((64, 63)), ValueError, "reaches beyond frames of 64 x 63"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
