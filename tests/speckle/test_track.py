"""From frames to a sweep with poses: conventions, motion in the plane, what is refused, and a real sweep."""

import numpy as np
import pytest
from reference.speckle_field import SpeckleField, planes

from usfast import GeometryError, Sweep, io
from usfast.speckle import (
    Calibration,
    PatchGrid,
    calibrate_sweep,
    correlate_aligned,
    correlate_pairs,
    fit_in_plane,
    patch_positions,
    track_frames,
)

SHAPE, SPACING, SIGMA = (96, 128), (0.1, 0.1), 1.2
PATCHES = PatchGrid.regular(SHAPE, (32, 32), grid=(3, 4))
KNOWN = Calibration(np.full(3, SIGMA), np.full(3, 0.05), np.full(3, 0.1), (3, 4), (32, 32), SHAPE, SPACING)
STEPS = np.full(24, 0.2)


def frames_of(steps, tilt=0.0, drift=0, seed=3):
    """Simulated frames; `drift` moves the content that many pixels a frame along u."""
    wide = (SHAPE[0], SHAPE[1] + abs(drift) * len(steps))
    z = planes(wide, SPACING[0], steps, tilt)
    field = SpeckleField(wide, z.max() - z.min(), SIGMA, seed=seed)
    starts = np.arange(len(z)) * -drift + (drift > 0) * drift * len(steps)
    return np.stack([field.bmode(p - z.min(), 25)[:, s : s + SHAPE[1]] for p, s in zip(z, starts, strict=True)])


@pytest.fixture(scope="module")
def frames():
    return frames_of(STEPS)


def test_calibrate_then_track(frames):
    poses = np.tile(np.diag([*SPACING, 0.1, 1.0]), (25, 1, 1))
    poses[1:, 2, 3] = np.cumsum(STEPS)
    valid = np.ones(25, bool)
    poses[7], valid[7] = np.nan, False
    seen = []
    fit = calibrate_sweep(Sweep(frames, poses, valid=valid), PATCHES, progress=lambda *done: seen.append(done))
    np.testing.assert_allclose(fit.sigma_mm, SIGMA, rtol=0.2)
    assert seen
    start = np.eye(4)
    start[:3, :3] = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]) * 0.1  # u along y, v along z, elevation along x
    start[:3, 3] = (5, 6, 7)
    track = track_frames(frames, fit, PATCHES, start=start, timestamps=np.arange(25) / 10)
    np.testing.assert_allclose(track.sweep.image_to_world[0], start, atol=1e-12)
    moved = track.sweep.image_to_world[-1, :3, 3] - (5, 6, 7)
    assert moved[0] == pytest.approx(4.8, rel=0.1)
    assert track.sweep.path_length == pytest.approx(4.8, rel=0.06)
    assert track.sweep.timestamps is not None and not track.sweep.meta["warnings"]
    back = track_frames(frames, fit, PATCHES, start=start, signs=-1)
    assert back.sweep.image_to_world[-1, 0, 3] - 5 == pytest.approx(-4.8, rel=0.1)


def test_turns_are_about_the_middle_of_the_image():
    track = track_frames(frames_of(STEPS, np.radians(0.5)), KNOWN, PATCHES)
    end = track.sweep.image_to_world[-1]
    tilt = np.degrees(np.arctan2(end[2, 1], end[1, 1]))
    assert tilt == pytest.approx(12.0, abs=3.0)
    middle = end @ [(SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2, 0, 1]
    np.testing.assert_allclose(np.linalg.norm(middle[:3] - [6.35, 4.75, 0]), 4.8, rtol=0.08)


def test_in_plane_motion_is_measured_and_taken_out():
    frames = frames_of(STEPS, drift=1)
    track = track_frames(frames, KNOWN, PATCHES, in_plane=True, search=4)
    np.testing.assert_allclose(track.in_plane[:, 0], 0.1, atol=0.02)
    np.testing.assert_allclose(track.in_plane[:, 1], 0, atol=0.02)
    end = track.sweep.image_to_world[-1, :3, 3]
    assert end[2] == pytest.approx(4.8, rel=0.15)
    assert end[0] == pytest.approx(-2.4, abs=0.4)  # the content moves to the right: the probe to the left
    without = track_frames(frames, KNOWN, PATCHES)
    assert without.motion.translation_mm.sum() > 1.3 * 4.8


def test_aligned_correlations_are_those_of_frames_that_did_not_move():
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (1, 60, 90), np.uint8)
    path = np.array([[0, 0], [2, 1], [4, -3], [9, 0], [30, 0]])
    frames = np.stack([np.roll(still[0], (v, u), (0, 1)) for u, v in path])
    patches = PatchGrid.regular((60, 90), (16, 16), grid=(3, 3))
    rho = correlate_aligned(frames, patches, path, window=2)
    np.testing.assert_allclose(rho[:3, 0, 4], 1, atol=1e-6)
    np.testing.assert_allclose(rho[:2, 1, 4], 1, atol=1e-6)
    assert np.isnan(rho[3:, 1]).all() and rho.shape == correlate_pairs(frames, patches, 2).shape
    assert np.isnan(rho[:4, 0, :3]).any()  # patches at the rim leave the image
    with pytest.raises(ValueError, match="path must be finite"):
        correlate_aligned(frames, patches, path[:-1])


