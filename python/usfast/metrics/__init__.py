"""How good a segmentation is: surface distances, overlap, distance transforms, statistics over cases."""

from usfast.metrics import statistics, training
from usfast.metrics.batch import surface_batch
from usfast.metrics.by_kind import BorderShares, border_shares, surface_by_kind
from usfast.metrics.definitions import PRESETS, Definition
from usfast.metrics.distance import distance_transform
from usfast.metrics.distances import DistanceTable
from usfast.metrics.overlap import OverlapMetrics, overlap
from usfast.metrics.surface import SurfaceMetrics, surface

__all__ = [
    "PRESETS",
    "BorderShares",
    "Definition",
    "DistanceTable",
    "OverlapMetrics",
    "SurfaceMetrics",
    "border_shares",
    "distance_transform",
    "overlap",
    "statistics",
    "surface",
    "surface_batch",
    "surface_by_kind",
    "training",
]
