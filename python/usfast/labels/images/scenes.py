"""What the image-driven methods are given: an image, seeds and a mask on one grid, checked and cut to what counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.volume import Volume, as_spacing, check_one_grid

__all__ = ["Scene", "as_label_map", "as_scene", "as_steps", "box_of"]

Box = tuple[slice, ...]


def as_label_map(name: str, labels: ArrayLike | Volume) -> NDArray[Any]:
    """Return `labels` as an array (Z, Y, X) of booleans or integers from 0 up, or say what it is instead."""
    array = np.asarray(labels.array if isinstance(labels, Volume) else labels)
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"{name} must be a non-empty array (Z, Y, X), not of shape {array.shape}")
    if array.dtype.kind not in "biu":
        raise TypeError(f"{name} must hold booleans or integer labels, not {array.dtype}")
    if array.dtype.kind == "i" and int(array.min()) < 0:
        raise ValueError(f"{name} holds the negative label {int(array.min())}: labels count from 0, the background")
    return array


def as_steps(given: ArrayLike | Volume, spacing: ArrayLike | None) -> tuple[float, ...]:
    """Return the spacing (z, y, x) in mm: a volume's own, or that of a bare array (default 1)."""
    if isinstance(given, Volume):
        if spacing is not None:
            raise ValueError("spacing comes with a Volume: leave it out, or pass arrays")
        return tuple(float(step) for step in given.spacing[::-1])
    return as_spacing(spacing, 3)


def box_of(mask: NDArray[Any], margin: tuple[int, int, int] = (0, 0, 0)) -> Box | None:
    """Return the slices of the smallest box around what is not 0, wider by a margin inside the array; None if empty."""
    found = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        if not len(hit):
            return None
        found.append(slice(max(int(hit[0]) - margin[axis], 0), int(hit[-1]) + 1 + margin[axis]))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Scene:
    """Image, compact seeds (uint8; 0 unknown) and mask in the box that counts, and how to put the result back.

    Attributes
    ----------
    image : (z, y, x) array of real numbers
    seeds : (z, y, x) uint8 array
        Seed k stands for ``names[k]``.
    mask : (z, y, x) bool array or None
    spacing : (z, y, x) in mm
    names : array of the labels in the result; ``names[0]`` is 0
    """

    image: NDArray[Any]
    seeds: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None
    spacing: tuple[float, ...]
    names: NDArray[Any]
    box: Box
    given: ArrayLike | Volume
    shape: tuple[int, ...]

    def levels(self) -> tuple[float, float]:
        """Return the lowest and the highest value of the image inside the mask."""
        low, high = np.inf, -np.inf
        for number, part in enumerate(self.image):
            values = part if self.mask is None else part[self.mask[number]]
            if values.size:
                low, high = min(low, float(values.min())), max(high, float(values.max()))
        return low, high

    def restored(self, compact: NDArray[Any]) -> NDArray[Any] | Volume:
        """Return compact labels of the box as labels of the whole, a Volume where the image was one."""
        whole = np.zeros(self.shape, self.names.dtype)
        for part, labels in zip(whole[self.box], compact, strict=True):
            part[...] = self.names[labels]
        return Volume.on(self.given.grid, whole) if isinstance(self.given, Volume) else whole


def as_scene(
    image: ArrayLike | Volume,
    seeds: ArrayLike | Volume,
    spacing: ArrayLike | None,
    mask: ArrayLike | Volume | None,
    background: int | None,
) -> Scene:
    """Check what an image-driven method is given; see `grow_from_seeds` for the meaning."""
    values = np.asarray(image.array if isinstance(image, Volume) else image)
    marks = as_label_map("seeds", seeds)
    if values.shape != marks.shape:
        raise ValueError(f"volume has shape {values.shape}, but seeds {marks.shape}")
    if isinstance(image, Volume) and isinstance(seeds, Volume):
        check_one_grid(image, seeds, ("volume", "seeds"))
    if values.dtype.kind not in "biuf":
        raise TypeError(f"volume must hold real numbers, not {values.dtype}")
    inside, box = _area(values.shape, mask)
    values, marks = values[box], marks[box]
    _check_finite(values, inside)
    names = _names(marks if inside is None else marks[inside], background)
    compact = np.zeros(marks.shape, np.uint8)
    for number, name in enumerate(names[1:], 1):
        compact[marks == name] = number
    if background is not None:
        names = np.where(names == background, 0, names)
    steps = as_steps(image, spacing)
    return Scene(values, compact, inside, steps, names.astype(marks.dtype), box, image, np.shape(_values(image)))


def _values(given: ArrayLike | Volume) -> ArrayLike:
    return given.array if isinstance(given, Volume) else given


def _area(shape: tuple[int, ...], mask: ArrayLike | Volume | None) -> tuple[NDArray[np.bool_] | None, Box]:
    if mask is None:
        return None, (slice(None),) * 3
    where = np.asarray(_values(mask)).astype(bool, copy=False)
    if where.shape != shape:
        raise ValueError(f"mask has shape {where.shape}, but the volume {shape}")
    box = box_of(where)
    if box is None:
        raise ValueError("mask is empty: there is nothing to label")
    return np.ascontiguousarray(where[box]), box


def _check_finite(values: NDArray[Any], inside: NDArray[np.bool_] | None) -> None:
    if values.dtype.kind != "f":
        return
    bad = 0
    for number, part in enumerate(values):  # a slice at a time bounds the memory
        unusable = ~np.isfinite(part)
        bad += int(np.count_nonzero(unusable if inside is None else unusable & inside[number]))
    if bad:
        raise ValueError(f"volume holds NaN or infinite values in {bad} voxels: leave them out with mask=")


def _names(marks: NDArray[Any], background: int | None) -> NDArray[np.int64]:
    """Return 0 and the labels of the seeds in rising order."""
    found = _labels_in(marks)
    if not len(found):
        raise ValueError("seeds are empty (all 0, or none inside the mask): mark some voxels of every structure")
    if background is not None and background not in found:
        raise ValueError(f"seeds hold no voxel of background={background}; they hold {found.tolist()}")
    if len(found) == 1:
        raise ValueError(
            f"seeds hold the label {int(found[0])} alone, so it would take everything: "
            "mark background too, with a label of its own (background=)"
        )
    if len(found) > 255:
        raise ValueError(f"seeds hold {len(found)} labels; at most 255 can compete")
    return np.concatenate([[0], found])


def _labels_in(marks: NDArray[Any]) -> NDArray[np.int64]:
    found: set[int] = set()
    flat = marks.reshape(-1)
    for start in range(0, flat.size, 1 << 24):  # sorting needs eight times the memory of bytes
        found.update(np.unique(flat[start : start + (1 << 24)]).tolist())
    return np.array(sorted(found - {0}), np.int64)
