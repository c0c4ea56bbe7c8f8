"""STAPLE: the hidden true label map and every annotator's reliability, estimated together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.labels.fusion.votes import Votes, as_votes
from usfast.volume import Volume

__all__ = ["MultiLabelStaple", "Staple", "multi_label_staple", "staple"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Staple:
    """What STAPLE finds.

    Attributes
    ----------
    probability : (Z, Y, X) float32 array or Volume
        That a voxel belongs to the structure; 0 outside the box that was looked at.
    sensitivity, specificity : (R,) float64 arrays
        Of each annotator against the hidden truth; specificity within the box.
    prior : float
        Share of the structure in the box.
    rounds : int
    converged : bool
    """

    probability: NDArray[np.float32] | Volume
    sensitivity: Floats
    specificity: Floats
    prior: float
    rounds: int
    converged: bool


def staple(
    masks: Sequence[ArrayLike | Volume],
    *,
    crop: bool = True,
    prior: float | None = None,
    tolerance: float = 1e-7,
    max_rounds: int = 1000,
) -> Staple:
    """Estimate the probability of a structure and each annotator's sensitivity and specificity.

    Parameters
    ----------
    masks : sequence of (Z, Y, X) arrays of bool or integers, or of Volumes
        One an annotator; everything but 0 is the structure.
    crop : bool
        Look only at the box of what anyone marked. Without it background, where all agree, dominates prior and
        specificities, and over-segmenting annotators are believed.
    prior : float, optional
        Probability of the structure before looking, between 0 and 1; default: the annotators' mean share of the box.
    tolerance : float
        Ends when no sensitivity or specificity changes by more.
    max_rounds : int

    Returns
    -------
    Staple

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two masks, their shapes differ, they hold no labels or all are empty.
    GeometryError
        If they are volumes that do not lie on one grid.

    Notes
    -----
    S. Warfield, K. Zou, W. Wells, IEEE TMI 23(7), 2004, started from annotators that are right 99999 times of 100000,
    as ITK does. Voxels with the same votes are one: a round costs as many steps as patterns of votes occur, up to 2**R.
    Memory beside the result: 1 to 4 bytes a voxel of the box.

    Examples
    --------
    >>> masks = np.zeros((3, 1, 1, 12), bool)
    >>> masks[:, ..., 3:9], masks[2, ..., 8] = True, False
    >>> found = staple(list(masks))
    >>> (found.probability[0, 0] > 0.5).astype(int).tolist(), found.sensitivity.round(2).tolist()
    ([0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0], [1.0, 1.0, 0.88])
    """
    _check(tolerance, max_rounds)
    if prior is not None and not 0 < prior < 1:
        raise ValueError(f"prior must lie between 0 and 1, not {prior!r}")
    votes = as_votes(masks if isinstance(masks, Volume) else [_binary(one) for one in masks], crop=crop)
    if len(votes.names) < 2:
        raise ValueError("all masks are empty: there is nothing to fuse")
    said = votes.votes.astype(bool)
    share = float(votes.counts @ said.mean(axis=1) / votes.counts.sum()) if prior is None else float(prior)
    sensitivity = specificity = np.full(said.shape[1], 0.99999)
    rounds, change, inside = 0, np.inf, said.mean(axis=1)
    while rounds < max_rounds and change > tolerance:
        rounds += 1
        inside = _inside(said, sensitivity, specificity, share)
        held, left = votes.counts * inside, votes.counts * (1 - inside)
        p = _share(held, said, sensitivity)
        q = _share(left, ~said, specificity)
        change = max(float(np.abs(p - sensitivity).max()), float(np.abs(q - specificity).max()))
        sensitivity, specificity = p, q
    whole = votes.restored(_inside(said, sensitivity, specificity, share).astype(np.float32))
    first = masks[0]
    probability = Volume.on(first.grid, whole) if isinstance(first, Volume) else whole
    return Staple(probability, sensitivity, specificity, share, rounds, change <= tolerance)


@dataclass(frozen=True, eq=False)
class MultiLabelStaple:
    """What multi-label STAPLE finds.

    Attributes
    ----------
    labels : (Z, Y, X) unsigned integer array or Volume
        The most probable label; of equals the smallest.
    probability : (Z, Y, X) float32 array
        Of that label; 1 outside the box that was looked at.
    names : (L,) int64 array
        The labels, 0 first.
    confusion : (R, L, L) float64 array
        ``confusion[r, said, true]``: how often annotator r says `said` where `true` holds; columns add up to 1.
    prior : (L,) float64 array
    rounds : int
    converged : bool
    """

    labels: NDArray[Any] | Volume
    probability: NDArray[np.float32]
    names: NDArray[np.int64]
    confusion: Floats
    prior: Floats
    rounds: int
    converged: bool


def multi_label_staple(
    labels: Sequence[ArrayLike | Volume], *, crop: bool = True, tolerance: float = 1e-6, max_rounds: int = 1000
) -> MultiLabelStaple:
    """Estimate the label map behind several annotators' and each one's confusion between labels.

    Parameters
    ----------
    labels : sequence of (Z, Y, X) arrays of bool or integers, or of Volumes
        One map an annotator.
    crop : bool
        Look only at the box of what anyone marked; see `staple`.
    tolerance : float
        Ends when no entry of a confusion matrix changes by more.
    max_rounds : int

    Returns
    -------
    MultiLabelStaple

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two maps, their shapes differ, they hold no labels or all are empty.
    GeometryError
        If they are volumes that do not lie on one grid.

    Notes
    -----
    T. Rohlfing, D. Russakoff, C. Maurer, IEEE TMI 23(8), 2004, started from the confusion with the majority vote, as
    ITK's filter; the prior is the labels' share of all votes. Voxels with the same votes are one.

    Examples
    --------
    >>> maps = [[[[0, 0, 1, 1, 2, 2]]], [[[0, 0, 1, 1, 2, 2]]], [[[0, 1, 1, 1, 1, 2]]]]
    >>> multi_label_staple(maps).labels.tolist()
    [[[0, 0, 1, 1, 2, 2]]]
    """
    _check(tolerance, max_rounds)
    votes = as_votes(labels, crop=crop)
    if len(votes.names) < 2:
        raise ValueError("all label maps are empty: there is nothing to fuse")
    ballots = np.eye(len(votes.names))[votes.votes]  # (P, R, L): who said what
    prior = votes.counts @ ballots.sum(axis=1)
    prior = prior / prior.sum()
    confusion = _first_confusion(votes, ballots)
    rounds, change = 0, np.inf
    while rounds < max_rounds and change > tolerance:
        rounds += 1
        weight = _posterior(votes, confusion, prior) * votes.counts[:, None]
        found = _columns(np.einsum("prs,pt->rst", ballots, weight), confusion)
        change = float(np.abs(found - confusion).max())
        confusion = found
    posterior = _posterior(votes, confusion, prior)
    best = posterior.argmax(axis=1)
    sure = posterior[np.arange(len(best)), best].astype(np.float32)
    return MultiLabelStaple(
        votes.labels(best), votes.restored(sure, 1), votes.names, confusion, prior, rounds, change <= tolerance
    )


def _check(tolerance: float, max_rounds: int) -> None:
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance must be 0 or positive, not {tolerance!r}")
    if max_rounds < 1:
        raise ValueError(f"max_rounds must be at least 1, not {max_rounds!r}")


def _binary(mask: ArrayLike | Volume) -> ArrayLike | Volume:
    array = np.asarray(mask.array if isinstance(mask, Volume) else mask)
    if array.dtype.kind not in "biu":
        raise TypeError(f"masks must hold booleans or integer labels, not {array.dtype}")
    if array.dtype == bool:
        return mask if isinstance(mask, Volume) else array
    return Volume.on(mask.grid, array != 0) if isinstance(mask, Volume) else array != 0


def _inside(said: NDArray[np.bool_], p: Floats, q: Floats, prior: float) -> Floats:
    """Return each pattern's probability of the structure; sums of logarithms, for many annotators."""
    with np.errstate(divide="ignore"):
        yes = np.log(prior) + np.where(said, np.log(p), np.log1p(-p)).sum(axis=1)
        no = np.log1p(-prior) + np.where(said, np.log1p(-q), np.log(q)).sum(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.where(np.isneginf(yes) & np.isneginf(no), prior, 1 / (1 + np.exp(no - yes))))


