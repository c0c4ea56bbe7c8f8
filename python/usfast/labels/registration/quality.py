"""How good a registration is: overlap, similarity, Dice of common labels, landmarks; and a checkerboard to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import positive
from usfast.labels.registration.pyramid import reduced
from usfast.labels.registration.rigid import Registration, as_rigid, data_mask
from usfast.labels.registration.similarity import Comparison, Similarity
from usfast.labels.registration.transfer import as_label_volume, transfer_labels
from usfast.volume import Volume

__all__ = ["RegistrationQuality", "checkerboard", "registration_quality"]


@dataclass(frozen=True, eq=False)
class RegistrationQuality:
    """A report on one registration; everything before and after it.

    Attributes
    ----------
    before, after : Similarity
        Overlap, correlation and mutual information.
    dice : mapping of int to (float, float)
        Dice of each label that both acquisitions have, on the grid of the fixed one; empty without labels.
    landmark_mm : ((K,) array, (K,) array) or None
        Distances between corresponding landmarks: the target registration error, mm.
    """

    before: Similarity
    after: Similarity
    dice: Mapping[int, tuple[float, float]]
    landmark_mm: tuple[NDArray[np.float64], NDArray[np.float64]] | None

    def __str__(self) -> str:
        rows = [("overlap %", 100 * self.before.overlap, 100 * self.after.overlap)]
        rows.append(("correlation", self.before.correlation, self.after.correlation))
        rows.append(("mutual information", self.before.mutual_information, self.after.mutual_information))
        rows += [(f"Dice of label {label}", before, after) for label, (before, after) in self.dice.items()]
        if self.landmark_mm is not None:
            one, other = self.landmark_mm
            rows.append(("landmarks, mean mm", float(one.mean()), float(other.mean())))
            rows.append(("landmarks, largest mm", float(one.max()), float(other.max())))
        return "\n".join(f"{name:22s} {before:9.3f} -> {after:9.3f}" for name, before, after in rows)


def registration_quality(
    fixed: Volume,
    moving: Volume,
    registration: Registration | ArrayLike,
    *,
    initial: ArrayLike | None = None,
    fixed_mask: ArrayLike | None = None,
    moving_mask: ArrayLike | None = None,
    fixed_labels: Volume | None = None,
    moving_labels: Volume | None = None,
    landmarks: tuple[ArrayLike, ArrayLike] | None = None,
    seed: int = 0,
) -> RegistrationQuality:
    """Report on a registration, whoever made it.

    Parameters
    ----------
    fixed, moving : Volume
    registration : Registration or (4, 4) array
        Moving world to fixed world.
    initial : (4, 4) array, optional
        What "before" means. Default: identity.
    fixed_mask, moving_mask : (Z, Y, X) bool array, optional
        As in `register`.
    fixed_labels, moving_labels : Volume of integers, optional
        Both or neither; on any grid of the same worlds.
    landmarks : ((K, 3) array, (K, 3) array), optional
        Corresponding points in the fixed and in the moving world, mm.
    seed : int
        Of the voxels compared: 200 000 at the most.

    Returns
    -------
    RegistrationQuality

    Raises
    ------
    ValueError, TypeError, GeometryError
        If an argument is of the wrong kind or shape.

    Examples
    --------
    >>> values = np.random.default_rng(0).random((8, 8, 8))
    >>> fixed, moving = Volume(values, 1.0), Volume(values, 1.0, origin=(2, 0, 0))
    >>> back = np.eye(4)
    >>> back[0, 3] = -2
    >>> report = registration_quality(fixed, moving, back, landmarks=([[1, 1, 1]], [[3, 1, 1]]))
    >>> [distances.tolist() for distances in report.landmark_mm], round(report.after.correlation, 6)
    ([[2.0], [0.0]], 1.0)
    """
    after = registration.moving_to_fixed if isinstance(registration, Registration) else registration
    motions = as_rigid("initial", np.eye(4) if initial is None else initial), as_rigid("registration", after)
    for name, volume in (("fixed", fixed), ("moving", moving)):
        if not isinstance(volume, Volume):
            raise TypeError(f"{name} must be a Volume, not {type(volume).__name__}")
    spacing = max(float(fixed.spacing.min()), float(moving.spacing.min()))
    levels = (
        reduced(fixed, data_mask("fixed", fixed, fixed_mask), spacing),
        reduced(moving, data_mask("moving", moving, moving_mask), spacing),
    )
    comparison = Comparison(*levels, seed=seed)
    dice: dict[int, tuple[float, float]] = {}
    if (fixed_labels is None) != (moving_labels is None):
        raise ValueError("give the labels of both acquisitions or of neither")
    if fixed_labels is not None and moving_labels is not None:
        tables = [_dice(fixed_labels, moving_labels, motion) for motion in motions]
        dice = {label: (tables[0][label], tables[1][label]) for label in tables[0]}
    distances = None if landmarks is None else _distances(landmarks, motions)
    return RegistrationQuality(comparison.at(motions[0]), comparison.at(motions[1]), dice, distances)


def checkerboard(
    fixed: Volume,
    moving: Volume,
    registration: Registration | ArrayLike,
    *,
    tile_mm: float = 10.0,
    fixed_mask: ArrayLike | None = None,
    moving_mask: ArrayLike | None = None,
) -> Volume:
    """Return the two volumes in turn, tile by tile, on the grid of the fixed one.

    Where structures run on across the tiles, the registration is good.

    Parameters
    ----------
    fixed, moving : Volume
    registration : Registration or (4, 4) array
        Moving world to fixed world.
    tile_mm : float
        Edge of a tile, mm.
    fixed_mask, moving_mask : (Z, Y, X) bool array, optional
        As in `register`; each volume is stretched to 0...1 between its own 1st and 99th percentile inside it.

    Returns
    -------
    Volume of float32
        0 where the volume whose tile it is has no data.

    Raises
    ------
    ValueError, TypeError, GeometryError
        If an argument is of the wrong kind or shape.

    Examples
    --------
    >>> values = np.arange(1.0, 65.0).reshape(4, 4, 4)
    >>> board = checkerboard(Volume(values, 1.0), Volume(values, 1.0), np.eye(4), tile_mm=2.0)
    >>> board.array.shape, str(board.array.dtype)
    ((4, 4, 4), 'float32')
    """
    from scipy.ndimage import map_coordinates

    positive("tile_mm", tile_mm)
    matrix = registration.moving_to_fixed if isinstance(registration, Registration) else registration
    motion = as_rigid("registration", matrix)
    data = data_mask("fixed", fixed, fixed_mask), data_mask("moving", moving, moving_mask)
    one, other = (_stretched(volume, mask) for volume, mask in zip((fixed, moving), data, strict=True))
    out = np.where(data[0], one, 0).astype(np.float32)
    to_moving = moving.grid.world_to_voxel @ np.linalg.inv(motion) @ fixed.grid.voxel_to_world
    tiles = [np.arange(n) * step // tile_mm for n, step in zip(out.shape, fixed.spacing[::-1], strict=True)]
    for k in range(len(out)):
        odd = (tiles[0][k] + tiles[1][:, None] + tiles[2]) % 2 == 1
        j, i = np.nonzero(odd)
        places = (to_moving[:3, :3] @ np.stack([i, j, np.full(len(i), k)]) + to_moving[:3, 3:])[::-1]
        seen = map_coordinates(data[1].view(np.uint8), places, order=0, mode="constant", cval=0)
        out[k, j, i] = np.where(seen > 0, map_coordinates(other, places, order=1, mode="nearest"), 0)
    return Volume.on(fixed.grid, out)


def _stretched(volume: Volume, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    low, high = np.percentile(volume.array[mask], (1, 99))
    values = (np.where(mask, volume.array, low).astype(np.float32) - low) / max(float(high - low), 1e-30)
    return np.asarray(np.clip(values, 0, 1), np.float32)


def _dice(fixed: Volume, moving: Volume, motion: NDArray[np.float64]) -> dict[int, float]:
    """Return the Dice coefficient of each label that both volumes hold."""
    own, theirs = as_label_volume("fixed_labels", fixed), as_label_volume("moving_labels", moving)
    carried = transfer_labels(theirs, motion, own.grid).array
    out: dict[int, float] = {}
    for label in np.intersect1d(np.unique(own.array), np.unique(theirs.array)):
        if label:
            here, there = own.array == label, carried == label
            out[int(label)] = 2 * float(np.count_nonzero(here & there)) / float(here.sum() + there.sum())
    return out


def _distances(
    landmarks: Any, motions: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    here, there = (np.asarray(points, np.float64) for points in landmarks)
    if here.ndim != 2 or here.shape[1] != 3 or here.shape != there.shape or not len(here):
        raise ValueError(f"landmarks must be two arrays (K, 3) of the same K, not {here.shape} and {there.shape}")
    if not (np.isfinite(here).all() and np.isfinite(there).all()):
        raise ValueError("landmarks must be finite")
    before, after = (
        np.asarray(np.linalg.norm(there @ motion[:3, :3].T + motion[:3, 3] - here, axis=1)) for motion in motions
    )
    return before, after
