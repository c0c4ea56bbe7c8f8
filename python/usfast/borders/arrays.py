"""What the search for borders is given: an image and a label map on one grid, checked before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import volume
from usfast.volume import Volume, as_spacing

__all__ = ["as_image", "as_labels", "as_steps", "check_one_grid"]


def as_image(image: ArrayLike | Volume) -> NDArray[Any]:
    """Return an image (H, W) or volume (Z, Y, X) of real numbers; NaN marks what has no data."""
    array = np.asarray(image.array if isinstance(image, Volume) else image)
    _check_shape("image", array)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"image must hold real numbers, not {array.dtype}")
    if array.dtype.kind == "f":
        if np.isinf(array).any():
            raise ValueError("image holds infinite values; NaN marks pixels without data")
        if np.isnan(array).all():
            raise ValueError("image holds nothing but NaN")
    return array


def as_labels(labels: ArrayLike | Volume) -> NDArray[Any]:
    """Return labels (H, W) or (Z, Y, X) of booleans or integers; 0 is background."""
    array = np.asarray(labels.array if isinstance(labels, Volume) else labels)
    _check_shape("labels", array)
    if array.dtype.kind not in "biu":
        raise TypeError(f"labels must hold booleans or integers, not {array.dtype}")
    return array


def as_steps(given: ArrayLike | Volume, spacing: ArrayLike | None) -> tuple[float, ...]:
    """Return the spacing of each array axis, mm; a volume carries its own, one number counts for all, None is 1."""
    if isinstance(given, Volume):
        if spacing is not None:
            raise ValueError("spacing comes with a Volume: leave it out, or pass arrays")
        return tuple(float(step) for step in given.spacing[::-1])
    return as_spacing(spacing, np.ndim(given))


def check_one_grid(image: ArrayLike | Volume, labels: ArrayLike | Volume) -> None:
    """Raise where an image and its labels do not lie on one grid."""
    if isinstance(image, Volume) != isinstance(labels, Volume):
        raise ValueError("image and labels must both be volumes or both be arrays")
    if np.shape(_values(image)) != np.shape(_values(labels)):
        raise ValueError(f"image has shape {np.shape(_values(image))}, but labels {np.shape(_values(labels))}")
    if isinstance(image, Volume) and isinstance(labels, Volume):
        volume.check_one_grid(image, labels, ("image", "labels"))


def _values(given: ArrayLike | Volume) -> ArrayLike:
    return given.array if isinstance(given, Volume) else given


def _check_shape(name: str, array: NDArray[Any]) -> None:
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(f"{name} must be a non-empty image (H, W) or volume (Z, Y, X), not shape {array.shape}")
