"""Whole studies: segmentations on disk against their references, every case and structure in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from usfast.errors import FormatError, GeometryError
from usfast.metrics.overlap import OverlapMetrics, overlap
from usfast.metrics.surface import SurfaceMetrics, surface
from usfast.volume import Volume

__all__ = ["Case", "CaseResult", "evaluate_volumes", "find_cases", "read_labels"]


@dataclass(frozen=True)
class Case:
    """A segmentation and its reference on disk."""

    name: str
    pred: Path
    ref: Path


@dataclass(frozen=True, eq=False)
class CaseResult:
    """One structure of one case.

    Attributes
    ----------
    case : str
    label : int
        0 where the volumes hold masks: everything that is not 0 is the structure.
    overlap : OverlapMetrics
    surface : SurfaceMetrics
    """

    case: str
    label: int
    overlap: OverlapMetrics
    surface: SurfaceMetrics

    @property
    def row(self) -> dict[str, Any]:
        """Names and values for a table; mm, ml and fractions."""
        o, s = self.overlap, self.surface
        return {
            "case": self.case,
            "label": self.label,
            "dice": o.dice,
            "iou": o.iou,
            "precision": o.precision,
            "recall": o.recall,
            "miss_rate": o.miss_rate,
            "specificity": o.specificity,
            "hd": s.hd,
            **{f"hd{p:g}": value for p, value in s.hd_percentile.items()},
            "assd": s.assd,
            "masd": s.masd,
            "asd_pred_to_ref": s.asd_pred_to_ref,
            "asd_ref_to_pred": s.asd_ref_to_pred,
            **{f"nsd_{tolerance:g}mm": value for tolerance, value in s.nsd.items()},
            "pred_ml": o.pred_ml,
            "ref_ml": o.ref_ml,
            "volume_error_percent": o.volume_error_percent,
        }


def find_cases(pred: Path, ref: Path) -> list[Case]:
    """Return the pairs of files of two folders that have one name, or the pair that two files are.

    Raises
    ------
    FormatError
        If a folder holds no volume, or a file has no partner in the other folder.
    ValueError
        If one is a folder and the other a file.
    """
    for path in (pred, ref):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
    if pred.is_dir() != ref.is_dir():
        raise ValueError(f"{pred} and {ref} must both be files or both be folders")
    if not pred.is_dir():
        return [Case(_name(pred), pred, ref)]
    found, wanted = _volumes(pred), _volumes(ref)
    for name in found.keys() ^ wanted.keys():
        here, there = (pred, ref) if name in found else (ref, pred)
        raise FormatError(f"{there}: no partner of {(found | wanted)[name].name} of {here}; both need the same names")
    return [Case(name, found[name], wanted[name]) for name in sorted(found)]


def _volumes(folder: Path) -> dict[str, Path]:
    from usfast.io.volumes import VOLUME_SUFFIXES

    files = [file for file in folder.iterdir() if file.name.lower().endswith(VOLUME_SUFFIXES) and file.is_file()]
    if not files:
        raise FormatError(f"{folder}: no volume in this folder ({', '.join(VOLUME_SUFFIXES)})")
    volumes: dict[str, Path] = {}
    for file in sorted(files):
        if _name(file) in volumes:
            raise FormatError(f"{folder}: {volumes[_name(file)].name} and {file.name} are one case by their name")
        volumes[_name(file)] = file
    return volumes


def _name(path: Path) -> str:
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]


def read_labels(path: Path) -> Volume:
    """Return a volume of labels; whole numbers kept as floating point become integers.

    Raises
    ------
    FormatError
        If the file cannot be read, or holds anything but whole numbers from 0 up.
    """
    from usfast import io

    volume = io.read_volume(path)
    array = volume.array
    if array.dtype.kind == "f":
        whole = np.isfinite(array).all() and not (array != np.rint(array)).any() and array.max(initial=0) < 2**31
        if not whole:
            raise FormatError(f"{path}: holds other numbers than labels; threshold probabilities first")
        array = array.astype(np.int32)
    if array.dtype.kind == "i" and array.min(initial=0) < 0:
        raise FormatError(f"{path}: holds the negative label {int(array.min())}; labels count from 0, the background")
    return Volume(array, volume.spacing, volume.origin, volume.direction)


def evaluate_volumes(
    cases: Sequence[Case],
    *,
    labels: Iterable[int] | Literal["all"] | None = None,
    spacing: tuple[float, float, float] | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
    **options: Any,
) -> list[CaseResult]:
    """Measure every structure of every case.

    Parameters
    ----------
    cases : sequence of Case
    labels : iterable of int or "all", optional
        As in `surface`. Default: what is not 0 is one structure where a case holds a single label, every label
        where it holds several.
    spacing : (z, y, x), mm, optional
        Instead of what the files say.
    num_threads : int, optional
    progress : callable, optional
        Called with (cases done, cases in all).
    **options
        Passed on to `surface`: tolerances, percentiles, preset, definition...

    Returns
    -------
    list of CaseResult
        By case, then label.

    Raises
    ------
    FormatError
        If a file cannot be read or does not hold labels.
    GeometryError
        If a segmentation and its reference do not lie on one grid; the message names the file.
    """
    wanted = labels if labels is None or isinstance(labels, str) else list(labels)
    results = []
    for number, case in enumerate(cases):
        results += _evaluate(case, wanted, spacing, num_threads, options)
        if progress is not None:
            progress(number + 1, len(cases))
    return results


def _evaluate(
    case: Case,
    labels: list[int] | Literal["all"] | None,
    spacing: tuple[float, float, float] | None,
    num_threads: int | None,
    options: Mapping[str, Any],
) -> list[CaseResult]:
    pair: tuple[Any, Any] = (read_labels(case.pred), read_labels(case.ref))
    if spacing is not None:
        pair = pair[0].array, pair[1].array
    try:
        every: Any = overlap(*pair, spacing, labels=labels or "all", num_threads=num_threads)
        if labels is None and len(every) <= 1:
            single = overlap(*pair, spacing, num_threads=num_threads)
            return [CaseResult(case.name, next(iter(every), 0), single, surface(*pair, spacing, **options))]
        surfaces = surface(*pair, spacing, labels=list(every), num_threads=num_threads, **options)
    except GeometryError as error:
        raise GeometryError(f"{case.name}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{case.name}: {error}") from error
    return [CaseResult(case.name, label, every[label], surfaces[label]) for label in every]
