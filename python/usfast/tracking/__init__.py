"""Trajectories: how good an estimated one is.

`trajectory_metrics` gives drift, drift rates, Hausdorff distance and rotation errors at once; each is a function of
its own, too. `tus_rec_scores` gives the errors and the score of the TUS-REC challenge.
"""

from usfast.tracking.displacement import displacement_fields, landmark_displacements, write_displacement_fields
from usfast.tracking.distances import (
    average_drift_rate,
    distance_error,
    drift,
    final_drift_rate,
    frame_errors,
    hausdorff_distance,
    maximum_drift,
    path_length,
    sum_of_drift,
    thesis_drift,
)
from usfast.tracking.metrics import TrajectoryMetrics, trajectory_metrics
from usfast.tracking.points import image_points, track_points
from usfast.tracking.rotation import (
    average_rotation_rate,
    geodesic_error,
    maximum_rotation_rate,
    mean_rotation_error,
    rotation_errors,
    rotation_path,
)
from usfast.tracking.tusrec import TusRecErrors, tus_rec_scores

__all__ = [
    "TrajectoryMetrics",
    "TusRecErrors",
    "average_drift_rate",
    "average_rotation_rate",
    "displacement_fields",
    "distance_error",
    "drift",
    "final_drift_rate",
    "frame_errors",
    "geodesic_error",
    "hausdorff_distance",
    "image_points",
    "landmark_displacements",
    "maximum_drift",
    "maximum_rotation_rate",
    "mean_rotation_error",
    "path_length",
    "rotation_errors",
    "rotation_path",
    "sum_of_drift",
    "thesis_drift",
    "track_points",
    "trajectory_metrics",
    "tus_rec_scores",
    "write_displacement_fields",
]
