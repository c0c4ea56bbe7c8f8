"""compat="plus" against the plain-Python emulation of IGSIO, for every option of its configuration."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from reference import plus as reference
from reference.sweeps import rotation, signed_permutation

from usfast import Sweep
from usfast.compound import compound
from usfast.io import HoleFillingElement, PlusConfig, Reconstruction

few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

STICK = HoleFillingElement("STICK", stick_length_limit=9, number_of_sticks_to_use=1)
HOLES = [
    STICK,
    HoleFillingElement("STICK", stick_length_limit=4, number_of_sticks_to_use=3),
    HoleFillingElement("GAUSSIAN", size=5, stdev=1.2, minimum_known_voxels_ratio=0.05),
    HoleFillingElement("GAUSSIAN", size=4, stdev=0.7, minimum_known_voxels_ratio=0.0),
    HoleFillingElement("GAUSSIAN_ACCUMULATION", size=3, stdev=1.0, minimum_known_voxels_ratio=0.1),
    HoleFillingElement("DISTANCE_WEIGHT_INVERSE", size=5, minimum_known_voxels_ratio=0.1),
    HoleFillingElement("NEAREST_NEIGHBOR", size=7, minimum_known_voxels_ratio=0.01),
]
FANS = [
    {},
    {},
    {"fan_angles_deg": (-30.0, 25.0), "fan_origin_px": (6.0, -2.0), "fan_radius_start_px": 4.0,
     "fan_radius_stop_px": 13.0},
    {"fan_angles_deg": (40.0, -45.0), "fan_origin_px": (5.3, 0.4), "fan_radius_start_px": 3.05,
     "fan_radius_stop_px": 9.5},
    {"fan_angles_deg": (-60.0, 60.0), "fan_origin_px": (7.0, 0.0)},
    {"fan_angles_deg": (0.0, 0.0), "fan_radius_start_px": 5.0, "fan_radius_stop_px": 6.0},
]  # fmt: skip
CLIPS = [
    {},
    {},
    {"clip_origin": (2, 1), "clip_size": (7, 8)},
    {"clip_origin": (0, 0), "clip_size": (200, 100)},
]


def run(sweep, reconstruction, **options):
    return compound(sweep, config=PlusConfig(Path("none.xml"), {}, reconstruction), compat="plus", **options)


def poses(rng, count, kind, shape):
    """A short freehand sweep, pixel pitch about half a millimetre, in the voxels' axes or across them."""
    result = np.tile(np.eye(4), (count, 1, 1))
    base = signed_permutation(rng) if kind == "aligned" else rotation(rng)
    for n in range(count):
        turn = np.eye(3) if kind == "aligned" else rotation(rng, rng.normal(0, 0.05))
        result[n, :3, :3] = (turn @ base) * [0.5, 0.5, 1.0]
        result[n, :3, 3] = rng.normal(0, 0.5, 3) * (kind != "aligned") + n * (turn @ base)[:, 2] * rng.uniform(0.3, 0.8)
    return result


@st.composite
def sweeps(draw, kinds=("oblique", "oblique", "aligned")):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 3))
    shape = draw(st.sampled_from([(10, 11), (9, 7), (13, 1), (1, 6)]))
    frames = rng.integers(0, 256, (count, *shape)) * (rng.random((count, *shape)) < 0.9)
    dtype = draw(st.sampled_from([np.uint8, np.float32]))
    if dtype == np.float32:
        frames = frames + rng.normal(0, 1, frames.shape)
    return Sweep(frames.astype(dtype), poses(rng, count, draw(st.sampled_from(kinds)), shape))


def check(sweep, chosen, mask=None):
    result = run(sweep, chosen)
    expected, accumulation, origin = reference.reconstruct(sweep.frames, sweep.image_to_world, chosen, mask)
    assert result.volume.array.dtype == sweep.frames.dtype
    assert result.volume.array.shape == expected.shape
    np.testing.assert_allclose(result.volume.origin, origin, atol=1e-9)
    np.testing.assert_array_equal(result.volume.array, expected)
    np.testing.assert_array_equal(result.weight > 0, accumulation > 0)


