"""Fusion of annotators against voxel-wise references and SimpleITK's filters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import fusion as reference

from usfast.errors import GeometryError
from usfast.labels.fusion.consensus import majority_vote, simple, vote_entropy
from usfast.labels.fusion.staple import multi_label_staple, staple
from usfast.volume import Volume

few = settings(max_examples=25, deadline=None)
FUSIONS = (majority_vote, simple, vote_entropy, staple, multi_label_staple)


@st.composite
def annotations(draw):
    """(R, Z, Y, X) label maps that mostly agree."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape, raters = draw(st.sampled_from([(1, 1, 1), (3, 4, 5), (6, 1, 9)])), draw(st.integers(2, 7))
    names = np.array(draw(st.sampled_from([(0, 1), (0, 1, 2), (0, 3, 200, 70_000), (4, 9)])))
    truth, wild = rng.choice(names, shape), rng.choice(names, (raters, *shape))
    return np.where(rng.random(wild.shape) < 0.3, wild, truth)


def experts(seed=1, labels=1, count=5):
    """(truth, maps): wavy ellipsoids, the last of them over-segmenting; with 2 labels, split in the middle."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    at = np.indices((26, 30, 28)) - np.array([13, 15, 14])[:, None, None, None]
    level = (at**2).sum(axis=0) / 81.0
    half = np.where(at[2] > 0, labels, 1)
    waves = [
        0.9 * gaussian_filter(rng.normal(size=level.shape), 1.2) * 1.5 - 0.5 * (k == count - 1) for k in range(count)
    ]
    return (level < 1) * half, [((level + wave < 1) * half).astype(np.uint8) for wave in waves]


@few
@given(maps=annotations(), ties=st.sampled_from(["background", "smallest", "largest"]))
def test_majority_vote_matches_reference(maps, ties):
    found = majority_vote(list(maps), ties=ties)
    np.testing.assert_array_equal(found, reference.majority_vote(maps, ties))


@few
@given(maps=annotations())
def test_entropy_matches_reference(maps):
    np.testing.assert_allclose(vote_entropy(list(maps)), reference.entropy(maps), atol=1e-6)


@few
@given(maps=annotations(), rounds=st.integers(1, 6))
def test_staple_matches_reference(maps, rounds):
    masks = maps > 0
    if not masks.any() or masks.all():
        return
    prior = float(masks.mean())
    with np.errstate(invalid="ignore", divide="ignore"):
        probability, p, q = reference.staple(masks, prior, rounds)
    if not np.isfinite(probability).all():
        return  # an annotator that is never wrong against one that always is: 0 / 0 in the paper's form
    found = staple(list(masks), crop=False, tolerance=0.0, max_rounds=rounds)
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)
    np.testing.assert_allclose(found.sensitivity, p, atol=1e-7)
    np.testing.assert_allclose(found.specificity, q, atol=1e-7)


def test_staple_matches_simpleitk():
    import SimpleITK as sitk

    _, masks = experts()
    found = staple(masks, crop=False, tolerance=1e-10)
    peer = sitk.STAPLEImageFilter()
    peer.SetForegroundValue(1)
    probability = sitk.GetArrayFromImage(peer.Execute([sitk.GetImageFromArray(mask) for mask in masks]))
    assert found.converged
    np.testing.assert_allclose(found.probability, probability, atol=1e-4)
    np.testing.assert_allclose(found.sensitivity, peer.GetSensitivity(), atol=1e-5)
    np.testing.assert_allclose(found.specificity, peer.GetSpecificity(), atol=1e-5)


def test_multi_label_staple_matches_simpleitk():
    import SimpleITK as sitk

    _, maps = experts(labels=2)
    found = multi_label_staple(maps, crop=False, tolerance=1e-10)
    peer = sitk.MultiLabelSTAPLEImageFilter()
    peer.SetTerminationUpdateThreshold(1e-9)
    peer.SetMaximumNumberOfIterations(1000)
    labels = sitk.GetArrayFromImage(peer.Execute([sitk.GetImageFromArray(one) for one in maps]))
    np.testing.assert_array_equal(found.labels, labels)
    for rater in range(len(maps)):  # its last row is for "undecided"
        confusion = np.reshape(peer.GetConfusionMatrix(rater), (-1, 3))[:3]
        np.testing.assert_allclose(found.confusion[rater], confusion, atol=1e-4)


def test_cropping_counts():
    """Background all around changes nothing with the crop, and moves the result without."""
    _, masks = experts()
    wide = [np.pad(mask, 30) for mask in masks]
    inner = (slice(30, -30),) * 3
    np.testing.assert_array_equal(staple(wide).probability[inner], staple(masks).probability)
    assert staple(wide).prior == staple(masks).prior
    loose, close = staple(wide, crop=False), staple(masks)
    assert loose.prior < 0.1 * close.prior
    assert ((loose.probability > 0.5)[inner] != (close.probability > 0.5)).any()
    multi = multi_label_staple(wide)
    np.testing.assert_array_equal(multi.labels[inner], multi_label_staple(masks).labels)
    assert (multi.probability[0] == 1).all()


def test_a_known_reliability_is_found():
    rng = np.random.default_rng(5)
    truth = np.indices((40, 40, 40))[0] < 16
    p, q = np.array([0.95, 0.8, 0.9, 0.7]), np.array([0.9, 0.97, 0.8, 0.85])
    masks = [
        np.where(truth, rng.random(truth.shape) < a, rng.random(truth.shape) > b) for a, b in zip(p, q, strict=True)
    ]
    found = staple(masks)
    np.testing.assert_allclose(found.sensitivity, p, atol=0.02)
    np.testing.assert_allclose(found.specificity, q, atol=0.02)
    assert ((found.probability > 0.5) == truth).mean() > 0.93
    multi = multi_label_staple(masks)
    np.testing.assert_allclose(multi.confusion[:, 1, 1], p, atol=0.02)
    np.testing.assert_allclose(multi.confusion.sum(axis=1), 1)


def test_simple_leaves_the_outlier_out():
    truth, maps = experts(labels=2, count=6)
    maps[5] = np.roll(truth, 9, axis=1).astype(np.uint8)
    found = simple(maps)
    assert found.kept.tolist() == [True] * 5 + [False]
    assert found.performance.argmin() == 5
    assert (found.labels != truth).sum() <= (majority_vote(maps) != truth).sum()
    assert simple([truth] * 3).performance.tolist() == [1, 1, 1]
    assert simple(maps, alpha=0.0, fewest=4).kept.sum() == 4


@pytest.mark.parametrize("fuse", FUSIONS)
def test_volumes_and_agreement(fuse):
    truth, _ = experts(labels=2)
    one = Volume(truth.astype(np.uint8), 0.5, (1, 2, 3))
    found = fuse([one] * 3)
    result = getattr(found, "labels", getattr(found, "probability", found))
    assert result.grid == one.grid
    expected = {vote_entropy: truth * 0, staple: truth > 0}.get(fuse, truth)
    np.testing.assert_allclose(result.array, expected, atol=1e-6)
    with pytest.raises(GeometryError, match="one grid"):
        fuse([one, one, Volume(one.array, 0.6)])


@pytest.mark.parametrize("fuse", FUSIONS)
def test_bad_arguments(fuse):
    mask = np.zeros((2, 3, 4), int)
    mask[0, 0, 0] = 1
    for maps, error, message in (
        ([], ValueError, "annotators, not 0"),
        ([mask], ValueError, "annotators, not 1"),
        (Volume(mask, 1.0), ValueError, "annotators, not 1"),
        ([mask, mask, mask[:1]], ValueError, r"labels\[2\] \(1, 3, 4\)"),
        ([mask, mask, mask * 0.5], TypeError, "integer"),
        ([mask[0]] * 3, ValueError, r"\(Z, Y, X\)"),
    ):
        with pytest.raises(error, match=message):
            fuse(maps)


def test_empty_maps():
    empty = np.zeros((2, 3, 4), np.uint8)
    assert not majority_vote([empty, empty]).any()
    assert not vote_entropy([empty, empty]).any()
    assert not simple([empty] * 3).labels.any()
    for fuse in (staple, multi_label_staple):
        with pytest.raises(ValueError, match="empty"):
            fuse([empty, empty])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: majority_vote(m, ties="first"), "ties must be one of"),
        (lambda m: vote_entropy(m, base=1), "base must be above 1"),
        (lambda m: staple(m, prior=1.0), "prior"),
        (lambda m: staple(m, tolerance=-1), "tolerance"),
        (lambda m: multi_label_staple(m, max_rounds=0), "max_rounds"),
        (lambda m: simple(m, alpha=float("nan")), "alpha"),
        (lambda m: simple(m, fewest=4), "fewest"),
        (lambda m: majority_vote([m[0], m[1] - 2]), "negative label"),
    ],
)
def test_bad_options(call, message):
    with pytest.raises(ValueError, match=message):
        call([np.ones((1, 2, 3), int)] * 3)
