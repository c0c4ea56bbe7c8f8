"""The way from `compound` to the methods that interpolate: their options, modes and errors."""

import numpy as np
import pytest

from usfast import Sweep
from usfast.compound import INTERPOLATION_METHODS, compound, compound_arrays
from usfast.compound.methods import METHODS
from usfast.compound.methods.call import option_names


@pytest.fixture
def sweep():
    rng = np.random.default_rng(3)
    poses = np.tile(np.diag([0.5, 0.5, 1, 1.0]), (6, 1, 1))
    poses[:, 2, 3] = np.arange(6)
    poses[4] = np.nan
    mask = np.ones((12, 16), bool)
    mask[:3, :5] = False
    frames = rng.integers(1, 256, (6, 12, 16)).astype(np.uint8)
    return Sweep(frames, poses, valid=[True, True, True, True, False, True], mask=mask)


@pytest.mark.parametrize("method", INTERPOLATION_METHODS)
def test_reaches_the_method(sweep, method):
    result = compound(sweep, 0.8, method)
    used = np.flatnonzero(sweep.valid)
    grid = result.volume.grid
    expected = METHODS[method](
        sweep.frames, used, np.ascontiguousarray((grid.world_to_voxel @ sweep.image_to_world[used])[:, :3]),
        grid.size, spacing=grid.spacing, mask=sweep.mask.view(np.uint8), importance=None, num_threads=1, progress=None,
    )  # fmt: skip
    np.testing.assert_array_equal(result.volume.array, expected[0])
    np.testing.assert_array_equal(result.weight, expected[1])
    assert result.coverage.mean() > 0.5
    assert (
        compound_arrays(sweep.frames, sweep.image_to_world, grid, method, valid=sweep.valid, return_weight=False)[1]
        is None
    )


@pytest.mark.parametrize("method", INTERPOLATION_METHODS)
def test_weights_of_zero_leave_frames_out(sweep, method):
    weights = np.array([1, 1, 1, 1, 1, 0.0])
    some = compound(sweep, 0.8, method, "weighted", weights=weights, options=few_options(method))
    less = Sweep(sweep.frames[:4], sweep.image_to_world[:4], mask=sweep.mask)
    fewer = compound(less, method=method, grid=some.volume.grid, options=few_options(method))
    if method in ("squared_distance", "median", "voxel_nearest"):
        np.testing.assert_allclose(some.volume.array, fewer.volume.array, rtol=1e-6)


def few_options(method):
    return {name: 1.5 for name in option_names(method) if name in ("radius", "max_distance")}


def test_what_they_do_not_offer(sweep):
    for change, error, message in (
        ({"mode": "maximum"}, ValueError, "'median' gives means only: no mode='maximum'"),
        ({"statistics": True}, ValueError, "no statistics"),
        ({"options": {"sigma": 1}}, TypeError, "has no option sigma; its options: radius, alpha"),
        ({"options": {"radius": -1}}, ValueError, "radius must be positive"),
        ({"method": "linear", "options": {"radius": 1}}, TypeError, "'linear' has kernel_size and sigma"),
    ):
        with pytest.raises(error, match=message):
            compound(sweep, 0.8, **({"method": "median"} | change))


def test_statistics_come_with_the_result(sweep):
    result = compound(sweep, 0.8, "nearest", statistics=True)
    assert result.hits.sum() == sweep.mask.sum() * 5
    assert (result.variance[result.hits == 1] == 0).all()
    assert compound(sweep, 0.8).variance is None
