"""`usfast simulate`: a data set of tracked, annotated sweeps whose truth is known."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from usfast.cli.console import error_line, print_table, progress_bar
from usfast.cli.options import numbers

__all__ = ["simulate"]


class Body(StrEnum):
    """What is scanned."""

    calf = "calf"
    thyroid = "thyroid"
    prostate = "prostate"


class Transducer(StrEnum):
    """What it is scanned with."""

    linear = "linear"
    convex = "convex"


class Keep(StrEnum):
    """How sweeps are kept."""

    both = "both"
    h5 = "h5"
    mha = "mha"


class Filter(StrEnum):
    """Speckle reduction of the finished images."""

    none = "none"
    median = "median"
    lee = "lee"


_FORMATS = {Keep.both: ("h5", "igs.mha"), Keep.h5: ("h5",), Keep.mha: ("igs.mha",)}


def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into, or to continue.")],
    subjects: Annotated[int, typer.Option(help="How many subjects.")] = 44,
    seed: Annotated[int, typer.Option(help="Another seed gives other subjects.")] = 0,
    phantom: Annotated[Body, typer.Option(help="What is scanned.")] = Body.calf,
    passes: Annotated[str, typer.Option(help="Overlapping passes a subject, one number or a range.")] = "4-6",
    frames: Annotated[int, typer.Option(help="Frames in each pass.")] = 300,
    overlap: Annotated[float, typer.Option(help="Share of the image's width that neighbouring passes share.")] = 0.3,
    rate: Annotated[float, typer.Option(help="Frames per second.")] = 20.0,
    probe: Annotated[Transducer, typer.Option(help="Kind of probe.")] = Transducer.linear,
    size: Annotated[str, typer.Option(help="Rows and columns of an image.", metavar="H,W")] = "480,640",
    depth: Annotated[float | None, typer.Option(help="Depth of an image, mm. (default: the probe's)")] = None,
    speckle_filter: Annotated[Filter, typer.Option("--filter", help="Speckle reduction of the images.")] = Filter.none,
    jitter: Annotated[float, typer.Option(help="Unrest of the hand: 0 a robot, 1 usual.")] = 1.0,
    tracker_noise: Annotated[str, typer.Option(help="Noise of the tracker.", metavar="MM,DEG")] = "0.1,0.05",
    tracker_drift: Annotated[str, typer.Option(help="Its drift in the first second.", metavar="MM,DEG")] = "0,0",
    tracker_dropout: Annotated[float, typer.Option(help="Share of the time in which it loses the probe.")] = 0.0,
    tracker_latency: Annotated[float, typer.Option(help="How late its poses are, s.")] = 0.0,
    annotate_every: Annotated[int, typer.Option(help="One frame in so many is annotated.")] = 10,
    annotation_error: Annotated[float, typer.Option(help="How far the annotator's borders stray, mm.")] = 0.0,
    spacing: Annotated[float, typer.Option(help="Voxels of the label volumes, mm.")] = 0.5,
    formats: Annotated[Keep, typer.Option(help="TUS-REC HDF5, PLUS .igs.mha or both.")] = Keep.both,
    workers: Annotated[int, typer.Option(help="Subjects made at once, each in its own process.")] = 1,
    threads: Annotated[int | None, typer.Option(help="Frames at once over all workers. (default: all CPUs)")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a data set of other options.")] = False,
) -> None:
    """Simulate scans of subjects with known anatomy: sweeps, annotations, label volumes, true poses, a split.

    Give the same command again to continue where a run was interrupted.
    """
    from usfast.phantom.trajectories import HandMotion, TrackerModel
    from usfast.simulate import BModeSettings
    from usfast.simulate.dataset import write_dataset

    noise, drift = _pair(tracker_noise, "--tracker-noise"), _pair(tracker_drift, "--tracker-drift")
    tracker = TrackerModel(
        noise_mm=noise[0],
        noise_deg=noise[1],
        drift_mm=drift[0],
        drift_deg=drift[1],
        dropout=tracker_dropout,
        latency=tracker_latency,
    )
    start = perf_counter()
    try:
        with progress_bar("simulating") as progress:
            manifest = write_dataset(
                out,
                subjects=subjects,
                seed=seed,
                phantom=phantom.value,
                passes=_passes(passes),
                frames=frames,
                overlap=overlap,
                frame_rate=rate,
                probe=_probe(probe, size, depth),
                settings=BModeSettings(filter=None if speckle_filter is Filter.none else speckle_filter.value),
                hand=HandMotion().scaled(jitter),
                tracker=tracker,
                annotate_every=annotate_every,
                annotation_mm=annotation_error,
                label_spacing=spacing,
                formats=_FORMATS[formats],
                overwrite=overwrite,
                workers=workers,
                num_threads=threads,
                progress=progress,
            )
    except KeyboardInterrupt:
        error_line(_interrupted(out, subjects))
        raise typer.Exit(130) from None
    print_table(str(out), _rows(manifest, out, perf_counter() - start))


def _pair(text: str, option: str) -> tuple[float, float]:
    first, second = numbers(text, option, "mm,degrees")
    return first, second


def _passes(text: str) -> tuple[int, int]:
    least, _, most = text.partition("-")
    if not least.isdecimal() or not (most or least).isdecimal():
        raise ValueError(f"--passes must be a number or a range such as 4-6, not {text!r}")
    return int(least), int(most or least)


def _probe(kind: Transducer, size: str, depth: float | None) -> Any:
    from usfast.simulate import ConvexProbe, LinearProbe

    height, width = numbers(size, "--size", "H,W")
    if height != int(height) or width != int(width) or min(height, width) < 1:
        raise ValueError(f"--size must be two whole numbers, rows and columns, not {size!r}")
    given: dict[str, Any] = {"shape": (int(height), int(width))}
    if depth is not None:
        given["depth"] = depth
    return LinearProbe(**given) if kind is Transducer.linear else ConvexProbe(**given)


def _interrupted(out: Path, subjects: int) -> str:
    from usfast.errors import UsfastError
    from usfast.simulate.dataset_reader import read_dataset

    try:
        done = len(read_dataset(out).subjects)
    except (OSError, UsfastError):
        return "interrupted before the first subject; give the same command again"
    return f"interrupted; {done} of {subjects} subjects are complete in {out}; the same command makes the others"


def _rows(manifest: dict[str, Any], out: Path, seconds: float) -> list[tuple[str, str]]:
    subjects = manifest["subjects"]
    sweeps = [sweep for subject in subjects for sweep in subject["sweeps"]]
    height, width = manifest["image"]["shape"]
    size = sum(file["bytes"] for subject in subjects for file in subject["files"].values())
    parts = ", ".join(f"{len(names)} {part}" for part, names in manifest["split"].items())
    return [
        ("subjects", f"{len(subjects)} ({parts})"),
        ("sweeps", f"{len(sweeps)}, {sum(sweep['frames'] for sweep in sweeps)} frames of {width} x {height} pixels"),
        ("annotated", f"{sum(sweep['annotated'] for sweep in sweeps)} frames"),
        ("labels", ", ".join(f"{label} {name}" for label, name in manifest["label_names"].items())),
        ("size", f"{size / 1e9:.3g} GB"),
        ("time", f"{seconds:.1f} s"),
        ("manifest", str(out / "manifest.json")),
    ]
