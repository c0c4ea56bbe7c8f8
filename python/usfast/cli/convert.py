"""`usfast convert`: a sweep or a volume from one format into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usfast.cli.console import print_table, progress_bar
from usfast.cli.outputs import outputs

__all__ = ["convert"]


def convert(
    source: Annotated[Path, typer.Argument(help="Sweep or volume; which of them, its content says.")],
    out: Annotated[
        Path,
        typer.Argument(
            help="Sweep: .igs.mha, .igs.mhd, .igs.nrrd, .h5, .npz or a folder; volume: .nrrd, .mha, .nii.gz."
        ),
    ],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="PLUS config or calibration file of a sweep.")
    ] = None,
    image_frame: Annotated[str | None, typer.Option(help="Name of the image frame, e.g. Image.")] = None,
    reference_frame: Annotated[str | None, typer.Option(help="Name of the reference frame.")] = None,
) -> None:
    """Convert a sweep or a volume into another format; the ending of OUT says which."""
    from usfast.io import describe

    inputs = [source] if config is None else [source, config]
    kind = describe(source, config).kind
    if kind == "poses":
        raise ValueError(f"{source}: the recording has no images; there is no format to convert it into")
    with outputs(out, inputs=inputs) as (draft,):
        if kind == "volume":
            rows = [("volume", _volume(source, draft))]
        else:
            rows = [("sweep", _sweep(source, draft, config, image_frame, reference_frame))]
    print_table(str(out), rows)


def _volume(source: Path, draft: Path) -> str:
    from usfast import io

    volume = io.read_volume(source)
    io.write_volume(volume, draft)
    return " x ".join(map(str, volume.grid.size)) + f" voxels, {volume.array.dtype}"


def _sweep(source: Path, draft: Path, config: Path | None, image_frame: str | None, reference_frame: str | None) -> str:
    from usfast import io

    with progress_bar(f"reading {source.name}") as progress:
        sweep = io.read_sweep(
            source, config, image_frame=image_frame, reference_frame=reference_frame, progress=progress
        )
    io.write_sweep(sweep, draft)
    height, width = sweep.image_size
    return f"{len(sweep)} frames of {width} x {height} pixels, {sweep.frames.dtype}"
