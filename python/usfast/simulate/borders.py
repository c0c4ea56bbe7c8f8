"""Which label borders the image really shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["COMPLETED", "DISTINCT", "classify_borders", "label_borders"]

COMPLETED, DISTINCT = 1, 2
_BESIDE_MM = (0.4, 0.4)  # standard deviations of the smoothing along v and u
_ON_MM = (0.12, 0.6)


def label_borders(labels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return True at pixels that touch a pixel of another label above, below, left or right, inside `mask`.

    Examples
    --------
    >>> label_borders(np.array([[0, 0, 1, 1]], np.uint8), np.ones((1, 4), bool)).tolist()
    [[False, True, True, False]]
    """
    border = np.zeros(labels.shape, bool)
    for a, b in (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]):
        differs = (labels[a] != labels[b]) & mask[a] & mask[b]
        border[a] |= differs
        border[b] |= differs
    return border


def classify_borders(
    border: NDArray[np.bool_],
    envelope_db: NDArray[np.float32],
    shadow: NDArray[np.bool_],
    pixel_mm: tuple[float, float],
    image_normals: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]],
    distance_mm: float,
    contrast_db: float,
) -> NDArray[np.uint8]:
    """Return 0 off the borders, 1 where a border is completed (not visible), 2 where it is distinct.

    The image in dB, smoothed by a Gaussian of 0.4 mm, is read `distance_mm` to either side of the border along its
    normal, and on the border smoothed by 0.6 mm across the beam and 0.12 mm along it, where specular echoes are thin.
    The border is distinct where the two sides differ by `contrast_db`, or where the border is brighter than both by
    as much, and the pixel is not in shadow.

    Parameters
    ----------
    border : (H, W) bool array
    envelope_db : (H, W) float32 array
        Limited to the image's dynamic range.
    shadow : (H, W) bool array
    pixel_mm : (float, float)
        Width and height of a pixel.
    image_normals : callable
        Takes rows and columns (K,) to normals (K, 2) in the image: mm along u and v, of any length.
    distance_mm, contrast_db : float

    Returns
    -------
    (H, W) uint8 array
    """
    from scipy.ndimage import gaussian_filter

    kind = np.zeros(border.shape, np.uint8)
    row, column = np.nonzero(border)
    if not len(row):
        return kind
    du, dv = pixel_mm
    smooth, thin = (
        gaussian_filter(envelope_db, (v / dv, u / du), truncate=2.5, mode="nearest") for v, u in (_BESIDE_MM, _ON_MM)
    )
    normal = image_normals(row, column)
    normal /= np.maximum(np.hypot(normal[:, :1], normal[:, 1:]), 1e-9)

    def beside(side: float) -> NDArray[np.float32]:
        v = np.rint(row + side * distance_mm / dv * normal[:, 1]).astype(int)
        u = np.rint(column + side * distance_mm / du * normal[:, 0]).astype(int)
        return np.asarray(smooth[np.clip(v, 0, border.shape[0] - 1), np.clip(u, 0, border.shape[1] - 1)])

    one, other = beside(1), beside(-1)
    # A pulse may peak between two rows or just off the border.
    here = np.max([thin[np.clip(row + shift, 0, border.shape[0] - 1), column] for shift in (-1, 0, 1)], axis=0)
    seen = (np.abs(one - other) >= contrast_db) | (here - np.maximum(one, other) >= contrast_db)
    kind[row, column] = np.where(seen & ~shadow[row, column], DISTINCT, COMPLETED)
    return kind
