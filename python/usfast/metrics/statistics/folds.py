"""Cross-validation: what the folds say together, and one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from usfast.metrics.statistics.summary import Summary, summarize
from usfast.metrics.statistics.table import CaseTable

__all__ = ["FoldSummary", "summarize_folds"]


@dataclass(frozen=True)
class FoldSummary:
    """One metric over the folds of a cross-validation.

    Attributes
    ----------
    pooled : Summary
        Of all cases together: every case counts once, so the spread is that of cases.
    folds : tuple of Summary
        Of each fold's cases.
    mean, sd : float
        Of the folds' means: every fold counts once, so the spread is that of trained models. Papers print either
        without saying which.
    """

    pooled: Summary
    folds: tuple[Summary, ...]
    mean: float
    sd: float


def summarize_folds(
    folds: Sequence[CaseTable],
    *,
    confidence: float = 0.95,
    resamples: int = 9999,
    method: str = "bca",
    seed: int = 0,
) -> dict[str, FoldSummary]:
    """Describe each metric over the folds of a cross-validation.

    Parameters
    ----------
    folds : sequence of CaseTable
        The test cases of each fold, with the same metrics; no case in two folds.
    confidence, resamples, method, seed
        As for `usfast.metrics.statistics.summarize`.

    Returns
    -------
    dict of str to FoldSummary
        By metric. A fold without a finite value is left out of the folds' mean.

    Raises
    ------
    ValueError
        If there is no fold, metrics differ or a case is tested twice.

    Examples
    --------
    >>> first = CaseTable(["a", "b"], ["dice"], [[0.9], [0.7]])
    >>> second = CaseTable(["c"], ["dice"], [[0.5]])
    >>> dice = summarize_folds([first, second])["dice"]
    >>> round(dice.pooled.mean, 3), dice.mean, [fold.count for fold in dice.folds]
    (0.7, 0.65, [2, 1])
    """
    if not folds:
        raise ValueError("there is no fold")
    metrics, seen = set(folds[0].metrics), set[str]()
    for number, fold in enumerate(folds):
        if set(fold.metrics) != metrics:
            differ = sorted(metrics ^ set(fold.metrics))
            raise ValueError(f"fold {number} does not have the metrics of fold 0: {', '.join(differ)}")
        if twice := sorted(seen & set(fold.cases)):
            raise ValueError(f"case {twice[0]!r} of fold {number} was tested in an earlier fold")
        seen |= set(fold.cases)

    def described(values: np.ndarray) -> Summary:
        return summarize(values, confidence=confidence, resamples=resamples, method=method, seed=seed)

    result = {}
    for metric in folds[0].metrics:
        parts = tuple(described(fold[metric]) for fold in folds)
        means = np.array([part.mean for part in parts if part.count])
        result[metric] = FoldSummary(
            pooled=described(np.concatenate([fold[metric] for fold in folds])),
            folds=parts,
            mean=float(means.mean()) if means.size else nan,
            sd=float(means.std(ddof=1)) if means.size > 1 else nan,
        )
    return result
