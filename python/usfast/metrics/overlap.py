"""Overlap of two segmentations: Dice, IoU, precision, recall and volumes, from one pass over both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, nan
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from usfast._threads import get_num_threads
from usfast.metrics.pairs import as_pair, label_pairs
from usfast.volume import Volume

__all__ = ["OverlapMetrics", "overlap"]


@dataclass(frozen=True)
class OverlapMetrics:
    """Counts of voxels, and what follows from them.

    A ratio of nothing to nothing is NaN: precision of an empty prediction, Dice of two empty masks.

    Parameters
    ----------
    true_positive, false_positive, false_negative, true_negative : int
        Voxels.
    voxel_mm3 : float
        Volume of a voxel, mm3 (area of a pixel, mm2).

    Examples
    --------
    >>> o = OverlapMetrics(true_positive=90, false_positive=10, false_negative=30, true_negative=870, voxel_mm3=0.5)
    >>> round(o.dice, 3), o.precision, o.recall, o.miss_rate, o.pred_mm3, o.volume_error_percent
    (0.818, 0.9, 0.75, 0.25, 50.0, -16.666666666666668)
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    voxel_mm3: float

    @property
    def pred_voxels(self) -> int:
        """Voxels of the prediction."""
        return self.true_positive + self.false_positive

    @property
    def ref_voxels(self) -> int:
        """Voxels of the reference."""
        return self.true_positive + self.false_negative

    @property
    def dice(self) -> float:
        """2 |P and R| / (|P| + |R|); the F1 score."""
        return _ratio(2 * self.true_positive, self.pred_voxels + self.ref_voxels)

    @property
    def iou(self) -> float:
        """|P and R| / |P or R|, the Jaccard index."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive + self.false_negative)

    @property
    def precision(self) -> float:
        """Share of the prediction that is right."""
        return _ratio(self.true_positive, self.pred_voxels)

    @property
    def recall(self) -> float:
        """Share of the reference that was found; sensitivity."""
        return _ratio(self.true_positive, self.ref_voxels)

    @property
    def miss_rate(self) -> float:
        """Share of the reference that was missed: 1 - recall."""
        return _ratio(self.false_negative, self.ref_voxels)

    @property
    def specificity(self) -> float:
        """Share of the background that was left alone."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def pred_mm3(self) -> float:
        """Volume of the prediction, mm3."""
        return self.pred_voxels * self.voxel_mm3

    @property
    def ref_mm3(self) -> float:
        """Volume of the reference, mm3."""
        return self.ref_voxels * self.voxel_mm3

    @property
    def pred_ml(self) -> float:
        """Volume of the prediction, ml."""
        return self.pred_mm3 / 1000.0

    @property
    def ref_ml(self) -> float:
        """Volume of the reference, ml."""
        return self.ref_mm3 / 1000.0

    @property
    def volume_error_percent(self) -> float:
        """Predicted less true volume, in percent of the true one; negative where the prediction is too small."""
        difference = self.pred_voxels - self.ref_voxels
        if self.ref_voxels == 0:
            return nan if difference == 0 else inf
        return 100.0 * difference / self.ref_voxels

    @property
    def absolute_volume_error_percent(self) -> float:
        """Its size without the sign."""
        return abs(self.volume_error_percent)


@overload
def overlap(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    spacing: ArrayLike | None = ...,
    *,
    labels: None = ...,
    num_threads: int | None = ...,
) -> OverlapMetrics: ...
@overload
def overlap(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    spacing: ArrayLike | None = ...,
    *,
    labels: Iterable[int] | Literal["all"],
    num_threads: int | None = ...,
) -> dict[int, OverlapMetrics]: ...
def overlap(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    spacing: ArrayLike | None = None,
    *,
    labels: Iterable[int] | Literal["all"] | None = None,
    num_threads: int | None = None,
) -> OverlapMetrics | dict[int, OverlapMetrics]:
    """Count how two segmentations overlap.

    Parameters
    ----------
    pred, ref : (H, W) or (Z, Y, X) array of bool or integers, or Volume
    spacing : float or (z, y, x) or (y, x), optional
        Of the array's own axes, mm, for volumes; default 1. Not allowed beside volumes, which carry theirs.
    labels : iterable of int or "all", optional
        Structures, each against the same label in `ref`; "all": every label above 0 in either. Default: everything
        that is not 0 is one structure.
    num_threads : int, optional
        Does not change the result.

    Returns
    -------
    OverlapMetrics, or dict of int to OverlapMetrics where `labels` are given

    Raises
    ------
    ValueError, TypeError, GeometryError
        As `usfast.metrics.surface`.

    Examples
    --------
    >>> both = overlap([[0, 1, 2, 2]], [[0, 1, 1, 2]], labels="all")
    >>> {label: round(o.dice, 3) for label, o in both.items()}
    {1: 0.667, 2: 0.667}
    """
    pair = as_pair(pred, ref, spacing)
    counts = {(a, b): count for a, b, count, *_ in label_pairs(pair, get_num_threads(num_threads))}
    voxel = float(np.prod(pair.spacing))
    if labels is None:
        merged: dict[tuple[int, int], int] = {}
        for (a, b), count in counts.items():
            key = int(a != 0), int(b != 0)
            merged[key] = merged.get(key, 0) + count
        return _of_label(1, merged, voxel)
    wanted: Any = sorted({label for key in counts for label in key} - {0}) if isinstance(labels, str) else labels
    return {int(label): _of_label(int(label), counts, voxel) for label in wanted}


def _of_label(label: int, counts: dict[tuple[int, int], int], voxel: float) -> OverlapMetrics:
    both = counts.get((label, label), 0)
    in_pred = sum(count for (a, _), count in counts.items() if a == label)
    in_ref = sum(count for (_, b), count in counts.items() if b == label)
    total = sum(counts.values())
    return OverlapMetrics(both, in_pred - both, in_ref - both, total - in_pred - in_ref + both, voxel)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else nan
