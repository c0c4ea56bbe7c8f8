"""`usfast demo`: from nothing to a measured volume, with no data and no network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usfast.cli.console import print_lines, print_table, progress_bar
from usfast.cli.options import spacing
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.phantom import MuscleScore
    from usfast.sweep import Sweep
    from usfast.volume import Volume

__all__ = ["demo"]

_FILES = ("demo.png", "volume.nrrd", "labels.nrrd", "sweep.igs.mha")


@dataclass(frozen=True)
class _Outcome:
    sweep: Sweep
    volume: Volume
    known: NDArray[Any]  # voxels that hold a value, filled ones too
    covered: float  # share of the voxels that a pixel reached
    labels: Volume
    scores: tuple[MuscleScore, ...]
    pixels_per_second: float


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into.")] = Path("usfast-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other speckle and hand motion.")] = 0,
    spacing_mm: Annotated[str, typer.Option("--spacing", help="Voxel spacing, mm.")] = "0.5",
) -> None:
    """Simulate a tracked sweep over a calf, compound it, measure it and draw it."""
    start = perf_counter()
    steps = spacing(spacing_mm)
    out.mkdir(parents=True, exist_ok=True)
    with outputs(*(out / name for name in _FILES)) as drafts:
        outcome = _run(seed, steps)
        _write(outcome, drafts)
    print_table("a synthetic calf, scanned and compounded", _numbers(outcome, perf_counter() - start))
    print_lines(["", *_what_to_look_at(out)])


def _run(seed: int, steps: tuple[float, float, float]) -> _Outcome:
    import numpy as np

    from usfast.compound import compound
    from usfast.phantom import score_labels, simulate_limb_sweep

    with progress_bar("scanning a synthetic calf") as progress:
        sweep, _ = simulate_limb_sweep(seed, progress=progress)
    start = perf_counter()
    with progress_bar("compounding") as progress:
        result = compound(sweep, steps, method="linear", mode="mean", fill="gaussian", progress=progress)
    seconds = perf_counter() - start
    with progress_bar("voting on the labels") as progress:
        # A Gaussian reaches across the gaps between frames; labels cannot be filled afterwards.
        votes = compound(
            _every_second_pixel(sweep),
            method="gaussian",
            mode="vote",
            grid=result.volume.grid,
            progress=progress,
        )
    return _Outcome(
        sweep,
        result.volume,
        result.coverage if result.filled is None else result.coverage | result.filled,
        float(np.count_nonzero(result.coverage) / result.volume.grid.voxels),
        votes.volume,
        score_labels(votes.volume),
        sweep.frames.size / seconds,
    )


def _every_second_pixel(sweep: Sweep) -> Sweep:
    """Return the sweep at half the resolution, 0.4 mm: labels are smooth, and votes cost a quarter."""
    import numpy as np

    return replace(
        sweep,
        frames=sweep.frames[:, ::2, ::2],
        image_to_world=sweep.image_to_world @ np.diag([2.0, 2.0, 1.0, 1.0]),
        labels=None if sweep.labels is None else sweep.labels[:, ::2, ::2],
    )


def _write(outcome: _Outcome, drafts: list[Path]) -> None:
    from usfast import io
    from usfast.report import save_figure, sweep_figure

    picture, volume, labels, sweep = drafts
    figure = sweep_figure(
        outcome.sweep,
        outcome.volume,
        outcome.known,
        outcome.labels,
        title="usfast demo: a tracked sweep over a synthetic calf becomes a volume",
        label_names={s.muscle.label: f"{s.muscle.name}\n{_in_words(s)}" for s in outcome.scores},
        covered="covered or filled",
    )
    save_figure(figure, picture)
    io.write_volume(outcome.volume, volume)
    io.write_volume(outcome.labels, labels)
    io.write_sweep(replace(outcome.sweep, labels=None), sweep)  # the format has no place for labels


def _in_words(score: MuscleScore) -> str:
    return f"{score.volume_ml:.1f} ml (true {score.muscle.volume_ml:.1f}), Dice {score.dice:.3f}"


def _numbers(outcome: _Outcome, seconds: float) -> list[tuple[str, str]]:
    grid, sweep = outcome.volume.grid, outcome.sweep
    return [
        ("sweep", f"{len(sweep)} frames, {sweep.frames.size / 1e6:.1f} Mpixel, 5 passes"),
        ("grid", " x ".join(map(str, grid.size)) + " voxels"),
        ("spacing", " x ".join(f"{step:g}" for step in grid.spacing) + " mm"),
        ("covered", f"{outcome.covered:.1%} by pixels, {outcome.known.mean():.1%} with holes filled"),
        ("compounding", f"{outcome.pixels_per_second / 1e6:.3g} Mpixel/s, hole filling included"),
        *((score.muscle.name, _in_words(score)) for score in outcome.scores),
        ("time", f"{seconds:.1f} s in all"),
    ]


def _what_to_look_at(out: Path) -> list[str]:
    sweep = out / "sweep.igs.mha"
    return [
        f"{out / 'demo.png'}       look at this first: the sweep, a frame, and slices with the muscles",
        f"{out / 'volume.nrrd'}    the volume (float32): open it in 3D Slicer or ITK-SNAP",
        f"{out / 'labels.nrrd'}    its labels: 1 and 2 gastrocnemius medialis and lateralis, 3 soleus",
        f"{sweep}  the tracked frames; make your own volume of them:",
        f"    usfast compound {sweep} -o my.nrrd --spacing 0.8 --fill gaussian --figure my.png",
    ]
