"""Surface distances between two segmentations: every definition of the field, by name, from one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.metrics.boundary import boundary_iou
from usfast.metrics.definitions import Definition, definition_of
from usfast.metrics.distances import DistanceTable, pooled
from usfast.metrics.mesh import mesh_distances
from usfast.metrics.overlap import OverlapMetrics
from usfast.metrics.pairs import Pair, as_pair, label_pairs
from usfast.metrics.surfels import contour_lengths, surfel_areas
from usfast.volume import Volume

__all__ = ["SurfaceMetrics", "surface"]

_Progress = Callable[[int, int], Any] | None


@dataclass(frozen=True, eq=False)
class SurfaceMetrics:
    """Distances between two surfaces, mm.

    Attributes
    ----------
    hd : float
        Hausdorff distance: the largest distance in either direction.
    hd_percentile : dict of float to float
        The same at percentiles, by percentile.
    asd_pred_to_ref, asd_ref_to_pred : float
        Directed average surface distances.
    assd, masd : float
        Average symmetric surface distance: the mean of all distances of both directions (ASSD), and the mean of
        the two directed means (MASD). Packages disagree which of them "ASSD" is.
    nsd : dict of float to float
        Normalised surface Dice by tolerance: the share of both surfaces within it.
    boundary_iou : float or None
        Intersection over union of the inner boundary bands (B. Cheng et al., CVPR 2021), where a width was given.
    overlap : OverlapMetrics
        Dice, volumes and the like, from the same pass.
    pred_to_ref, ref_to_pred : DistanceTable
        All that the numbers above come from; ``total`` is the size of the surface in voxels, or mm2.
    definition : Definition
        How it was measured.
    """

    hd: float
    hd_percentile: dict[float, float]
    asd_pred_to_ref: float
    asd_ref_to_pred: float
    assd: float
    masd: float
    nsd: dict[float, float]
    boundary_iou: float | None
    overlap: OverlapMetrics
    pred_to_ref: DistanceTable
    ref_to_pred: DistanceTable
    definition: Definition


@overload
def surface(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    spacing: ArrayLike | None = ...,
    *,
    labels: None = ...,
    percentiles: Sequence[float] = ...,
    tolerances: Sequence[float] = ...,
    only: ArrayLike | None = ...,
    boundary_width: float | None = ...,
    preset: str | None = ...,
    num_threads: int | None = ...,
    progress: _Progress = ...,
    **definition: Any,
) -> SurfaceMetrics: ...
@overload
def surface(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    spacing: ArrayLike | None = ...,
    *,
    labels: Iterable[int] | Literal["all"],
    percentiles: Sequence[float] = ...,
    tolerances: Sequence[float] = ...,
    only: ArrayLike | None = ...,
    boundary_width: float | None = ...,
    preset: str | None = ...,
    num_threads: int | None = ...,
    progress: _Progress = ...,
    **definition: Any,
) -> dict[int, SurfaceMetrics]: ...
def surface(
    pred: ArrayLike | Volume,
    ref: ArrayLike | Volume,
    spacing: ArrayLike | None = None,
    *,
    labels: Iterable[int] | Literal["all"] | None = None,
    percentiles: Sequence[float] = (95,),
    tolerances: Sequence[float] = (1.0,),
    only: ArrayLike | None = None,
    boundary_width: float | None = None,
    preset: str | None = None,
    num_threads: int | None = None,
    progress: _Progress = None,
    **definition: Any,
) -> SurfaceMetrics | dict[int, SurfaceMetrics]:
    """Measure how far two segmentations' surfaces are apart.

    Parameters
    ----------
    pred, ref : (H, W) or (Z, Y, X) array of bool or integers, or Volume
        The segmentation and what it is judged by. 2D images have contours instead of surfaces.
    spacing : float or (z, y, x) or (y, x), optional
        Of the array's own axes, mm; default 1. Not allowed beside volumes, which carry theirs.
    labels : iterable of int or "all", optional
        Structures to measure, each against the same label in `ref`; "all": every label above 0 in either.
        Default: the one structure that is not 0.
    percentiles : sequence of float
        Of the distances, 0 to 100; for `SurfaceMetrics.hd_percentile`.
    tolerances : sequence of float
        For `SurfaceMetrics.nsd`, mm.
    only : array of bool of the masks' shape, optional
        Measure from those surface elements alone that lie here; they are measured to the whole other surface.
        See `usfast.borders` for a map of distinct and completed borders.
    boundary_width : float, optional
        Width of the band for `SurfaceMetrics.boundary_iou`, mm.
    preset : {"monai", "monai_subvoxel", "medpy", "deepmind", "metrics_reloaded", "panoptica"}, optional
        Definition of a package; other keywords still change it.
    num_threads : int, optional
        Does not change the result.
    progress : callable, optional
        Called with (done, total) of the direction and structure under work.
    **definition
        Fields of `Definition`: ``definition``, ``connectivity``, ``edge``, ``hd_percentile``, ``interpolation``,
        ``assd``, ``nsd``, ``empty``.

    Returns
    -------
    SurfaceMetrics, or dict of int to SurfaceMetrics where `labels` are given
        One structure empty: distances are inf, NSD 0. Both empty: NaN. `Definition.empty` changes that.

    Raises
    ------
    ValueError
        If shapes differ, an array holds several labels and `labels` is not given, a number is out of range.
    TypeError
        If an array does not hold booleans or integers.
    GeometryError
        If two volumes do not lie on one grid.

    Notes
    -----
    One pass over both masks, then a search that costs time only near the surfaces; at worst that of one exact
    distance transform of the box around both. Memory: about 0.3 bytes a voxel. Packages disagree on the same masks
    by half of the value: see `Definition` and the project's page on metrics.

    Examples
    --------
    >>> ref = np.zeros((20, 20, 20), bool); ref[5:15, 5:15, 5:15] = True
    >>> pred = np.roll(ref, 1, axis=2)
    >>> s = surface(pred, ref, spacing=(2.0, 1.0, 1.0))
    >>> s.hd, round(s.assd, 3), s.nsd[1.0]
    (1.0, 0.336, 1.0)
    """
    pair = as_pair(pred, ref, spacing)
    how = definition_of(preset, definition)
    if how.definition != "voxel" and (how.edge != "surface" or how.connectivity != 1):
        raise ValueError(f"edge and connectivity belong to definition='voxel', not to {how.definition!r}")
    threads = get_num_threads(num_threads)
    diagonal = float(np.linalg.norm(np.subtract(pair.pred.shape, 1) * pair.spacing))
    wanted = _Wanted(
        _percentiles(percentiles),
        _tolerances(tolerances),
        _width(boundary_width),
        diagonal,
        pair.pred.size,
        threads,
        progress,
    )
    here = _only(only, pair)
    if labels is None:
        return _measure(_one_structure(pair, threads), here, how, wanted)
    return {
        label: _measure(part, only_there, how, wanted) for label, part, only_there in _each(pair, labels, here, threads)
    }


@dataclass(frozen=True)
class _Wanted:
    percentiles: tuple[float, ...]
    tolerances: tuple[float, ...]
    boundary_width: float | None
    diagonal: float  # of the whole image, mm
    voxels: int  # of the whole image
    threads: int
    progress: _Progress


def _measure(pair: Pair, only: NDArray[np.uint8] | None, how: Definition, wanted: _Wanted) -> SurfaceMetrics:
    """Measure one structure: what is not 0."""
    measure = mesh_distances if how.definition == "mesh" else _kernel_distances
    forward, backward, counts = measure(pair, only, how, wanted.threads, wanted.progress)
    result = SurfaceMetrics(
        hd=_larger(forward.maximum, backward.maximum),
        hd_percentile={p: _percentile(forward, backward, p / 100, how) for p in wanted.percentiles},
        asd_pred_to_ref=forward.mean,
        asd_ref_to_pred=backward.mean,
        assd=_average(forward, backward, how.assd),
        masd=_mean(forward.mean, backward.mean),
        nsd={tolerance: _nsd(forward, backward, tolerance, how) for tolerance in wanted.tolerances},
        boundary_iou=None
        if wanted.boundary_width is None
        else boundary_iou(pair, wanted.boundary_width, wanted.threads),
        overlap=_overlap(counts, wanted.voxels, pair.spacing),
        pred_to_ref=forward,
        ref_to_pred=backward,
        definition=how,
    )
    return result if counts[0] and counts[1] else _empty(result, how, wanted.diagonal)


def _overlap(counts: tuple[int, int, int], voxels: int, spacing: tuple[float, ...]) -> OverlapMetrics:
    pred, ref, both = counts
    return OverlapMetrics(both, pred - both, ref - both, voxels - pred - ref + both, float(np.prod(spacing)))


def _kernel_distances(
    pair: Pair, only: NDArray[np.uint8] | None, how: Definition, threads: int, progress: _Progress
) -> tuple[DistanceTable, DistanceTable, tuple[int, int, int]]:
    surfels = how.definition == "surfel"
    planar = pair.ndim == 2
    sz, sy, sx = pair.spacing_3d
    weights = contour_lengths((sy, sx)) if planar else surfel_areas((sz, sy, sx))
    forward, backward, *counts = _core.surface_distances(
        *pair.volumes,
        only if only is None or not planar else only[None],
        -1,
        pair.spacing_3d,
        planar,
        surfels,
        weights.tolist(),
        how.connectivity,
        how.edge == "surface",
        threads,
        progress,
    )
    pred, ref, both = counts
    return DistanceTable(*forward), DistanceTable(*backward), (pred, ref, both)


def _percentile(forward: DistanceTable, backward: DistanceTable, q: float, how: Definition) -> float:
    def quantile(table: DistanceTable) -> float:
        return table.quantile(q) if how.interpolation == "linear" else table.weighted_quantile(q)

    if how.hd_percentile == "pooled":
        return quantile(pooled(forward, backward))
    return _larger(quantile(forward), quantile(backward))


def _average(forward: DistanceTable, backward: DistanceTable, kind: str) -> float:
    return pooled(forward, backward).mean if kind == "pooled" else _mean(forward.mean, backward.mean)


def _nsd(forward: DistanceTable, backward: DistanceTable, tolerance: float, how: Definition) -> float:
    if how.nsd == "mean":
        return _mean(forward.share_within(tolerance), backward.share_within(tolerance))
    total = forward.total + backward.total
    return (forward.within(tolerance) + backward.within(tolerance)) / total if total else nan


def _mean(a: float, b: float) -> float:
    return (a + b) / 2


def _larger(a: float, b: float) -> float:
    return nan if a != a and b != b else float(np.fmax(a, b))


def _empty(result: SurfaceMetrics, how: Definition, diagonal: float) -> SurfaceMetrics:
    """Return what the policy says where one structure is empty, or both are."""
    both = result.overlap.pred_voxels == 0 and result.overlap.ref_voxels == 0
    if how.empty == "raise":
        which = "pred and ref are" if both else "pred is" if result.overlap.pred_voxels == 0 else "ref is"
        raise ValueError(f"{which} empty: surface distances are not defined (empty= gives them values)")
    far = diagonal if how.empty == "worst" else nan if how.empty == "nan" else inf
    distance, share = (far, nan if how.empty == "nan" else 0.0)
    if both:
        distance, share = (0.0, 1.0) if how.empty == "reloaded" else (nan, nan)
    return replace(
        result,
        hd=distance,
        hd_percentile=dict.fromkeys(result.hd_percentile, distance),
        asd_pred_to_ref=distance,
        asd_ref_to_pred=distance,
        assd=distance,
        masd=distance,
        nsd=dict.fromkeys(result.nsd, share),
    )


def _one_structure(pair: Pair, threads: int) -> Pair:
    if pair.boolean:
        return pair
    pairs = label_pairs(pair, threads)
    for name, side in (("pred", 0), ("ref", 1)):
        found = sorted({(entry[0], entry[1])[side] for entry in pairs} - {0})
        if len(found) > 1:
            shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
            raise ValueError(
                f'{name} holds {len(found)} labels ({shown}): say which with labels=[...] or labels="all", '
                "or pass a mask"
            )
    return pair


def _each(
    pair: Pair, labels: Iterable[int] | Literal["all"], only: NDArray[np.uint8] | None, threads: int
) -> Iterable[tuple[int, Pair, NDArray[np.uint8] | None]]:
    """Yield each label with its two masks, cropped to what holds them."""
    pairs = label_pairs(pair, threads)
    present = sorted({label for a, b, *_ in pairs for label in (a, b)} - {0})
    for label in present if isinstance(labels, str) else _checked(labels):
        boxes = [(begin, end) for a, b, _, begin, end in pairs if label in (a, b)]
        box = _box(boxes, pair)
        part = replace(pair, pred=_mask(pair.pred, label, box), ref=_mask(pair.ref, label, box))
        yield label, part, None if only is None else np.ascontiguousarray(only[box])


def _box(boxes: list[tuple[list[int], list[int]]], pair: Pair) -> tuple[slice, ...]:
    """Return the box around all `boxes` with a voxel more on every side, so that only the image's edge is an edge."""
    if not boxes:
        return tuple(slice(0, 1) for _ in range(pair.ndim))
    begin = np.min([box[0] for box in boxes], axis=0)[-pair.ndim :]
    end = np.max([box[1] for box in boxes], axis=0)[-pair.ndim :]
    return tuple(
        slice(max(int(b) - 1, 0), min(int(e) + 1, size)) for b, e, size in zip(begin, end, pair.pred.shape, strict=True)
    )


