"""What several annotators say of each voxel, as the few different patterns of votes that occur."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.labels.images.scenes import as_label_map, box_of
from usfast.volume import Volume, check_one_grid

__all__ = ["Votes", "as_votes"]

_TABLE = 1 << 20  # labels up to which a table, not a search, finds their rank


@dataclass(frozen=True, eq=False)
class Votes:
    """Label maps of R annotators as patterns: voxels with the same votes need one computation together.

    Attributes
    ----------
    votes : (P, R) int64 array
        Index into `names` that each annotator gives the voxels of a pattern.
    counts : (P,) int64 array
        Voxels of each pattern.
    pattern : (z, y, x) integer array
        The pattern of each voxel in the box.
    names : (L,) int64 array
        The labels that occur, 0 first.
    """

    votes: NDArray[np.int64]
    counts: NDArray[np.int64]
    pattern: NDArray[Any]
    names: NDArray[np.int64]
    box: tuple[slice, ...]
    shape: tuple[int, ...]
    first: ArrayLike | Volume

    def restored(self, of_pattern: NDArray[Any], outside: Any = 0) -> NDArray[Any]:
        """Return a value for each pattern as an array of the whole, `outside` where the box does not reach."""
        whole = np.full(self.shape, outside, of_pattern.dtype)
        for part, pattern in zip(whole[self.box], self.pattern, strict=True):
            part[...] = of_pattern[pattern]
        return whole

    def labels(self, of_pattern: NDArray[np.int64]) -> NDArray[Any] | Volume:
        """Return an index into `names` for each pattern as labels, a Volume where the first annotator's is one."""
        names = self.names.astype(np.min_scalar_type(int(self.names[-1])))
        whole = self.restored(names[of_pattern])
        return Volume.on(self.first.grid, whole) if isinstance(self.first, Volume) else whole


def as_votes(labels: Sequence[ArrayLike | Volume], *, crop: bool = True, fewest: int = 2) -> Votes:
    """Check annotators' label maps and count the patterns of their votes, in the box of all that any of them marked."""
    if isinstance(labels, Volume) or len(labels) < fewest:
        count = 1 if isinstance(labels, Volume) else len(labels)
        raise ValueError(f"fusion needs the label maps of at least {fewest} annotators, not {count}")
    maps = [as_label_map(f"labels[{number}]", one) for number, one in enumerate(labels)]
    for number, (one, given) in enumerate(zip(maps, labels, strict=True)):
        if one.shape != maps[0].shape:
            raise ValueError(f"labels[0] has shape {maps[0].shape}, but labels[{number}] {one.shape}")
        if isinstance(given, Volume) and isinstance(labels[0], Volume):
            check_one_grid(labels[0], given, ("labels[0]", f"labels[{number}]"))
    box: tuple[slice, ...] | None = (slice(None),) * 3
    if crop:
        box = _union(maps)
        if box is None:  # nobody marked anything
            box = (slice(0, 1),) * 3
    assert box is not None
    cut = [one[box] for one in maps]
    names = np.array(sorted({0}.union(*(_labels(one) for one in cut))), np.int64)
    pattern, counts, votes = _patterns(cut, names)
    return Votes(votes, counts, pattern, names, box, maps[0].shape, labels[0])


def _union(maps: list[NDArray[Any]]) -> tuple[slice, ...] | None:
    boxes = [box for one in maps if (box := box_of(one)) is not None]
    if not boxes:
        return None
    sides = zip(*boxes, strict=True)
    return tuple(slice(min(s.start for s in side), max(s.stop for s in side)) for side in sides)


def _labels(one: NDArray[Any]) -> set[int]:
    found: set[int] = set()
    for part in one:
        found.update(np.unique(part).tolist())
    return {int(label) for label in found}


def _patterns(
    maps: list[NDArray[Any]], names: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Return each voxel's pattern, the patterns' counts and their votes; annotators join one after the other."""
    pattern: NDArray[Any] = np.zeros(maps[0].shape, np.uint8)
    counts, votes = np.array([pattern.size], np.int64), np.empty((1, 0), np.int64)
    rank = np.zeros(int(names[-1]) + 1, np.int64) if names[-1] < _TABLE else None
    if rank is not None:
        rank[names] = np.arange(len(names))

    def codes(where: NDArray[Any], values: NDArray[Any]) -> NDArray[np.int64]:
        place = np.searchsorted(names, values) if rank is None else rank[values.astype(np.intp)]
        return np.asarray(where.astype(np.int64) * len(names) + place)

    for one in maps:
        seen = np.zeros(len(counts) * len(names), np.int64)
        for where, values in zip(pattern, one, strict=True):
            seen += np.bincount(codes(where, values).ravel(), minlength=len(seen))
        kept = np.flatnonzero(seen)
        place = np.zeros(len(seen), np.min_scalar_type(len(kept) - 1))
        place[kept] = np.arange(len(kept))
        joined = np.empty(pattern.shape, place.dtype)
        for to, where, values in zip(joined, pattern, one, strict=True):
            to[...] = place[codes(where, values)]
        pattern, counts = joined, seen[kept]
        votes = np.column_stack([votes[kept // len(names)], kept % len(names)])
    return pattern, counts, votes
