"""`usfast labels fbs`: fill between annotated parallel slices of a label volume."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usfast.cli.console import print_table, progress_bar
from usfast.cli.labels.files import (
    check_label_name,
    compact,
    draw_labels,
    label_names,
    read_label_file,
    volume_rows,
    write_label_file,
)
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.volume import Volume

__all__ = ["AXES", "Axis", "annotated_slices", "fbs", "image_beside"]

AXES = {"z": 0, "y": 1, "x": 2}  # of an array (Z, Y, X)


class Axis(StrEnum):
    """An axis of a volume."""

    z = "z"
    y = "y"
    x = "x"


class Between(StrEnum):
    """How slices between annotated ones are filled."""

    morphological = "morphological"
    signed_distance = "signed_distance"


def fbs(
    labels: Annotated[Path, typer.Argument(help="Label volume, some slices of which are annotated in full.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Labels to write (.seg.nrrd, .nii.gz, .nrrd, .mha, .dcm).")],
    axis: Annotated[Axis, typer.Option(help="Axis across the annotated slices.")] = Axis.z,
    method: Annotated[Between, typer.Option(help="Dilations, or blended signed distances.")] = Between.morphological,
    every: Annotated[int, typer.Option(min=1, help="Use only each N-th annotated slice, and the last.")] = 1,
    smooth: Annotated[float, typer.Option(min=0.0, help="Then smooth with this sigma, voxels; 0: not.")] = 0.0,
    volume_preserving: Annotated[bool, typer.Option(help="Smooth without changing the structures' volumes.")] = True,
    names: Annotated[str | None, typer.Option(help="Names of the labels: 1=GM,2=GL.")] = None,
    image: Annotated[Path | None, typer.Option(help="Volume to show in the figure.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw three slices (.png, .pdf, .svg).")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; never changes the result.")] = None,
) -> None:
    """Fill between slices (FBS): label the slices between those that are annotated.

    Slices that hold any label count as annotated. Nothing is labelled before the first or after the last.

    Example: usfast labels fbs sparse.seg.nrrd -o full.seg.nrrd --axis z
    """
    check_label_name(out)
    if figure is not None:
        from usfast.report import figure_format

        figure_format(figure)
    elif image is not None:
        raise ValueError("--image is for the picture: give --figure too")
    known = label_names(names)
    with outputs(out, figure, inputs=[path for path in (labels, image) if path is not None]) as drafts:
        from usfast.labels import fill_between_slices, smooth_labels

        given = read_label_file(labels, known)
        array, grid = compact(given, labels), given.labels.grid
        below = None if image is None else image_beside(image, given.labels, labels)
        marked = annotated_slices(array, AXES[axis], every)
        begin = perf_counter()
        with progress_bar("filling between slices") as progress:
            filled = fill_between_slices(
                array, AXES[axis], marked, method=str(method), spacing=grid.spacing[::-1], progress=progress
            )
        if smooth > 0:
            with progress_bar("smoothing") as progress:
                filled = smooth_labels(
                    filled, sigma=smooth, volume_preserving=volume_preserving, num_threads=threads, progress=progress
                )
        seconds = perf_counter() - begin
        written = write_label_file(grid, filled, given.names, drafts[0])
        if figure is not None:
            draw_labels(written, drafts[1], labels.name, below)
    rows = [("slices", f"{int(marked.sum())} of {len(marked)} annotated along {axis}, {method}, {seconds:.1f} s")]
    print_table(str(out), [*rows, *volume_rows(written)])


def annotated_slices(array: NDArray[Any], axis: int, every: int = 1) -> NDArray[Any]:
    """Return which slices along an axis hold a label; of these each `every`-th and the last."""
    import numpy as np

    found = np.flatnonzero(array.any(axis=tuple(other for other in range(3) if other != axis)))
    marked = np.zeros(array.shape[axis], bool)
    marked[found[::every]] = True
    marked[found[-1:]] = True
    return marked


def image_beside(path: Path, labels: Volume, labels_path: Path) -> Volume:
    """Read an image volume that lies on the grid of labels."""
    from usfast import io
    from usfast.volume import check_one_grid

    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    image = io.read_volume(path)
    check_one_grid(image, labels, (str(path), str(labels_path)))
    return image
