"""One front door to the methods that label the frames between annotations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from usfast._arguments import choice
from usfast.labels.interpolation.annotations import LARGEST_STEP, LabelledSweep
from usfast.labels.interpolation.discs import disc_guided_interpolation
from usfast.labels.interpolation.signed_distance import signed_distance_interpolation
from usfast.labels.interpolation.zero_order import zero_order
from usfast.sweep import Sweep

__all__ = ["METHODS", "interpolate"]

METHODS = ("smaller", "nearest", "signed_distance", "spline", "discs")


def interpolate(
    sweep: Sweep,
    method: str = "spline",
    annotated: ArrayLike | None = None,
    *,
    structures: Sequence[int] | None = None,
    largest_step: float = LARGEST_STEP,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> LabelledSweep:
    """Label the frames between annotated ones.

    Parameters
    ----------
    sweep : Sweep
        Its labels are the annotations, 0 background.
    method : {"smaller", "nearest", "signed_distance", "spline", "discs"}
        `zero_order` by either rule (``"smaller"`` is the thesis' ZOI), `signed_distance_interpolation`, linear or
        as a cubic spline through four annotations, or `disc_guided_interpolation`. ``"spline"`` is recommended.
    annotated, structures, largest_step
        As for `zero_order`.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)``.

    Returns
    -------
    LabelledSweep

    Raises
    ------
    ValueError, TypeError
        As `zero_order`.

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.eye(4), (5, 1, 1))
    >>> poses[:, 2, 3] = range(5)
    >>> labels = np.zeros((5, 9, 9), np.uint8)
    >>> labels[0, :, 1:6] = labels[4, :, 3:8] = 1
    >>> interpolate(Sweep(labels, poses, labels=labels)).labels[2, 0].tolist()
    [0, 0, 1, 1, 1, 1, 1, 0, 0]
    """
    choice("method", method, METHODS)
    if method in ("smaller", "nearest"):
        return zero_order(sweep, method, annotated, structures=structures, largest_step=largest_step, progress=progress)
    common: dict[str, Any] = {
        "structures": structures,
        "largest_step": largest_step,
        "num_threads": num_threads,
        "progress": progress,
    }
    if method == "discs":
        return disc_guided_interpolation(sweep, annotated, **common)
    order = "cubic" if method == "spline" else "linear"
    return signed_distance_interpolation(sweep, annotated, order=order, **common)
