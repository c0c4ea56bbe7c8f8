"""Boundary IoU: overlap of the inner bands along two structures' borders."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray

from usfast import _core
from usfast.metrics.pairs import Pair

__all__ = ["boundary_iou"]


def boundary_iou(pair: Pair, width: float, num_threads: int) -> float:
    """Return the intersection over union of the parts of two masks within `width` mm of their outside.

    B. Cheng et al., Boundary IoU, CVPR 2021. What lies beyond the image counts as outside. NaN where both masks
    are empty.

    Examples
    --------
    >>> from usfast.metrics.pairs import as_pair
    >>> mask = np.zeros((10, 10), bool); mask[2:8, 2:8] = True
    >>> boundary_iou(as_pair(mask, np.roll(mask, 1, axis=0), None), 1.0, 1)
    0.3333333333333333
    """
    pred, ref = (_inner_band(mask, pair.spacing_3d, pair.ndim == 2, width, num_threads) for mask in pair.volumes)
    union = np.count_nonzero(pred | ref)
    return float(np.count_nonzero(pred & ref) / union) if union else nan


def _inner_band(
    mask: NDArray[np.integer], spacing: tuple[float, float, float], planar: bool, width: float, num_threads: int
) -> NDArray[np.bool_]:
    # A rim of background, so that the image's edge is an outside like any other.
    padded = np.pad(mask != 0, [(0, 0) if planar else (1, 1), (1, 1), (1, 1)])
    distance, _ = _core.distance_transform(padded.view(np.uint8), spacing, False, False, num_threads, None)
    band = padded & (distance <= width * (1 + 1e-9))
    return band[:, 1:-1, 1:-1] if planar else band[1:-1, 1:-1, 1:-1]
