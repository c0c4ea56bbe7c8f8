"""What a set of cases says: tables, intervals, comparisons, observers, uncertainty."""

from usfast.metrics.statistics.agreement import (
    BlandAltman,
    Icc,
    bland_altman,
    coefficient_of_variation,
    dice_matrix,
    icc,
)
from usfast.metrics.statistics.comparison import Comparison, PairTest, compare, holm
from usfast.metrics.statistics.entropy import Uncertainty, entropy_map, uncertainty_maps
from usfast.metrics.statistics.folds import FoldSummary, summarize_folds
from usfast.metrics.statistics.summary import Summary, bootstrap_interval, summarize
from usfast.metrics.statistics.table import CaseTable

__all__ = [
    "BlandAltman",
    "CaseTable",
    "Comparison",
    "FoldSummary",
    "Icc",
    "PairTest",
    "Summary",
    "Uncertainty",
    "bland_altman",
    "bootstrap_interval",
    "coefficient_of_variation",
    "compare",
    "dice_matrix",
    "entropy_map",
    "holm",
    "icc",
    "summarize",
    "summarize_folds",
    "uncertainty_maps",
]
