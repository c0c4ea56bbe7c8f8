"""What an expert drew on some frames of a sweep, and what every frame has after interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import positive
from usfast.sweep import Sweep

__all__ = ["Annotations", "Bracket", "LabelledSweep", "read_annotations"]

Masks = NDArray[np.uint8]
LARGEST_STEP = 10.0
"""Default of `largest_step`, mm."""


@dataclass(frozen=True, eq=False)
class LabelledSweep:
    """A sweep with a label on every pixel of every frame that the annotations reach.

    Attributes
    ----------
    sweep : Sweep
        Its ``labels`` are (N, H, W) uint8, 0 where there is no structure or nothing is known.
    structures : tuple of int
        The labels of the S structures, ascending.
    known : (N, S) bool array
        Whether a frame says where a structure is and where it is not: the frame is valid and lies on or between
        two annotations of the structure. Elsewhere its 0 means nothing.
    largest_step : float
        mm; consecutive frames farther apart do not belong to one pass.
    """

    sweep: Sweep
    structures: tuple[int, ...]
    known: NDArray[np.bool_]
    largest_step: float = LARGEST_STEP

    @property
    def labels(self) -> Masks:
        """(N, H, W) uint8 labels of the frames."""
        assert self.sweep.labels is not None
        return self.sweep.labels


@dataclass(frozen=True)
class Bracket:
    """A structure on a run of frames: the annotated frames before and behind, and the ones beyond those."""

    column: int
    before: int
    after: int
    earlier: int | None
    later: int | None


@dataclass(frozen=True, eq=False)
class Annotations:
    """Checked annotations of a sweep.

    Attributes
    ----------
    sweep : Sweep
    structures : tuple of int
    annotated : (N, S) bool array
        Valid frames on which the expert said where a structure is.
    path : (N,) float64 array
        Way of the image's centre from the first frame of the pass, mm; NaN for frames without a pose.
    part : (N,) int array
        Which pass a frame belongs to; -1 for frames without a pose.
    """

    sweep: Sweep
    structures: tuple[int, ...]
    annotated: NDArray[np.bool_]
    path: NDArray[np.float64]
    part: NDArray[np.int64]
    largest_step: float

    def mask(self, frame: int, column: int) -> NDArray[np.bool_]:
        """(H, W) mask of one structure as drawn on an annotated frame."""
        assert self.sweep.labels is not None
        return np.asarray(self.sweep.labels[frame] == self.structures[column])

    def drawn(self, frame: int) -> Masks:
        """(H, W) labels of the structures that are annotated on a frame."""
        assert self.sweep.labels is not None
        table = np.zeros(256, np.uint8)
        for column in np.flatnonzero(self.annotated[frame]):
            table[self.structures[column]] = self.structures[column]
        return np.asarray(table[self.sweep.labels[frame]])

    def brackets(self, frame: int) -> list[Bracket]:
        """The structures that are not annotated on `frame` but before and after it in the same pass."""
        found = []
        for column in np.flatnonzero(~self.annotated[frame]):
            here = np.flatnonzero(self.annotated[:, column] & (self.part == self.part[frame]))
            at = int(np.searchsorted(here, frame))
            if 0 < at < len(here):
                earlier = int(here[at - 2]) if at > 1 else None
                later = int(here[at + 1]) if at + 1 < len(here) else None
                found.append(Bracket(int(column), int(here[at - 1]), int(here[at]), earlier, later))
        return found

    def runs(self) -> list[NDArray[np.int64]]:
        """Frames with a pose in runs that share their brackets; each annotated frame is a run of its own."""
        runs: list[list[int]] = []
        some: NDArray[np.bool_] = np.asarray(self.annotated.any(axis=1))
        previous = -1
        for frame in np.flatnonzero(self.part >= 0):
            fresh = previous < 0 or some[frame] or some[previous] or self.part[frame] != self.part[previous]
            if fresh:
                runs.append([])
            runs[-1].append(int(frame))
            previous = int(frame)
        return [np.asarray(run, np.int64) for run in runs]

    def share(self, frames: NDArray[np.int64], bracket: Bracket) -> NDArray[np.float64]:
        """How far along the path from one annotation to the next each frame lies, 0 to 1."""
        begin, end = self.path[bracket.before], self.path[bracket.after]
        if end <= begin:  # a probe that stood still
            return np.asarray((frames - bracket.before) / (bracket.after - bracket.before), np.float64)
        return np.asarray((self.path[frames] - begin) / (end - begin), np.float64)

    def labelled(self, labels: Masks, known: NDArray[np.bool_]) -> LabelledSweep:
        """Return the sweep with these labels."""
        return LabelledSweep(replace(self.sweep, labels=labels), self.structures, known, self.largest_step)


def read_annotations(
    sweep: Sweep,
    annotated: ArrayLike | None = None,
    structures: Sequence[int] | None = None,
    largest_step: float = LARGEST_STEP,
) -> Annotations:
    """Check the annotations of a sweep.

    Parameters
    ----------
    sweep : Sweep
        ``sweep.labels`` (N, H, W): integers 0 to 255.
    annotated : (N,) or (N, S) bool array, optional
        Which frames are annotated, for all structures or for each. Default: frames with any label.
    structures : sequence of int, optional
        The labels, in the order of the columns of `annotated`. Default: those on the annotated frames, ascending.
    largest_step : float
        mm.

    Raises
    ------
    ValueError, TypeError
        If there are no labels, shapes do not fit, or no structure has two annotated frames in one pass.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = (0, 1, 2)
    >>> labels = np.zeros((3, 4, 4), np.uint8)
    >>> labels[[0, 2], 1:3, 1:3] = 5
    >>> read = read_annotations(Sweep(labels, poses, labels=labels))
    >>> read.structures, read.annotated.ravel().tolist(), read.brackets(1)[0].after
    ((5,), [True, False, True], 2)
    """
    if not isinstance(sweep, Sweep):
        raise TypeError(f"sweep must be a Sweep, not {type(sweep).__name__}")
    step = positive("largest_step", largest_step)
    labels = _labels(sweep)
    sweep = replace(sweep, labels=labels)
    marked = _marked(labels, annotated)
    found = tuple(int(label) for label in np.unique(labels[marked.reshape(len(labels), -1).any(axis=1)]) if label)
    names = found if structures is None else _structures(structures, found)
    if not names:
        raise ValueError("the annotated frames hold no label: there is nothing to interpolate")
    if marked.ndim == 1:
        marked = np.repeat(marked[:, None], len(names), axis=1)
    if marked.shape[1] != len(names):
        raise ValueError(
            f"annotated has {marked.shape[1]} columns, but there are {len(names)} structures: {list(names)}"
        )
    order = np.argsort(names)
    part, path = _passes(sweep, step)
    marked = marked[:, order] & (part >= 0)[:, None]
    read = Annotations(sweep, tuple(names[i] for i in order), marked, path, part, step)
    _check_pairs(read)
    return read


def _labels(sweep: Sweep) -> Masks:
    if sweep.labels is None:
        raise ValueError("the sweep has no labels; draw some structures on at least two of its frames")
    low, high = int(sweep.labels.min()), int(sweep.labels.max())
    if low < 0 or high > 255:
        raise ValueError(f"labels must be from 0 to 255, but {low if low < 0 else high} occurs")
    return sweep.labels.astype(np.uint8, copy=False)


def _marked(labels: Masks, annotated: ArrayLike | None) -> NDArray[np.bool_]:
    if annotated is None:
        return np.asarray(labels.any(axis=(1, 2)))
    marked = np.asarray(annotated)
    if marked.dtype != bool:
        raise TypeError(f"annotated must be a bool array, not {marked.dtype}; for frame numbers mark those True")
    if marked.ndim not in (1, 2) or len(marked) != len(labels):
        raise ValueError(
            f"annotated must have one entry (or row) for each of the {len(labels)} frames, not shape {marked.shape}"
        )
    return marked


def _structures(structures: Sequence[int], found: tuple[int, ...]) -> tuple[int, ...]:
    names = tuple(int(label) for label in structures)
    if len(set(names)) != len(names) or any(not 1 <= label <= 255 for label in names):
        raise ValueError(f"structures must be different labels from 1 to 255, not {list(names)}")
    if not set(names) & set(found):
        raise ValueError(f"none of the structures {list(names)} is on an annotated frame")
    return names


def _passes(sweep: Sweep, largest_step: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Number the passes that frames belong to, and measure the way along each."""
    part, path = np.full(len(sweep), -1, np.int64), np.full(len(sweep), np.nan)
    valid = np.flatnonzero(sweep.valid)
    if not valid.size:
        raise ValueError(f"none of the {len(sweep)} frames has a valid pose")
    height, width = sweep.image_size
    centre = np.array([(width - 1) / 2, (height - 1) / 2, 0.0, 1.0])
    steps = np.linalg.norm(np.diff((sweep.image_to_world[valid] @ centre)[:, :3], axis=0), axis=1)
    far = steps > largest_step
    part[valid] = np.concatenate([[0], np.cumsum(far)])
    path[valid] = np.concatenate([[0.0], np.cumsum(np.where(far, 0.0, steps))])
    return part, path


def _check_pairs(read: Annotations) -> None:
    """Each structure needs two annotated frames with a pose in one pass: nothing lies between fewer."""
    for column, structure in enumerate(read.structures):
        frames = np.flatnonzero(read.annotated[:, column])
        if len(frames) < 2 or len(set(read.part[frames])) == len(frames):
            where = f"frame {frames[0]} only" if len(frames) == 1 else f"{len(frames)} frames"
            raise ValueError(
                f"structure {structure} is annotated on {where}: interpolation needs at least two annotated frames "
                f"with a pose in one pass (frames no more than {read.largest_step:g} mm from the next)"
            )
