"""Full 3D labels from annotations on some frames of a sweep.

`interpolate` labels the frames between annotated ones (`METHODS`: `zero_order`, `signed_distance_interpolation`,
`disc_guided_interpolation`); `label_volume` compounds label frames of one or more sweeps into voxels and smooths them
(`smooth_labels`); `fill_between_slices` works on parallel slices of a label volume.
"""

from usfast.labels.annotations import LabelledSweep
from usfast.labels.discs import disc_guided_interpolation
from usfast.labels.interpolate import METHODS, interpolate
from usfast.labels.signed_distance import ORDERS, signed_distance_interpolation
from usfast.labels.slices import SLICE_METHODS, fill_between_slices
from usfast.labels.volumes import LabelVolume, label_volume, smooth_labels
from usfast.labels.zero_order import RULES, zero_order

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
