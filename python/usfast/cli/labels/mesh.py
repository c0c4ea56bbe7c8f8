"""`usfast labels mesh`: surfaces of labelled structures, and a table of their volumes."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usfast.cli.console import print_columns, print_lines, progress_bar
from usfast.cli.labels.files import check_table_name, label_names, read_label_file
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    from usfast.labels.files.segments import Segmentation
    from usfast.labels.surfaces.mesh import Mesh

__all__ = ["mesh"]

_FORMATS = (".stl", ".ply", ".obj")


def mesh(
    labels: Annotated[Path, typer.Argument(help="Label volume.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Mesh to write (.ply, .stl, .obj); of several labels LEG-NAME.ply each.")
    ],
    label: Annotated[list[int] | None, typer.Option(help="Only this label; may be repeated. (default: all)")] = None,
    smooth: Annotated[
        float | None, typer.Option(min=0.0, help="Sigma of the smoothing, mm. (default: 1.5 times the spacing)")
    ] = None,
    step: Annotated[int, typer.Option(help="Voxels between samples: 2 gives a quarter of the triangles.")] = 1,
    names: Annotated[str | None, typer.Option(help="Names of the labels: 1=GM,2=GL.")] = None,
    table: Annotated[Path | None, typer.Option(help="Also write the table (.csv).")] = None,
) -> None:
    """Write the surface of each structure, and tell its volume in ml by voxels and by mesh.

    Coordinates are the world's in mm (LPS, as ITK has it; the files say so).

    Example: usfast labels mesh labels.seg.nrrd -o leg.ply --table volumes.csv
    """
    if out.suffix.lower() not in _FORMATS:
        raise ValueError(f"{out}: meshes are written as {', '.join(_FORMATS)}")
    check_table_name(table, ".csv", "the table")
    known = label_names(names)
    given = read_label_file(labels, known)
    wanted = _wanted(given, label, labels)
    targets = _targets(out, wanted, given.names)
    with outputs(*targets, table, inputs=[labels]) as drafts:
        rows = []
        with progress_bar("meshing") as progress:
            for number, (structure, draft) in enumerate(zip(wanted, drafts, strict=False)):
                rows.append(_meshed(given, structure, smooth, step, draft))
                if progress is not None:
                    progress(number + 1, len(wanted))
        if table is not None:
            _write_table(rows, drafts[-1])
    print_columns(rows)
    print_lines(["", *map(str, targets), *([] if table is None else [str(table)])])


def _wanted(given: Segmentation, label: list[int] | None, path: Path) -> list[int]:
    import numpy as np

    present = [int(value) for value in np.unique(given.labels.array) if value]
    if not present:
        raise ValueError(f"{path}: every label is 0: there is nothing to mesh")
    wanted = list(dict.fromkeys(label or present))
    missing = [value for value in wanted if value not in present]
    if missing:
        raise ValueError(f"{path}: no voxel has the label {missing[0]}; the labels are {present}")
    return wanted


def _targets(out: Path, wanted: list[int], names: Mapping[int, str]) -> list[Path]:
    """Return a file for each label; names in a file are others', and become plain words."""
    if len(wanted) == 1:
        return [out]
    words = [re.sub(r"[^\w]+", "-", names[label], flags=re.ASCII).strip("-")[:60] or str(label) for label in wanted]
    if len({word.lower() for word in words}) < len(words):
        words = [f"{label}-{word}" for label, word in zip(wanted, words, strict=True)]
    return [out.with_name(f"{out.stem}-{word}{out.suffix}") for word in words]


def _meshed(given: Segmentation, label: int, smooth: float | None, step: int, draft: Path) -> dict[str, str]:
    import numpy as np

    from usfast.labels.surfaces.cross_sections import cross_sectional_area
    from usfast.labels.surfaces.surface_mesh import surface_mesh

    made: Mesh = surface_mesh(given.labels, label, smooth=smooth, step=step)
    made.write(draft)
    voxels = np.count_nonzero(given.labels.array == label) * float(np.prod(given.labels.spacing)) / 1000
    largest = cross_sectional_area(given.labels, label, axis="z").largest_cm2
    return {
        "label": str(label),
        "name": given.names[label],
        "voxels ml": f"{voxels:.3f}",
        "mesh ml": f"{made.volume_ml:.3f}",
        "area cm2": f"{made.area_cm2:.2f}",
        "largest section along z cm2": f"{largest:.2f}",
        "triangles": str(len(made.faces)),
        "closed": "yes" if made.is_closed else "no",
    }


def _write_table(rows: list[dict[str, str]], path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer: csv.DictWriter[Any] = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
