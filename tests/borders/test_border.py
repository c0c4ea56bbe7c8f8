"""label_border against the voxel-by-voxel reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import borders as reference

from usfast import Volume
from usfast.borders import label_border

few = settings(max_examples=30, deadline=None)


@st.composite
def label_maps(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(7, 9), (1, 8), (4, 5, 6), (1, 4, 5), (3, 3, 1)]))
    labels = rng.integers(0, draw(st.integers(1, 3)) + 1, shape).astype(draw(st.sampled_from((np.uint8, np.int32))))
    return np.kron(labels, np.ones((2,) * labels.ndim, labels.dtype)) if draw(st.booleans()) else labels


@few
@given(labels=label_maps())
def test_one_voxel(labels):
    border = label_border(labels)
    assert border.dtype == bool
    np.testing.assert_array_equal(border, reference.label_border(labels))


@few
@given(data=st.data(), labels=label_maps(), thickness=st.sampled_from((0.5, 1.0, 1.5, 2.0)))
def test_band(data, labels, thickness):
    spacing = data.draw(st.sampled_from([(1.0,) * labels.ndim, (2.0, 1.0, 0.5)[: labels.ndim]]))
    border = label_border(labels, spacing, thickness=thickness)
    np.testing.assert_array_equal(border, reference.band(labels, spacing, thickness))


@few
@given(labels=label_maps())
def test_a_band_of_one_voxel_is_the_border(labels):
    np.testing.assert_array_equal(label_border(labels, thickness=1.0), label_border(labels))


def test_nothing_and_everything():
    assert not label_border(np.zeros((4, 5), bool)).any()
    assert not label_border(np.zeros((4, 5, 6), np.uint8), thickness=3).any()
    full = label_border(np.ones((5, 5), bool))
    assert full.sum() == 16
    assert label_border(np.ones((1, 1), bool)).all()


def test_a_volume_brings_its_spacing():
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[1:8, 1:8, 1:8] = 3
    volume = Volume(labels, spacing=(1.0, 1.0, 0.5))
    np.testing.assert_array_equal(
        label_border(volume, thickness=1.0), label_border(labels, (0.5, 1.0, 1.0), thickness=1.0)
    )
    with pytest.raises(ValueError, match="spacing comes with a Volume"):
        label_border(volume, 1.0)


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        (np.ones(4, int), {}, ValueError, r"not shape \(4,\)"),
        (np.ones((0, 4), int), {}, ValueError, "non-empty"),
        (np.ones((3, 3)), {}, TypeError, "booleans or integers, not float64"),
        (np.ones((3, 3), int), {"thickness": 0}, ValueError, "thickness must be positive, not 0"),
        (np.ones((3, 3), int), {"thickness": np.nan}, ValueError, "thickness must be positive"),
        (np.ones((3, 3), int), {"spacing": (1, 1, 1)}, ValueError, r"one number or \(y, x\)"),
        (np.ones((3, 3), int), {"spacing": (1, -1)}, ValueError, "spacing must be positive"),
    ],
)
def test_errors(labels, options, error, message):
    with pytest.raises(error, match=message):
        label_border(labels, **options)
