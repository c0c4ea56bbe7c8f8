"""Frames between annotated ones: zero order, signed distances, discs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import labels as reference

from usfast import Sweep, _core
from usfast.labels import METHODS, disc_guided_interpolation, interpolate, signed_distance_interpolation, zero_order
from usfast.labels.interpolation.discs import corresponding, maximal_discs
from usfast.labels.interpolation.fields import plane_of, signed_distance

few = settings(max_examples=25, deadline=None)


def poses_along(places, turn_deg=None):
    """Poses of images 0.5 mm a pixel whose planes lie at `places` along z, turned about x."""
    poses = np.tile(np.diag([0.5, 0.5, 0.5, 1.0]), (len(places), 1, 1))
    if turn_deg is not None:
        for pose, angle in zip(poses, np.deg2rad(turn_deg), strict=True):
            pose[1:3, 1:3] = 0.5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    poses[:, 2, 3] = places
    return poses


def sweep_of(labels, places=None, **kwargs):
    labels = np.asarray(labels, np.uint8)
    return Sweep(labels, poses_along(range(len(labels)) if places is None else places), labels=labels, **kwargs)


def discs_of(*radii, size=41, label=1):
    """Frames with a disc in the middle; None leaves a frame empty."""
    v, u = np.mgrid[:size, :size] - size // 2
    return np.stack([np.where(np.hypot(u, v) <= (-1 if r is None else r), label, 0) for r in radii]).astype(np.uint8)


def some(labels, frames):
    out = np.zeros_like(labels)
    out[list(frames)] = labels[list(frames)]
    return out


# ------------------------------------------------------------------ zero order


def test_the_smaller_mask_is_copied_literally():
    labels = discs_of(9, None, None, 5, None, 12)
    result = zero_order(sweep_of(labels))
    assert [int((frame > 0).sum()) for frame in result.labels] == [
        int((labels[n] > 0).sum()) for n in (0, 3, 3, 3, 3, 5)
    ]
    assert result.known.all()
    assert result.structures == (1,)


def test_the_nearest_mask_along_the_path_and_ties_to_the_earlier():
    labels = discs_of(9, None, None, None, 5)
    assert [int((f > 0).sum()) for f in zero_order(sweep_of(labels), "nearest").labels] == [
        int((labels[n] > 0).sum()) for n in (0, 0, 0, 4, 4)
    ]
    moved = zero_order(sweep_of(labels, [0, 3, 3.5, 3.7, 4]), "nearest").labels
    assert (moved[1] == labels[4]).all()


def test_nothing_before_the_first_and_after_the_last_annotation():
    labels = np.concatenate([discs_of(None, None, 6, None, 6), discs_of(None)])
    for method in METHODS:
        result = interpolate(sweep_of(labels), method)
        assert not result.labels[[0, 1, 5]].any()
        assert result.known[:, 0].tolist() == [False, False, True, True, True, False]


def test_an_annotated_empty_frame_ends_the_structure():
    labels = discs_of(6, None, None, None, None)
    marked = np.array([True, False, False, False, True])
    assert not zero_order(sweep_of(labels), annotated=marked).labels[1:].any()
    areas = [int((f > 0).sum()) for f in interpolate(sweep_of(labels), "signed_distance", marked).labels]
    assert areas[0] > areas[1] > areas[3] == areas[4] == 0
    assert areas[2] <= 1  # half way its deepest point is on the border


def test_partial_annotations_of_two_structures():
    one, two = discs_of(5, 5, 5, 5, 5), np.roll(discs_of(4, 4, 4, 4, 4, label=2), 14, axis=2)
    marked = np.array([[1, 0], [0, 1], [0, 0], [0, 1], [1, 0]], bool)
    drawn = one * marked[:, 0, None, None] + two * marked[:, 1, None, None]
    for method in METHODS:
        result = interpolate(sweep_of(drawn), method, marked)
        assert result.known[:, 0].all()
        assert result.known[:, 1].tolist() == [False, True, True, True, False]
        assert ((result.labels == 1) == (one == 1)).all()
        assert ((result.labels == 2)[1:4] == (two == 2)[1:4]).all()
        assert not (result.labels == 2)[[0, 4]].any()


def test_columns_of_annotated_follow_structures():
    drawn = discs_of(5, 5, 5) + np.roll(discs_of(4, 4, 4, label=2), 14, axis=2)
    marked = np.array([[1, 1], [0, 0], [1, 1]], bool)
    marked[2, 0] = False  # of structure 2
    with pytest.raises(ValueError, match="structure 2 is annotated on frame 0 only"):
        zero_order(sweep_of(drawn), annotated=marked, structures=(2, 1))


def test_overlap_goes_to_the_nearer_source_and_drawings_stay():
    drawn = np.zeros((5, 6, 12), np.uint8)
    drawn[0, :, :8], drawn[4, :, :2] = 1, 1
    drawn[0, :, 8:], drawn[4, :, 2:] = 2, 2
    drawn[1:4] = 9  # not annotated, so not read
    result = zero_order(sweep_of(drawn), "nearest", np.array([1, 0, 0, 0, 1], bool)).labels
    assert (result[[1, 2]] == drawn[0]).all()
    assert (result[3] == drawn[4]).all()


def test_invalid_frames_get_nothing_and_do_not_break_the_gap():
    labels = discs_of(6, None, None, None, 6)
    poses = poses_along(range(5))
    poses[2] = np.nan
    valid = np.array([1, 1, 0, 1, 1], bool)
    for method in METHODS:
        result = interpolate(Sweep(labels, poses, labels=labels, valid=valid), method)
        assert not result.known[2].any()
        assert not result.labels[2].any()
        assert result.labels[[1, 3]].any(axis=(1, 2)).all()


def test_passes_are_not_bridged():
    labels = discs_of(6, None, 6, 6, None, 6)
    labels[2:4] = 0
    with pytest.raises(ValueError, match="in one pass"):
        zero_order(sweep_of(labels, [0, 1, 2, 30, 31, 32]))
    result = zero_order(sweep_of(labels, [0, 1, 2, 30, 31, 32]), largest_step=40)
    assert result.labels[2].any()


@few
@given(seed=st.integers(0, 2**32 - 1), method=st.sampled_from(METHODS))
def test_labels_are_those_drawn_and_drawings_stay(seed, method):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 4, (7, 9, 8)).astype(np.uint8)
    marked = rng.random(7) < 0.5
    marked[[0, 4]] = True
    result = interpolate(sweep_of(drawn), method, marked, num_threads=1)
    assert set(np.unique(result.labels)) <= {0, 1, 2, 3}
    assert (result.labels[marked] == drawn[marked]).all()
    again = interpolate(sweep_of(drawn), method, marked, num_threads=3)
    assert again.labels.tobytes() == result.labels.tobytes()


# ------------------------------------------------------------------ signed distances


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_signed_distance_matches_reference(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((7, 9)) < 0.4
    mask[0, 0], mask[-1, -1] = True, False
    np.testing.assert_allclose(
        signed_distance(mask, (0.5, 0.3)), reference.signed_distance(mask, (0.5, 0.3)), atol=1e-6
    )


@few
@given(seed=st.integers(0, 2**32 - 1), outer=st.tuples(st.booleans(), st.booleans()))
def test_blend_matches_reference(seed, outer):
    rng = np.random.default_rng(seed)
    poses = poses_along([-4, 0, 3, 9, 1.2], rng.uniform(-8, 8, 5))
    poses[:, :2, 3] = rng.uniform(-2, 2, (5, 2))
    fields = [rng.normal(size=(6, 7)).astype(np.float32) for _ in range(4)]
    way, share = [3.9, 3.1, 6.0], np.array([0.4])
    present = [outer[0], outer[1]]
    got = _core.blend_distances(
        np.stack(fields),
        present,
        np.stack([plane_of(p) for p in poses[:4]]),
        np.stack([plane_of(p) for p in poses[1:3]]),
        way,
        np.zeros((0, 8)),
        np.ascontiguousarray(poses[4:, :3]),
        share,
        0,
        1,
    )[0]
    kept = [fields[0] if outer[0] else None, fields[1], fields[2], fields[3] if outer[1] else None]
    their = [pose if field is not None else None for pose, field in zip(poses, kept, strict=False)]
    np.testing.assert_allclose(got, reference.blended(kept, their, poses[4], 0.4, way), atol=1e-5)


def test_a_cone_is_interpolated_linearly_and_a_belly_by_the_spline():
    cone = discs_of(*range(6, 17))
    every = np.zeros(11, bool)
    every[[0, 5, 10]] = True
    got = signed_distance_interpolation(sweep_of(cone), every, order="linear").labels
    assert (got != cone).mean() < 0.006
    belly = discs_of(*(18 - 0.5 * (n - 5) ** 2 for n in range(11)))
    errors = {
        order: abs(
            int(signed_distance_interpolation(sweep_of(belly), every, order=order).labels.sum()) - int(belly.sum())
        )
        for order in ("linear", "cubic")
    }
    assert errors["cubic"] < 0.6 * errors["linear"]


def test_a_hand_that_wanders_does_not_displace_the_structure():
    size, count = 60, 9
    shift = np.round(6 * np.sin(np.arange(count))).astype(int)  # pixels along u
    fixed = discs_of(*[8] * count, size=size)
    labels = np.stack([np.roll(f, -s, axis=1) for f, s in zip(fixed, shift, strict=True)])
    poses = poses_along(range(count))
    poses[:, 0, 3] = 0.5 * shift
    marked = np.zeros(count, bool)
    marked[[0, 4, 8]] = True
    got = signed_distance_interpolation(Sweep(labels, poses, labels=labels), marked)
    assert (got.labels == labels).all()


def test_a_structure_cut_off_by_the_image_does_not_end_there():
    labels = np.zeros((5, 20, 20), np.uint8)
    labels[:, 5:15, :9] = 1
    got = signed_distance_interpolation(sweep_of(labels), np.array([1, 0, 0, 0, 1], bool))
    assert (got.labels == labels).all()
    labels[:] = 1  # fills the image
    assert (signed_distance_interpolation(sweep_of(labels), np.array([1, 0, 0, 0, 1], bool)).labels == 1).all()


def test_frames_that_cross_and_stand_still():
    labels = discs_of(6, 6, 6, 6, 6)
    poses = poses_along([0, 0, 0, 0, 0], [0, 5, 10, 15, 20])
    marked = np.array([1, 0, 0, 0, 1], bool)
    for method in METHODS:
        assert interpolate(Sweep(labels, poses, labels=labels), method, marked).labels.any(axis=(1, 2)).all()
        still = interpolate(Sweep(labels, poses_along([0] * 5), labels=labels), method, marked).labels
        assert (still == labels).all()


# ------------------------------------------------------------------ discs


def test_discs_follow_a_structure_that_shifts_by_more_than_its_width():
    labels = np.zeros((11, 30, 80), np.uint8)
    for n in range(11):
        labels[n, 10:20, 5 + 5 * n : 15 + 5 * n] = 1
    marked = np.zeros(11, bool)
    marked[[0, 10]] = True
    assert not signed_distance_interpolation(sweep_of(labels), marked).labels[5].any()
    got = disc_guided_interpolation(sweep_of(labels), marked).labels
    assert (got != labels).mean() < 0.002


def test_discs_join_branches():
    labels = np.zeros((3, 40, 80), np.uint8)
    labels[0, 10:30, 25:55] = 1
    labels[2, 12:28, 10:26] = labels[2, 12:28, 54:70] = 1
    got = disc_guided_interpolation(sweep_of(labels), np.array([1, 0, 1], bool)).labels[1]
    assert got[20, 15:65].sum() > 30
    mirrored = disc_guided_interpolation(sweep_of(labels[:, :, ::-1]), np.array([1, 0, 1], bool)).labels[1]
    assert (mirrored[:, ::-1] != got).mean() < 0.02


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_every_disc_lies_inside_and_has_a_partner(seed):
    rng = np.random.default_rng(seed)
    from scipy.ndimage import gaussian_filter

    masks = [gaussian_filter(rng.normal(size=(30, 40)), 3) > 0.02 for _ in range(2)]
    for mask in masks:
        mask[3, 3] = True
    discs = [maximal_discs(mask, (1.0, 1.0)) for mask in masks]
    for mask, found in zip(masks, discs, strict=True):
        rows, columns = np.nonzero(~mask)
        for centre, radius in zip(found.centre, found.radius, strict=True):
            assert (np.hypot(columns - centre[0], rows - centre[1]) >= radius).all()
        assert (np.diff(found.radius) <= 1e-6).all()
    joined = corresponding(*discs)
    assert set(joined[:, 0]) == set(range(len(discs[0].radius)))
    assert set(joined[:, 1]) == set(range(len(discs[1].radius)))


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize("method", METHODS)
def test_one_annotated_frame_says_what_is_needed(method):
    with pytest.raises(ValueError, match="structure 1 is annotated on frame 1 only: interpolation needs at least two"):
        interpolate(sweep_of(discs_of(None, 5, None)), method)


def test_bad_input():
    drawn = discs_of(5, None, 5)
    with pytest.raises(ValueError, match="no labels"):
        interpolate(Sweep(drawn, poses_along(range(3))))
    with pytest.raises(ValueError, match="hold no label"):
        interpolate(sweep_of(np.zeros((3, 4, 4))))
    with pytest.raises(ValueError, match="hold no label"):
        interpolate(sweep_of(drawn), annotated=np.zeros(3, bool))
    with pytest.raises(ValueError, match="method must be one of"):
        interpolate(sweep_of(drawn), "linear")
    with pytest.raises(ValueError, match="rule must be one of"):
        zero_order(sweep_of(drawn), "larger")
    with pytest.raises(ValueError, match="order must be one of"):
        signed_distance_interpolation(sweep_of(drawn), order="quadratic")
    with pytest.raises(TypeError, match="bool"):
        interpolate(sweep_of(drawn), annotated=[0, 2])
    with pytest.raises(ValueError, match="one entry"):
        interpolate(sweep_of(drawn), annotated=np.ones(4, bool))
    with pytest.raises(ValueError, match="3 columns, but there are 1"):
        interpolate(sweep_of(drawn), annotated=np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="different labels"):
        interpolate(sweep_of(drawn), structures=[1, 1])
    with pytest.raises(ValueError, match="none of the structures"):
        interpolate(sweep_of(drawn), structures=[7])
    with pytest.raises(ValueError, match="0 to 255, but 300"):
        interpolate(Sweep(drawn, poses_along(range(3)), labels=drawn.astype(int) * 300))
    with pytest.raises(ValueError, match="0 to 255, but -1"):
        interpolate(Sweep(drawn, poses_along(range(3)), labels=-drawn.astype(int)))
    with pytest.raises(ValueError, match="none of the 3 frames"):
        interpolate(sweep_of(drawn, valid=np.zeros(3, bool)))
    with pytest.raises(ValueError, match="largest_step"):
        interpolate(sweep_of(drawn), largest_step=np.nan)
    with pytest.raises(TypeError, match="Sweep"):
        interpolate(drawn)


def test_progress_counts_frames_and_can_stop():
    seen = []
    interpolate(sweep_of(discs_of(5, None, 5)), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interpolate(sweep_of(discs_of(5, None, 5)), progress=stop)
