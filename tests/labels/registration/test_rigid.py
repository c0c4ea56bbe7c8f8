"""Registration: known motions are found, whatever the grids, and the same bits come out for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from usfast import GeometryError, Volume, compound, io
from usfast.labels.registration.pyramid import reduced
from usfast.labels.registration.rigid import Registration, register
from usfast.labels.registration.similarity import Comparison
from usfast.phantom.trajectories import rigid_motion

CENTRE = np.array([16.0, 16.0, 16.0])


def blobs(seed=0, n=32):
    rng = np.random.default_rng(seed)
    return (gaussian_filter(rng.standard_normal((n, n, n)), 4) * 1000).astype(np.float32)


def about(shift, turn):
    motion = rigid_motion([0, 0, 0], turn)
    motion[:3, 3] = CENTRE - motion[:3, :3] @ CENTRE + shift
    return motion


def moved(volume, motion):
    """The same voxels elsewhere."""
    origin = motion[:3, :3] @ volume.origin + motion[:3, 3]
    return Volume(volume.array, volume.spacing, origin, motion[:3, :3] @ volume.direction)


def error(found, motion):
    corners = np.array(np.meshgrid(*[[3, 29]] * 3)).reshape(3, -1).T
    matrix = found.moving_to_fixed @ motion
    return np.linalg.norm(corners @ matrix[:3, :3].T + matrix[:3, 3] - corners, axis=1).max()


@pytest.mark.parametrize("metric", ["mutual_information", "correlation"])
def test_finds_ten_mm_and_ten_degrees(metric):
    fixed, motion = Volume(blobs(), 1.0), about([6.0, -5.0, 6.0], [6.0, -6.0, 5.0])
    found = register(fixed, moved(fixed, motion), metric=metric, levels_mm=(4, 2, 1))
    assert error(found, motion) < 0.2
    assert found.value > found.before.of(metric)
    assert found.overlap > 0.99
    assert len(found.iterations) == len(found.levels_mm) == 3
    np.testing.assert_allclose(found.fixed_to_moving @ found.moving_to_fixed, np.eye(4), atol=1e-12)


def test_mutual_information_sees_through_another_grey_scale():
    fixed, motion = Volume(blobs(), 1.0), about([3.0, 2.0, -2.0], [3.0, 0.0, -4.0])
    other = Volume(np.abs(fixed.array - 20) + 5, 1.0)
    found = register(fixed, moved(other, motion), search_mm=4, search_deg=4, levels_mm=(4, 2))
    assert error(found, motion) < 0.5


def test_other_grid_and_spacing():
    fixed = Volume(blobs(), 1.0)
    index = np.indices((20, 28, 24), np.float64) * np.array([1.5, 1.0, 1.25])[:, None, None, None]
    array = map_coordinates(fixed.array, index, order=1, mode="nearest").astype(np.float32)
    motion = about([-4.0, 3.0, 2.0], [0.0, 5.0, 2.0])
    found = register(fixed, moved(Volume(array, (1.25, 1.0, 1.5)), motion), metric="correlation", levels_mm=(4, 2))
    assert error(found, motion) < 0.5
    assert found.levels_mm == (4.0, 2.0)


def test_same_bits_for_any_number_of_threads():
    fixed, motion = Volume(blobs(), 1.0), about([3.0, 2.0, -2.0], [3.0, 0.0, -4.0])
    once, again = (register(fixed, moved(fixed, motion), num_threads=n, levels_mm=(4, 2)) for n in (1, 3))
    assert once.moving_to_fixed.tobytes() == again.moving_to_fixed.tobytes()


def test_start_from_the_tracker_alone():
    fixed, motion = Volume(blobs(), 1.0), about([40.0, 0.0, 0.0], [0.0, 0.0, 90.0])
    near = np.linalg.inv(about([41.0, 1.0, 0.0], [1.0, 0.0, 90.0]))
    steps = []
    found = register(
        fixed, moved(fixed, motion), initial=near, search_mm=0, search_deg=0, progress=lambda *a: steps.append(a)
    )
    assert error(found, motion) < 0.2
    assert found.starts == 1
    assert steps[-1][0] == steps[-1][1]


def test_masks_keep_out_what_is_no_data():
    array, motion = blobs(), about([3.0, -2.0, 1.0], [2.0, 0.0, 3.0])
    data = np.ones(array.shape, bool)
    data[:, :8] = False
    spoiled = np.where(data, array, 900).astype(np.float32)
    found = register(
        Volume(array, 1.0), moved(Volume(spoiled, 1.0), motion), metric="correlation", moving_mask=data,
        search_mm=3, search_deg=3, levels_mm=(4, 2),
    )  # fmt: skip
    assert error(found, motion) < 0.3
    assert found.after.correlation > 0.99


def test_never_worse_than_the_start():
    one, other = Volume(blobs(0, 24), 1.0), Volume(blobs(1, 24), 1.0)
    found = register(one, other, metric="correlation", levels_mm=(2,))
    assert found.value >= found.before.correlation


def test_similarity_against_numpy():
    array = blobs(2, 20)
    level = reduced(Volume(array, 1.0), np.ones(array.shape, bool), 1.0)
    shift = np.eye(4)
    shift[0, 3] = 5.0  # the moving volume lies 5 mm further along x
    seen = Comparison(level, level, points=10**6).at(shift)
    assert seen.overlap == pytest.approx(0.75)
    expected = np.corrcoef(level.values[:, :, 5:].ravel(), level.values[:, :, :-5].ravel())[0, 1]
    assert seen.correlation == pytest.approx(expected, abs=1e-5)


def test_pyramid_keeps_places_and_means():
    rng = np.random.default_rng(3)
    turn = rigid_motion([0, 0, 0], [10.0, 20.0, 30.0])[:3, :3]
    volume = Volume(rng.random((9, 8, 7)), (1.0, 1.0, 0.5), (5, 6, 7), turn)
    level = reduced(volume, np.ones((9, 8, 7), bool), 2.0)
    assert level.grid.size == (4, 4, 3)
    np.testing.assert_allclose(level.grid.spacing, 2.0)
    first = volume.grid.voxel_to_world @ [0.5, 0.5, 1.5, 1]
    np.testing.assert_allclose(level.grid.origin, first[:3])
    assert abs(level.values.mean() - volume.array.mean()) < 0.05


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"metric": "ssd"}, "metric must be one of"),
        ({"initial": np.diag([2.0, 1, 1, 1])}, "initial must be rigid"),
        ({"initial": np.diag([-1.0, 1, 1, 1])}, "initial must be rigid"),
        ({"initial": np.eye(3)}, "4x4"),
        ({"initial": np.full((4, 4), np.nan)}, "rigid"),
        ({"fixed_mask": np.ones((2, 2, 2), bool)}, "fixed_mask has shape"),
        ({"moving_mask": np.zeros((24, 24, 24), bool)}, "no data inside its mask"),
        ({"search_mm": -1}, "search_mm"),
        ({"search_deg": 200}, "search_deg"),
        ({"levels_mm": (1, 2)}, "coarse to fine"),
        ({"levels_mm": ()}, "coarse to fine"),
        ({"levels_mm": (0,)}, "positive"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_arguments(change, match):
    volume = Volume(blobs(n=24), 1.0)
    with pytest.raises(ValueError, match=match):
        register(volume, volume, **change)


def test_volumes_without_anything():
    volume = Volume(blobs(n=24), 1.0)
    with pytest.raises(ValueError, match="moving holds no data: every voxel is 0"):
        register(volume, Volume(np.zeros((4, 4, 4)), 1.0))
    with pytest.raises(ValueError, match="one value only"):
        register(Volume(np.full((4, 4, 4), 7), 1.0), volume)
    with pytest.raises(TypeError, match="fixed must be a Volume"):
        register(volume.array, volume)
    far = Volume(volume.array, 1.0, (500, 0, 0))
    with pytest.raises(GeometryError, match="give a better initial"):
        register(volume, far)


def test_single_slices_and_not_finite_voxels():
    array = blobs(n=24)
    array[0, 0, :5] = np.nan
    array[1, 0, 0] = np.inf
    found = register(Volume(array, 1.0), Volume(array, 1.0), levels_mm=(2,), search_mm=0, search_deg=0)
    np.testing.assert_allclose(found.moving_to_fixed, np.eye(4), atol=0.05)
    flat = Volume(array[12:13], 1.0)
    assert isinstance(register(flat, flat, levels_mm=(1,), search_mm=2, search_deg=2), Registration)


def test_interrupt_stops_the_optimiser():
    volume = Volume(blobs(), 1.0)

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        register(volume, volume, progress=stop)


def test_spine_from_even_and_odd_frames(data_dir):
    folder = data_dir / "tracked" / "plus_spine"
    sweep = io.read_sweep(
        folder / "SpinePhantomFreehand.igs.mha",
        config=folder / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml",
    )
    grid = compound.compound(sweep, spacing=2.0).volume.grid
    one, other = (
        compound.compound(part, grid=grid, method="gaussian", kernel_size=5) for part in (sweep[0::2], sweep[1::2])
    )
    motion = rigid_motion([5.0, -4.0, 3.0], [0.0, 0.0, 0.0])
    found = register(
        one.volume, moved(other.volume, motion), fixed_mask=one.coverage, moving_mask=other.coverage, search_deg=0
    )
    points = np.argwhere(one.coverage)[::500, ::-1] @ np.diag(grid.spacing) + grid.origin
    matrix = found.moving_to_fixed @ motion
    assert np.linalg.norm(points @ matrix[:3, :3].T + matrix[:3, 3] - points, axis=1).mean() < 1.0
