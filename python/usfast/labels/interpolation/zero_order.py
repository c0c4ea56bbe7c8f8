"""Zero-order propagation of annotations: every frame takes a mask that somebody drew (ZOI)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from usfast._arguments import choice
from usfast.labels.interpolation.annotations import LARGEST_STEP, Annotations, Bracket, LabelledSweep, read_annotations
from usfast.sweep import Sweep

__all__ = ["RULES", "zero_order"]

RULES = ("smaller", "nearest")


def zero_order(
    sweep: Sweep,
    rule: str = "smaller",
    annotated: ArrayLike | None = None,
    *,
    structures: Sequence[int] | None = None,
    largest_step: float = LARGEST_STEP,
    progress: Callable[[int, int], Any] | None = None,
) -> LabelledSweep:
    """Copy annotated masks, pixel for pixel, onto the frames between them.

    Parameters
    ----------
    sweep : Sweep
        Its labels are the annotations, 0 background.
    rule : {"smaller", "nearest"}
        Of the two annotated masks around a frame, for each structure by itself, it takes the one of fewer pixels
        (the thesis' ZOI) or the one nearer along the path of the image's centre. Ties: the earlier.
    annotated : (N,) or (N, S) bool array, optional
        Frames that are annotated, for all structures or for each. An annotated frame without a structure says that
        the structure is not there. Labels of other frames are ignored. Default: frames with any label.
    structures : sequence of int, optional
        The labels, in the order of the columns of `annotated`. Default: those on annotated frames, ascending.
    largest_step : float
        mm; where consecutive valid frames lie farther apart another pass begins, and nothing crosses over.
    progress : callable, optional
        Called as ``progress(done, total)``.

    Returns
    -------
    LabelledSweep
        Annotated frames stay as drawn. Frames before the first and after the last annotation of a structure, and
        frames without a pose, get nothing; annotations on frames without a pose are left out.

    Raises
    ------
    ValueError, TypeError
        If there are no labels, shapes do not fit, or a structure has no two annotated frames in one pass.

    Notes
    -----
    Structures never overlap: where copies of two do, what was drawn on the frame itself wins, then the copy from the
    frame nearer along the path, then the smaller label. ``rule="smaller"`` shrinks a structure that tapers.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = (0, 1, 2)
    >>> labels = np.zeros((3, 5, 5), np.uint8)
    >>> labels[0, 1:4, 1:4] = labels[2, 2:4, 2:4] = 1
    >>> result = zero_order(Sweep(labels, poses, labels=labels))
    >>> bool((result.labels[1] == labels[2]).all())
    True
    """
    choice("rule", rule, RULES)
    read = read_annotations(sweep, annotated, structures, largest_step)
    labels = np.zeros(read.sweep.frames.shape, np.uint8)
    known = read.annotated.copy()
    done = 0
    for run in read.runs():
        brackets = read.brackets(int(run[0]))
        for bracket in brackets:
            known[run, bracket.column] = True
        for frame in run:
            _copy(read, int(frame), brackets, rule, labels[frame])
        done += len(run)
        if progress is not None:
            progress(done, int(read.sweep.valid.sum()))
    return read.labelled(labels, known)


def _copy(read: Annotations, frame: int, brackets: list[Bracket], rule: str, out: Any) -> None:
    """Write one frame: the farthest source first, the frame's own drawing last."""
    sources = []
    for bracket in brackets:
        share = float(read.share(np.array([frame]), bracket)[0])
        first, second = read.mask(bracket.before, bracket.column), read.mask(bracket.after, bracket.column)
        earlier = first.sum() <= second.sum() if rule == "smaller" else share <= 0.5
        way = (share if earlier else 1 - share) * (read.path[bracket.after] - read.path[bracket.before])
        sources.append((way, bracket.column, first if earlier else second))
    for _, column, mask in sorted(sources, key=lambda source: source[:2], reverse=True):
        out[mask] = read.structures[column]
    own = read.drawn(frame)
    np.copyto(out, own, where=own > 0)
