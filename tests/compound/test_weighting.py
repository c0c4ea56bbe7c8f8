"""Weights: ranges, shapes, and that they mark what they are meant to mark."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast import GeometryError, Sweep
from usfast.compound import angle_weights, combine, compound, edge_feather, frame_quality


def straight(count=20, shape=(16, 18), seed=0):
    """Frames that change slowly along a straight path."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(0, 255, shape)
    frames = np.stack([np.clip(base + rng.normal(0, 8, shape), 0, 255) for _ in range(count)]).astype(np.uint8)
    poses = np.tile(np.diag([0.2, 0.2, 0.2, 1.0]), (count, 1, 1))
    poses[:, 2, 3] = 0.4 * np.arange(count)
    return frames, poses


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    width=st.sampled_from([0.5, 1, 3.7, 40]),
    share=st.sampled_from([0.05, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_feather_rises_with_the_distance(shape, width, share, seed):
    mask = np.random.default_rng(seed).random(shape) < share
    mask[0, 0] = True
    found = edge_feather(mask, width)
    outside = np.argwhere(~np.pad(mask, 1)) - 1
    at = np.argwhere(mask)
    distance = np.sqrt(((at[:, None] - outside[None]) ** 2).sum(axis=2)).min(axis=1)
    expected = np.sin(np.pi / 2 * np.minimum(distance / width, 1)) ** 2
    np.testing.assert_allclose(found[mask], expected, rtol=1e-5)
    assert (found[mask] > 0).all()
    assert not found[~mask].any()


def test_feather_takes_a_shape_and_hardly_any_mask():
    np.testing.assert_array_equal(edge_feather((6, 9), 3), edge_feather(np.ones((6, 9), bool), 3))
    assert edge_feather((2, 2), 1e6).min() > 0
    for wrong in ((6,), np.ones((2, 3, 4), bool), (0, 5), (-1, 5), 4, np.ones((2, 3)) * 0.5):
        with pytest.raises(ValueError, match="image must be"):
            edge_feather(wrong, 3)
    for width in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="width_px must be positive"):
            edge_feather((5, 5), width)
    with pytest.raises(ValueError, match="excludes every pixel"):
        edge_feather(np.zeros((4, 4), bool), 2)


def test_feathering_keeps_coverage_and_hides_a_step():
    """Two frames in one plane, of different gain, that overlap by half."""
    frames = np.stack([np.full((20, 40), 100), np.full((20, 40), 140)]).astype(np.uint8)
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, 0, 3] = 20
    sweep = Sweep(frames, poses)
    hard = compound(sweep, 1.0, method="nearest")
    soft = compound(sweep, 1.0, "nearest", "weighted", weights=edge_feather(sweep.image_size, 15))
    np.testing.assert_array_equal(hard.coverage, soft.coverage)

    def largest_step(result):
        return np.abs(np.diff(result.volume.array[0, 10])).max()

    assert largest_step(hard) == 20
    assert largest_step(soft) < 6


def test_quality_finds_the_bad_frames():
    frames, poses = straight()
    frames[7] = np.random.default_rng(9).integers(0, 256, frames.shape[1:])
    poses[12, 1, 3] += 3
    quality = frame_quality(Sweep(frames, poses))
    assert quality.dtype == np.float32
    bad = np.isin(np.arange(20), [7, 12])
    assert quality[bad].max() < 0.1
    assert quality[~bad].min() > 0.4
    assert np.median(quality) > 0.8
    agreement, steadiness = (frame_quality(Sweep(frames, poses), [name]) for name in ("agreement", "steadiness"))
    assert agreement.argmin() == 7
    assert steadiness.argmin() == 12
    np.testing.assert_allclose(quality, np.maximum(agreement * steadiness, 1e-3), rtol=1e-5)


