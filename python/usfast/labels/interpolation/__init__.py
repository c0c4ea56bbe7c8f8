"""Labels between annotations: along a sweep, and between parallel slices of a volume."""

from usfast.labels.interpolation.annotations import LabelledSweep
from usfast.labels.interpolation.discs import disc_guided_interpolation
from usfast.labels.interpolation.interpolate import METHODS, interpolate
from usfast.labels.interpolation.signed_distance import ORDERS, signed_distance_interpolation
from usfast.labels.interpolation.slices import SLICE_METHODS, fill_between_slices
from usfast.labels.interpolation.volumes import LabelVolume, label_volume, smooth_labels
from usfast.labels.interpolation.zero_order import RULES, zero_order

__all__ = [
    "METHODS",
    "ORDERS",
    "RULES",
    "SLICE_METHODS",
    "LabelVolume",
    "LabelledSweep",
    "disc_guided_interpolation",
    "fill_between_slices",
    "interpolate",
    "label_volume",
    "signed_distance_interpolation",
    "smooth_labels",
    "zero_order",
]
