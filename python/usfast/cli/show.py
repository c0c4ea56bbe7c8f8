"""`usfast show`: three slices of a volume as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usfast.cli.console import print_lines
from usfast.cli.options import numbers
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    from usfast.volume import Volume

__all__ = ["show"]


def show(
    volume: Annotated[Path, typer.Argument(help="Volume to show (.nrrd, .mha, .nii.gz).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Picture to write (.png, .pdf, .svg).")],
    at: Annotated[str | None, typer.Option(help="Voxel x,y,z that the planes go through.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Label volume to draw on top.")] = None,
    weight: Annotated[
        Path | None, typer.Option(help="Weights from compound --weight-out: voxels above 0 hold data.")
    ] = None,
) -> None:
    """Draw three orthogonal slices with scale bar and coverage.

    Without --weight, voxels that are exactly 0 count as empty.
    """
    from usfast.report import figure_format, save_figure, slices_figure

    figure_format(out)
    voxel = None if at is None else _voxel(at)
    with outputs(out, inputs=[path for path in (volume, labels, weight) if path]) as (draft,):
        shown = _read(volume)
        weights = _read(weight, like=shown).array if weight else None
        figure = slices_figure(
            shown,
            shown.array != 0 if weights is None else weights > 0,
            _read(labels, like=shown) if labels else None,
            voxel,
            volume.name,
            covered="not 0" if weights is None else "covered",
        )
        save_figure(figure, draft)
    print_lines([str(out)])


def _voxel(text: str) -> tuple[int, int, int]:
    x, y, z = numbers(text, "--at", "x,y,z")
    if not all(place.is_integer() for place in (x, y, z)):
        raise ValueError(f"--at must be a voxel, three whole numbers, not {text!r}")
    return int(x), int(y), int(z)


def _read(path: Path, like: Volume | None = None) -> Volume:
    from usfast import io

    volume = io.read_volume(path)
    if like is not None and volume.array.shape != like.array.shape:
        raise ValueError(f"{path}: {volume.grid.size} voxels (x, y, z), but the volume has {like.grid.size}")
    return volume
