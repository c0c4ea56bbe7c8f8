"""Structures outlined on frames: contours, the pixels they enclose, and what is wrong with some."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice
from usfast.labels.files.segments import OVERLAPS

__all__ = ["Contour", "ContourSet", "contours_to_mask"]

CROSSINGS = ("refuse", "even-odd")
OUTSIDE = ("refuse", "clip")
_MOST_POINTS = 20_000  # of one label on one frame


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed outline on one frame.

    Parameters
    ----------
    points : (K, 2) array
        Pixels (u, v) = (column, row), centres at integers, in order; the last is joined to the first. At least three.
    label : int
        Of the structure, 1 to 65535.
    frame : int
        0 is the first.

    Raises
    ------
    ValueError
        If there are fewer than three points, one is not finite, or a number is out of range.
    """

    points: NDArray[np.float64]
    label: int
    frame: int = 0

    def __init__(self, points: ArrayLike, label: int, frame: int = 0) -> None:
        array = np.asarray(points, np.float64)
        if array.ndim != 2 or array.shape[1] != 2:
            raise ValueError(f"a contour's points must have shape (K, 2), not {array.shape}")
        if not np.isfinite(array).all() or np.abs(array).max(initial=0) > 1e6:
            raise ValueError("a contour's points must be finite pixels")
        if len(array) > 1 and (array[0] == array[-1]).all():
            array = array[:-1]
        if len(np.unique(array, axis=0)) < 3:
            raise ValueError("a contour needs three different points at least")
        if not isinstance(label, (int, np.integer)) or not 1 <= label <= 65535:
            raise ValueError(f"a contour's label must be a whole number from 1 to 65535, not {label!r}")
        if not isinstance(frame, (int, np.integer)) or frame < 0:
            raise ValueError(f"a contour's frame must be a whole number from 0, not {frame!r}")
        object.__setattr__(self, "points", array)
        object.__setattr__(self, "label", int(label))
        object.__setattr__(self, "frame", int(frame))


@dataclass(frozen=True, eq=False)
class ContourSet:
    """The contours of a sweep.

    Attributes
    ----------
    contours : tuple of Contour
    frames : int
        Frames of the sweep.
    shape : (int, int)
        Rows and columns (H, W) of a frame.
    names : mapping of int to str
        Label -> structure.
    annotated : frozenset of int
        Frames that were looked at: those with a contour, and those said to hold nothing.
    """

    contours: tuple[Contour, ...]
    frames: int
    shape: tuple[int, int]
    names: Mapping[int, str] = field(default_factory=dict)
    annotated: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        sizes = np.asarray([self.frames, *self.shape])
        if sizes.shape != (3,) or sizes.dtype.kind not in "iu" or (sizes < 1).any():
            raise ValueError(f"frames and shape must be positive whole numbers, not {self.frames!r}, {self.shape!r}")
        every = {contour.frame for contour in self.contours} | set(self.annotated)
        beyond = sorted(frame for frame in every if not 0 <= frame < self.frames)
        if beyond:
            raise ValueError(f"frame {beyond[0]} is annotated, but the frames are 0 to {self.frames - 1}")
        object.__setattr__(self, "annotated", frozenset(every))

    def masks(
        self, *, crossing: str = "refuse", outside: str = "refuse", overlap: str = "refuse"
    ) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
        """Return labels (N, H, W) uint16 and which frames (N,) are annotated; parameters as `contours_to_mask`."""
        import psutil

        need, available = 2 * math.prod((self.frames, *self.shape)), psutil.virtual_memory().available
        if need > available:
            raise MemoryError(
                f"labels of {self.frames} frames of {self.shape} pixels need {need / 2**30:.1f} GiB, "
                f"but only {available / 2**30:.1f} GiB of memory are available"
            )
        labels = np.zeros((self.frames, *self.shape), np.uint16)
        by_frame: dict[int, list[Contour]] = {}
        for contour in self.contours:
            by_frame.setdefault(contour.frame, []).append(contour)
        for frame, contours in by_frame.items():
            try:
                labels[frame] = contours_to_mask(
                    contours, self.shape, crossing=crossing, outside=outside, overlap=overlap
                )
            except ValueError as error:
                raise ValueError(f"frame {frame}: {error}") from None
        annotated = np.zeros(self.frames, bool)
        annotated[sorted(self.annotated)] = True
        return labels, annotated


