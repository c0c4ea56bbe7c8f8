"""`usfast labels zoi`: annotated frames of tracked sweeps to a label volume."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from usfast.cli.console import print_table, progress_bar
from usfast.cli.labels.annotations import annotated_sweep, thinned
from usfast.cli.labels.files import check_label_name, draw_labels, label_names, volume_rows, write_label_file
from usfast.cli.options import spacing
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    from usfast.labels import LabelledSweep, LabelVolume
    from usfast.volume import Volume

__all__ = ["zoi"]


class Rule(StrEnum):
    """Which of the two annotated masks around a frame it takes."""

    smaller = "smaller"
    nearest = "nearest"


class Between(StrEnum):
    """How frames between annotations get their labels."""

    smaller = "smaller"
    nearest = "nearest"
    signed_distance = "signed_distance"
    spline = "spline"
    discs = "discs"


def zoi(
    sweep: Annotated[list[Path], typer.Argument(help="Tracked sweeps that share one world frame.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Labels to write (.seg.nrrd, .nii.gz, .nrrd, .mha, .dcm).")],
    annotations: Annotated[
        list[Path] | None,
        typer.Option(
            "--annotations",
            "-a",
            help="What was drawn, one for each sweep: a folder of PNG masks, contours (.json), annotated frames (.h5, "
            ".npz) or a label volume whose slices are the frames. (default: the labels in the sweep's file)",
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="PLUS config or calibration file.")] = None,
    rule: Annotated[
        Rule | None, typer.Option(help="Zero-order rule: the smaller mask (the thesis' ZOI) or the nearer. (smaller)")
    ] = None,
    method: Annotated[Between | None, typer.Option(help="Instead of a zero-order rule; spline is recommended.")] = None,
    spacing_mm: Annotated[str, typer.Option("--spacing", help="Voxel spacing, mm: one number or x,y,z.")] = "0.5",
    every: Annotated[int, typer.Option(min=1, help="Use only each N-th annotated frame of a pass, and its last.")] = 1,
    first: Annotated[int, typer.Option(min=0, help="Number of the first frame in the names of PNG masks.")] = 0,
    largest_step: Annotated[
        float, typer.Option(help="Frames farther apart than this (mm) belong to different passes.")
    ] = 10.0,
    smooth: Annotated[
        float, typer.Option(min=0.0, help="Sigma of the Gaussian over the labels, voxels; 0: none.")
    ] = 1.5,
    size: Annotated[int, typer.Option(help="Width of its window, voxels, odd.")] = 7,
    volume_preserving: Annotated[
        bool | None,
        typer.Option(
            "--volume-preserving/--no-volume-preserving",
            help="Smooth without changing the structures' volumes. (default: yes, but no for the smaller mask)",
        ),
    ] = None,
    names: Annotated[str | None, typer.Option(help="Names of the labels: 1=GM,2=GL.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw three slices (.png, .pdf, .svg).")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; never changes the result.")] = None,
) -> None:
    """Label every voxel of sweeps on some frames of which an expert has drawn.

    Between two annotated frames every frame takes one of their masks (zero-order interpolation, ZOI), or, with
    --method, a shape in between; the frames are then compounded and smoothed.

    Example: usfast labels zoi sweep.igs.mha -a masks/ -o labels.seg.nrrd --method spline --names 1=GM,2=GL,3=SOL
    """
    if rule is not None and method is not None:
        raise ValueError("--method takes the place of the zero-order rule: give --rule or --method, not both")
    chosen = str(method or rule or Rule.smaller)
    if volume_preserving is None:
        volume_preserving = chosen != "smaller"
    check_label_name(out)
    if figure is not None:
        from usfast.report import figure_format

        figure_format(figure)
    drawn = annotations or []
    if drawn and len(drawn) != len(sweep):
        raise ValueError(f"there are {len(sweep)} sweeps, but {len(drawn)} --annotations: give one for each or none")
    job = _Job(chosen, config, every, first, largest_step, threads)
    grid_spacing, known = spacing(spacing_mm), label_names(names)
    inputs = [path for path in (*sweep, *drawn, config) if path is not None]
    with outputs(out, figure, inputs=inputs) as drafts:
        from usfast.labels import label_volume

        begin = perf_counter()
        made, annotated, found = job.run(sweep, drawn)
        known = found | known
        with progress_bar("compounding labels") as progress:
            volume = label_volume(
                made, grid_spacing, size=size if smooth > 0 else 1, sigma=smooth or 1.0,
                volume_preserving=volume_preserving, num_threads=threads, progress=progress,
            )  # fmt: skip
        seconds = perf_counter() - begin
        written = write_label_file(volume.volume.grid, volume.volume.array, known, drafts[0])
        if figure is not None:
            image = _image(made, volume, threads)
            draw_labels(written, drafts[1], ", ".join(path.name for path in sweep), image, volume.hull)
    frames = sum(len(one.sweep) for one in made)
    print_table(
        str(out),
        [
            ("method", f"{chosen}, {annotated} of {frames} frames annotated, {seconds:.1f} s"),
            *volume_rows(written),
        ],
        [text for one in made for text in one.sweep.meta.get("warnings", ())],
    )


@dataclass(frozen=True)
class _Job:
    """How annotations become label frames."""

    method: str
    config: Path | None
    every: int
    first: int
    largest_step: float
    threads: int | None

    def run(self, sweeps: list[Path], drawn: list[Path]) -> tuple[list[LabelledSweep], int, dict[int, str]]:
        """Return the labelled sweeps, how many frames were annotated, and the names of labels."""
        from usfast.labels import interpolate

        made: list[LabelledSweep] = []
        names: dict[int, str] = {}
        count = 0
        for number, path in enumerate(sweeps):
            sweep, annotated, found = annotated_sweep(path, self.config, drawn[number] if drawn else None, self.first)
            annotated = thinned(sweep, annotated, self.every, self.largest_step)
            with progress_bar(f"labelling {path.name}") as progress:
                try:
                    labelled = interpolate(
                        sweep, self.method, annotated, largest_step=self.largest_step, num_threads=self.threads,
                        progress=progress,
                    )  # fmt: skip
                except ValueError as error:
                    raise ValueError(f"{path}: {error}") from None
            made.append(labelled)
            count += int(annotated.sum())
            names |= found
        return made, count, names


def _image(made: list[LabelledSweep], volume: LabelVolume, threads: int | None) -> Volume:
    """Return the B-mode of all sweeps on the labels' grid, to look at."""
    import numpy as np

    from usfast.compound import compound_arrays
    from usfast.volume import Volume

    grid = volume.volume.grid
    total = np.zeros(grid.shape, np.float32)
    weight = np.zeros(grid.shape, np.float32)
    for one in made:
        sweep = one.sweep
        with progress_bar("compounding the picture") as progress:
            values, share = compound_arrays(
                sweep.frames, sweep.image_to_world, grid, valid=sweep.valid, mask=sweep.mask, num_threads=threads,
                progress=progress,
            )  # fmt: skip
        total += values * share
        weight += share
    return Volume.on(grid, np.divide(total, weight, out=total, where=weight > 0))
