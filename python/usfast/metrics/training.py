"""Metrics in a training loop: the faces of MONAI's and of torchmetrics' metrics, without either package."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.metrics.overlap import OverlapMetrics, overlap
from usfast.metrics.surface import surface

__all__ = ["MonaiStyleMetric", "TorchmetricsStyleMetric"]

Floats = NDArray[np.float64]
Batch = Any  # torch.Tensor or numpy array, one-hot (B, C, H, W) or (B, C, Z, Y, X)

_OVERLAP = (
    "dice",
    "iou",
    "precision",
    "recall",
    "miss_rate",
    "specificity",
    "volume_error_percent",
    "absolute_volume_error_percent",
)
_SURFACE = ("hd", "asd_pred_to_ref", "asd_ref_to_pred", "assd", "masd", "nsd")
_REDUCTIONS = ("mean", "mean_batch", "none")
_PERCENTILE = re.compile(r"hd(\d+(?:\.\d+)?)")


class _Cases:
    """Values (cases, classes) of each measure, gathered batch by batch."""

    def __init__(
        self,
        measures: str | Sequence[str],
        *,
        include_background: bool = False,
        reduction: str = "mean",
        spacing: Any = None,
        tolerances: float | Sequence[float] = 1.0,
        num_threads: int | None = None,
        **definition: Any,
    ) -> None:
        self._single = isinstance(measures, str)
        self._measures = (measures,) if isinstance(measures, str) else tuple(measures)
        if not self._measures:
            raise ValueError("measures names no measure")
        for measure in self._measures:
            if measure not in (*_OVERLAP, *_SURFACE) and not 0 <= _percentile(measure) <= 100:
                raise ValueError(
                    f"measures must be of {', '.join((*_OVERLAP, *_SURFACE))} or hd with a percentile (hd95), "
                    f"not {measure!r}"
                )
        if reduction not in _REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}, not {reduction!r}")
        if definition and all(measure in _OVERLAP for measure in self._measures):
            raise ValueError(f"{', '.join(definition)}: no measure here depends on the definition of a surface")
        self._background = include_background
        self._reduction = reduction
        self._spacing = spacing
        self._tolerances = tolerances
        self._threads = num_threads
        self._definition = definition
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self._batches: list[Floats] = []
        self._like: Batch = None

    def _add(self, pred: Batch, ref: Batch, spacing: Any) -> Floats:
        """Measure a batch and keep its values (B, C, measures)."""
        pred, ref = (batch if _is_tensor(batch) else np.asarray(batch) for batch in (pred, ref))
        if tuple(pred.shape) != tuple(ref.shape):
            raise ValueError(f"y_pred has shape {tuple(pred.shape)}, but y {tuple(ref.shape)}")
        if pred.ndim not in (4, 5):
            raise ValueError(f"y_pred must be one-hot, (B, C, H, W) or (B, C, Z, Y, X), not {tuple(pred.shape)}")
        first = 0 if self._background or pred.shape[1] == 1 else 1
        count, classes = int(pred.shape[0]), range(first, int(pred.shape[1]))
        if self._batches and self._batches[0].shape[1] != len(classes):
            raise ValueError(f"this batch has {len(classes)} classes, but earlier ones {self._batches[0].shape[1]}")
        tolerances = _each_class(self._tolerances, len(classes))
        steps = _each_sample(self._spacing if spacing is None else spacing, count, pred.ndim - 2)
        values = np.empty((count, len(classes), len(self._measures)))
        ours, theirs = _on_cpu(pred), _on_cpu(ref)
        for sample in range(count):
            for place, channel in enumerate(classes):
                masks = _mask("y_pred", ours[sample, channel]), _mask("y", theirs[sample, channel])
                values[sample, place] = self._measure(*masks, steps[sample], tolerances[place])
        self._batches.append(values)
        self._like = pred.new_empty(0).float() if _is_tensor(pred) else None
        return values

    def _measure(self, pred: Any, ref: Any, spacing: Any, tolerance: float) -> list[float]:
        counted: OverlapMetrics | None = None
        found: dict[str, float] = {}
        if any(measure in _OVERLAP for measure in self._measures):
            counted = overlap(pred, ref, spacing, num_threads=self._threads)
        if any(measure not in _OVERLAP for measure in self._measures):
            percentiles = [_percentile(measure) for measure in self._measures if _PERCENTILE.fullmatch(measure)]
            s = surface(
                pred,
                ref,
                spacing,
                percentiles=percentiles,
                tolerances=(tolerance,),
                num_threads=self._threads,
                **self._definition,
            )
            found = {name: getattr(s, name) for name in _SURFACE if name != "nsd"} | {"nsd": s.nsd[tolerance]}
            found |= {name: s.hd_percentile[p] for name in self._measures if (p := _percentile(name)) >= 0}
        return [getattr(counted, name) if name in _OVERLAP else found[name] for name in self._measures]

    def _result(self, values: Floats, reduction: str) -> Any:
        """Return reduced values of the one measure, or a dict of them, as the kind of array that came in."""
        reduced = [self._as_given(_reduced(values[..., k], reduction)) for k in range(len(self._measures))]
        return reduced[0] if self._single else dict(zip(self._measures, reduced, strict=True))

    def _all(self) -> Floats:
        if not self._batches:
            raise ValueError("no batch was measured yet")
        return np.concatenate(self._batches)

    def _as_given(self, values: Floats) -> Any:
        if self._like is None:
            return values if values.ndim else float(values)
        return self._like.new_tensor(values)


class MonaiStyleMetric(_Cases):
    """A metric that is used as MONAI's cumulative metrics are.

    Call it with one-hot batches, then ask for `aggregate()`; `reset()` before the next epoch. Several measures cost
    one pass over the masks.

    Parameters
    ----------
    measures : str or sequence of str
        "hd", "hd95" (or another percentile), "assd", "masd", "asd_pred_to_ref", "asd_ref_to_pred", "nsd", "dice",
        "iou", "precision", "recall", "miss_rate", "specificity", "volume_error_percent",
        "absolute_volume_error_percent". One name gives an array, several a dict of arrays.
    include_background : bool
        Measure class 0 too. A single channel is always measured.
    reduction : {"mean", "mean_batch", "none"}
        Over the classes of each case and then over cases; over cases for each class; not at all. NaN (both masks
        empty) does not count, as in MONAI; where nothing counts the result is NaN, for which MONAI gives 0.
        Infinite values (one mask empty) do count: choose ``empty="worst"`` or ``"nan"`` to keep a mean finite.
    spacing : float, (z, y, x) or (y, x), or (B, 1) or (B, axes) array, optional
        For all samples or one row a sample, mm; default 1. The call can give another.
    tolerances : float or sequence of float
        For "nsd", mm; one for all classes or one for each measured class.
    num_threads : int, optional
        Does not change the result.
    **definition
        ``preset`` and the fields of `usfast.metrics.Definition`, such as ``empty``.

    Raises
    ------
    ValueError
        If a name is unknown.

    Notes
    -----
    Tensors on the CPU of type bool or uint8 are read in place; other types (float one-hot) become a mask of one byte
    a voxel, one class at a time. Tensors of another device are copied to the CPU, the whole batch at once, and
    results go back to that device as float32. NumPy arrays give float64; torch itself is never imported. Metrics
    of several processes are not gathered: gather ``aggregate("none")``.

    Examples
    --------
    >>> ref = np.zeros((2, 2, 8, 8), bool); ref[:, 1, 2:6, 2:6] = True; ref[:, 0] = ~ref[:, 1]
    >>> metric = MonaiStyleMetric(["dice", "hd95"], reduction="mean_batch")
    >>> batch = metric(np.roll(ref, 1, axis=-1), ref, spacing=0.5)
    >>> batch["dice"].tolist(), {name: value.tolist() for name, value in metric.aggregate().items()}
    ([[0.75], [0.75]], {'dice': [0.75], 'hd95': [0.5]})
    """

    def __call__(self, y_pred: Batch, y: Batch, spacing: Any = None) -> Any:
        """Measure a batch.

        Parameters
        ----------
        y_pred, y : (B, C, H, W) or (B, C, Z, Y, X) tensor or array
            One-hot: 0 and 1. Threshold or argmax predictions first.
        spacing : float or array, optional
            mm, instead of the metric's own.

        Returns
        -------
        (B, C) tensor or array, or dict of str to them
            C without the background unless it is included.

        Raises
        ------
        ValueError, TypeError
            If shapes differ or values are neither 0 nor 1.
        """
        return self._result(self._add(y_pred, y, spacing), "none")

    def aggregate(self, reduction: str | None = None) -> Any:
        """Return what all batches since the last `reset` give; `reduction` overrides the metric's own.

        Raises
        ------
        ValueError
            If no batch was measured or the reduction is unknown.
        """
        if reduction is not None and reduction not in _REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}, not {reduction!r}")
        return self._result(self._all(), reduction or self._reduction)


class TorchmetricsStyleMetric(_Cases):
    """A metric that is used as those of torchmetrics are: `update`, `compute`, `reset`.

    Calling it updates and returns the value of this batch alone. Parameters, results and notes are those of
    `MonaiStyleMetric`.

    Examples
    --------
    >>> ref = np.zeros((2, 1, 8, 8), bool); ref[:, :, 2:6, 2:6] = True
    >>> metric = TorchmetricsStyleMetric("iou")
    >>> metric.update(ref, ref)
    >>> metric.update(np.roll(ref, 1, axis=-1), ref)
    >>> metric.compute()
    0.8
    """

    def update(self, preds: Batch, target: Batch, spacing: Any = None) -> None:
        """Measure a one-hot batch and keep its values."""
        self._add(preds, target, spacing)

    def compute(self) -> Any:
        """Return what all batches since the last `reset` give.

        Raises
        ------
        ValueError
            If no batch was measured.
        """
        return self._result(self._all(), self._reduction)

    def __call__(self, preds: Batch, target: Batch, spacing: Any = None) -> Any:
        """Measure a one-hot batch, keep its values and return what they alone give."""
        return self._result(self._add(preds, target, spacing), self._reduction)


def _percentile(measure: str) -> float:
    match = _PERCENTILE.fullmatch(measure)
    return float(match[1]) if match else -1.0


def _reduced(values: Floats, reduction: str) -> Floats:
    if reduction == "none":
        return values
    if reduction == "mean":
        values = _mean(values, axis=1)
    return _mean(values, axis=0)


def _mean(values: Floats, axis: int) -> Floats:
    """Return the mean of what is not NaN; NaN where all is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0).sum(axis=axis)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _each_class(tolerances: float | Sequence[float], classes: int) -> list[float]:
    given = np.asarray(tolerances, np.float64)
    if given.ndim and given.shape != (classes,):
        raise ValueError(f"tolerances must be one number or {classes}, one for each class, not {given.tolist()}")
    return [float(value) for value in np.broadcast_to(given, classes)]


def _each_sample(spacing: Any, count: int, ndim: int) -> list[Any]:
    given = np.asarray(1.0 if spacing is None else spacing, np.float64)
    if given.ndim < 2:  # `surface` checks it
        return [given] * count
    if given.shape not in ((count, 1), (count, ndim)):
        raise ValueError(f"spacing of {count} samples must have {count} rows of 1 or {ndim}, not shape {given.shape}")
    return list(np.broadcast_to(given, (count, ndim)))


def _is_tensor(batch: Batch) -> bool:
    return hasattr(batch, "detach")


def _on_cpu(batch: Batch) -> Any:
    return batch.detach().cpu() if _is_tensor(batch) else batch


def _mask(name: str, channel: Any) -> NDArray[Any]:
    """Return a one-hot channel as booleans or bytes, in place where it has them."""
    kind = str(channel.dtype).removeprefix("torch.")
    inside = channel if kind in ("bool", "uint8") else channel != 0
    if kind != "bool" and not bool(((channel == 0) | (channel == 1)).all()):
        raise ValueError(f"{name} must be one-hot, 0 and 1, but holds other values: threshold or argmax it first")
    return np.asarray(inside.numpy() if _is_tensor(inside) else inside)
