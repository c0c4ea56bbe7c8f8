"""One label map from those of several annotators: majority vote, SIMPLE, and where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice
from usfast.labels.fusion.votes import Votes, as_votes
from usfast.volume import Volume

__all__ = ["Selection", "majority_vote", "simple", "vote_entropy"]

_TIES = ("background", "smallest", "largest")


def majority_vote(labels: Sequence[ArrayLike | Volume], *, ties: str = "background") -> NDArray[Any] | Volume:
    """Give each voxel the label that most annotators gave it.

    Parameters
    ----------
    labels : sequence of (Z, Y, X) arrays of bool or integers, or of Volumes
        One map an annotator.
    ties : {"background", "smallest", "largest"}
        Which of several labels with equally many votes wins; `"background"`: none of them, 0.

    Returns
    -------
    (Z, Y, X) unsigned integer array, or Volume where the first map is one

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two maps, their shapes differ or they hold no labels.
    GeometryError
        If they are volumes that do not lie on one grid.

    Notes
    -----
    Memory beside the result: 1 to 4 bytes a voxel of the box that holds all that anyone marked.

    Examples
    --------
    >>> majority_vote([[[[0, 1, 1, 2]]], [[[0, 1, 2, 1]]], [[[0, 0, 2, 0]]]]).tolist()
    [[[0, 1, 2, 0]]]
    """
    choice("ties", ties, _TIES)
    votes = as_votes(labels)
    return votes.labels(_winner(_tally(votes, np.ones(votes.votes.shape[1])), ties))


@dataclass(frozen=True, eq=False)
class Selection:
    """What SIMPLE finds.

    Attributes
    ----------
    labels : (Z, Y, X) unsigned integer array or Volume
    kept : (R,) bool array
        The annotators whose votes counted in the end.
    performance : (R,) float64 array
        Dice of each annotator, kept or not, with the result: the mean over the structures of either.
    rounds : int
    """

    labels: NDArray[Any] | Volume
    kept: NDArray[np.bool_]
    performance: NDArray[np.float64]
    rounds: int


def simple(
    labels: Sequence[ArrayLike | Volume], *, alpha: float = 1.5, fewest: int = 2, max_rounds: int = 50
) -> Selection:
    """Fuse label maps by votes weighted with performance, leaving out annotators far below the others (SIMPLE).

    Parameters
    ----------
    labels : sequence of (Z, Y, X) arrays of bool or integers, or of Volumes
        One map an annotator; three or more.
    alpha : float
        An annotator goes whose performance is below ``mean - alpha * standard deviation`` of those kept. Among few
        annotators nobody can be far off: of n, at most ``sqrt(n - 1)`` standard deviations.
    fewest : int
        Annotators that are always kept: the best.
    max_rounds : int

    Returns
    -------
    Selection

    Raises
    ------
    ValueError, TypeError
        As `majority_vote`; fewer than three maps.

    Notes
    -----
    T. Langerak et al., IEEE TMI 29(12), 2010: "selective and iterative method for performance level estimation". Ties
    go to background.

    Examples
    --------
    >>> good = np.zeros((1, 1, 20), int)
    >>> good[..., 5:15] = 1
    >>> found = simple([good, np.roll(good, 1), good, np.roll(good, 9)])
    >>> found.kept.tolist(), found.performance.round(2).tolist()
    ([True, True, True, False], [1.0, 0.9, 1.0, 0.1])
    """
    if not (np.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha must be 0 or positive, not {alpha!r}")
    votes = as_votes(labels, fewest=3)
    raters = votes.votes.shape[1]
    if not 1 <= fewest <= raters:
        raise ValueError(f"fewest must be from 1 to the {raters} annotators, not {fewest!r}")
    if max_rounds < 1:
        raise ValueError(f"max_rounds must be at least 1, not {max_rounds!r}")
    kept, weight = np.ones(raters, bool), np.ones(raters)
    estimate = _winner(_tally(votes, weight), "background")
    rounds, performance = 0, np.ones(raters)
    for _round in range(max_rounds):
        rounds = _round + 1
        performance = _dice(votes, estimate)
        stays = kept & (performance >= performance[kept].mean() - alpha * performance[kept].std() - 1e-12)
        if stays.sum() < fewest:
            best = np.argsort(-np.where(kept, performance, -1), kind="stable")[:fewest]
            stays = np.isin(np.arange(raters), best)
        found = _winner(_tally(votes, np.where(stays, performance, 0)), "background")
        settled = np.array_equal(found, estimate) and np.array_equal(stays, kept)
        estimate, kept = found, stays
        if settled:
            break
    return Selection(votes.labels(estimate), kept, _dice(votes, estimate), rounds)


def vote_entropy(labels: Sequence[ArrayLike | Volume], *, base: float = 2.0) -> NDArray[np.float32] | Volume:
    """Return the entropy of the annotators' labels at each voxel: 0 where they agree.

    Parameters
    ----------
    labels : sequence of (Z, Y, X) arrays of bool or integers, or of Volumes
        One map an annotator.
    base : float
        Of the logarithm: 2 for bits, `math.e` for nats.

    Returns
    -------
    (Z, Y, X) float32 array, or Volume where the first map is one

    Raises
    ------
    ValueError, TypeError
        As `majority_vote`; if the base is not above 1.

    Examples
    --------
    >>> vote_entropy([[[[0, 1, 1]]], [[[0, 1, 2]]]]).tolist()
    [[[0.0, 0.0, 1.0]]]
    """
    if not (np.isfinite(base) and base > 1):
        raise ValueError(f"base must be above 1, not {base!r}")
    votes = as_votes(labels)
    share = _tally(votes, np.ones(votes.votes.shape[1])) / votes.votes.shape[1]
    surprise = -share * np.log(share, out=np.zeros_like(share), where=share > 0)
    whole = votes.restored(np.abs(surprise.sum(axis=1) / np.log(base)).astype(np.float32))
    return Volume.on(labels[0].grid, whole) if isinstance(labels[0], Volume) else whole


def _tally(votes: Votes, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of the votes for each label (P, L)."""
    total = np.zeros((len(votes.counts), len(votes.names)))
    rows = np.arange(len(total))
    for rater, w in enumerate(weight):
        total[rows, votes.votes[:, rater]] += w
    return total


def _winner(tally: NDArray[np.float64], ties: str) -> NDArray[np.int64]:
    best = tally >= tally.max(axis=1, keepdims=True) - 1e-12
    first = np.argmax(best, axis=1)
    if ties == "largest":
        return np.asarray(tally.shape[1] - 1 - np.argmax(best[:, ::-1], axis=1))
    return np.asarray(first if ties == "smallest" else np.where(best.sum(axis=1) > 1, 0, first))


def _dice(votes: Votes, estimate: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each annotator's mean Dice with the estimate over the structures that either of them holds."""
    count = len(votes.names)
    result = np.ones(votes.votes.shape[1])
    for rater in range(len(result)):
        pairs = np.zeros((count, count))
        np.add.at(pairs, (votes.votes[:, rater], estimate), votes.counts)
        sizes = (pairs.sum(axis=1) + pairs.sum(axis=0))[1:]
        if (sizes > 0).any():
            result[rater] = (2 * np.diag(pairs)[1:][sizes > 0] / sizes[sizes > 0]).mean()
    return result
