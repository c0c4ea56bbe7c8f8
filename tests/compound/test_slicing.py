"""Slicing and trilinear compounding are adjoint."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference.sweeps import cases

from usfast import Grid, Volume
from usfast.compound import compound_arrays, slice_volume
from usfast.errors import GeometryError

few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@few
@given(case=cases(), seed=st.integers(0, 2**32 - 1))
def test_slicing_is_the_adjoint_of_compounding(case, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(1, 2, case.grid.shape).astype(np.float32)  # one sign: the sums do not cancel
    y = rng.uniform(1, 2, case.frames.shape).astype(np.float32)
    slices = slice_volume(Volume.on(case.grid, x), case.image_to_world, y.shape[1:])
    mean, weight = compound_arrays(y, case.image_to_world, case.grid, "linear")
    over_pixels = float((slices.astype(np.float64) * y).sum())
    over_voxels = float((x.astype(np.float64) * mean * weight).sum())
    assert over_pixels == pytest.approx(over_voxels, rel=1e-6, abs=1e-9)


def test_signed_values():
    rng = np.random.default_rng(3)
    grid = Grid((20, 18, 16), (0.7, 0.9, 1.1), (-3, 2, 5))
    poses = np.tile(np.diag([0.4, 0.4, 1.0, 1.0]), (6, 1, 1))
    poses[:, :3, 3] = rng.uniform(0, 5, (6, 3)) + grid.origin
    x = rng.normal(size=grid.shape).astype(np.float32)
    y = rng.normal(size=(6, 30, 25)).astype(np.float32)
    mean, weight = compound_arrays(y, poses, grid, "linear")
    slices = slice_volume(Volume.on(grid, x), poses, (30, 25))
    scale = np.linalg.norm(slices) * np.linalg.norm(y)
    difference = (slices.astype(np.float64) * y).sum() - (x.astype(np.float64) * mean * weight).sum()
    assert abs(difference) < 1e-6 * scale


def test_bad_arguments():
    volume = Volume(np.ones((3, 3, 3), np.float32), 1.0)
    with pytest.raises(TypeError, match="volume must be a Volume"):
        slice_volume(np.ones((3, 3, 3)), np.eye(4), (2, 2))
    with pytest.raises(GeometryError, match="slice 0 is not finite"):
        slice_volume(volume, np.full((1, 4, 4), np.nan), (2, 2))
    with pytest.raises(ValueError, match="shape must be two positive"):
        slice_volume(volume, np.eye(4), (0, 2))