def test_quality_of_frames_at_the_ends_and_of_invalid_ones():
    frames, poses = straight()
    poses[0, 0, 3] += 5
    poses[19, :3, :3] = poses[19, :3, :3] @ [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    poses[4] = np.nan
    frames[4] = 0
    quality = frame_quality(Sweep(frames, poses, valid=np.arange(20) != 4))
    assert quality[4] == 0
    assert max(quality[0], quality[19]) < 0.1
    assert np.delete(quality, [0, 4, 19]).min() > 0.4


def test_quality_of_constant_and_broken_frames_is_finite():
    frames, poses = straight()
    values = frames.astype(np.float32)
    values[3], values[9] = 0, np.nan
    quality = frame_quality(Sweep(values, poses, mask=np.arange(18) < np.full((16, 1), 9)))
    assert np.isfinite(quality).all()
    assert quality.min() >= 1e-3
    assert frame_quality(Sweep(np.zeros((3, 4, 4), np.uint8), poses[:3])).tolist() == [1, 1, 1]


def test_bad_arguments_of_quality():
    sweep = Sweep(*straight())
    for criteria in ("agreement", [], ["sharpness"]):
        with pytest.raises(ValueError, match="criteria must be some of agreement, steadiness"):
            frame_quality(sweep, criteria)
    with pytest.raises(ValueError, match="tolerance must be positive"):
        frame_quality(sweep, tolerance=0)
    with pytest.raises(GeometryError, match="three valid frames"):
        frame_quality(sweep[:2])


@pytest.mark.parametrize("degrees", [0, 20, 75, 90, 160])
def test_angle_between_beam_and_normal(degrees):
    frames, poses = straight(3)
    angle = np.radians(degrees)
    found = angle_weights(Sweep(frames, poses), (0, 5 * np.cos(angle), 5 * np.sin(angle)), power=1.5)
    np.testing.assert_allclose(found, max(abs(np.cos(angle)) ** 1.5, 1e-3), rtol=1e-4)


def test_angle_in_a_sector_and_for_each_frame():
    frames, poses = straight(3)
    sweep = Sweep(frames, poses, valid=[True, True, False])
    found = angle_weights(sweep, apex=(8.5, -10), power=1)
    assert found.shape == frames.shape
    v, u = np.mgrid[:16, :18]
    np.testing.assert_allclose(found[0], (v + 10) / np.hypot(u - 8.5, v + 10), rtol=1e-3)
    assert not found[2].any()
    assert np.isfinite(angle_weights(sweep, apex=(3, 4))).all()  # the apex on a pixel
    each = angle_weights(sweep, [[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(each, [1, 1e-3, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": (0, 0, 0)}, "direction must be finite and have a length"),
        ({"direction": (0, np.nan, 1)}, "direction must be finite"),
        ({"direction": (0, 1)}, r"direction must have shape \(3,\) or \(3, 3\)"),
        ({"apex": (np.inf, 0)}, "apex must be two finite numbers"),
        ({"apex": (1, 2, 3)}, "apex must be two finite numbers"),
        ({"power": -1}, "power must be positive"),
    ],
)
def test_bad_arguments_of_angle_weights(change, message):
    with pytest.raises(ValueError, match=message):
        angle_weights(Sweep(*straight(3)), **change)


def test_combine():
    frame, pixel, both = np.array([1, 0.5, 0]), np.full((4, 5), 0.5), np.full((3, 4, 5), 2.0)
    np.testing.assert_allclose(combine(frame, frame), frame**2)
    np.testing.assert_allclose(combine(pixel, pixel), pixel**2)
    np.testing.assert_allclose(combine(frame, pixel, both), np.broadcast_to(frame[:, None, None], both.shape))
    assert combine(frame, pixel).shape == (3, 4, 5)
    assert combine(pixel).dtype == np.float32
    for wrong in ([1, np.nan], [1, -1], [np.inf, 1]):
        with pytest.raises(ValueError, match="number 2 is not"):
            combine(frame, wrong)
    for wrong in (3.0, np.ones((1, 1, 1, 1)), []):
        with pytest.raises(ValueError, match="weights must have shape"):
            combine(wrong)
    with pytest.raises(ValueError, match="do not fit those before"):
        combine(pixel, np.ones((4, 6)))
    with pytest.raises(ValueError, match="no weights"):
        combine()


def test_real_sweep(data_dir):
    from usfast import io

    folder = data_dir / "tracked" / "plus_spine"
    config = folder / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml"
    sweep = io.read_sweep(folder / "SpinePhantomFreehand.igs.mha", config=config)
    quality = frame_quality(sweep)
    assert (quality > 0).all()
    assert np.median(quality) > 0.5
    weights = combine(edge_feather(sweep.image_size, 40), quality)
    assert weights.shape == sweep.frames.shape
