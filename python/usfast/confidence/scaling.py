"""Images of any real type as numbers from 0 to 1, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["checked_images", "fraction", "unit_image"]


def checked_images(image: ArrayLike) -> NDArray[Any]:
    """Return one image (H, W) or a stack (N, H, W) as (N, H, W), its dtype kept.

    Raises
    ------
    ValueError, TypeError
        If there are other axes, no pixels, or values that are no finite real numbers.

    Examples
    --------
    >>> checked_images([[1, 2, 3]]).shape
    (1, 1, 3)
    """
    array = np.asarray(image)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"image must have shape (H, W) or (N, H, W) and hold pixels, not shape {array.shape}")
    if array.dtype.kind not in "buif":
        raise TypeError(f"image must hold real numbers, not {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("image holds values that are not finite numbers")
    return array[None] if array.ndim == 2 else array


def unit_image(image: NDArray[Any]) -> NDArray[np.float64]:
    """Return an image with its smallest value as 0 and its largest as 1; a constant image as zeros.

    Examples
    --------
    >>> unit_image(np.array([[3, 5, 4]])).tolist()
    [[0.0, 1.0, 0.5]]
    """
    # The largest float64 values have no span in float64: halves do.
    values = np.asarray(image, np.float64) / 2
    low, high = values.min(), values.max()
    return np.zeros_like(values) if low == high else (values - low) / (high - low)


def fraction(name: str, value: float) -> float:
    """Return `value` where it lies between 0 and 1, both left out."""
    number = float(value)
    if not 0 < number < 1:
        raise ValueError(f"{name} must lie between 0 and 1, not {value!r}")
    return number
