"""Distinct and completed borders: which part of a label's border the image shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.borders.arrays import as_labels, as_steps, check_one_grid
from usfast.borders.border import label_border
from usfast.borders.gradient import gradient_magnitude
from usfast.volume import Volume

__all__ = ["BorderKinds", "border_kinds"]


@dataclass(frozen=True, eq=False)
class BorderKinds:
    """The two kinds of a label map's border.

    Attributes
    ----------
    distinct, completed : bool arrays of the labels' shape
        Border where the image has an edge; border that the annotator completed without one. Together they are the
        border, and they share no voxel.
    gradient : float32 array of that shape
        Gradient of the smoothed image, intensity per mm; NaN where there are no data.
    threshold : float
        The gradient above which a border is distinct.
    """

    distinct: NDArray[np.bool_]
    completed: NDArray[np.bool_]
    gradient: NDArray[np.float32]
    threshold: float

    @property
    def border(self) -> NDArray[np.bool_]:
        """Both kinds."""
        return self.distinct | self.completed

    @property
    def distinct_share(self) -> float:
        """Share of the border that is distinct; NaN where there is no border."""
        distinct, completed = int(self.distinct.sum()), int(self.completed.sum())
        return distinct / (distinct + completed) if distinct + completed else nan


def border_kinds(
    image: ArrayLike | Volume,
    labels: ArrayLike | Volume,
    spacing: ArrayLike | None = None,
    *,
    sigma: float | None = None,
    threshold: float | str = "otsu",
    percentile: float | None = None,
    thickness: float | None = None,
    mask: ArrayLike | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> BorderKinds:
    """Divide the border of every label into what the image shows and what was completed.

    ``distinct = threshold(image * gaussian * sobel) AND border``; the rest of the border is completed.

    Parameters
    ----------
    image : (H, W) or (Z, Y, X) array, or Volume
        Intensities; NaN where there are no data.
    labels : array of bool or integers of the image's shape, or Volume
        0 is background; the border of each label counts.
    spacing : float or (z, y, x) or (y, x), optional
        Of the array's own axes, mm; default 1. Not allowed beside volumes, which carry theirs.
    sigma : float, optional
        Standard deviation of the Gaussian, mm; 0 for none. Default: twice the smallest spacing.
    threshold : float or "otsu"
        Gradient above which a border is distinct, intensity per mm; or Otsu's threshold of the gradients of the
        whole image (N. Otsu, IEEE Trans. SMC 9(1), 1979; 256 bins).
    percentile : float, optional
        Of the gradients of the whole image, 0 to 100, instead of `threshold`.
    thickness : float, optional
        Of the border, mm, measured inwards: see `label_border`. Default: one voxel.
    mask : array of bool of the image's shape, optional
        Where there are data. Border outside the mask is completed, and gradients there do not count for thresholds.
    num_threads : int, optional
        Does not change the result.
    progress : callable, optional
        Called with (done, total).

    Returns
    -------
    BorderKinds
        Without any label, both kinds are empty.

    Raises
    ------
    ValueError, TypeError
        If shapes differ, an image holds no data or infinite values, a number is out of range.
    GeometryError
        If two volumes do not lie on one grid.

    Notes
    -----
    Equation 2.1 of the thesis this package began with ("Ultrasound segmentation analysis via distinct and
    completed anatomical borders"). It gives no smoothing, threshold or thickness: they are parameters here, and the
    shares depend on them, so report them with the shares.

    Examples
    --------
    >>> image = np.zeros((40, 40)); image[10:, :20] = 100  # the edge fades out on the right
    >>> labels = np.zeros((40, 40), bool); labels[10:38, 2:38] = True
    >>> kinds = border_kinds(image, labels, threshold=10)
    >>> kinds.distinct[10, 3:18].all(), kinds.completed[10, 25:38].all(), (kinds.distinct & kinds.completed).any()
    (np.True_, np.True_, np.False_)
    """
    check_one_grid(image, labels)
    array, steps = as_labels(labels), as_steps(labels, spacing)
    _check_threshold(threshold, percentile)
    values = image.array if isinstance(image, Volume) else image
    gradient = gradient_magnitude(values, steps, sigma=sigma, mask=mask, num_threads=num_threads, progress=progress)
    border = label_border(array, steps, thickness=thickness, num_threads=num_threads)
    limit = _limit(gradient, threshold, percentile)
    distinct = border & (gradient > limit)
    return BorderKinds(distinct, border & ~distinct, gradient, limit)


def _check_threshold(threshold: float | str, percentile: float | None) -> None:
    if isinstance(threshold, str):
        if threshold != "otsu":
            raise ValueError(f'threshold must be a number or "otsu", not {threshold!r}')
    elif not (np.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold must not be negative, not {threshold!r}")
    elif percentile is not None:
        raise ValueError("give threshold or percentile, not both")
    if percentile is not None and not 0 <= percentile <= 100:
        raise ValueError(f"percentile must lie between 0 and 100, not {percentile!r}")


def _limit(gradient: NDArray[np.float32], threshold: float | str, percentile: float | None) -> float:
    if percentile is None and not isinstance(threshold, str):
        return float(threshold)
    known = gradient[~np.isnan(gradient)]
    if percentile is not None:
        return float(np.percentile(known, percentile))
    if known.min() == known.max():  # nothing to divide: no border is distinct
        return float(known[0])
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(known, nbins=256))
