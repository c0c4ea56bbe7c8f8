"""How close a compounded label volume comes to the phantom's truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usfast.phantom.anatomy import MUSCLES, Muscle, limb_labels
from usfast.volume import Volume

__all__ = ["MuscleScore", "score_labels"]


@dataclass(frozen=True)
class MuscleScore:
    """One muscle, found against true.

    Attributes
    ----------
    muscle : Muscle
    volume_ml : float
        Volume of the voxels that carry its label; the truth is ``muscle.volume_ml``.
    dice : float
        Overlap of the voxels with the true shape, 0 to 1.
    """

    muscle: Muscle
    volume_ml: float
    dice: float


def score_labels(labels: Volume) -> tuple[MuscleScore, ...]:
    """Compare labels (1, 2, 3) with the phantom's shapes at the centre of every voxel.

    Parameters
    ----------
    labels : Volume
        Integer labels in the phantom's world.

    Returns
    -------
    tuple of MuscleScore
        In the order of `MUSCLES`.

    Examples
    --------
    >>> empty = Volume(np.zeros((10, 10, 10), np.uint8), spacing=10.0, origin=(-50, -50, 0))
    >>> [score.dice for score in score_labels(empty)]
    [0.0, 0.0, 0.0]
    """
    count = 1 + max(muscle.label for muscle in MUSCLES)
    found, true, both = (np.zeros(count, np.int64) for _ in range(3))
    matrix = labels.grid.voxel_to_world
    rows, columns = np.indices(labels.array.shape[1:])
    for k, plane in enumerate(labels.array):  # one slice at a time: points take 24 bytes a voxel
        voxels = np.stack([columns, rows, np.full_like(rows, k)], axis=-1)
        truth = limb_labels(voxels @ matrix[:3, :3].T + matrix[:3, 3])
        for muscle in MUSCLES:
            here, there = plane == muscle.label, truth == muscle.label
            found[muscle.label] += np.count_nonzero(here)
            true[muscle.label] += np.count_nonzero(there)
            both[muscle.label] += np.count_nonzero(here & there)
    millilitres = float(np.prod(labels.spacing)) / 1000.0
    return tuple(
        MuscleScore(muscle, float(found[n] * millilitres), _dice(found[n], true[n], both[n]))
        for muscle, n in ((muscle, muscle.label) for muscle in MUSCLES)
    )


def _dice(found: np.int64, true: np.int64, both: np.int64) -> float:
    return float(2 * both / (found + true)) if found + true else 1.0
