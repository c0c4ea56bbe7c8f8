"""What compounding says of arguments that make no sense: in the user's words, before any work."""

import re

import numpy as np
import pytest

from usfast import GeometryError, Grid, Sweep
from usfast.compound import compound, compound_arrays

FRAMES = np.zeros((3, 4, 5), np.uint8)
POSES = np.tile(np.eye(4), (3, 1, 1))
GRID = Grid((5, 4, 1), 1.0)


def one_bad_pose(row, column, value):
    poses = POSES.copy()
    poses[1, row, column] = value
    return poses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_to_world": POSES[:2]}, r"image_to_world has shape \(2, 4, 4\), but there are 3 frames"),
        ({"image_to_world": POSES[0]}, r"image_to_world must have shape \(3, 4, 4\)"),
        ({"frames": FRAMES[0]}, r"frames .*\(N, H, W\).*\(4, 5\)"),
        ({"frames": FRAMES[:0]}, "non-empty"),
        ({"image_to_world": one_bad_pose(0, 3, np.nan)}, "frame 1 is not finite"),
        ({"image_to_world": one_bad_pose(0, 0, np.inf)}, "frame 1 is not finite"),
        ({"image_to_world": one_bad_pose(3, 0, 0.5)}, "frame 1 must end in the row 0 0 0 1"),
        ({"image_to_world": one_bad_pose(0, 0, 0)}, "frame 1 is singular"),
        ({"image_to_world": one_bad_pose(0, 3, 1e30)}, "away from the grid"),
        ({"valid": [False] * 3}, "none of the 3 frames has a valid pose"),
        ({"valid": [True]}, "one entry for each of the 3 frames"),
        ({"mask": np.ones((5, 4), bool)}, r"mask has shape \(5, 4\).*\(4, 5\)"),
        ({"method": "cubic"}, "method must be one of nearest, linear, gaussian, .*, not 'cubic'"),
        ({"mode": "median"}, "mode must be one of mean, maximum, latest, weighted, vote, not 'median'"),
        ({"kernel_size": 4}, "kernel_size must be odd"),
        ({"kernel_size": 0}, "kernel_size must be odd"),
        ({"kernel_size": -3}, "kernel_size must be odd"),
        ({"kernel_size": 10**6 + 1}, "kernel_size must be odd"),
        ({"sigma": 0}, "sigma must be positive"),
        ({"sigma": -1.0}, "sigma must be positive"),
        ({"sigma": np.inf}, "sigma must be positive"),
        ({"mode": "weighted"}, "weights"),
        ({"weights": np.ones(3)}, 'mode="weighted"'),
        ({"mode": "weighted", "weights": np.ones(4)}, r"weights must have one of the shapes .*\(4,\)"),
        ({"mode": "weighted", "weights": np.ones((5, 4))}, r"weights must have one of the shapes"),
        ({"mode": "weighted", "weights": [1, -1, 1]}, "not negative"),
        ({"mode": "weighted", "weights": [1, np.nan, 1]}, "finite"),
        ({"num_threads": 0}, "thread"),
    ],
)
@pytest.mark.parametrize("method", ["nearest", "linear", "gaussian"])
def test_bad_arguments(method, change, message):
    arguments = {"frames": FRAMES, "image_to_world": POSES, "grid": GRID, "method": method} | change
    with pytest.raises(ValueError, match=message):
        compound_arrays(**arguments)


def test_votes_need_integers():
    with pytest.raises(TypeError, match="labels must be integers, not float32"):
        compound_arrays(FRAMES.astype(np.float32), POSES, GRID, mode="vote")


def test_votes_need_labels_from_zero():
    with pytest.raises(ValueError, match="labels must not be negative, but -1 occurs"):
        compound_arrays(FRAMES.astype(np.int16) - 1, POSES, GRID, mode="vote")


def test_complex_frames_are_refused():
    with pytest.raises(TypeError, match="complex"):
        compound_arrays(FRAMES.astype(complex), POSES, GRID)


@pytest.mark.parametrize(("side", "spacing"), [(10**5, 0.01), (10**7, 1e-4)])
def test_a_grid_too_big_is_refused_before_allocation(side, spacing):
    """The message names what is asked for, what is there, and a spacing that fits."""
    import psutil

    with pytest.raises(MemoryError) as caught:
        compound_arrays(FRAMES, POSES, Grid((side,) * 3, spacing))
    message = str(caught.value)
    assert f"{side} x {side} x {side}" in message
    assert re.search(r"needs [\d.e+]+ [GTPE]?B.* [\d.e+]+ [GTPE]?B (are|is) available", message)
    fitting = float(re.search(r"a spacing of ([\d.e+-]+)", message)[1])
    assert fitting > spacing
    assert 8 * (side * spacing / fitting) ** 3 <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "spacing"),
        ({"spacing": 0.5, "grid": GRID}, "either spacing or grid"),
        ({"spacing": -1.0}, "spacing must be positive"),
        ({"spacing": (1.0, 2.0)}, "spacing must be three numbers"),
        ({"spacing": 1.0, "fill": "spline"}, "fill must be one of nearest, mean, sticks, gaussian"),
        ({"spacing": 1.0, "mode": "vote"}, "labels"),
        ({"spacing": 1.0, "compat": "matlab"}, "compat must be None or 'plus'"),
        ({"spacing": 1.0, "compat": "plus"}, "config"),
        ({"spacing": 1.0, "method": "cubic"}, "method must be one of"),
        ({"spacing": 1.0, "mode": "median"}, "mode must be one of"),
    ],
)
def test_bad_arguments_with_a_sweep(change, message):
    with pytest.raises(ValueError, match=message):
        compound(Sweep(FRAMES, POSES), **change)


def test_a_sweep_without_a_valid_frame():
    with pytest.raises(GeometryError, match="none of the 3 frames has a valid pose"):
        compound(Sweep(FRAMES, POSES, valid=[False] * 3), 1.0)


def test_a_mask_without_a_pixel():
    with pytest.raises(GeometryError, match="mask excludes every pixel"):
        compound(Sweep(FRAMES, POSES, mask=np.zeros((4, 5), bool)), 1.0)


def test_a_spacing_too_fine_for_memory():
    poses = POSES * [[[1], [1], [1], [1]]]
    poses[2, 2, 3] = 100
    with pytest.raises(MemoryError, match="would fit"):
        compound(Sweep(FRAMES, poses), 1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": (5, 4, 1)}, "grid must be a Grid"),
        ({"grid": None}, "grid must be a Grid"),
        ({"kernel_size": "5"}, "kernel_size"),
        ({"progress": 3}, "progress"),
    ],
)
def test_wrong_types_are_named(change, message):
    arguments = {"frames": FRAMES, "image_to_world": POSES, "grid": GRID, "method": "gaussian"} | change
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        compound_arrays(**arguments)
    assert "incompatible function arguments" not in str(caught.value)


def test_weights_beyond_single_precision_are_not_finite():
    with pytest.raises(ValueError, match="finite"):
        compound_arrays(FRAMES, POSES, GRID, mode="weighted", weights=[1e39, 1, 1])


@pytest.mark.parametrize("sigma", [1e-200, 1e-3, 1e3, 1e300])
@pytest.mark.parametrize("mode", ["mean", "maximum", "latest"])
def test_extreme_sigmas_give_no_nan(sigma, mode):
    volume, weight = compound_arrays(FRAMES + 9, POSES, GRID, "gaussian", mode, sigma=sigma)
    np.testing.assert_allclose(volume, 9, rtol=1e-6)
    assert (weight > 0).all()
