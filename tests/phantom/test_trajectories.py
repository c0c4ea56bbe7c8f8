"""How probes, hands and trackers move."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast import GeometryError, geometry
from usfast.phantom.trajectories import (
    HandMotion,
    TrackerModel,
    Trajectory,
    fan_sweep,
    fast_slow_sweep,
    linear_sweep,
    loop_sweep,
    pass_angles,
    rigid_motion,
    scan_passes,
    sector_sweep,
)

SWEEPS: list[Callable[..., Trajectory]] = [linear_sweep, fast_slow_sweep, sector_sweep, loop_sweep, fan_sweep]


class Cone:
    """A limb of 300 mm whose radius falls from 60 to 40 mm."""

    bounds = np.array([[-60.0, -60.0, 0.0], [60.0, 60.0, 300.0]])
    slope = -20 / 300

    def skin(self, along_mm: Any, around_deg: Any) -> tuple[np.ndarray, np.ndarray]:
        z, turn = np.broadcast_arrays(np.asarray(along_mm, float), np.deg2rad(around_deg))
        across = np.stack([np.sin(turn), -np.cos(turn), np.zeros_like(turn)], axis=-1)
        along = np.array([0.0, 0.0, 1.0])
        points = (60 + self.slope * z)[..., None] * across + z[..., None] * along
        normals = across - self.slope * along
        return points, normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def steps_of(trajectory: Trajectory) -> np.ndarray:
    """Translations (mm) and rotation vectors (rad, for small turns) between frames, in the probe's axes."""
    steps = trajectory.steps
    turns = steps[:, :3, :3]
    vectors = np.stack(
        [turns[:, 2, 1] - turns[:, 1, 2], turns[:, 0, 2] - turns[:, 2, 0], turns[:, 1, 0] - turns[:, 0, 1]], axis=1
    )
    return np.concatenate([steps[:, :3, 3], vectors / 2], axis=1)


def assert_rigid(poses: np.ndarray) -> None:
    turns = poses[:, :3, :3]
    assert np.abs(np.swapaxes(turns, 1, 2) @ turns - np.eye(3)).max() < 1e-12
    assert np.abs(np.linalg.det(turns) - 1).max() < 1e-12
    assert (poses[:, 3] == (0, 0, 0, 1)).all()


@pytest.mark.parametrize("sweep", SWEEPS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), frames=st.integers(8, 60))
def test_every_sweep(sweep: Callable[..., Trajectory], seed: int, frames: int) -> None:
    start = rigid_motion([10.0, -40.0, 5.0], [20.0, 30.0, -100.0])
    trajectory = sweep(frames, seed=seed, start=start, frame_rate=25.0)
    assert len(trajectory) == frames
    assert_rigid(trajectory.probe_to_world)
    np.testing.assert_allclose(np.diff(trajectory.timestamps), 1 / 25)
    if sweep is not fan_sweep:
        np.testing.assert_allclose(trajectory.probe_to_world[0], start, atol=1e-12)
    again = sweep(frames, seed=seed, start=start, frame_rate=25.0)
    assert (again.probe_to_world == trajectory.probe_to_world).all()
    moved = np.abs(steps_of(trajectory)).max(axis=0) > 1e-9
    freedom = {
        linear_sweep: [2],
        fast_slow_sweep: [2],
        sector_sweep: [0, 2],
        loop_sweep: [0, 1, 2, 3],
        fan_sweep: [3],
    }
    assert np.flatnonzero(moved).tolist() == freedom[sweep]


@pytest.mark.parametrize("seed", range(5))
def test_constant_speed_where_said(seed: int) -> None:
    steps = np.linalg.norm(steps_of(linear_sweep(50, seed=seed))[:, :3], axis=1)
    assert np.ptp(steps) < 1e-9
    steps = np.linalg.norm(steps_of(loop_sweep(200, seed=seed))[:, :3], axis=1)
    assert np.ptp(steps) < 0.01 * steps.mean()
    turns = steps_of(fan_sweep(30, seed=seed))[:, 3]
    assert np.ptp(turns) < 1e-9
    assert np.rad2deg(turns[0]) == pytest.approx(1.5, abs=0.3)


