"""`usfast evaluate`: how good segmentations are, in a table, files and pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from usfast.cli.console import print_columns, print_lines, progress_bar
from usfast.cli.options import numbers
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    from usfast.metrics.evaluation import Case, CaseResult

__all__ = ["evaluate"]


class Preset(StrEnum):
    """Whose definitions to follow."""

    monai = "monai"
    monai_subvoxel = "monai_subvoxel"
    medpy = "medpy"
    deepmind = "deepmind"
    metrics_reloaded = "metrics_reloaded"
    panoptica = "panoptica"


class Surface(StrEnum):
    """What a surface is made of."""

    voxel = "voxel"
    surfel = "surfel"
    mesh = "mesh"


def evaluate(
    pred: Annotated[Path, typer.Argument(help="Segmentation, or a folder of them.")],
    ref: Annotated[Path, typer.Argument(help="Reference, or a folder with files of the same names.")],
    classes: Annotated[str | None, typer.Option(help="Labels to measure: all, 1,2 or 1=GM,2=GL.")] = None,
    spacing: Annotated[str | None, typer.Option(help="z,y,x in mm, instead of what the files say.")] = None,
    tolerance: Annotated[str, typer.Option(help="Tolerances of the normalised surface Dice, mm.")] = "1",
    percentile: Annotated[str, typer.Option(help="Percentiles of the Hausdorff distance.")] = "95",
    definition: Annotated[Surface | None, typer.Option(help="What a surface is made of.")] = None,
    preset: Annotated[Preset | None, typer.Option(help="Whose definitions to follow.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for table, JSON and pictures.")] = None,
) -> None:
    """Compare segmentations with references: overlap, volumes and surface distances.

    Both may be folders: files of one name belong together. Labels are measured one by one.
    """
    from usfast.metrics.evaluation import evaluate_volumes, find_cases

    cases = find_cases(pred, ref)
    labels, names = _classes(classes)
    options: dict[str, Any] = {"tolerances": _several(tolerance, "--tolerance")}
    options["percentiles"] = _several(percentile, "--percentile")
    options |= {"definition": definition.value} if definition else {}
    options |= {"preset": preset.value} if preset else {}
    steps = None if spacing is None else _spacing(spacing)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    with progress_bar("measuring") as progress:
        results = evaluate_volumes(cases, labels=labels, spacing=steps, progress=progress, **options)
    if not results:
        raise ValueError(f"{pred}: neither segmentation nor reference holds a label")
    print_columns([_shown(result.row, names) for result in results])
    _print_summary(results, names)
    if out is not None:
        _write(out, cases, results, names, steps)


def _classes(text: str | None) -> tuple[list[int] | Literal["all"] | None, dict[int, str]]:
    if text is None:
        return None, {}
    if text == "all":
        return "all", {}
    names: dict[int, str] = {}
    for part in text.split(","):
        label, _, name = part.partition("=")
        if not label.strip().isdigit():
            raise ValueError(f"--classes must be all, or labels such as 1,2 or 1=GM,2=GL, not {text!r}")
        names[int(label)] = name.strip() or label.strip()
    return list(names), names


def _spacing(text: str) -> tuple[float, float, float]:
    z, y, x = numbers(text, "--spacing", "z,y,x")
    return z, y, x


def _several(text: str, option: str) -> tuple[float, ...]:
    return numbers(text, option, ",".join(["number"] * (text.count(",") + 1)))


def _shown(row: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, str]:
    """Return the columns for the terminal: the ones that everybody asks for."""
    surfaces = [name for name in row if name.startswith("hd") or name.startswith("nsd")]
    columns = ["dice", "iou", "precision", "recall", *surfaces, "assd", "pred_ml", "ref_ml", "volume_error_percent"]
    heads = {"volume_error_percent": "vol. error %", "pred_ml": "ml", "ref_ml": "ref ml"}
    shown = {"case": str(row["case"]), "label": names.get(row["label"], str(row["label"]))}
    return shown | {heads.get(name, name): _number(row[name]) for name in columns}


def _number(value: float) -> str:
    return "-" if value != value else "inf" if not isfinite(value) else f"{value:.4g}"


def _print_summary(results: Sequence[CaseResult], names: Mapping[int, str]) -> None:
    """Print mean and standard deviation of each label over the cases, and what they leave out."""
    if len({result.case for result in results}) < 2:
        return
    print_lines([""])
    print_columns([{"label": names.get(label, str(label)), **columns} for label, columns in _summary(results).items()])


def _summary(results: Sequence[CaseResult]) -> dict[int, dict[str, str]]:
    import numpy as np

    summary: dict[int, dict[str, str]] = {}
    for label in sorted({result.label for result in results}):
        rows = [result.row for result in results if result.label == label]
        columns = {"cases": str(len(rows))}
        for name in ("dice", "iou", "hd", "hd95", "assd", "volume_error_percent"):
            values = np.array([row[name] for row in rows if name in row and isfinite(row[name])])
            if len(values):
                left_out = f" ({len(rows) - len(values)} not finite)" if len(values) < len(rows) else ""
                spread = f" +- {values.std(ddof=1):.2g}" if len(values) > 1 else ""
                columns[name.replace("volume_error_percent", "vol. error %")] = f"{values.mean():.4g}{spread}{left_out}"
        summary[label] = columns
    return summary


def _write(
    folder: Path, cases: Sequence[Case], results: Sequence[CaseResult], names: Mapping[int, str], spacing: Any
) -> None:
    from usfast.metrics.evaluation import read_labels
    from usfast.report import save_figure
    from usfast.report.evaluation import surface_error_figure, violin_figure

    pictures = [folder / f"surface-{case.name}.png" for case in cases]
    targets = [folder / "metrics.csv", folder / "metrics.json", folder / "violins.png", *pictures]
    with outputs(*targets, inputs=[path for case in cases for path in (case.pred, case.ref)]) as drafts:
        _write_csv(drafts[0], results, names)
        _write_json(drafts[1], results, names)
        save_figure(violin_figure([result.row for result in results], names), drafts[2])
        with progress_bar("painting surface errors") as progress:
            for number, (case, draft) in enumerate(zip(cases, drafts[3:], strict=True)):
                labels = [result.label for result in results if result.case == case.name]
                figure = surface_error_figure(
                    read_labels(case.pred), read_labels(case.ref), labels, names, case.name, spacing
                )
                save_figure(figure, draft)
                if progress is not None:
                    progress(number + 1, len(cases))
    print_lines(["", *map(str, targets)])


def _write_csv(path: Path, results: Sequence[CaseResult], names: Mapping[int, str]) -> None:
    rows = [result.row | {"name": names.get(result.label, "")} for result in results]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_json(path: Path, results: Sequence[CaseResult], names: Mapping[int, str]) -> None:
    """JSON knows neither NaN nor infinity: null and the text "inf"."""

    def plain(value: Any) -> Any:
        if not isinstance(value, float) or isfinite(value):
            return value
        return None if value != value else "inf"

    rows = [{name: plain(value) for name, value in result.row.items()} for result in results]
    how = vars(results[0].surface.definition)
    text = json.dumps({"definition": how, "labels": {str(k): v for k, v in names.items()}, "results": rows}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
