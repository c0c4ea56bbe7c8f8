"""border_kinds: equation 2.1, its thresholds and what it refuses; on real images where they are there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import borders as reference

from usfast import GeometryError, Volume
from usfast.borders import border_kinds, label_border


def half_shadowed(noise=2.0, seed=0):
    """A bright disc whose right half lies in shadow, and its label."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:96, :96]
    disc = np.hypot(v - 48, u - 48) < 30
    image = 40.0 + 100 * (disc & (u < 48)) - 40.0 * (u >= 48)
    return image + rng.normal(0, noise, image.shape), disc


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(14, 15), (6, 7, 8)]),
    sigma=st.sampled_from((0.0, 1.0)),
    fraction=st.sampled_from((0.3, 0.7)),
)
def test_equation(seed, shape, sigma, fraction):
    rng = np.random.default_rng(seed)
    image, labels = rng.uniform(0, 255, shape), rng.integers(0, 3, shape)
    expected = reference.gradient(image, (1.0,) * len(shape), sigma)
    threshold = float(np.quantile(expected, fraction))
    kinds = border_kinds(image, labels, sigma=sigma, threshold=threshold)
    border = reference.label_border(labels)
    sure = np.abs(expected - threshold) > 1e-2
    np.testing.assert_array_equal(kinds.distinct[sure], (border & (expected > threshold))[sure])
    np.testing.assert_array_equal(kinds.distinct | kinds.completed, border)
    np.testing.assert_array_equal(kinds.border, border)
    assert not (kinds.distinct & kinds.completed).any()
    assert kinds.threshold == threshold
    assert kinds.distinct_share == kinds.distinct.sum() / border.sum()


def test_otsu_finds_the_side_in_the_light():
    image, disc = half_shadowed()
    kinds = border_kinds(image, disc)
    left, right = np.s_[:, :44], np.s_[:, 52:]
    assert kinds.distinct[left].sum() > 0.95 * kinds.border[left].sum()
    assert kinds.completed[right].sum() > 0.95 * kinds.border[right].sum()


def test_otsu_is_that_of_scikit_image():
    from skimage.filters import threshold_otsu

    image, disc = half_shadowed()
    kinds = border_kinds(image, disc)
    assert kinds.threshold == pytest.approx(threshold_otsu(kinds.gradient), rel=1e-6)


def test_percentile_is_of_the_data_alone():
    image, disc = half_shadowed()
    mask = np.ones(image.shape, bool)
    mask[:, 80:] = False
    kinds = border_kinds(image, disc, percentile=90, mask=mask)
    assert kinds.threshold == pytest.approx(np.percentile(kinds.gradient[mask], 90))
    assert np.isnan(kinds.gradient[~mask]).all()


def test_border_without_data_is_completed():
    image, disc = half_shadowed()
    image[:, :48] = np.nan
    kinds = border_kinds(image, disc, threshold=1.0)
    border = label_border(disc)
    np.testing.assert_array_equal(kinds.completed[:, :48], border[:, :48])


def test_thickness_marks_the_band():
    image, disc = half_shadowed()
    kinds = border_kinds(image, disc, thickness=3.0)
    np.testing.assert_array_equal(kinds.border, label_border(disc, thickness=3.0))


def test_scaling_mm_scales_the_gradient():
    image, disc = half_shadowed()
    one, other = border_kinds(image, disc), border_kinds(image, disc, 0.25)
    np.testing.assert_array_equal(one.distinct, other.distinct)
    assert other.threshold == pytest.approx(4 * one.threshold)


@pytest.mark.parametrize("labels", [np.zeros((8, 9), bool), np.zeros((8, 9), int)])
def test_no_label_no_border(labels):
    kinds = border_kinds(np.random.default_rng(0).uniform(0, 1, (8, 9)), labels)
    assert not kinds.border.any()
    assert np.isnan(kinds.distinct_share)


@pytest.mark.parametrize("options", [{}, {"percentile": 50}, {"threshold": 0}])
def test_a_flat_image_shows_nothing(options):
    kinds = border_kinds(np.full((8, 8), 7), np.ones((8, 8), int), **options)
    assert not kinds.distinct.any()
    assert kinds.completed.sum() == 28


def test_volumes():
    image, disc = half_shadowed()
    stack, labels = np.repeat(image[None], 5, axis=0), np.repeat(disc[None], 5, axis=0).astype(np.uint8)
    step = (0.5, 0.5, 1.0)
    kinds = border_kinds(Volume(stack, step), Volume(labels, step))
    same = border_kinds(stack, labels, (1.0, 0.5, 0.5))
    np.testing.assert_array_equal(kinds.distinct, same.distinct)
    assert kinds.threshold == same.threshold
    with pytest.raises(GeometryError, match="spacing"):
        border_kinds(Volume(stack, step), Volume(labels, 1.0))
    with pytest.raises(ValueError, match="both be volumes or both be arrays"):
        border_kinds(Volume(stack, step), labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": "li"}, "a number or \"otsu\", not 'li'"),
        ({"threshold": -1.0}, "threshold must not be negative"),
        ({"threshold": np.nan}, "threshold must not be negative"),
        ({"percentile": 101}, "percentile must lie between 0 and 100, not 101"),
        ({"percentile": 50, "threshold": 3.0}, "threshold or percentile, not both"),
        ({"labels": np.ones((9, 8), int)}, r"image has shape \(8, 8\), but labels \(9, 8\)"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        border_kinds(**{"image": np.ones((8, 8)), "labels": np.ones((8, 8), int), **options})


def test_real_nerves(data_dir):
    """Ultrasound of nerves with an expert's masks: part of the border is seen, part was completed."""
    import imageio.v3

    folder = data_dir / "images2d" / "nerve_usgra"
    pictures = sorted((folder / "images").glob("*.png"))[::20]
    if not pictures:
        pytest.skip("no images of nerves")
    shares = []
    for picture in pictures:
        image, mask = (np.asarray(imageio.v3.imread(folder / part / picture.name)) for part in ("images", "masks"))
        image, mask = (array if array.ndim == 2 else array[..., :3].max(axis=-1) for array in (image, mask))
        kinds = border_kinds(image, mask > 0)
        np.testing.assert_array_equal(kinds.border, label_border(mask > 0))
        assert kinds.gradient[kinds.distinct].min(initial=np.inf) > kinds.threshold
        assert kinds.gradient[kinds.completed].max(initial=0) <= kinds.threshold
        shares.append(kinds.distinct_share)
    assert 0.05 < np.nanmean(shares) < 0.95
