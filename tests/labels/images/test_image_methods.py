"""Watershed, random walker and seeds from annotated frames on structures with known borders."""

import numpy as np
import pytest

from usfast.labels.images.annotation_seeds import seeds_from_annotations
from usfast.labels.images.grow_from_seeds import grow_from_seeds
from usfast.labels.images.random_walker import random_walker
from usfast.labels.images.watershed import watershed
from usfast.volume import Volume

METHODS = (grow_from_seeds, watershed, random_walker)


def muscle(noise=15.0):
    """(image, truth): a tapering ellipse in multiplicative speckle."""
    rng = np.random.default_rng(3)
    z, y, x = np.indices((31, 44, 48))
    size = 1 - 0.012 * z
    truth = ((y - 20 - 0.1 * z) / (13 * size)) ** 2 + ((x - 24) / (16 * size)) ** 2 < 1
    return (np.where(truth, 120, 60) + noise * rng.normal(size=truth.shape)).astype(np.float32), truth


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("method", METHODS)
def test_finds_a_muscle_from_annotated_frames(method):
    image, truth = muscle()
    if method is random_walker:
        image, truth = image[:, ::2, ::2], truth[:, ::2, ::2]
    annotated = np.zeros(truth.shape, bool)
    annotated[::10] = True
    seeds, background = seeds_from_annotations(truth & annotated, annotated, inside_mm=2.0, outside_mm=2.0)
    found = method(image, seeds, background=background)
    assert set(np.unique(found)) == {0, 1}
    assert dice(found == 1, truth) > (0.85 if method is grow_from_seeds else 0.9)


@pytest.mark.parametrize("method", METHODS)
def test_mask_volume_and_type(method):
    image = muscle(noise=8.0)[0][10:16, ::2, ::2]
    seeds = np.zeros(image.shape, np.int16)
    seeds[2:5, 8:13, 9:15], seeds[:, 1:2], seeds[:, 20:] = 300, 7, 7
    mask = np.zeros(image.shape, bool)
    mask[1:5, 1:21, 1:20] = True
    image[~mask] = np.nan
    volume = Volume(image, (1.0, 1.0, 2.0), (5, 6, 7))
    found = method(volume, seeds, mask=mask)
    assert found.grid == volume.grid
    assert found.array.dtype == np.int16
    assert set(np.unique(found.array[mask])) == {7, 300}
    assert not found.array[~mask].any()
    np.testing.assert_array_equal(found.array, method(image, seeds, mask=mask, spacing=(2.0, 1.0, 1.0)))


@pytest.mark.parametrize("method", METHODS)
def test_edge_cases(method):
    flat = np.full((4, 5, 6), 7.0)
    seeds = np.zeros(flat.shape, np.uint8)
    seeds[:, :, 0], seeds[:, :, 5] = 1, 2
    found = method(flat, seeds)
    np.testing.assert_array_equal(found[..., 0], 1)
    np.testing.assert_array_equal(found[..., 5], 2)
    assert (found > 0).all()
    full = np.where(np.indices(flat.shape)[2] < 3, 1, 2)
    np.testing.assert_array_equal(method(flat, full), full)
    one = method(flat[:1], seeds[:1])
    assert one.shape == (1, 5, 6)
    for change, message in (
        ({"volume": flat * np.nan}, "NaN"),
        ({"seeds": np.zeros(flat.shape, int)}, "seeds are empty"),
        ({"seeds": np.ones(flat.shape, int)}, "mark background"),
        ({"spacing": -1.0}, "spacing must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            method(**{"volume": flat, "seeds": seeds, **change})


def test_watershed_border_lies_on_the_ridge_whatever_the_spacing():
    image = np.zeros((7, 30, 30), np.float32)
    image[..., 15:] = 90
    seeds = np.zeros(image.shape, np.uint8)
    seeds[..., 2], seeds[..., 25] = 1, 2
    for spacing in (1.0, (3.0, 0.4, 0.4)):
        found = watershed(image, seeds, spacing=spacing)
        assert np.abs((found == 1).sum(axis=2) - 15).max() <= 1
    with pytest.raises(ValueError, match="sigma must be positive"):
        watershed(image, seeds, sigma=0.0)
    with pytest.raises(ValueError, match="compactness"):
        watershed(image, seeds, compactness=-1.0)


def test_random_walker_options():
    image, _ = muscle()
    cut = (slice(10, 14), slice(0, 30), slice(0, 30))
    seeds = np.zeros((4, 30, 30), np.uint8)
    seeds[2, 20, 24], seeds[:, 0] = 1, 2
    exact = random_walker(image[cut], seeds, solver="bf")
    found = random_walker(image[cut], seeds, tolerance=1e-7)
    np.testing.assert_array_equal(found, exact)
    for change in ({"beta": 0.0}, {"tolerance": float("inf")}, {"solver": "cg"}):
        with pytest.raises(ValueError, match=next(iter(change))):
            random_walker(image[cut], seeds, **change)


def test_seeds_keep_their_distance():
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(4)
    labels = np.zeros((60, 20, 20), np.uint8)
    labels[:, 4:14, 3:11], labels[:, 4:14, 11:17] = 3, 5
    annotated = np.zeros(labels.shape, bool)
    annotated[[2, 30, 47, 50, 59]] = True
    annotated &= rng.random(labels.shape) < 0.9
    spacing = np.array((0.5, 1.0, 0.8))
    seeds, background = seeds_from_annotations(labels, annotated, spacing=spacing, inside_mm=1.5, outside_mm=2.5)
    assert background == 6
    for label, value, away in ((3, 3, 1.5), (5, 5, 1.5), (0, 6, 2.5)):
        own = np.argwhere(annotated & (labels == label))
        other = np.argwhere(annotated & (labels != label))
        far = cKDTree(other * spacing).query(own * spacing)[0] > away
        expected = np.zeros(labels.shape, bool)
        expected[tuple(own[far].T)] = True
        np.testing.assert_array_equal(seeds == value, expected)


def test_a_thin_structure_keeps_a_seed():
    labels = np.zeros((1, 9, 30), int)
    labels[0, 4, 10:20] = 1
    annotated = np.ones(labels.shape, bool)
    seeds, background = seeds_from_annotations(labels, annotated, inside_mm=3.0)
    assert (seeds == 1).sum() == 10
    assert (labels[seeds == background] == 0).all()


@pytest.mark.parametrize(
    ("labels", "annotated", "options", "message"),
    [
        (np.zeros((2, 3, 4), int), np.ones((2, 3, 4), bool), {}, "no annotated voxel holds a structure"),
        (np.ones((2, 3, 4), int), np.zeros((2, 3, 4), bool), {}, "no annotated voxel holds a structure"),
        (np.ones((2, 3, 4), int), np.ones((2, 3, 4), bool), {}, "no annotated background"),
        (np.ones((2, 3, 4), int), np.ones((2, 3, 4), int), {}, "annotated must be a bool array"),
        (np.ones((2, 3, 4), int), np.ones((2, 3, 5), bool), {}, "annotated must be a bool array"),
        (np.ones((2, 3, 4), int), np.ones((2, 3, 4), bool), {"inside_mm": -1}, "inside_mm"),
        (np.ones((2, 3, 4), int), np.ones((2, 3, 4), bool), {"outside_mm": np.nan}, "outside_mm"),
        (np.ones((2, 3, 4), int) * 70_000, np.ones((2, 3, 4), bool), {}, "65534"),
    ],
)
def test_bad_annotations(labels, annotated, options, message):
    with pytest.raises(ValueError, match=message):
        seeds_from_annotations(labels, annotated, **options)
