"""Confidence that flows down a directed graph, row by row: Hung, Chen and Galeotti, ISBI 2021."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import choice, positive
from usfast._threads import get_num_threads
from usfast.confidence.scaling import checked_images, fraction, unit_image

__all__ = ["ANCHORS", "directed_map"]

ANCHORS = ("published", "edge")
REACH = 10  # columns to either side from which a pixel hears: 21 parents

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Flow:
    """How confidence is handed from row to row."""

    spread: _Array  # (21,) share of each parent; their trapezoidal integral is 1
    loss: _Array  # (H - 1,) exponent of each step at mean gradient
    power: float
    on_edge: bool


def directed_map(
    image: ArrayLike,
    *,
    alpha: float = 1.0,
    last_row: float = 0.1,
    variance: float = 8.0,
    power: float = 1.0,
    anchor: str = "published",
    reference: ArrayLike | None = None,
    needle: ArrayLike | None = None,
    artifact: ArrayLike | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.float64]:
    """Return the confidence map of Hung et al.: one sweep from the top row down, no system to solve.

    The top row has confidence 1. A pixel collects from the 21 pixels above it, weighted by a Gaussian of their
    lateral distance; on its way along an edge confidence falls the more, the larger the edge's grey value
    difference is beside the mean of its row.

    Parameters
    ----------
    image : (H, W) or (N, H, W) array
        Row 0 at the probe. Each image is scaled to 0..1 first.
    alpha : float
        Attenuation over the image's depth: the loss of a step in row i is proportional to
        ``exp(-alpha (i + 1) / H)``. May be 0.
    last_row : float
        Confidence that a homogeneous image has left in its last row (before the Gaussian's truncation), 0..1.
    variance : float
        Of the Gaussian, columns squared.
    power : float
        Of the relative gradient.
    anchor : {"published", "edge"}
        Which pixels make the gradient of the edge from (i - 1, j + k) to (i, j). `"edge"`: these two.
        `"published"`: (i - 1, j) and (i, j - k), as in the authors' code, where the array of gradients belongs to
        the parent's column but is read at the child's.
    reference : (H, W) array, optional
        Map of a plain image from the same scanner and depth: gives the structural confidence. In every row
        confidence is capped at the reference's largest, and returned as a share of it.
    needle, artifact : (H, W) or (N, H, W) array, optional
        Probabilities 0..1. Below the upper edge of a needle confidence falls as for the largest gradient of the
        image; in artefacts (above 0.05) as for the mean one, and the result is multiplied by ``1 - artifact``.
    num_threads : int, optional
        Images of a stack are taken in parallel; the result does not depend on it, bit for bit.
    progress : callable, optional
        Called as ``progress(done, total)`` for every image.

    Returns
    -------
    float64 array of the image's shape
        From 0 to 1, but see the notes.

    Raises
    ------
    ValueError, TypeError
        If an argument has the wrong shape, type or range.

    Notes
    -----
    For rows i = 1, 2, ... with G(k) = exp(-k**2 / (2 variance)) / (its trapezoidal integral), k = -10..10::

        C(i, j) = sum over k of C(i - 1, j + k) G(k) exp(-(g / mean g)**power x t(i))
        t(i) = exp(-alpha (i + 1) / H),  x = -ln(last_row) / sum of t

    where g is the edge's absolute difference + 1e-4, its mean goes over the row for each k, and rows continue
    beyond their ends as their mirror image. Since the trapezoidal integral leaves out half of both end values,
    the 21 shares sum to 1.0004 (variance 8): values may exceed what the formula of the paper gives by that
    factor for each row, and 1 near the top; they are cut at 1 here, which the published code does not. The
    published code filters speckle away first (SRAD, 3000 iterations); do that beforehand where it is wanted.
    Cost: 21 exponentials a pixel, in vector registers.

    References
    ----------
    A. L. Y. Hung, W. Chen, J. Galeotti, "Ultrasound confidence maps of intensity and structure based on directed
    acyclic graphs and artifact models", ISBI 2021, 697-701; the authors' ``confidence_with_dg.py``.

    Examples
    --------
    >>> import numpy as np
    >>> directed_map(np.zeros((4, 5)), variance=1.0).round(3)[:, 0].tolist()
    [1.0, 0.381, 0.18, 0.1]
    """
    images = checked_images(image)
    rows, columns = images.shape[1:]
    shape = np.shape(image)
    choice("anchor", anchor, ANCHORS)
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    needles = _probabilities("needle", needle, images.shape)
    artifacts = _probabilities("artifact", artifact, images.shape)
    cap = None if reference is None else _cap(reference, (rows, columns))
    flow = _flow(rows, alpha, last_row, variance, power, anchor == "edge")
    threads = get_num_threads(num_threads)
    maps = np.empty(images.shape, np.float64)
    for first in range(0, len(images), threads):  # no more images in float64 at a time than are worked on
        part = slice(first, first + threads)
        _core.directed_maps(
            np.stack([unit_image(one) for one in images[part]]),
            None if needles is None else np.ascontiguousarray(needles[part]),
            None if artifacts is None else np.ascontiguousarray(artifacts[part]),
            flow.spread, flow.loss, cap, flow.power, flow.on_edge, threads, maps[part],
        )  # fmt: skip
        if progress is not None:
            for done in range(first, min(first + threads, len(images))):
                progress(done + 1, len(images))
    return maps.reshape(shape)


def _flow(rows: int, alpha: float, last_row: float, variance: float, power: float, on_edge: bool) -> _Flow:
    if not (np.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha must not be negative, not {alpha!r}")
    offsets = np.arange(-REACH, REACH + 1)
    bell = np.exp(-(offsets**2) / (2 * positive("variance", variance)))
    bell /= bell.sum() - (bell[0] + bell[-1]) / 2
    # The factor common to all rows cancels; taking it out keeps a large alpha from underflowing everywhere.
    attenuation = np.exp(-alpha * np.arange(rows - 1) / rows)
    loss = -np.log(fraction("last_row", last_row)) * attenuation / attenuation.sum() if rows > 1 else attenuation
    return _Flow(bell, loss, positive("power", power), on_edge)


def _cap(reference: ArrayLike, shape: tuple[int, int]) -> _Array:
    """Return the largest confidence of each row of the reference."""
    array = np.asarray(reference, np.float64)
    if array.shape != shape:
        raise ValueError(f"reference has shape {array.shape}, but the image {shape}")
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise ValueError("reference must be a confidence map: values from 0 to 1")
    cap: _Array = array.max(axis=1)
    if not (cap > 0).all():
        raise ValueError(f"reference is 0 all along row {int(np.argmin(cap))}: nothing can be a share of it")
    cap[0] = 1.0
    return cap


def _probabilities(name: str, values: ArrayLike | None, shape: tuple[int, ...]) -> _Array | None:
    if values is None:
        return None
    array = np.asarray(values, np.float64)
    if array.shape not in (shape, shape[1:]):
        raise ValueError(f"{name} has shape {array.shape}, but the image {shape[1:]}")
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"{name} must hold probabilities: values from 0 to 1")
    return np.broadcast_to(array, shape)
