"""Where things are: named transforms, rotations, poses along a sweep, pixel regions.

Conventions
-----------
* A transform `a_to_b` is a 4x4 float64 matrix that takes column vectors in frame `a` to frame `b`; lengths
  are mm, in the image frame pixels. ``b_to_c @ a_to_b`` is `a_to_c`.
* Frames are named as in PLUS (Image, Probe, Tracker, Reference, World), transforms by two of them:
  ``ImageToProbeTransform``.
* Pixel (u, v) = (column, row), its centre at integer coordinates; v runs along the beam.
* Leading axes are batch axes: ``(..., 4, 4)``, ``(..., 3)``. Angles at this face are degrees (suffix `_deg`),
  times seconds.
"""

from usfast.geometry.outliers import reject_outliers
from usfast.geometry.poses import absolute_to_relative, interpolate_poses, relative_to_absolute
from usfast.geometry.region import fan_mask, rectangle_mask, sector_mask
from usfast.geometry.rotations import (
    euler_to_matrix,
    matrix_to_euler,
    matrix_to_quaternion,
    matrix_to_r6,
    nearest_rotation,
    polar,
    quaternion_to_matrix,
    r6_to_matrix,
)
from usfast.geometry.transforms import TransformGraph, apply, invert, split_name

__all__ = [
    "TransformGraph",
    "absolute_to_relative",
    "apply",
    "euler_to_matrix",
    "fan_mask",
    "interpolate_poses",
    "invert",
    "matrix_to_euler",
    "matrix_to_quaternion",
    "matrix_to_r6",
    "nearest_rotation",
    "polar",
    "quaternion_to_matrix",
    "r6_to_matrix",
    "rectangle_mask",
    "reject_outliers",
    "relative_to_absolute",
    "sector_mask",
    "split_name",
]
