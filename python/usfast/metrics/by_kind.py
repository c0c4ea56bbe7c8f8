"""How well distinct and completed borders are found, each on its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.borders import BorderKinds, label_border
from usfast.metrics.pairs import Pair, as_pair
from usfast.metrics.surface import SurfaceMetrics, surface
from usfast.volume import Volume

__all__ = ["BorderShares", "border_shares", "surface_by_kind"]

KINDS = ("distinct", "completed")


@dataclass(frozen=True)
class BorderShares:
    """How much of each kind of the reference's border was found. A share of nothing is NaN.

    Attributes
    ----------
    reference_voxels, found_voxels : dict of str to int
        By kind: border voxels of the reference, and those of them with the prediction's border within `tolerance`.
    tolerance : float
        mm.

    Examples
    --------
    >>> shares = BorderShares({"distinct": 548, "completed": 452}, {"distinct": 422, "completed": 399}, 1.0)
    >>> {kind: round(100 * share, 1) for kind, share in shares.of_border.items()}, round(100 * shares.found, 1)
    ({'distinct': 42.2, 'completed': 39.9}, 82.1)
    >>> {kind: round(100 * share, 1) for kind, share in shares.of_kind.items()}
    {'distinct': 77.0, 'completed': 88.3}
    """

    reference_voxels: Mapping[str, int]
    found_voxels: Mapping[str, int]
    tolerance: float

    @property
    def of_kind(self) -> dict[str, float]:
        """Share of each kind that was found: the true-positive rate of distinct, and of completed border."""
        return {kind: _ratio(self.found_voxels[kind], self.reference_voxels[kind]) for kind in KINDS}

    @property
    def of_border(self) -> dict[str, float]:
        """Found border of each kind as a share of the whole border; the two add up to `found`.

        Table 2.3 of the thesis prints these. They cannot exceed `reference`, so a kind that is rare looks badly
        found: compare kinds by `of_kind`.
        """
        return {kind: _ratio(self.found_voxels[kind], self._border) for kind in KINDS}

    @property
    def reference(self) -> dict[str, float]:
        """Each kind as a share of the whole border of the reference."""
        return {kind: _ratio(self.reference_voxels[kind], self._border) for kind in KINDS}

    @property
    def found(self) -> float:
        """Share of the whole border that was found."""
        return _ratio(sum(self.found_voxels.values()), self._border)

    @property
    def _border(self) -> int:
        return sum(self.reference_voxels.values())


@overload
def border_shares(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    kinds: BorderKinds,
    spacing: ArrayLike | None = ...,
    *,
    tolerance: float = ...,
    labels: None = ...,
    num_threads: int | None = ...,
) -> BorderShares: ...
@overload
def border_shares(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    kinds: BorderKinds,
    spacing: ArrayLike | None = ...,
    *,
    tolerance: float = ...,
    labels: Iterable[int] | Literal["all"],
    num_threads: int | None = ...,
) -> dict[int, BorderShares]: ...
def border_shares(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    kinds: BorderKinds,
    spacing: ArrayLike | None = None,
    *,
    tolerance: float = 1.0,
    labels: Iterable[int] | Literal["all"] | None = None,
    num_threads: int | None = None,
) -> BorderShares | dict[int, BorderShares]:
    """Count how much of the reference's distinct and completed border a prediction found.

    A border voxel of the reference is found where the prediction's border lies within `tolerance`.

    Parameters
    ----------
    pred, ref : (H, W) or (Z, Y, X) array of bool or integers, or Volume
    kinds : BorderKinds
        Of the reference: ``borders.border_kinds(image, ref, ...)``.
    spacing : float or (z, y, x) or (y, x), optional
        Of the array's own axes, mm; default 1. Not allowed beside volumes, which carry theirs.
    tolerance : float
        mm; 0 counts exact hits alone.
    labels : iterable of int or "all", optional
        As for `surface`.
    num_threads : int, optional
        Does not change the result.

    Returns
    -------
    BorderShares, or dict of int to BorderShares where `labels` are given
        Counted are the reference's border voxels (with a neighbour through a face outside, or at the image's edge)
        that `kinds` marks; a thicker map of kinds marks no more of them. An empty prediction finds 0, an empty
        reference has NaN shares.

    Raises
    ------
    ValueError, TypeError, GeometryError
        As `usfast.metrics.surface`; if `kinds` has another shape than the masks.

    Examples
    --------
    >>> from usfast.borders import border_kinds
    >>> image = np.zeros((40, 40)); image[10:, :20] = 100
    >>> ref = np.zeros((40, 40), bool); ref[10:38, 2:38] = True
    >>> pred = ref.copy(); pred[:, 30:] = False  # it ends where the image shows nothing
    >>> shares = border_shares(pred, ref, border_kinds(image, ref, threshold=10), tolerance=1.0)
    >>> {kind: round(share, 2) for kind, share in shares.of_kind.items()}
    {'distinct': 1.0, 'completed': 0.6}
    """
    pair = as_pair(pred, ref, spacing)
    _check_kinds(kinds, pair)
    found, reference = {}, {}
    for kind in KINDS:
        measured: Any = surface(
            pair.pred,
            pair.ref,
            pair.spacing,
            labels=labels,
            tolerances=(tolerance,),
            only=getattr(kinds, kind),
            num_threads=num_threads,
        )
        tables = {label: metrics.ref_to_pred for label, metrics in _by_label(measured).items()}
        found[kind] = {label: round(table.within(tolerance)) for label, table in tables.items()}
        reference[kind] = {label: round(table.total) for label, table in tables.items()}
    shares = {
        label: BorderShares(
            {kind: reference[kind][label] for kind in KINDS}, {kind: found[kind][label] for kind in KINDS}, tolerance
        )
        for label in reference["distinct"]
    }
    return shares[0] if labels is None else shares


@overload
def surface_by_kind(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    kinds: BorderKinds,
    spacing: ArrayLike | None = ...,
    *,
    labels: None = ...,
    num_threads: int | None = ...,
    **options: Any,
) -> dict[str, SurfaceMetrics]: ...
@overload
def surface_by_kind(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    kinds: BorderKinds,
    spacing: ArrayLike | None = ...,
    *,
    labels: Iterable[int] | Literal["all"],
    num_threads: int | None = ...,
    **options: Any,
) -> dict[int, dict[str, SurfaceMetrics]]: ...
def surface_by_kind(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    kinds: BorderKinds,
    spacing: ArrayLike | None = None,
    *,
    labels: Iterable[int] | Literal["all"] | None = None,
    num_threads: int | None = None,
    **options: Any,
) -> dict[str, SurfaceMetrics] | dict[int, dict[str, SurfaceMetrics]]:
    """Measure surface distances at distinct and at completed border alone.

    Each element of the prediction's surface takes the kind of the nearest border voxel of the reference, each
    element of the reference's its own kind. Elements of one kind are measured to the whole other surface.

    Parameters
    ----------
    pred, ref, kinds, spacing, labels, num_threads
        As for `border_shares`.
    **options
        As for `surface`: ``percentiles``, ``tolerances``, ``preset``, ``definition``, ``empty``...

    Returns
    -------
    dict of str to SurfaceMetrics, or dict of int to that where `labels` are given
        By kind, "distinct" and "completed". NaN where the reference has no border of a kind; where one structure
        is empty, both kinds are as ``empty=`` says.

    Raises
    ------
    ValueError, TypeError, GeometryError
        As `usfast.metrics.surface`; if `kinds` has another shape than the masks.

    Notes
    -----
    Surfels lie between voxels: one that touches voxels of both kinds counts for both. Of border voxels at the same
    distance, one fixed by the order of the axes gives the kind. Memory: 17 bytes a voxel of the box around a
    structure and its prediction.

    Examples
    --------
    >>> from usfast.borders import border_kinds
    >>> image = np.zeros((40, 40)); image[10:, :20] = 100
    >>> ref = np.zeros((40, 40), bool); ref[10:38, 2:38] = True
    >>> pred = ref.copy(); pred[:, 30:] = False
    >>> by_kind = surface_by_kind(pred, ref, border_kinds(image, ref, threshold=10))
    >>> {kind: s.hd for kind, s in by_kind.items()}
    {'distinct': 0.0, 'completed': 8.0}
    """
    for name in ("only", "boundary_width"):
        if name in options:
            raise ValueError(f"surface_by_kind() has no option {name!r}")
    pair = as_pair(pred, ref, spacing)
    _check_kinds(kinds, pair)
    threads = get_num_threads(num_threads)
    if labels is None:
        return _one_structure(pair, kinds, threads, options)
    return {
        label: _one_structure(
            Pair((pair.pred == label).view(np.uint8), (pair.ref == label).view(np.uint8), pair.spacing),
            kinds,
            threads,
            options,
        )
        for label in _wanted(pair, labels)
    }


def _wanted(pair: Pair, labels: Iterable[int] | Literal["all"]) -> list[int]:
    if isinstance(labels, str):
        return [int(label) for label in np.union1d(np.unique(pair.pred), np.unique(pair.ref)) if label]
    wanted = list(labels)
    for label in wanted:
        if not isinstance(label, (int, np.integer)) or label < 0:
            raise ValueError(f"labels must be whole numbers from 0 up, not {label!r}")
    return [int(label) for label in wanted]


def _one_structure(
    pair: Pair, kinds: BorderKinds, threads: int, options: Mapping[str, Any]
) -> dict[str, SurfaceMetrics]:
    return {
        kind: surface(pair.pred, pair.ref, pair.spacing, only=near, num_threads=threads, **options)
        for kind, near in _nearest_kind(pair, kinds, threads).items()
    }


def _nearest_kind(pair: Pair, kinds: BorderKinds, threads: int) -> dict[str, NDArray[np.bool_]]:
    """Return where, around both structures, the reference's nearest border voxel is of each kind."""
    marks = {kind: np.zeros(pair.ref.shape, bool) for kind in KINDS}
    box = _box_around(pair)
    if box is None:
        return marks
    border = label_border(pair.ref)[box] & kinds.border[box]
    if not border.any():
        return marks
    away = ~border if pair.ndim == 3 else ~border[None]
    _, site = _core.distance_transform(
        np.ascontiguousarray(away).view(np.uint8), pair.spacing_3d, False, True, threads, None
    )
    site = site.reshape(border.shape)
    for kind, mark in marks.items():
        mark[box] = np.ascontiguousarray(getattr(kinds, kind)[box]).ravel()[site]
    return marks


def _box_around(pair: Pair) -> tuple[slice, ...] | None:
    """Return the box around both structures with a voxel more on every side, where facets of a mesh may lie."""
    box = []
    for axis in range(pair.ndim):
        others = tuple(other for other in range(pair.ndim) if other != axis)
        place = np.flatnonzero(pair.pred.any(axis=others) | pair.ref.any(axis=others))
        if not place.size:
            return None
        box.append(slice(max(int(place[0]) - 1, 0), int(place[-1]) + 2))
    return tuple(box)


def _by_label(measured: Any) -> dict[int, SurfaceMetrics]:
    return {0: measured} if isinstance(measured, SurfaceMetrics) else measured


def _check_kinds(kinds: BorderKinds, pair: Pair) -> None:
    if kinds.distinct.shape != pair.ref.shape:
        raise ValueError(f"kinds are of shape {kinds.distinct.shape}, but the masks {pair.ref.shape}")


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else nan
