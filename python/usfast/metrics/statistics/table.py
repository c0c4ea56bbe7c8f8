"""Tables of measurements: a case a row, a metric a column."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import isinf, isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing
from usfast.metrics.overlap import OverlapMetrics
from usfast.metrics.surface import SurfaceMetrics

__all__ = ["CaseTable"]

_OVERLAP = (
    "dice",
    "iou",
    "precision",
    "recall",
    "miss_rate",
    "specificity",
    "pred_ml",
    "ref_ml",
    "volume_error_percent",
    "absolute_volume_error_percent",
)
_SURFACE = ("hd", "asd_pred_to_ref", "asd_ref_to_pred", "assd", "masd")

Measured = SurfaceMetrics | OverlapMetrics | float


@dataclass(frozen=True, eq=False)
class CaseTable:
    """Values of several metrics for several cases.

    Parameters
    ----------
    cases : sequence of str
        Names of the rows, each once.
    metrics : sequence of str
        Names of the columns, each once.
    values : (cases, metrics) array of float
        NaN where a metric is not defined or was not measured; infinite where a structure is missing.

    Raises
    ------
    ValueError
        If a name occurs twice or the shape does not fit the names.

    Examples
    --------
    >>> table = CaseTable(["leg1", "leg2"], ["dice", "hd95"], [[0.9, 3.1], [0.8, float("inf")]])
    >>> table["dice"].tolist(), table.row("leg2")
    ([0.9, 0.8], {'dice': 0.8, 'hd95': inf})
    """

    cases: Sequence[str]
    metrics: Sequence[str]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        values = np.array(self.values, np.float64, ndmin=2)
        cases, metrics = tuple(self.cases), tuple(self.metrics)
        for name, names in (("case", cases), ("metric", metrics)):
            twice = sorted({entry for entry in names if names.count(entry) > 1})
            if twice:
                raise ValueError(f"{name} {twice[0]!r} occurs more than once")
        if values.size == 0:
            values = values.reshape(len(cases), len(metrics))
        if values.shape != (len(cases), len(metrics)):
            raise ValueError(
                f"values has shape {values.shape}, but there are {len(cases)} cases and {len(metrics)} metrics"
            )
        values.flags.writeable = False
        for name, value in (("cases", cases), ("metrics", metrics), ("values", values)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(
        cls,
        results: Mapping[str, Measured | Mapping[Any, Any] | Iterable[Any]],
        names: Mapping[int, str] | None = None,
    ) -> CaseTable:
        """Make the table of what `surface` and `overlap` return.

        Parameters
        ----------
        results : dict of str to results
            By case: a `SurfaceMetrics`, an `OverlapMetrics`, a dict of them by label (or by kind of border), a dict
            of plain numbers by metric, or a list of such.
        names : dict of int to str, optional
            Names of labels.

        Returns
        -------
        CaseTable
            Columns in the order in which they first occur: ``dice``, ``hd``, ``hd95``, ``nsd@1mm``; of a label or
            kind ``dice[2]``, ``hd95[distinct]``. NaN where a case lacks a column.

        Raises
        ------
        TypeError
            If a result is none of these.

        Examples
        --------
        >>> from usfast.metrics import overlap, surface
        >>> ref = np.array([[0, 1, 1, 2], [0, 1, 1, 2]])
        >>> pred = np.array([[0, 1, 1, 2], [0, 0, 1, 2]])
        >>> parts = [surface(pred, ref, labels="all"), overlap(pred, ref, labels="all")]
        >>> table = CaseTable.of({"leg1": parts}, names={1: "soleus", 2: "tibia"})
        >>> round(table.row("leg1")["dice[soleus]"], 3), table.row("leg1")["hd95[tibia]"]
        (0.857, 0.0)
        """
        rows = {str(case): dict(_columns(result, "", names or {})) for case, result in results.items()}
        metrics = list(dict.fromkeys(column for row in rows.values() for column in row))
        values = [[row.get(column, np.nan) for column in metrics] for row in rows.values()]
        return cls(list(rows), metrics, np.array(values, np.float64).reshape(len(rows), len(metrics)))

    def __getitem__(self, metric: str) -> NDArray[np.float64]:
        """Return a metric's values, in the order of the cases."""
        if metric not in self.metrics:
            raise KeyError(f"no metric {metric!r}; there are {', '.join(self.metrics)}")
        return np.asarray(self.values[:, list(self.metrics).index(metric)])

    def __len__(self) -> int:
        return len(self.cases)

    def row(self, case: str) -> dict[str, float]:
        """Return a case's values by metric."""
        if case not in self.cases:
            raise KeyError(f"no case {case!r}")
        values = self.values[list(self.cases).index(case)].tolist()
        return dict(zip(self.metrics, values, strict=True))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV with full precision; NaN is an empty field, infinite values are ``inf``.

        Raises
        ------
        OSError
            If the file cannot be written; an older one stays then.
        """
        with replacing(Path(path)) as draft, draft.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["case", *self.metrics])
            for case, values in zip(self.cases, self.values.tolist(), strict=True):
                writer.writerow([case, *("" if isnan(value) else repr(value) for value in values)])

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> CaseTable:
        """Read what `to_csv` wrote, or any CSV whose first column names the cases.

        Raises
        ------
        FormatError
            If a line has too few or too many fields or one that is no number.
        """
        with Path(path).open(newline="", encoding="utf-8-sig") as stream:
            lines = [line for line in csv.reader(stream) if line]
        if not lines:
            raise FormatError(f"{path}: no header")
        header, values = lines[0], []
        for number, line in enumerate(lines[1:], start=2):
            if len(line) != len(header):
                raise FormatError(f"{path}, line {number}: {len(line)} fields, but the header has {len(header)}")
            try:
                values.append([float(field) if field.strip() else np.nan for field in line[1:]])
            except ValueError as error:
                raise FormatError(f"{path}, line {number}: {error}") from error
        names = [line[0] for line in lines[1:]]
        return cls(names, header[1:], np.array(values, np.float64).reshape(len(names), len(header) - 1))

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``{case: {metric: value}}``; NaN is null, infinite values the strings "inf" and "-inf".

        Raises
        ------
        OSError
            If the file cannot be written; an older one stays then.
        """
        rows = {case: {name: _plain(value) for name, value in self.row(case).items()} for case in self.cases}
        with replacing(Path(path)) as draft:
            draft.write_text(json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")

    def to_pandas(self) -> Any:
        """Return the table as a `pandas.DataFrame` with the cases as index.

        Raises
        ------
        ImportError
            If pandas is not installed; nothing else here needs it.
        """
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise ImportError("to_pandas() needs pandas, which is not installed", name="pandas") from error
        return pandas.DataFrame(
            self.values.copy(), index=pandas.Index(self.cases, name="case"), columns=list(self.metrics)
        )


def _columns(result: Any, suffix: str, names: Mapping[int, str]) -> Iterable[tuple[str, float]]:
    if isinstance(result, SurfaceMetrics):
        yield from ((name + suffix, getattr(result, name)) for name in _SURFACE)
        yield from ((f"hd{p:g}{suffix}", value) for p, value in result.hd_percentile.items())
        yield from ((f"nsd@{tolerance:g}mm{suffix}", value) for tolerance, value in result.nsd.items())
        if result.boundary_iou is not None:
            yield f"boundary_iou{suffix}", result.boundary_iou
    elif isinstance(result, OverlapMetrics):
        yield from ((name + suffix, getattr(result, name)) for name in _OVERLAP)
    elif isinstance(result, Mapping):
        for key, part in result.items():
            if isinstance(part, (int, float, np.number)):
                yield f"{key}{suffix}", float(part)
            else:
                yield from _columns(part, f"{suffix}[{names.get(key, key)}]", names)
    elif isinstance(result, Iterable) and not isinstance(result, (str, bytes, np.ndarray)):
        for part in result:
            yield from _columns(part, suffix, names)
    else:
        raise TypeError(f"a case's result must be SurfaceMetrics, OverlapMetrics, a dict or a list, not {result!r}")


def _plain(value: float) -> float | str | None:
    return None if isnan(value) else str(value) if isinf(value) else value
