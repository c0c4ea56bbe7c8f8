import numpy as np
import pytest

from usfast.phantom import LinearProbe, limb_labels, simulate_limb_sweep

SMALL = LinearProbe(shape=(80, 64))


def test_same_seed_same_bytes_for_any_number_of_threads() -> None:
    one, _ = simulate_limb_sweep(3, passes=2, frames_per_pass=3, probe=SMALL, num_threads=1)
    two, _ = simulate_limb_sweep(3, passes=2, frames_per_pass=3, probe=SMALL, num_threads=3)
    other, _ = simulate_limb_sweep(4, passes=2, frames_per_pass=3, probe=SMALL)
    np.testing.assert_array_equal(one.frames, two.frames)
    np.testing.assert_array_equal(one.image_to_world, two.image_to_world)
    assert (one.frames != other.frames).any()


def test_labels_are_the_truth_at_each_pixel() -> None:
    sweep, meta = simulate_limb_sweep(passes=1, frames_per_pass=4, probe=SMALL)
    assert sweep.labels is not None
    v, u = np.indices(sweep.image_size)
    pixels = np.stack([u, v, np.zeros_like(u), np.ones_like(u)], axis=-1)
    for labels, pose in zip(sweep.labels, meta.image_to_world, strict=True):
        truth = limb_labels((pixels @ pose.T)[..., :3])
        # Pixels on a border may fall on either side in single precision.
        assert np.mean(labels != truth) < 1e-3
    assert set(np.unique(sweep.labels)) == {0, 1, 2, 3}


def test_passes_face_the_axis_and_run_the_whole_limb() -> None:
    sweep, meta = simulate_limb_sweep(passes=5, frames_per_pass=10, probe=SMALL, jitter=0, tracker_mm=0, tracker_deg=0)
    assert meta.angles_deg.tolist() == [-36, -18, 0, 18, 36]
    np.testing.assert_array_equal(sweep.image_to_world, meta.image_to_world)
    middle = sweep.image_to_world[:, :3, 3] + 31.5 * sweep.image_to_world[:, :3, 0]
    beam = sweep.image_to_world[:, :3, 1]
    # The beam through the middle of the face meets the limb's axis x = y = 0.
    assert np.abs(middle[:, 0] * beam[:, 1] - middle[:, 1] * beam[:, 0]).max() < 1e-9
    assert np.ptp(middle[:10, 2]) > 85
    assert (np.diff(middle[:10, 2]) > 0).all() and (np.diff(middle[10:20, 2]) < 0).all()
    assert sweep.timestamps is not None and (np.diff(sweep.timestamps) > 0).all()
    assert sweep.pixel_spacing == pytest.approx((50 / 64, 60 / 80))


def test_bone_is_bright_and_casts_a_shadow() -> None:
    sweep, _ = simulate_limb_sweep(passes=1, frames_per_pass=1, jitter=0)
    frame = sweep.frames[0].astype(float)
    column = frame[:, 80]  # through the tibia
    surface = int(column[200:].argmax()) + 200
    assert column[surface] > 200
    assert column[surface + 12 :].mean() < 0.4 * frame[150:250].mean()


def test_passes_see_the_same_speckle() -> None:
    sweep, _ = simulate_limb_sweep(passes=2, frames_per_pass=2, step_deg=0, jitter=0)
    tissue = np.s_[60:200, 40:-40]
    # Up and down again at one angle: frames 0 and 3 lie in one plane, frame 1 in another.
    there, elsewhere, back = (sweep.frames[n][tissue].astype(float).ravel() for n in (0, 1, 3))
    assert np.corrcoef(there, back)[0, 1] > 0.9
    assert np.corrcoef(there, elsewhere)[0, 1] < 0.5


def test_progress_counts_every_frame() -> None:
    calls: list[tuple[int, int]] = []
    simulate_limb_sweep(
        passes=1, frames_per_pass=3, probe=SMALL, progress=lambda done, all_: calls.append((done, all_))
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_interrupt_from_progress_gets_out() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_limb_sweep(passes=1, frames_per_pass=3, probe=SMALL, progress=stop)


@pytest.mark.parametrize(("passes", "frames"), [(0, 5), (3, 0), (-1, 1)])
def test_empty_sweeps_are_refused(passes: int, frames: int) -> None:
    with pytest.raises(ValueError, match="a pass and a frame"):
        simulate_limb_sweep(passes=passes, frames_per_pass=frames)