def test_rigid_fit():
    places = patch_positions(PATCHES, SHAPE, SPACING)
    moved = np.array([0.3, -0.2]) + 0.02 * places[:, ::-1] * [-1, 1]
    moved[3] = 9.0
    shift = np.stack([moved, np.full_like(moved, np.nan), moved])
    rho = np.ones((3, 12))
    rho[2, 2:] = 0  # two patches: no turn
    motion, measured = fit_in_plane(shift, places, rho)
    np.testing.assert_allclose(motion[0], [0.3, -0.2, 0.02], atol=5e-3)
    assert measured.tolist() == [True, False, True]
    assert (motion[1] == 0).all() and motion[2, 2] == 0
    with pytest.raises(ValueError, match="must fit 12 patches"):
        fit_in_plane(shift[..., :1], places, rho)


def test_frames_too_far_apart_are_reported():
    rng = np.random.default_rng(0)
    track = track_frames(rng.integers(0, 256, (4, *SHAPE), np.uint8), KNOWN, PATCHES)
    assert any("3 of 3 steps are guesses" in warning for warning in track.sweep.meta["warnings"])


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (lambda f: f[:1], {}, ValueError, "one frame only"),
        (lambda f: f[0], {}, ValueError, "non-empty array"),
        (lambda f: f[:0], {}, ValueError, "non-empty array"),
        (lambda f: f[:, :-1], {}, ValueError, "image size"),
        (lambda f: f[:3], {"window": 0}, ValueError, "window must be"),
        (lambda f: f[:3] * 0, {}, GeometryError, "no patch has|no pair of frames"),
        (lambda f: f[:3], {"start": np.eye(3)}, ValueError, "start must have shape"),
        (lambda f: f[:3], {"start": np.eye(4) * np.nan}, GeometryError, "start must be finite"),
        (lambda f: f[:3], {"start": np.eye(4)}, GeometryError, "start has pixels of 1 x 1 mm"),
        (lambda f: f[:3], {"signs": [1, 1, 1]}, ValueError, "signs must be"),
        (lambda f: f[:3], {"usable": np.ones((2, 12), bool)}, ValueError, "usable has shape"),
    ],
)
def test_what_cannot_be_tracked_is_refused(frames, make, options, error, message):
    with pytest.raises(error, match=message):
        track_frames(make(frames), KNOWN, PATCHES, **options)


def test_calibration_needs_poses(frames):
    poses = np.full((25, 4, 4), np.nan)
    poses[0] = np.eye(4)
    with pytest.raises(GeometryError, match="1 of 25 frames"):
        calibrate_sweep(Sweep(frames, poses, valid=np.arange(25) == 0), PATCHES)
    still = np.tile(np.diag([*SPACING, 0.1, 1.0]), (25, 1, 1))
    with pytest.raises(GeometryError, match="does the probe move"):
        calibrate_sweep(Sweep(frames, still), PATCHES)


def test_a_real_sweep_gives_coarse_distances(data_dir):
    path = data_dir / "tracked" / "imfusion_liver" / "liver_sweep_f000-079.igs.mha"
    if not path.exists():
        pytest.skip(f"no {path}")
    sweep = io.read_sweep(path)
    patches = PatchGrid.regular(sweep.image_size, (32, 32), grid=(12, 12))
    inside = (sweep.frames > 0).mean(axis=0) > 0.5
    seen = np.array([inside[r : r + 32, c : c + 32].mean() > 0.95 for r, c in patches.corners])
    usable = np.tile(seen, (40, 1))
    fit = calibrate_sweep(sweep[:40], patches, 10, usable=usable)
    track = track_frames(
        sweep.frames[40:], fit, patches, window=10, motion="translation", signs=-1, usable=usable
    ).sweep  # fmt: skip
    assert 0.5 < track.path_length / sweep[40:].path_length < 2