def _mask(labels: NDArray[Any], label: int, box: tuple[slice, ...]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(labels[box] == label).view(np.uint8)


def _checked(labels: Iterable[int]) -> list[int]:
    wanted = list(labels)
    for label in wanted:
        if not isinstance(label, (int, np.integer)) or label < 0:
            raise ValueError(f"labels must be whole numbers from 0 up, not {label!r}")
    return [int(label) for label in wanted]


def _only(only: ArrayLike | None, pair: Pair) -> NDArray[np.uint8] | None:
    if only is None:
        return None
    array = np.asarray(only)
    if array.shape != pair.pred.shape:
        raise ValueError(f"only has shape {array.shape}, but the masks {pair.pred.shape}")
    return np.ascontiguousarray(array, bool).view(np.uint8)


def _percentiles(values: Sequence[float]) -> tuple[float, ...]:
    for value in values:
        if not 0 <= value <= 100:
            raise ValueError(f"percentiles must lie between 0 and 100, not {value!r}")
    return tuple(values)


def _tolerances(values: Sequence[float]) -> tuple[float, ...]:
    for value in values:
        if not (isfinite(value) and value >= 0):
            raise ValueError(f"tolerances must not be negative, not {value!r}")
    return tuple(values)


def _width(value: float | None) -> float | None:
    if value is not None and not (isfinite(value) and value > 0):
        raise ValueError(f"boundary_width must be positive, not {value!r}")
    return value
