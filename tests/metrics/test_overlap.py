"""Overlap counts and what follows from them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast import Volume, metrics


@given(
    st.integers(0, 2**32), st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 90)), st.sampled_from("BHhlq")
)
@settings(max_examples=60, deadline=None)
def test_counts(seed: int, shape: tuple[int, int, int], dtype: str) -> None:
    random = np.random.default_rng(seed)
    pred, ref = (np.sort(random.integers(0, 4, shape), axis=2).astype(dtype) for _ in range(2))
    every = metrics.overlap(pred, ref, labels="all")
    assert sorted(every) == sorted(set(np.unique([*pred.flat, *ref.flat]).tolist()) - {0})
    for label, o in every.items():
        p, r = pred == label, ref == label
        counts = [int((a & b).sum()) for a, b in ((p, r), (p, ~r), (~p, r), (~p, ~r))]
        assert [o.true_positive, o.false_positive, o.false_negative, o.true_negative] == counts
    merged = metrics.overlap(pred, ref)
    assert merged.true_positive == int(((pred > 0) & (ref > 0)).sum())
    assert merged == metrics.overlap(pred > 0, ref > 0, num_threads=1)


def test_ratios() -> None:
    ref = np.zeros((10, 10), bool)
    ref[2:6, 2:7] = True  # 20
    pred = np.zeros((10, 10), bool)
    pred[2:6, 4:8] = True  # 16, 12 of them right
    o = metrics.overlap(pred, ref, spacing=(0.5, 2.0))
    assert (o.dice, o.iou) == (24 / 36, 12 / 24)
    assert (o.precision, o.recall, o.miss_rate) == (12 / 16, 12 / 20, 8 / 20)
    assert o.specificity == 76 / 80
    assert (o.pred_mm3, o.ref_mm3) == (16.0, 20.0)
    assert (o.volume_error_percent, o.absolute_volume_error_percent) == (-20.0, 20.0)


def test_nothing_divided_by_nothing_is_nan() -> None:
    empty, full = np.zeros((3, 3), bool), np.ones((3, 3), bool)
    o = metrics.overlap(empty, empty)
    assert all(np.isnan(v) for v in (o.dice, o.iou, o.precision, o.recall, o.miss_rate, o.volume_error_percent))
    assert o.specificity == 1.0
    o = metrics.overlap(full, empty)
    assert (o.dice, o.precision, o.volume_error_percent) == (0, 0, np.inf) and np.isnan(o.recall)
    assert np.isnan(metrics.overlap(full, full).specificity)


def test_volumes_in_millilitres() -> None:
    array = np.ones((10, 10, 10), np.uint8)
    o = metrics.overlap(Volume(array, spacing=2.0), Volume(array, spacing=2.0))
    assert (o.ref_ml, o.pred_ml) == (8.0, 8.0)


def test_labels_that_do_not_occur() -> None:
    o = metrics.overlap([[0, 1]], [[0, 1]], labels=[5])[5]
    assert (o.true_positive, o.true_negative) == (0, 2) and np.isnan(o.dice)


def test_surface_counts_the_same_in_its_pass() -> None:
    labels = np.kron(np.arange(4).reshape(2, 2, 1), np.ones((4, 4, 5), int))
    moved = np.roll(labels, 1, axis=1)
    every, expected = (measure(moved, labels, 0.5, labels="all") for measure in (metrics.surface, metrics.overlap))
    assert {label: s.overlap for label, s in every.items()} == expected  # type: ignore[union-attr]
    assert metrics.surface(moved > 1, labels > 1, 0.5).overlap == metrics.overlap(moved > 1, labels > 1, 0.5)
    assert metrics.surface(moved > 1, labels > 1, definition="mesh").overlap == metrics.overlap(moved > 1, labels > 1)
