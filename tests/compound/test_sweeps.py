"""compound(): from a Sweep to a CompoundResult."""

from pathlib import Path

import numpy as np
import pytest
from reference import compounding as reference

from usfast import Grid, Sweep, Volume
from usfast.compound import FILLS, compound, compound_arrays, fill_holes
from usfast.io import PlusConfig, Reconstruction


@pytest.fixture
def sweep():
    rng = np.random.default_rng(11)
    poses = np.tile(np.diag([0.3, 0.25, 1, 1.0]), (6, 1, 1))
    poses[:, 2, 3] = np.arange(6) * 1.3
    poses[:, :2, 3] = rng.normal(0, 0.4, (6, 2))
    poses[3] = np.nan
    mask = np.ones((20, 24), bool)
    mask[:4, :6] = False
    frames = rng.integers(1, 256, (6, 20, 24)).astype(np.uint8)
    return Sweep(frames, poses, valid=[True, True, True, False, True, True], mask=mask, labels=frames // 64)


def test_grid_encloses_the_valid_frames_and_every_valid_pixel_counts(sweep):
    result = compound(sweep, 0.5, "nearest")
    assert isinstance(result.volume, Volume)
    assert result.volume.grid == Grid.enclosing(sweep, 0.5)
    assert result.filled is None
    assert result.weight.sum() == 5 * sweep.mask.sum()
    np.testing.assert_array_equal(result.coverage, result.weight > 0)


@pytest.mark.parametrize("mode", ["mean", "maximum", "latest"])
@pytest.mark.parametrize("method", ["nearest", "linear", "gaussian"])
def test_matches_reference(sweep, method, mode):
    result = compound(sweep, (0.5, 0.6, 0.7), method, mode, kernel_size=3, sigma=0.8)
    used = sweep.valid
    volume, weight = reference.compound(
        sweep.frames[used], sweep.image_to_world[used], result.volume.grid, method, mode,
        mask=sweep.mask, kernel_size=3, sigma=0.8,
    )  # fmt: skip
    np.testing.assert_allclose(result.weight, weight, rtol=1e-5, atol=1e-12)
    known = weight > 1e-9
    np.testing.assert_allclose(result.volume.array[known], volume[known], atol=1e-3)


@pytest.mark.parametrize("fill", FILLS)
def test_fill_is_fill_holes_after_compounding(sweep, fill):
    plain = compound(sweep, 0.4)
    result = compound(sweep, 0.4, fill=fill, fill_size=7)
    volume, filled = fill_holes(plain.volume.array, plain.weight, fill, size=7)
    np.testing.assert_array_equal(result.volume.array, volume)
    np.testing.assert_array_equal(result.filled, filled)
    np.testing.assert_array_equal(result.weight, plain.weight)
    assert not (result.filled & result.coverage).any()


def test_votes_take_the_labels(sweep):
    result = compound(sweep, 0.5, "nearest", "vote")
    assert result.volume.array.dtype == sweep.labels.dtype
    used = sweep.valid
    grid = result.volume.grid
    expected, _ = reference.compound(
        sweep.labels[used], sweep.image_to_world[used], grid, "nearest", "vote", mask=sweep.mask
    )
    np.testing.assert_array_equal(result.volume.array, expected)


def test_weights_by_frame_leave_frames_out(sweep):
    grid = Grid.enclosing(sweep, 0.5)
    weights = np.array([1, 1, 0, 0, 0, 1.0])
    found = compound(sweep, grid=grid, mode="weighted", weights=weights)
    keep = weights > 0
    volume, weight = compound_arrays(sweep.frames[keep], sweep.image_to_world[keep], grid, mask=sweep.mask)
    np.testing.assert_array_equal(found.volume.array, volume)
    np.testing.assert_array_equal(found.weight, weight)


def test_an_oblique_grid(sweep):
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    grid = Grid((9, 8, 7), 0.7, (1, 2, 3), axes)
    result = compound(sweep, grid=grid)
    assert result.volume.grid == grid
    used = sweep.valid
    volume, _ = reference.compound(sweep.frames[used], sweep.image_to_world[used], grid, mask=sweep.mask)
    np.testing.assert_allclose(result.volume.array, volume, atol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"fan_angles_deg": (30.0, -30.0)},  # PLUS sorts them, starts at (0, 0) and stops at 500 pixels
        {"fan_angles_deg": (0.0, 0.0)},  # no fan
        {"clip_origin": (0, 0), "clip_size": (0, 0)},  # no rectangle
        {"clip_origin": (0, 0), "clip_size": (-1, 5)},
    ],
)
def test_what_a_config_leaves_out_is_as_in_plus(settings):
    sweep = Sweep(np.full((2, 12, 10), 7, np.uint8), np.tile(np.eye(4), (2, 1, 1)))
    config = PlusConfig(Path("none.xml"), {}, Reconstruction(output_spacing=(1.0, 1.0, 1.0), **settings))
    covered = compound(sweep, config=config, method="nearest").coverage
    assert covered.all() == (settings.get("fan_angles_deg") != (30.0, -30.0))
    assert covered.any()
