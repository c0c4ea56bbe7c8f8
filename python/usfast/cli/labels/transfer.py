"""`usfast labels transfer`: labels of one acquisition carried over to another of the same body."""

from __future__ import annotations

import json
from enum import StrEnum
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usfast.cli.console import print_lines, print_table, progress_bar
from usfast.cli.labels.files import (
    check_label_name,
    check_table_name,
    joined_names,
    label_names,
    read_label_file,
    volume_rows,
    write_label_file,
)
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.labels.files.segments import Segmentation
    from usfast.labels.registration.quality import RegistrationQuality
    from usfast.labels.registration.rigid import Registration
    from usfast.volume import Volume

__all__ = ["transfer"]


class Metric(StrEnum):
    """What makes two volumes alike."""

    mutual_information = "mutual_information"
    correlation = "correlation"


class Carry(StrEnum):
    """How labels are read between voxels."""

    smooth = "smooth"
    nearest = "nearest"


class Completion(StrEnum):
    """What the target's own labels get from the carried ones."""

    structures = "structures"
    voxels = "voxels"


def transfer(
    source: Annotated[Path, typer.Argument(help="Volume that was labelled.")],
    labels: Annotated[Path, typer.Argument(help="Its labels; any grid in its world.")],
    target: Annotated[Path, typer.Argument(help="Volume of the same body that wants labels.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Labels on the target's grid (.seg.nrrd, .nii.gz, .nrrd, .mha, .dcm).")
    ],
    metric: Annotated[
        Metric, typer.Option(help="For volumes of different frequency or machine; correlation for one setting.")
    ] = Metric.mutual_information,
    initial: Annotated[
        Path | None, typer.Option(help="Where to start: 16 numbers of a 4x4 matrix, source to target, mm (.txt).")
    ] = None,
    search_mm: Annotated[float, typer.Option(help="How far off the start may be, mm.")] = 10.0,
    search_deg: Annotated[float, typer.Option(help="How far off the start may be, degrees.")] = 10.0,
    method: Annotated[Carry, typer.Option(help="How labels are read between voxels.")] = Carry.smooth,
    target_labels: Annotated[
        Path | None, typer.Option(help="Labels that the target has already: they stay, and are compared.")
    ] = None,
    complete: Annotated[
        Completion, typer.Option(help="With --target-labels: add the structures that lack, or every free voxel.")
    ] = Completion.structures,
    source_out: Annotated[
        Path | None, typer.Option(help="With --target-labels: also write the source's labels, completed likewise.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write matrix and quality (.json).")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw checkerboards before and after (.png, .pdf).")] = None,
    tile_mm: Annotated[float, typer.Option(help="Edge of a tile of the checkerboard, mm.")] = 10.0,
    names: Annotated[str | None, typer.Option(help="Names of the labels: 1=GM,2=GL.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; never changes the result.")] = None,
) -> None:
    """Register two volumes of one body rigidly, and carry the labels of one over to the other.

    Example: usfast labels transfer low.nrrd low.seg.nrrd high.nrrd -o high.seg.nrrd --figure board.png
    """
    check_label_name(out)
    check_table_name(report, ".json", "the report")
    if source_out is not None:
        check_label_name(source_out)
        if target_labels is None:
            raise ValueError("--source-out completes the source's labels by the target's: give --target-labels")
    if figure is not None:
        from usfast.report import figure_format

        figure_format(figure)
    named = label_names(names)
    inputs = [path for path in (source, labels, target, target_labels, initial) if path is not None]
    with outputs(out, source_out, report, figure, inputs=inputs) as drafts:
        left = iter(drafts)
        pair = _Pair(source, target, None if initial is None else _matrix(initial))
        given = read_label_file(labels, named)
        own = None if target_labels is None else read_label_file(target_labels, named)
        begin = perf_counter()
        found = pair.register(metric, search_mm, search_deg, threads)
        seconds = perf_counter() - begin
        known = joined_names(given) if own is None else joined_names(own, given)
        array = _carried(given, own, found, pair.fixed, method, complete, threads)
        written = write_label_file(pair.fixed.grid, array, known, next(left))
        if source_out is not None and own is not None:
            array = _completed(given, own, found, method, complete)
            write_label_file(given.labels.grid, array, known, next(left))
        quality = pair.quality(found, given, own)
        if report is not None:
            _write_report(found, quality, next(left))
        if figure is not None:
            pair.draw(found, tile_mm, next(left))
    turn, shift = _moved(found.moving_to_fixed, pair.moving)
    rows = [("registered", f"{metric}, {turn:.2f} degrees, {shift:.2f} mm at the middle, {seconds:.1f} s")]
    print_table(str(out), [*rows, *volume_rows(written)], _doubts(quality))
    print_lines(["", *str(quality).splitlines()])


class _Pair:
    """The two volumes, read, and where their registration starts."""

    def __init__(self, source: Path, target: Path, start: NDArray[Any] | None) -> None:
        self.moving, self.fixed, self._start = _volume(source), _volume(target), start
        self._title = f"{target.name} and {source.name}"

    def register(self, metric: Metric, search_mm: float, search_deg: float, threads: int | None) -> Registration:
        from usfast.labels.registration.rigid import register

        with progress_bar("registering") as progress:
            return register(
                self.fixed,
                self.moving,
                metric=str(metric),
                initial=self._start,
                search_mm=search_mm,
                search_deg=search_deg,
                num_threads=threads,
                progress=progress,
            )

    def quality(self, found: Registration, given: Segmentation, own: Segmentation | None) -> RegistrationQuality:
        """Compare the volumes, and their labels where both have some."""
        from usfast.labels.registration.quality import registration_quality

        labels: dict[str, Any] = {}
        if own is not None:
            labels = {"fixed_labels": own.labels, "moving_labels": given.labels}
        return registration_quality(self.fixed, self.moving, found, initial=self._start, **labels)

    def draw(self, found: Registration, tile_mm: float, draft: Path) -> None:
        """Draw three slices of the checkerboard before registration, and beside them after."""
        import numpy as np
        from matplotlib.figure import Figure

        from usfast.labels.registration.quality import checkerboard
        from usfast.report import save_figure
        from usfast.report.slices import BACKGROUND, FOREGROUND, draw_slices

        figure = Figure(figsize=(15, 8), facecolor=BACKGROUND, layout="constrained")
        before = np.eye(4) if self._start is None else self._start
        halves: Any = figure.subfigures(1, 2)
        for half, motion, word in zip(halves, (before, found), ("before", "after registration"), strict=True):
            half.set_facecolor(BACKGROUND)
            draw_slices(half, checkerboard(self.fixed, self.moving, motion, tile_mm=tile_mm))
            half.suptitle(f"{self._title}: {word}", color=FOREGROUND, fontsize=11)
        save_figure(figure, draft)


def _volume(path: Path) -> Volume:
    from usfast import io
    from usfast.labels.registration.rigid import data_mask

    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    volume = io.read_volume(path)
    data_mask(str(path), volume, None)  # says which of the two holds nothing, by its name
    return volume


def _matrix(path: Path) -> NDArray[Any]:
    """Return the 4x4 matrix in a text file, its numbers separated by blanks, commas or lines."""
    import numpy as np

    from usfast.errors import FormatError

    if path.stat().st_size > 1 << 16:
        raise FormatError(f"{path}: {path.stat().st_size} bytes are no 4x4 matrix")
    try:
        numbers = [float(word) for word in path.read_text(encoding="utf-8").replace(",", " ").split()]
    except ValueError as error:
        raise FormatError(f"{path}: {error}; it must hold the 16 numbers of a 4x4 matrix") from None
    if len(numbers) != 16:
        raise FormatError(f"{path}: {len(numbers)} numbers; a 4x4 matrix has 16")
    return np.array(numbers).reshape(4, 4)


def _carried(
    given: Segmentation,
    own: Segmentation | None,
    found: Registration,
    fixed: Volume,
    method: Carry,
    complete: Completion,
    threads: int | None,
) -> NDArray[Any]:
    """Return the labels on the target's grid: carried over, or the target's own completed by them."""
    from usfast.labels.registration.transfer import complete_labels, transfer_labels
    from usfast.volume import check_one_grid

    if own is not None:
        check_one_grid(own.labels, fixed, ("the target's labels", "the target"))
        return complete_labels(own.labels, given.labels, found, fill=str(complete), method=str(method)).array
    with progress_bar("carrying labels") as progress:
        return transfer_labels(
            given.labels, found, fixed.grid, method=str(method), num_threads=threads, progress=progress
        ).array


def _completed(
    given: Segmentation, own: Segmentation, found: Registration, method: Carry, complete: Completion
) -> NDArray[Any]:
    from usfast.labels.registration.transfer import complete_labels

    return complete_labels(given.labels, own.labels, found, inverse=True, fill=str(complete), method=str(method)).array


def _moved(matrix: NDArray[Any], volume: Volume) -> tuple[float, float]:
    """Return a motion's angle (degrees) and how far it takes the middle of a volume (mm)."""
    import numpy as np

    angle = np.rad2deg(np.arccos(np.clip((np.trace(matrix[:3, :3]) - 1) / 2, -1, 1)))
    middle = volume.grid.voxel_to_world @ [*((np.array(volume.grid.size) - 1) / 2), 1]
    return float(angle), float(np.linalg.norm((matrix @ middle - middle)[:3]))


def _doubts(quality: RegistrationQuality) -> list[str]:
    """Return what speaks against a registration."""
    doubts = []
    if quality.after.overlap < 0.5:
        doubts.append(f"only {100 * quality.after.overlap:.0f} % of the smaller volume's data meets the other's")
    if not quality.after.mutual_information > quality.before.mutual_information:
        doubts.append("the volumes are no more alike after registration than before: look at the checkerboard")
    return doubts


def _write_report(found: Registration, quality: RegistrationQuality, path: Path) -> None:
    """JSON knows no NaN: null."""

    def plain(value: float) -> float | None:
        return float(value) if isfinite(value) else None

    def both(name: str) -> dict[str, float | None]:
        return {"before": plain(getattr(quality.before, name)), "after": plain(getattr(quality.after, name))}

    content = {
        "source_to_target": found.moving_to_fixed.tolist(),
        "target_to_source": found.fixed_to_moving.tolist(),
        "metric": found.metric,
        "levels_mm": list(found.levels_mm),
        "iterations": list(found.iterations),
        **{name: both(name) for name in ("overlap", "correlation", "mutual_information")},
        "dice": {str(label): {"before": one, "after": two} for label, (one, two) in quality.dice.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
