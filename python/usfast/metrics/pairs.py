"""What a measurement is given: two masks or label maps on one grid, checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast.volume import Volume, as_spacing, check_one_grid

__all__ = ["Pair", "as_pair", "label_pairs"]

_KERNEL_TYPES = (np.uint8, np.uint16, np.int16, np.int32, np.int64)


@dataclass(frozen=True)
class Pair:
    """Two label maps of one shape and type, C-contiguous, 2D or 3D, and the spacing of their axes, mm."""

    pred: NDArray[Any]
    ref: NDArray[Any]
    spacing: tuple[float, ...]
    boolean: bool = False  # whether both were given as masks of booleans

    @property
    def ndim(self) -> int:
        return self.pred.ndim

    @property
    def volumes(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Both as (Z, Y, X); an image is a volume of one slice."""
        if self.ndim == 3:
            return self.pred, self.ref
        return self.pred[None], self.ref[None]

    @property
    def spacing_3d(self) -> tuple[float, float, float]:
        z, y, x = self.spacing if self.ndim == 3 else (1.0, *self.spacing)
        return z, y, x


def as_pair(pred: ArrayLike | Volume, ref: ArrayLike | Volume, spacing: ArrayLike | None) -> Pair:
    """Return both inputs as integer arrays without a copy where they are one already.

    Raises
    ------
    ValueError
        If shapes differ, an array is empty, of other than 2 or 3 dimensions or holds values that are no labels;
        if `spacing` is given beside a `Volume` or does not fit.
    TypeError
        If an array does not hold booleans or integers.
    GeometryError
        If two volumes do not lie on one grid.
    """
    if isinstance(pred, Volume) != isinstance(ref, Volume):
        raise ValueError("pred and ref must both be volumes or both be arrays")
    if isinstance(pred, Volume) and isinstance(ref, Volume):
        if spacing is not None:
            raise ValueError("spacing comes with a Volume: leave it out, or pass arrays")
        check_one_grid(pred, ref, ("pred", "ref"))
        z, y, x = (float(step) for step in pred.spacing[::-1])
        first, second = _labels("pred", pred.array), _labels("ref", ref.array)
        boolean = pred.array.dtype == ref.array.dtype == np.dtype(bool)
        return Pair(*_one_type(first, second), (z, y, x), boolean)
    first, second = _labels("pred", pred), _labels("ref", ref)
    if first.shape != second.shape:
        raise ValueError(f"pred has shape {first.shape}, but ref {second.shape}")
    boolean = np.asarray(pred).dtype == np.asarray(ref).dtype == np.dtype(bool)
    return Pair(*_one_type(first, second), as_spacing(spacing, first.ndim), boolean)


def label_pairs(pair: Pair, num_threads: int) -> list[tuple[int, int, int, list[int], list[int]]]:
    """Return (label in pred, label in ref, voxels, first voxel, end of box) of all pairs of labels that occur."""
    return _core.confusion(*pair.volumes, num_threads, None)


def _labels(name: str, values: ArrayLike | Volume) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(f"{name} must be a non-empty image (H, W) or volume (Z, Y, X), not shape {array.shape}")
    if array.dtype == bool:
        return np.ascontiguousarray(array).view(np.uint8)
    if array.dtype.kind == "f":
        raise TypeError(f"{name} must hold booleans or labels, not {array.dtype}: threshold probabilities first")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold booleans or integer labels, not {array.dtype}")
    if array.dtype.kind == "i" and array.size and int(array.min()) < 0:
        raise ValueError(f"{name} holds the negative label {int(array.min())}; labels count from 0, the background")
    if array.dtype.newbyteorder("=") not in _KERNEL_TYPES:
        if array.dtype == np.uint64 and int(array.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"{name} holds the label {int(array.max())}, more than a signed 64-bit integer")
        return np.ascontiguousarray(array, np.int16 if array.dtype == np.int8 else np.int64)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _one_type(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if first.dtype == second.dtype:
        return first, second
    common = np.promote_types(first.dtype, second.dtype)
    if common not in _KERNEL_TYPES:  # uint32, from uint8 and uint16 with int16
        common = np.dtype(np.int64)
    return np.ascontiguousarray(first, common), np.ascontiguousarray(second, common)