def contours_to_mask(
    contours: Iterable[Contour],
    shape: tuple[int, int],
    *,
    crossing: str = "refuse",
    outside: str = "refuse",
    overlap: str = "refuse",
) -> NDArray[np.uint16]:
    """Return the labels of the pixels whose centres contours of one frame enclose.

    Contours of one label are filled together by the even-odd rule: one inside another is a hole, two apart are two
    parts.

    Parameters
    ----------
    contours : iterable of Contour
        Of one frame.
    shape : (int, int)
        Rows and columns (H, W).
    crossing : {"refuse", "even-odd"}
        What to do with contours of one label that cross themselves or each other: refuse them, or fill by the rule
        all the same, which leaves the parts enclosed twice empty.
    outside : {"refuse", "clip"}
        Points more than half a pixel outside the image.
    overlap : {"refuse", "first", "last"}
        Pixels that two labels claim.

    Returns
    -------
    (H, W) uint16 array

    Raises
    ------
    ValueError
        If something is to be refused; says which label and where.

    Examples
    --------
    >>> square = Contour([[1, 1], [4, 1], [4, 3], [1, 3]], label=2)
    >>> contours_to_mask([square], (5, 6)).tolist()[1:4]
    [[0, 2, 2, 2, 0, 0], [0, 2, 2, 2, 0, 0], [0, 0, 0, 0, 0, 0]]
    """
    choice("crossing", crossing, CROSSINGS)
    choice("outside", outside, OUTSIDE)
    choice("overlap", overlap, OVERLAPS)
    sizes = np.asarray(shape)
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu" or (sizes < 1).any():
        raise ValueError(f"shape must be two positive whole numbers (rows, columns), not {shape!r}")
    height, width = int(sizes[0]), int(sizes[1])
    by_label: dict[int, list[NDArray[np.float64]]] = {}
    for contour in contours:
        by_label.setdefault(contour.label, []).append(contour.points)
    out = np.zeros((height, width), np.uint16)
    for label, lines in by_label.items():
        if outside == "refuse":
            _check_inside(label, lines, (height, width))
        edges = np.concatenate([np.hstack([line, np.roll(line, -1, axis=0)]) for line in lines])
        if len(edges) > _MOST_POINTS:
            raise ValueError(f"label {label} has {len(edges)} points on one frame; up to {_MOST_POINTS} are supported")
        if crossing == "refuse":
            _check_simple(label, edges)
        inside = _filled(edges, (height, width))
        taken = inside & (out != 0)
        if overlap == "refuse" and taken.any():
            raise ValueError(
                f"labels {int(out[taken][0])} and {label} overlap in {np.count_nonzero(taken)} pixels; "
                'choose overlap="first" or "last"'
            )
        out[inside & ~taken if overlap == "first" else inside] = label
    return out


def _check_inside(label: int, lines: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> None:
    points = np.concatenate(lines)
    beyond = ((points < -0.5) | (points > (shape[1] - 0.5, shape[0] - 0.5))).any(axis=1)
    if beyond.any():
        u, v = points[beyond][0]
        raise ValueError(
            f"the contour of label {label} leaves the image ({shape[1]} x {shape[0]} pixels) at ({u:g}, {v:g}); "
            'outside="clip" cuts it off'
        )


def _check_simple(label: int, edges: NDArray[np.float64]) -> None:
    """Raise where two edges cross; edges that only touch at an end do not."""
    rows = max(1, 2_000_000 // len(edges))
    for first in range(0, len(edges), rows):
        here = edges[first : first + rows]
        cross = _cross(here, edges) & _cross(edges, here).T
        if cross.any():
            i, j = np.argwhere(cross)[0]
            u, v = (here[i, :2] + here[i, 2:] + edges[j, :2] + edges[j, 2:]) / 4
            raise ValueError(
                f"the contour of label {label} crosses itself or another near ({u:.1f}, {v:.1f}); "
                'crossing="even-odd" fills it all the same'
            )


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n, m): whether the line through each edge of `one` has the ends of an edge of `other` on both sides."""
    way = one[:, 2:] - one[:, :2]

    def side(points: NDArray[np.float64]) -> NDArray[np.float64]:
        du = points[None, :, 0] - one[:, None, 0]
        dv = points[None, :, 1] - one[:, None, 1]
        return np.asarray(way[:, None, 0] * dv - way[:, None, 1] * du)

    return np.asarray(side(other[:, :2]) * side(other[:, 2:]) < 0)


def _filled(edges: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels with an odd number of edges to their left (even-odd rule); an edge holds its upper end."""
    height, width = shape
    u0, v0, u1, v1 = edges.T
    low, high = np.minimum(v0, v1), np.maximum(v0, v1)
    first = np.clip(np.ceil(low), 0, height).astype(np.int64)
    last = np.clip(np.ceil(high), 0, height).astype(np.int64)  # rows first ... last - 1: low <= row < high
    counts = last - first
    which = np.repeat(np.arange(len(edges)), counts)
    rows = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + first[which]
    slope = (u1[which] - u0[which]) / (v1[which] - v0[which])
    columns = np.clip(np.ceil(u0[which] + (rows - v0[which]) * slope), 0, width).astype(np.int64)
    toggles = np.bincount(rows * (width + 1) + columns, minlength=height * (width + 1)).reshape(height, width + 1)
    return np.asarray(np.cumsum(toggles, axis=1)[:, :width] % 2 == 1)