def test_steps_are_drawn_in_millimetres() -> None:
    steps = np.array([linear_sweep(2, seed=seed).probe_to_world[1, 2, 3] for seed in range(2000)])
    assert abs(steps.mean()) < 0.1
    assert steps.std() == pytest.approx(1.04, abs=0.06)  # of N(0, 1) without the middle tenth
    assert np.abs(steps).min() >= 0.1


@pytest.mark.parametrize("seed", range(5))
def test_fast_and_slow(seed: int) -> None:
    steps = steps_of(fast_slow_sweep(400, seed=seed))[:, 2]
    assert len(set(np.sign(steps))) == 1
    slow = np.abs(steps) < 0.3
    assert np.abs(steps[slow]).mean() == pytest.approx(0.2, abs=0.02)
    assert np.abs(steps[~slow]).mean() == pytest.approx(1.8, abs=0.4)
    runs = np.diff(np.flatnonzero(np.diff(slow)))
    assert runs.mean() == pytest.approx(5.5, abs=1)
    assert slow.mean() == pytest.approx(7 / 11, abs=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_sector_swerves_and_returns_while_its_speed_changes(seed: int) -> None:
    path = sector_sweep(100, seed=seed).probe_to_world[:, :3, 3]
    assert abs(path[-1, 0]) < 1e-9
    assert len(set(np.sign(path[1:-1, 0]))) == 1  # one bow
    along = np.diff(path[:, 2])
    assert len(set(np.sign(along))) == 1
    assert 0.15 < abs(along[-1] / along[0] - 1) < 0.65
    first = sector_sweep(10_000, step_mm=(0.3, -0.5)).probe_to_world[1, :3, 3]
    np.testing.assert_allclose(first, (0.3, 0, -0.5), rtol=1e-3)


def test_loop_closes_and_fan_turns_about_its_pivot() -> None:
    loop = loop_sweep(90, seed=4, tilt_deg=12.0)
    np.testing.assert_allclose(loop.probe_to_world[0], loop.probe_to_world[-1], atol=1e-12)
    tilt = np.rad2deg(np.arcsin(loop.probe_to_world[:, 2, 1]))
    assert np.abs(tilt).max() == pytest.approx(12, abs=0.1)
    fan = fan_sweep(15, step_deg=2.0, pivot_mm=30.0)
    pivots = fan.probe_to_world @ np.array([0.0, -30.0, 0.0, 1.0])
    np.testing.assert_allclose(pivots, np.tile(pivots[0], (15, 1)), atol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear_sweep(0), "at least one frame"),
        (lambda: linear_sweep(2.5), "whole number"),  # type: ignore[arg-type]
        (lambda: linear_sweep(5, step_mm=float("nan")), "step_mm must be finite"),
        (lambda: linear_sweep(5, step_mm=0.0), "not 0"),
        (lambda: linear_sweep(5, frame_rate=0.0), "frame_rate"),
        (lambda: linear_sweep(5, seed=-1), "seed must not be negative"),
        (lambda: linear_sweep(5, start=np.full((4, 4), np.nan)), "not finite"),
        (lambda: linear_sweep(5, start=np.diag([2.0, 1, 1, 1])), "not rigid"),
        (lambda: linear_sweep(5, start=np.eye(3)), "shape"),
        (lambda: fast_slow_sweep(5, slow_mm=2.0), "below fast_mm"),
        (lambda: sector_sweep(5, step_mm=(1.0, 0.0)), "not 0"),
        (lambda: sector_sweep(5, step_mm=1.0), "two numbers"),  # type: ignore[arg-type]
        (lambda: loop_sweep(5), "at least 8"),
        (lambda: loop_sweep(50, tilt_deg=90), "tilt_deg"),
        (lambda: fan_sweep(200), "more than 120"),
        (lambda: rigid_motion([1.0, 2.0], [1.0, 2.0, 3.0]), "shift_mm must have shape"),
        (lambda: Trajectory(np.eye(4)[None], [0.0, 1.0]), "there are 1 poses"),
        (lambda: Trajectory(np.tile(np.eye(4), (2, 1, 1)), [1.0, 1.0]), "increase"),
        (lambda: Trajectory(np.tile(np.eye(4), (2, 1, 1)), [0.0, 1.0], [1, 0]), "nor decrease"),
        (lambda: Trajectory(np.zeros((0, 4, 4)), []), "N at least 1"),
        (lambda: HandMotion(sway_mm=(1.0, -1.0, 0.0)), "sway_mm"),
        (lambda: HandMotion(tremor_hz=(12.0, 8.0)), "tremor_hz"),
        (lambda: HandMotion(sway_hz=0.01), "sway_hz"),
        (lambda: HandMotion().scaled(-1), "not be negative"),
        (lambda: HandMotion().motion([np.nan]), "finite"),
        (lambda: TrackerModel(noise_mm=-1), "noise_mm"),
        (lambda: TrackerModel(dropout=1.0), "dropout"),
        (lambda: TrackerModel(dropout_seconds=0.0), "dropout_seconds"),
        (lambda: TrackerModel(latency=float("inf")), "latency"),
        (lambda: scan_passes(Cone(), 0), "passes must be at least 1"),
        (lambda: scan_passes(Cone(), overlap=1.0), "overlap"),
        (lambda: scan_passes(Cone(), pause=0.0), "pause"),
        (lambda: scan_passes(Cone(), along_mm=(10.0, 10.0)), "the lower first"),
        (lambda: scan_passes(Cone(), 40), "do not fit around"),
    ],
)
def test_refusals(call: Callable[[], object], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_small_motions_are_exact() -> None:
    turn = rigid_motion(np.zeros(3), [0.0, 0.0, 1e-9])
    assert turn[1, 0] == pytest.approx(np.deg2rad(1e-9), rel=1e-12)
    assert (rigid_motion(np.zeros(3), np.zeros(3)) == np.eye(4)).all()
    angles = np.random.default_rng(0).normal(0, 120, (50, 3))
    assert_rigid(rigid_motion(np.zeros(3), angles))


def test_hand_moves_in_its_bands_with_its_amplitudes() -> None:
    rate, seconds = 100.0, 400.0
    times = np.arange(int(rate * seconds)) / rate
    hand = HandMotion(sway_mm=(0.5, 0.0, 1.0), tremor_mm=(0.2, 0.1, 0.0))
    shift = hand.motion(times, seed=5)[:, :3, 3]
    power = np.abs(np.fft.rfft(shift * np.hanning(len(times))[:, None], axis=0)) ** 2
    frequency = np.fft.rfftfreq(len(times), 1 / rate)
    slow, fast = frequency < 0.6, (frequency > 7.9) & (frequency < 12.1)
    assert power[~slow & ~fast].sum() < 1e-4 * power.sum()
    np.testing.assert_allclose(shift.std(axis=0), (np.hypot(0.5, 0.2), 0.1, 1.0), rtol=0.15)
    share = power[fast].sum(axis=0) / power.sum(axis=0)
    np.testing.assert_allclose(share, (0.2**2 / (0.5**2 + 0.2**2), 1, 0), atol=0.06)


def test_hand_is_a_function_of_time() -> None:
    hand = HandMotion()
    times = np.array([3.0, 0.5, 1.0])
    assert (hand.motion(times, seed=2)[1] == hand.motion([0.5], seed=2)[0]).all()
    assert not np.array_equal(hand.motion(times, seed=2), hand.motion(times, seed=3))
    assert_rigid(hand.motion(np.arange(1000) / 20, seed=1))
    path = linear_sweep(20, step_mm=1.0)
    assert (hand.scaled(0).shake(path).probe_to_world == path.probe_to_world).all()


def test_a_scan_stands_on_the_skin_and_runs_from_knee_to_ankle() -> None:
    scan = scan_passes(Cone(), 5, 80, hand=HandMotion().scaled(0), wander_deg=0.0, along_mm=(20.0, 280.0))
    assert_rigid(scan.probe_to_world)
    assert len(scan) == 400
    assert [frames.stop - frames.start for frames in scan.passes()] == [80] * 5
    assert scan.meta["angles_deg"] == pytest.approx([-a for a in scan.meta["angles_deg"][::-1]])
    for frames, angle in zip(scan.passes(), scan.meta["angles_deg"], strict=True):
        poses = scan.probe_to_world[frames]
        z = poses[:, 2, 3]
        assert (np.diff(z) > 0).all()
        skin, normal = Cone().skin(np.array([20.0, 280.0]), np.array([angle, angle]))
        np.testing.assert_allclose(poses[[0, -1], :3, 3], skin - 2 * normal, atol=1e-9)
        np.testing.assert_allclose(poses[[0, -1], :3, 1], -normal, atol=1e-12)
        assert poses[:, 2, 2].min() > 0.99
    assert np.allclose(scan.probe_to_world[200, :3, 0], (1, 0, 0))  # at the back, image u is lateral


def test_passes_overlap_as_said() -> None:
    angles = pass_angles(Cone(), 3, 28.0, (0.0, 300.0))
    np.testing.assert_allclose(np.diff(angles), np.rad2deg(28.0 / 60.0), rtol=1e-3)
    scan = scan_passes(Cone(), 3, 10, width_mm=40.0, overlap=0.3, along_mm=(0.0, 300.0))
    np.testing.assert_allclose(scan.meta["angles_deg"], angles, atol=1e-9)


def test_speed_and_pauses_of_a_scan() -> None:
    steady = scan_passes(Cone(), 2, 50, hand=HandMotion().scaled(0), wander_deg=0.0, speed_variation=0.0, pause=4.0)
    first, second = steady.passes()
    assert np.ptp(np.diff(steady.probe_to_world[first, 2, 3])) < 1e-9
    assert steady.timestamps[second.start] - steady.timestamps[first.stop - 1] == pytest.approx(4.0)
    varied = scan_passes(Cone(), 1, 2000, hand=HandMotion().scaled(0), wander_deg=0.0, speed_variation=0.3)
    assert np.log(np.diff(varied.probe_to_world[:, 2, 3])).std() == pytest.approx(0.3, rel=0.2)
    single = scan_passes(Cone(), 2, 1)
    assert len(single) == 2


def test_skin_that_is_not_there() -> None:
    class Nowhere(Cone):
        def skin(self, along_mm: Any, around_deg: Any) -> tuple[np.ndarray, np.ndarray]:
            points, normals = super().skin(along_mm, around_deg)
            return points * np.nan, normals

    with pytest.raises(GeometryError, match="no skin somewhere from z = 15"):
        scan_passes(Nowhere())


def test_skin_on_one_side_only() -> None:
    class Wall(Cone):
        def skin(self, along_mm: Any, around_deg: Any) -> tuple[np.ndarray, np.ndarray]:
            points, normals = super().skin(along_mm, around_deg)
            points[np.abs(np.broadcast_to(around_deg, points.shape[:-1])) > 50] = np.nan
            return points, normals

    np.testing.assert_array_equal(
        pass_angles(Wall(), 3, 28.0, (0.0, 300.0)), pass_angles(Cone(), 3, 28.0, (0.0, 300.0))
    )
    with pytest.raises(GeometryError, match="no skin"):
        pass_angles(Wall(), 6, 28.0, (0.0, 300.0))
    assert len(pass_angles(Cone(), 12, 28.0, (0.0, 300.0))) == 12


def test_path_length_leaves_out_the_ways_between_passes() -> None:
    poses = np.tile(np.eye(4), (4, 1, 1))
    poses[:, 0, 3] = (0, 1, 101, 103)
    trajectory = Trajectory(poses, np.arange(4.0), [0, 0, 1, 1])
    assert trajectory.path_length == 3.0
    assert len(trajectory.part(slice(2, 4))) == 2


def test_a_perfect_tracker_reports_the_truth() -> None:
    scan = scan_passes(Cone(), 2, 20)
    told = TrackerModel().report(scan)
    assert (told.probe_to_world == scan.probe_to_world).all()
    assert told.valid.all()


def test_tracker_noise_has_its_size() -> None:
    truth = linear_sweep(4000, step_mm=0.5, start=rigid_motion([5.0, 6.0, 7.0], [10.0, 50.0, 90.0]))
    told = TrackerModel(noise_mm=0.3, noise_deg=0.2).report(truth, seed=9)
    assert_rigid(told.probe_to_world)
    error = geometry.invert(truth.probe_to_world) @ told.probe_to_world
    np.testing.assert_allclose(error[:, :3, 3].std(axis=0), 0.3, rtol=0.06)
    np.testing.assert_allclose(np.rad2deg(error[:, [2, 0, 1], [1, 2, 0]]).std(axis=0), 0.2, rtol=0.06)
    other = TrackerModel(noise_mm=0.3, noise_deg=0.2).report(truth, seed=10)
    assert not np.array_equal(told.probe_to_world, other.probe_to_world)


def test_drift_grows_with_the_square_root_of_time() -> None:
    truth = linear_sweep(401, step_mm=0.5, frame_rate=40.0)
    ends = []
    for seed in range(150):
        told = TrackerModel(drift_mm=0.5).report(truth, seed=seed)
        assert (told.probe_to_world[0] == truth.probe_to_world[0]).all()
        ends.append((told.probe_to_world - truth.probe_to_world)[[40, 160, 400], :3, 3])
    spread = np.std(ends, axis=(0, 2))
    np.testing.assert_allclose(spread, 0.5 * np.sqrt([1, 4, 10]), rtol=0.12)
    assert_rigid(TrackerModel(drift_mm=1, drift_deg=1).report(truth).probe_to_world)


def test_dropouts_have_their_share_and_length() -> None:
    truth = linear_sweep(40_000, step_mm=0.1, frame_rate=50.0)
    told = TrackerModel(dropout=0.1, dropout_seconds=0.5).report(truth, seed=3)
    assert 1 - told.valid.mean() == pytest.approx(0.1, abs=0.02)
    assert np.isnan(told.probe_to_world[~told.valid]).all()
    assert np.isfinite(told.probe_to_world[told.valid]).all()
    lost = (~told.valid).astype(int)
    runs = np.count_nonzero(np.diff(lost, prepend=0) == 1)
    assert lost.sum() / runs / 50 == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("latency", [0.08, -0.03])
def test_latency_is_what_interpolation_calls_offset(latency: float) -> None:
    scan = scan_passes(Cone(), 1, 100)
    told = TrackerModel(latency=latency).report(scan)
    assert_rigid(told.probe_to_world)
    rate = scan.meta["frame_rate"]
    speed = np.gradient(scan.probe_to_world[:, 2, 3]) * rate
    lag = (scan.probe_to_world[:, 2, 3] - told.probe_to_world[:, 2, 3])[10:-10] / speed[10:-10]
    assert np.median(lag) == pytest.approx(latency, abs=0.003)
    undone, inside = geometry.interpolate_poses(scan.timestamps, told.probe_to_world, scan.timestamps, offset=latency)
    inside[:5] = inside[-5:] = False
    np.testing.assert_allclose(undone[inside, :3, 3], scan.probe_to_world[inside, :3, 3], atol=0.4)
    exact = TrackerModel(latency=3 / rate).report(linear_sweep(20, step_mm=1.0))
    np.testing.assert_allclose(exact.probe_to_world[3:, 2, 3], np.arange(17), atol=1e-9)
    assert (exact.probe_to_world[:3, 2, 3] == 0).all()  # the probe rests before it starts


def test_latency_stays_inside_a_pass() -> None:
    scan = scan_passes(Cone(), 2, 30, hand=HandMotion().scaled(0), wander_deg=0.0)
    told = TrackerModel(latency=0.2).report(scan)
    for frames in scan.passes():
        np.testing.assert_allclose(told.probe_to_world[frames.start], scan.probe_to_world[frames.start], atol=1e-12)
