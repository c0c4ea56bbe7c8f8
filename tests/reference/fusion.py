"""Fusion of label maps voxel by voxel, straight from the papers' equations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def majority_vote(maps: NDArray[np.integer], ties: str) -> NDArray[np.int64]:
    """Return the label with most votes of (R, ...) maps."""
    result = np.zeros(maps.shape[1:], np.int64)
    for at in np.ndindex(*result.shape):
        labels, votes = np.unique(maps[(slice(None), *at)], return_counts=True)
        best = labels[votes == votes.max()]
        result[at] = best[0] if ties == "smallest" or len(best) == 1 else best[-1] if ties == "largest" else 0
    return result


def staple(
    masks: NDArray[np.bool_], prior: float, rounds: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (probability, sensitivity, specificity) after so many rounds; Warfield 2004, eqs. 14, 15, 18, 19."""
    said = masks.reshape(len(masks), -1).astype(float)
    p = q = np.full(len(said), 0.99999)

    def inside() -> NDArray[np.float64]:
        a = prior * np.prod(np.where(said == 1, p[:, None], 1 - p[:, None]), axis=0)
        b = (1 - prior) * np.prod(np.where(said == 0, q[:, None], 1 - q[:, None]), axis=0)
        return a / (a + b)

    for _ in range(rounds):
        w = inside()
        p, q = said @ w / w.sum(), (1 - said) @ (1 - w) / (1 - w).sum()
    return inside().reshape(masks.shape[1:]), p, q


def entropy(maps: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the entropy of (R, ...) maps, bits."""
    total = np.zeros(maps.shape[1:])
    for label in np.unique(maps):
        share = (maps == label).mean(axis=0)
        total -= share * np.log2(np.where(share > 0, share, 1))
    return total
