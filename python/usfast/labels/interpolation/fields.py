"""Signed distances to drawn borders, and planes of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfast import _core
from usfast.labels.interpolation.annotations import Annotations, Bracket

__all__ = ["Ends", "Field", "Fields", "plane_of", "signed_distance"]


@dataclass(frozen=True, eq=False)
class Field:
    """Signed distances (H, W) float32, mm, on the image of one frame."""

    frame: int
    distance: NDArray[np.float32]


@dataclass(frozen=True)
class Ends:
    """The fields at both ends of a gap; `vanishes` is 1 (-1) where the structure is drawn before (after) it only."""

    before: Field
    after: Field
    vanishes: int


def signed_distance(mask: NDArray[np.bool_], spacing: tuple[float, float]) -> NDArray[np.float32]:
    """Return the distance of pixel centres to the border of a mask that is not empty: negative inside.

    Parameters
    ----------
    mask : (H, W) bool array
    spacing : (float, float)
        Of rows and columns, mm.

    Returns
    -------
    (H, W) float32 array
        mm. The border runs half way between pixels; where the mask fills the image, the distance to the image's
        far corner.
    """
    inside = np.ascontiguousarray(mask)[None].view(np.uint8)
    steps = (1.0, *spacing)
    if mask.all():
        return np.full(mask.shape, -np.hypot(*np.multiply(mask.shape, spacing)), np.float32)
    outwards, _ = _core.distance_transform(inside, steps, True, False, 1, None)
    inwards, _ = _core.distance_transform(inside, steps, False, False, 1, None)
    half = min(spacing) / 2
    return np.asarray(np.where(mask, half - inwards[0], outwards[0] - half), np.float32)


def plane_of(image_to_world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows (3, 4) that take world points to column, row and signed distance (mm) of an image's plane."""
    across, down = image_to_world[:3, 0], image_to_world[:3, 1]
    normal = np.cross(across, down)
    normal /= np.linalg.norm(normal)
    rows = np.linalg.inv(np.stack([across, down, normal], axis=1))
    return np.concatenate([rows, -(rows @ image_to_world[:3, 3])[:, None]], axis=1)


class Fields:
    """The signed distances of annotations, computed when they are asked for and kept while they are needed."""

    def __init__(self, read: Annotations) -> None:
        self._read = read
        u, v = read.sweep.pixel_spacing
        self._spacing = (v, u)
        self._kept: dict[tuple[int, int], Field | None] = {}

    def of(self, frame: int, column: int) -> Field | None:
        """The field of a structure on an annotated frame; None where it was not drawn."""
        key = (frame, column)
        if key not in self._kept:
            mask = self._read.mask(frame, column)
            self._kept[key] = Field(frame, signed_distance(mask, self._spacing)) if mask.any() else None
        return self._kept[key]

    def ends(self, bracket: Bracket) -> Ends | None:
        """The fields around a run; a structure on one side only ends round, half way to the other."""
        before, after = self.of(bracket.before, bracket.column), self.of(bracket.after, bracket.column)
        if before is not None and after is not None:
            return Ends(before, after, 0)
        there = after if before is None else before
        if there is None:
            return None
        # With the square of the way the deepest point is reached half way.
        depth = max(-4 * float(there.distance.min()), 1e-3)
        gone = Field(there.frame, there.distance + np.float32(depth))
        return Ends(there, gone, 1) if before is not None else Ends(gone, there, -1)

    def outer(self, bracket: Bracket) -> tuple[Field | None, Field | None]:
        """The fields of the annotations beyond the two around a run."""
        earlier = None if bracket.earlier is None else self.of(bracket.earlier, bracket.column)
        later = None if bracket.later is None else self.of(bracket.later, bracket.column)
        return earlier, later

    def forget_before(self, frame: int) -> None:
        """Drop what no later frame can ask for."""
        needed: set[tuple[int, int]] = set()
        for column in range(len(self._read.structures)):
            drawn = np.flatnonzero(self._read.annotated[: frame + 1, column])
            needed.update((int(f), column) for f in drawn[-2:])
        self._kept = {key: kept for key, kept in self._kept.items() if key[0] > frame or key in needed}
