"""The area of a structure along an axis: of the volume, its own, or any line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import positive
from usfast.labels.images.scenes import as_label_map, as_steps, box_of
from usfast.volume import Volume

__all__ = ["CrossSections", "cross_sectional_area"]

Floats = NDArray[np.float64]
_AXES = ("z", "y", "x")


@dataclass(frozen=True, eq=False)
class CrossSections:
    """Areas of a structure in planes across a line.

    Attributes
    ----------
    positions_mm : (P,) float64 array
        Along the line, from its first point; along an axis of the volume from the centre of voxel 0.
    area_cm2 : (P,) float64 array
    centres : (P, 3) float64 array
        Where the line meets each plane, world (x, y, z), mm.
    normals : (P, 3) float64 array
        The line's direction there.
    """

    positions_mm: Floats
    area_cm2: Floats
    centres: Floats
    normals: Floats

    @property
    def volume_ml(self) -> float:
        """The areas' sum along the line, ml: the structure's volume where the line runs straight through all of it."""
        if len(self.positions_mm) < 2:
            return float("nan")
        means = (self.area_cm2[1:] + self.area_cm2[:-1]) / 2
        return float(means @ np.diff(self.positions_mm)) / 10

    @property
    def largest_cm2(self) -> float:
        """The largest area, the anatomical cross-section of a muscle."""
        return float(self.area_cm2.max())


def cross_sectional_area(
    labels: ArrayLike | Volume,
    label: int = 1,
    *,
    axis: str | ArrayLike = "z",
    spacing: ArrayLike | None = None,
    step_mm: float | None = None,
) -> CrossSections:
    """Return the area of a structure along an axis.

    Parameters
    ----------
    labels : (Z, Y, X) array of bool or integers, or Volume
    label : int
        The structure.
    axis : {"z", "y", "x", "principal"} or (M, 3) array
        An axis of the volume (exact: voxels of each slice), the structure's longest axis of inertia, or a centreline:
        two or more world points (x, y, z), mm, joined by straight pieces.
    spacing : float or (z, y, x), optional
        Of a bare array, mm; default 1.
    step_mm : float, optional
        Between the planes across a centreline or the principal axis; default the smallest spacing.

    Returns
    -------
    CrossSections
        For "principal" the line starts where the structure does, towards its larger z.

    Raises
    ------
    ValueError, TypeError
        If the labels hold no voxel of the structure; if the line has no length.

    Notes
    -----
    Planes across a line are sampled every half of the smallest spacing, the label between voxels being linear
    (0.5 is the border's). A plane across a curved line counts all that it meets of the structure.

    Examples
    --------
    >>> tube = np.zeros((4, 30, 30), bool)
    >>> tube[:, 5:25, 10:20] = True
    >>> cross_sectional_area(tube, spacing=(2.0, 0.5, 0.5)).area_cm2.tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    array, steps = as_label_map("labels", labels), as_steps(labels, spacing)
    inside = array == label
    box = box_of(inside, (1, 1, 1))
    if label == 0 or box is None:
        present = sorted(set(np.unique(array).tolist()) - {0})
        raise ValueError(f"no voxel has the label {label}; the labels are {present}")
    to_world = _voxel_to_world(labels, steps)
    if isinstance(axis, str) and axis in _AXES:
        if step_mm is not None:
            raise ValueError("step_mm goes with a centreline or the principal axis; slices have the volume's spacing")
        return _slices(inside, _AXES.index(axis), steps, to_world)
    step = min(steps) if step_mm is None else positive("step_mm", step_mm)
    if isinstance(axis, str):
        if axis != "principal":
            raise ValueError(f"axis must be one of {', '.join(_AXES)}, principal or points (M, 3), not {axis!r}")
        line = _principal(inside, box, to_world, step)
    else:
        line = _checked_line(axis)
    return _across(inside, box, line, step, min(steps) / 2, to_world)


def _voxel_to_world(labels: ArrayLike | Volume, steps: tuple[float, ...]) -> Floats:
    if isinstance(labels, Volume):
        return labels.grid.voxel_to_world
    return np.diag([*steps[::-1], 1.0])


def _slices(inside: NDArray[np.bool_], axis: int, steps: tuple[float, ...], to_world: Floats) -> CrossSections:
    others = tuple(a for a in range(3) if a != axis)
    counts = np.count_nonzero(inside, axis=others)
    place = np.arange(len(counts))
    direction = to_world[:3, 2 - axis] / steps[axis]
    centres = to_world[:3, 3] + np.outer(place * steps[axis], direction)
    area = np.asarray(counts * (steps[others[0]] * steps[others[1]] / 100), np.float64)
    positions = np.asarray(place * steps[axis], np.float64)
    return CrossSections(positions, area, centres, np.tile(direction, (len(counts), 1)))


def _principal(inside: NDArray[np.bool_], box: tuple[slice, ...], to_world: Floats, step: float) -> Floats:
    """Return the ends (2, 3) of the structure's longest axis of inertia, a step beyond the structure."""
    voxels = np.argwhere(inside[box])[:, ::-1] + [s.start for s in box][::-1]
    points = voxels @ to_world[:3, :3].T + to_world[:3, 3]
    centre = points.mean(axis=0)
    points -= centre
    direction = np.linalg.eigh(points.T @ points)[1][:, -1]
    if direction @ to_world[:3, 2] < 0:
        direction = -direction
    along = points @ direction
    reach = step + float(np.abs(to_world[:3, :3].T @ direction).sum()) / 2
    return np.stack([centre + (along.min() - reach) * direction, centre + (along.max() + reach) * direction])


def _checked_line(axis: ArrayLike) -> Floats:
    line = np.asarray(axis, np.float64)
    if line.ndim != 2 or line.shape[1] != 3 or len(line) < 2 or not np.isfinite(line).all():
        raise ValueError(f"a centreline must be two or more finite points (M, 3), not an array of shape {line.shape}")
    apart = np.concatenate([[True], np.linalg.norm(np.diff(line, axis=0), axis=1) > 0])
    if apart.sum() < 2:
        raise ValueError("the centreline has no length: all its points are the same")
    return np.asarray(line[apart], np.float64)


def _across(
    inside: NDArray[np.bool_],
    box: tuple[slice, ...],
    line: Floats,
    step: float,
    pixel: float,
    to_world: Floats,
) -> CrossSections:
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    if length[-1] / step > 1e6:
        raise ValueError(f"the line is {length[-1]:g} mm long: {step:g} mm between planes makes too many")
    positions = np.asarray(np.arange(int(length[-1] / step * (1 + 1e-12)) + 1) * step, np.float64)
    centres = np.stack([np.interp(positions, length, line[:, k]) for k in range(3)], axis=1)
    piece = np.clip(np.searchsorted(length, positions, side="right") - 1, 0, len(line) - 2)
    normals = np.diff(line, axis=0)[piece]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    # A voxel of 0 all around, beyond the volume's border too, so that the structure ends half a voxel farther out.
    field = np.pad(inside[tuple(slice(max(s.start, 0), s.stop) for s in box)], 1).astype(np.float32)
    first = np.array([s.start - 1 for s in box][::-1], np.float64)
    area = np.array([_plane(field, first, c, n, pixel, to_world) for c, n in zip(centres, normals, strict=True)])
    return CrossSections(positions, area, centres, normals)


def _plane(field: NDArray[Any], first: Floats, centre: Floats, normal: Floats, pixel: float, to_world: Floats) -> float:
    """Return the area (cm2) of what is inside in the plane through a point."""
    from scipy.ndimage import map_coordinates

    helper = np.eye(3)[np.argmin(np.abs(normal))]
    u = np.cross(normal, helper)
    u /= np.linalg.norm(u)
    v = np.cross(normal, u)
    far = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (np.array(field.shape[::-1]) - 1)
    corners = (far + first) @ to_world[:3, :3].T + to_world[:3, 3] - centre
    if not (corners @ normal).min() <= 0 <= (corners @ normal).max():
        return 0.0
    a, b = (
        np.arange(np.floor((corners @ w).min() / pixel), np.ceil((corners @ w).max() / pixel) + 1) * pixel
        for w in (u, v)
    )
    to_voxel = np.linalg.inv(to_world[:3, :3])
    at = (to_voxel @ (centre - to_world[:3, 3]) - first)[:, None, None]
    at = at + (to_voxel @ u)[:, None, None] * a[:, None] + (to_voxel @ v)[:, None, None] * b
    values = map_coordinates(field, at[::-1], order=1, mode="constant", cval=0.0)
    return float(np.count_nonzero(values >= 0.5)) * pixel**2 / 100
