"""From label frames to voxels, and the smoothing of voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import labels as reference

from usfast import GeometryError, Grid, Sweep
from usfast.labels import LabelledSweep, label_volume, smooth_labels

few = settings(max_examples=20, deadline=None)


def hand_sweep(rng, count=6, height=12, width=10):
    """A sweep that wanders and tilts, with random labels of 1 to 2."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    for n, pose in enumerate(poses):
        a, b = rng.uniform(-0.2, 0.2, 2)
        pose[:3, :3] = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]) @ np.array(
            [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
        )
        pose[:3, 3] = [*rng.uniform(-1, 1, 2), 2.3 * n]
    labels = rng.integers(0, 3, (count, height, width)).astype(np.uint8)
    return Sweep(labels, poses, labels=labels, mask=rng.random((height, width)) < 0.9)


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_painting_matches_reference(seed):
    rng = np.random.default_rng(seed)
    sweep = hand_sweep(rng)
    known = rng.random((6, 2)) < 0.8
    known[0] = True
    grid = Grid((14, 15, 17), 0.9, (-2, -2, -2))
    made = label_volume(LabelledSweep(sweep, (1, 2), known), grid=grid, size=1, volume_preserving=False)
    codes, hull, shares = reference.painted(sweep.labels, known, sweep.mask, sweep.image_to_world, grid, 10.0)
    # Places and votes within rounding of a border may fall on either side.
    assert (made.hull != hull).sum() <= 3
    clear = (np.abs(shares - 0.5) > 1e-5).all(axis=0) & (np.abs(np.diff(shares, axis=0)[0]) > 1e-5)
    assert ((made.volume.array != codes) & clear).sum() <= 3


@few
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([3, 7]), planar=st.booleans())
def test_smoothing_matches_reference(seed, size, planar):
    rng = np.random.default_rng(seed)
    shape = (5, 20, 70)
    labels = np.kron(rng.integers(0, 3, (2, 5, 14)), np.ones((4, 5, 6), int))[: shape[0], : shape[1], : shape[2]]
    labels = (labels * 5).astype(np.uint8)
    hull = rng.random(labels.shape) < 0.9
    hull[0, 0, :20] = False
    got = smooth_labels(labels, hull, size=size, sigma=1.3, planar=planar, volume_preserving=False)
    shares = reference.memberships(labels, (5, 10), hull, size, 1.3, planar)
    best = shares.argmax(axis=0)
    expected = np.where(shares.max(axis=0) > 0.5, np.array([5, 10])[best], 0)
    clear = np.abs(shares - 0.5).min(axis=0) > 1e-5
    assert (got == np.where(hull, expected, 0))[clear].all()
    assert not got[~hull].any()


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_bits_do_not_depend_on_threads(seed):
    rng = np.random.default_rng(seed)
    sweeps = [hand_sweep(rng), hand_sweep(rng)]
    made = [label_volume(sweeps, 0.8, num_threads=n) for n in (1, 2, 5)]
    assert len({m.volume.array.tobytes() + m.hull.tobytes() for m in made}) == 1


def test_volume_is_preserved():
    z, y, x = np.mgrid[:40, :40, :70] - 20
    labels = np.zeros(z.shape, np.uint8)
    labels[z**2 + y**2 + (x + 5) ** 2 < 81] = 3
    labels[(z**2 + y**2 + (x - 15) ** 2 < 225) & (labels == 0)] = 7
    plain = smooth_labels(labels, sigma=2.5, volume_preserving=False)
    kept = smooth_labels(labels, sigma=2.5)
    for label in (3, 7):
        true = int((labels == label).sum())
        assert abs(int((kept == label).sum()) - true) <= 0.006 * true
    assert int((plain == 3).sum()) < 0.99 * int((labels == 3).sum())


def test_a_plane_of_a_known_sweep_and_its_hull():
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 2, 3] = (0, 3, 6)
    labels = np.zeros((3, 8, 9), np.uint8)
    labels[:, 2:6, 3:7] = 4
    made = label_volume(Sweep(labels, poses, labels=labels), grid=Grid((20, 12, 12), 1.0, (-3, -2, -3)), size=1)
    expected = np.zeros((12, 12, 20), bool)
    expected[3:10, 2:10, 3:12] = True
    assert (made.hull == expected).all()
    assert made.volume.array[4, 4:8, 6:10].tolist() == [[4] * 4] * 4
    assert (made.volume.array == 4).sum() == 7 * 16


def test_passes_and_unknown_frames():
    poses = np.tile(np.eye(4), (4, 1, 1))
    poses[:, 2, 3] = (0, 2, 60, 62)
    labels = np.ones((4, 6, 6), np.uint8)
    made = label_volume(Sweep(labels, poses, labels=labels), 1.0)
    assert not made.hull[4:58].any()
    # A pass that was not asked for a structure has no vote against it.
    one = LabelledSweep(Sweep(labels[:2], poses[:2], labels=labels[:2]), (1,), np.ones((2, 1), bool))
    two = Sweep(labels[:2], poses[:2], labels=2 * (np.arange(6) > 3) * labels[:2])
    both = label_volume([one, two], 1.0, size=1)
    assert set(np.unique(both.volume.array)) == {1}


def test_bad_input():
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[:, 2, 3] = (0, 1)
    labels = np.ones((2, 4, 4), np.uint8)
    sweep = Sweep(labels, poses, labels=labels)
    with pytest.raises(ValueError, match="no sweep"):
        label_volume([], 1.0)
    with pytest.raises(ValueError, match="spacing"):
        label_volume(sweep)
    with pytest.raises(ValueError, match="either spacing or grid"):
        label_volume(sweep, 1.0, grid=Grid((4, 4, 4), 1.0))
    with pytest.raises(ValueError, match="has no labels"):
        label_volume(Sweep(labels, poses), 1.0)
    with pytest.raises(ValueError, match="no frame of the sweeps has a label"):
        label_volume(Sweep(labels, poses, labels=0 * labels), 1.0)
    with pytest.raises(ValueError, match="0 to 255"):
        label_volume(Sweep(labels, poses, labels=labels.astype(int) * 256), 1.0)
    with pytest.raises(TypeError, match="Sweep"):
        label_volume([labels], 1.0)
    with pytest.raises(GeometryError, match="no two consecutive frames"):
        label_volume(sweep[:1], 1.0)
    with pytest.raises(GeometryError, match="no two consecutive frames"):
        label_volume(sweep, grid=Grid((4, 4, 4), 1.0, (900, 0, 0)))
    with pytest.raises(MemoryError):
        label_volume(sweep, 1e-5)
    for wrong in (
        {"size": 4},
        {"sigma": 0.0},
        {"sigma": np.nan},
    ):
        with pytest.raises(ValueError, match=r"size|sigma"):
            label_volume(sweep, 1.0, **wrong)
    with pytest.raises(ValueError, match="volume"):
        smooth_labels(labels[0])
    with pytest.raises(TypeError, match="integers"):
        smooth_labels(labels.astype(float))
    with pytest.raises(ValueError, match="0 to 255"):
        smooth_labels(labels.astype(int) * 300)
    with pytest.raises(ValueError, match="hull"):
        smooth_labels(labels, labels)
    assert not smooth_labels(0 * labels).any()


def test_progress_runs_to_the_end():
    seen = []
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[:, 2, 3] = (0, 5)
    labels = np.ones((2, 30, 30), np.uint8)
    label_volume(Sweep(labels, poses, labels=labels), 0.5, progress=lambda done, total: seen.append(done / total))
    assert seen[-1] == 1
    assert seen == sorted(seen)