def _share(weight: Floats, said: NDArray[np.bool_], before: Floats) -> Floats:
    total = weight.sum()
    return np.minimum(weight @ said / total, 1.0) if total > 0 else before  # rounding may exceed 1


def _first_confusion(votes: Votes, ballots: Floats) -> Floats:
    """Return the confusion with the majority vote, where it decides."""
    tally = ballots.sum(axis=1)
    best = tally == tally.max(axis=1, keepdims=True)
    truth = np.where(best.sum(axis=1, keepdims=True) == 1, best, 0) * votes.counts[:, None]
    return _columns(np.einsum("prs,pt->rst", ballots, truth), np.broadcast_to(1 / len(votes.names), (1, 1, 1)))


def _columns(counts: Floats, otherwise: Floats) -> Floats:
    """Return counts (R, said, true) with columns that add up to 1, or `otherwise` where a column is empty."""
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.where(total > 0, total, 1), otherwise)


def _posterior(votes: Votes, confusion: Floats, prior: Floats) -> Floats:
    """Return each pattern's probability of the labels (P, L)."""
    with np.errstate(divide="ignore"):
        chance = np.log(confusion)
        score = np.broadcast_to(np.log(prior), (len(votes.counts), len(prior))).copy()
    for rater in range(confusion.shape[0]):
        score += chance[rater][votes.votes[:, rater]]
    top = score.max(axis=1, keepdims=True)
    score = np.exp(score - np.where(np.isneginf(top), 0, top))
    total = score.sum(axis=1, keepdims=True)
    return np.where(total > 0, score / np.where(total > 0, total, 1), prior)
