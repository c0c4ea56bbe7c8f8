"""Shape-based interpolation of annotations in the sweep's own geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import choice
from usfast._threads import get_num_threads
from usfast.labels.interpolation.annotations import LARGEST_STEP, Annotations, Bracket, LabelledSweep, read_annotations
from usfast.labels.interpolation.fields import Ends, Field, Fields, plane_of
from usfast.sweep import Sweep

__all__ = ["ORDERS", "blended_labels", "signed_distance_interpolation"]

ORDERS = ("linear", "cubic")
Discs = Callable[[Bracket], NDArray[np.float64]]
_NO_DISCS = np.zeros((0, 8))


def signed_distance_interpolation(
    sweep: Sweep,
    annotated: ArrayLike | None = None,
    *,
    order: str = "cubic",
    structures: Sequence[int] | None = None,
    largest_step: float = LARGEST_STEP,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> LabelledSweep:
    """Blend the signed distances to the annotated borders onto the frames between them.

    Every pixel of a frame is projected along the normals onto the annotated planes around it; the distances to the
    border that was drawn there are blended by the pixel's own distances from the planes, and the structure lies
    where the blend is negative. So neither frames that are not parallel nor a hand that wanders displaces it.

    Parameters
    ----------
    sweep, annotated, structures, largest_step
        As for `zero_order`.
    order : {"linear", "cubic"}
        Between two annotations (Raya and Udupa), or a Hermite spline through four: the border is then smooth along
        the sweep, and where a belly bulges it is not cut off by a chord.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)``.

    Returns
    -------
    LabelledSweep
        As of `zero_order`.

    Raises
    ------
    ValueError, TypeError
        If there are no labels, shapes do not fit, or a structure has no two annotated frames in one pass.

    Notes
    -----
    A structure that is drawn on one of two annotated frames and not on the other ends half way between them, round:
    by the square of the way (a cone would lose volume). Where two structures claim a pixel it goes to the one
    it lies deeper in. Pixels beyond the border of an image count as the nearest at the border, and a structure cut off
    there is not taken to end.
    S. P. Raya, J. K. Udupa, "Shape-based interpolation of multidimensional objects", IEEE Trans. Med. Imaging 9 (1990).

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = (0, 1, 2)
    >>> labels = np.zeros((3, 9, 9), np.uint8)
    >>> labels[0, :, 1:6] = labels[2, :, 3:8] = 1
    >>> signed_distance_interpolation(Sweep(labels, poses, labels=labels)).labels[1, 0].tolist()
    [0, 0, 1, 1, 1, 1, 1, 0, 0]
    """
    choice("order", order, ORDERS)
    read = read_annotations(sweep, annotated, structures, largest_step)
    return blended_labels(read, order, None, get_num_threads(num_threads), progress)


def blended_labels(
    read: Annotations,
    order: str,
    discs: Discs | None,
    threads: int,
    progress: Callable[[int, int], Any] | None,
) -> LabelledSweep:
    """Label every frame between annotations; `discs` gives the pairs of discs that guide a structure's motion."""
    labels = np.zeros(read.sweep.frames.shape, np.uint8)
    known = read.annotated.copy()
    fields = Fields(read)
    done = 0
    for run in read.runs():
        brackets = read.brackets(int(run[0]))
        for bracket in brackets:
            known[run, bracket.column] = True
        least = np.zeros((len(run), *read.sweep.image_size), np.float32)
        for bracket in brackets:
            ends = fields.ends(bracket)
            if ends is None:
                continue
            pairs = _NO_DISCS if discs is None or ends.vanishes else discs(bracket)
            outer = (None, None) if order == "linear" or ends.vanishes else fields.outer(bracket)
            distance = _blend(read, run, bracket, ends, outer, pairs, threads)
            claimed = distance < least
            np.copyto(least, distance, where=claimed)
            labels[run] = np.where(claimed, np.uint8(read.structures[bracket.column]), labels[run])
        own = read.drawn(int(run[0]))
        np.copyto(labels[run[0]], own, where=own > 0)
        fields.forget_before(int(run[0]))
        done += len(run)
        if progress is not None:
            progress(done, int(read.sweep.valid.sum()))
    return read.labelled(labels, known)


def _blend(
    read: Annotations,
    run: NDArray[np.int64],
    bracket: Bracket,
    ends: Ends,
    outer: tuple[Field | None, Field | None],
    discs: NDArray[np.float64],
    threads: int,
) -> NDArray[np.float32]:
    """Return the blended distances (F, H, W) of a structure on a run of frames."""
    poses, path = read.sweep.image_to_world, read.path
    first, second = bracket.before, bracket.after
    ways = np.array([1.0, path[second] - path[first], 1.0])
    if outer[0] is not None:
        ways[0] = path[first] - path[outer[0].frame]
    if outer[1] is not None:
        ways[2] = path[outer[1].frame] - path[second]
    # A probe that stood still between two annotations has no slope there.
    present = [outer[0] is not None and ways[0] > 1e-6, outer[1] is not None and ways[2] > 1e-6]
    filled = [outer[0] or ends.before, ends.before, ends.after, outer[1] or ends.after]
    return _core.blend_distances(
        np.stack([field.distance for field in filled]),
        present,
        np.stack([plane_of(poses[field.frame]) for field in filled]),
        np.stack([plane_of(poses[first]), plane_of(poses[second])]),
        np.maximum(ways, 1e-6).tolist(),
        discs,
        np.ascontiguousarray(poses[run, :3]),
        np.ascontiguousarray(read.share(run, bracket)),
        ends.vanishes,
        threads,
    )