@pytest.mark.parametrize("compounding", ["LATEST", "MEAN", "MAXIMUM"])
@pytest.mark.parametrize("interpolation", ["NEAREST_NEIGHBOR", "LINEAR"])
@pytest.mark.parametrize("optimization", ["FULL", "PARTIAL", "NONE"])
@few
@given(
    sweep=sweeps(),
    fan=st.sampled_from(FANS),
    clip=st.sampled_from(CLIPS),
    holes=st.lists(st.sampled_from(HOLES), max_size=2),
    spacing=st.sampled_from([(0.5, 0.5, 0.5), (0.7, 0.45, 0.9), (3.0, 2.0, 4.0), (50.0, 50.0, 50.0)]),
    skip=st.sampled_from([1, 1, 2]),
    threshold=st.sampled_from([None, None, 60.0]),
)
def test_matches_emulation(optimization, interpolation, compounding, sweep, fan, clip, holes, spacing, skip, threshold):
    assume(
        "clip_origin" not in clip
        or all(n > o for n, o in zip(sweep.image_size[::-1], clip["clip_origin"], strict=True))
    )
    chosen = Reconstruction(
        output_spacing=spacing, interpolation=interpolation, optimization=optimization, compounding=compounding,
        fill_holes=bool(holes), hole_filling=tuple(holes), skip_interval=skip, pixel_rejection_threshold=threshold,
        **fan, **clip,
    )  # fmt: skip
    check(sweep, chosen)


@pytest.mark.parametrize("interpolation", ["NEAREST_NEIGHBOR", "LINEAR"])
@pytest.mark.parametrize("optimization", ["FULL", "PARTIAL", "NONE"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_more_pixels_a_voxel_than_the_accumulator_holds(optimization, interpolation, dtype):
    """After 255 pixels IGSIO's nearest-neighbour mean becomes a recursive filter, its linear one saturates."""
    rng = np.random.default_rng(8)
    sweep = Sweep(rng.integers(0, 256, (2, 30, 30)).astype(dtype), poses(rng, 2, "oblique", (30, 30)))
    check(
        sweep,
        Reconstruction(
            output_spacing=(9.0, 9.0, 9.0),
            interpolation=interpolation,
            optimization=optimization,
            compounding="MEAN",
        ),
    )


@pytest.mark.parametrize("interpolation", ["NEAREST_NEIGHBOR", "LINEAR"])
@pytest.mark.parametrize("optimization", ["FULL", "PARTIAL", "NONE"])
@pytest.mark.parametrize("zeros", [0.0, 0.05])
@few
@given(sweep=sweeps(), fan=st.sampled_from(FANS), spacing=st.sampled_from([0.5, 0.8, 6.0]))
def test_importance_mask(tmp_path_factory, optimization, interpolation, zeros, sweep, fan, spacing):
    import imageio.v3 as iio

    rng = np.random.default_rng(len(sweep))
    mask = rng.integers(1, 256, sweep.image_size) * (rng.random(sweep.image_size) >= zeros)
    path = tmp_path_factory.mktemp("mask") / "mask.png"
    iio.imwrite(path, mask.astype(np.uint8))
    chosen = Reconstruction(
        output_spacing=(spacing,) * 3, interpolation=interpolation, optimization=optimization,
        compounding="IMPORTANCE_MASK", importance_mask=path, **fan,
    )  # fmt: skip
    check(sweep, chosen, mask.astype(np.uint8))


def test_frames_without_a_valid_pose_are_left_out():
    rng = np.random.default_rng(3)
    placed = poses(rng, 4, "oblique", (9, 7))
    frames = rng.integers(0, 256, (4, 9, 7)).astype(np.uint8)
    placed[2] = np.nan
    valid = np.array([True, True, False, True])
    chosen = Reconstruction(output_spacing=(0.5,) * 3, compounding="MEAN")
    result = run(Sweep(frames, placed, valid=valid), chosen)
    expected, _, _ = reference.reconstruct(frames[valid], placed[valid], chosen)
    np.testing.assert_array_equal(result.volume.array, expected)


@pytest.mark.parametrize("lit", [(0.0, 0.0), (-40.0, 40.0), (-10.0, 30.0)])
def test_fan_angle_detection(lit):
    """Frames lit in part of the fan only; a dark one is skipped."""
    rng = np.random.default_rng(4)
    v, u = np.mgrid[:70, :80]
    angle = np.degrees(np.arctan2(u - 40.0, v + 10.0))
    frames = np.where((angle > lit[0]) & (angle < lit[1]), rng.integers(20, 250, (2, 70, 80)), 5).astype(np.uint8)
    chosen = Reconstruction(
        output_spacing=(1.0,) * 3, compounding="LATEST", fan_angles_auto_detect=True, fan_angles_deg=(-45.0, 45.0),
        fan_origin_px=(40.0, -10.0), fan_radius_start_px=20.0, fan_radius_stop_px=78.0,
    )  # fmt: skip
    check(Sweep(frames, poses(rng, 2, "oblique", (70, 80))), chosen)
