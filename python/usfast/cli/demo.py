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
    from collections.abc import Callable

    from numpy.typing import NDArray

    from usfast.phantom import CalfPhantom
    from usfast.sweep import Sweep
    from usfast.volume import Volume

__all__ = ["demo"]

_FILES = ("demo.png", "volume.nrrd", "labels.nrrd", "sweep.igs.mha")


# A probe for speed: at 5 MHz a resolution cell is large, and four scatterers in each still look like speckle.
_PROBE = {"width": 50.0, "depth": 60.0, "shape": (320, 256), "frequency": 5.0, "lines": 128}
_SCATTERERS = 4.0
_PASSES, _FRAMES, _SCANNED_MM = 5, 40, (80.0, 150.0)
_MUSCLES = (1, 2, 3)


@dataclass(frozen=True)
class _Muscle:
    """One muscle's scanned part, found against true."""

    label: int
    name: str
    volume_ml: float
    true_ml: float
    dice: float


@dataclass(frozen=True)
class _Outcome:
    sweep: Sweep
    volume: Volume
    known: NDArray[Any]  # voxels that hold a value, filled ones too
    covered: float  # share of the voxels that a pixel reached
    labels: Volume
    muscles: tuple[_Muscle, ...]
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
    from usfast.phantom import CalfPhantom

    phantom = CalfPhantom(seed)
    with progress_bar("scanning a synthetic calf") as progress:
        sweep = _scan(phantom, seed, progress)
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
        _measured(phantom, votes.volume, votes.coverage),
        sweep.frames.size / seconds,
    )


def _scan(phantom: CalfPhantom, seed: int, progress: Callable[[int, int], None] | None) -> Sweep:
    """Return what a hand and a tracker make of a scan; labels are the truth of each pixel, muscles alone."""
    import numpy as np

    from usfast.phantom.trajectories import TrackerModel, scan_passes
    from usfast.simulate import BModeSettings, LinearProbe, simulate_bmode
    from usfast.sweep import Sweep

    probe = LinearProbe(**_PROBE)  # type: ignore[arg-type]
    path = scan_passes(phantom, _PASSES, _FRAMES, width_mm=probe.width, overlap=0.6, along_mm=_SCANNED_MM, seed=seed)
    settings = BModeSettings(scatterers_per_cell=_SCATTERERS)
    frames = simulate_bmode(phantom, path.probe_to_world, probe, settings=settings, seed=seed, progress=progress)
    tracked = TrackerModel(noise_mm=0.1, noise_deg=0.05).report(path, seed=seed)
    labels = np.where(frames.labels <= max(_MUSCLES), frames.labels, 0)
    meta = {"source": "usfast calf phantom", "seed": seed, "passes": _PASSES}
    poses = tracked.probe_to_world @ probe.image_to_probe
    return Sweep(frames.image, poses, timestamps=tracked.timestamps, labels=labels, meta=meta)


def _measured(phantom: CalfPhantom, labels: Volume, reached: NDArray[Any]) -> tuple[_Muscle, ...]:
    """Compare the labels with the phantom at the centres of the voxels that the scan reached."""
    import numpy as np

    from usfast.metrics import overlap
    from usfast.phantom import label_volume
    from usfast.volume import Volume

    with progress_bar("comparing with the truth") as progress:
        truth = label_volume(phantom, labels.grid, progress=progress)
    seen = Volume(np.where(reached, truth.array, 0), labels.spacing, labels.origin, labels.direction)
    found = overlap(Volume(labels.array.astype(np.uint8), labels.spacing, labels.origin), seen, labels=_MUSCLES)
    names = {structure.label: structure.name for structure in phantom.structures}
    return tuple(_Muscle(n, names[n], o.pred_ml, o.ref_ml, o.dice) for n, o in found.items())


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
        label_names={m.label: f"{m.name}\n{_in_words(m)}" for m in outcome.muscles},
        covered="covered or filled",
    )
    save_figure(figure, picture)
    io.write_volume(outcome.volume, volume)
    io.write_volume(outcome.labels, labels)
    io.write_sweep(replace(outcome.sweep, labels=None), sweep)  # the format has no place for labels


def _in_words(muscle: _Muscle) -> str:
    return f"{muscle.volume_ml:.1f} ml (true {muscle.true_ml:.1f}), Dice {muscle.dice:.3f}"


def _numbers(outcome: _Outcome, seconds: float) -> list[tuple[str, str]]:
    grid, sweep = outcome.volume.grid, outcome.sweep
    return [
        ("sweep", f"{len(sweep)} frames, {sweep.frames.size / 1e6:.1f} Mpixel, {_PASSES} passes"),
        ("grid", " x ".join(map(str, grid.size)) + " voxels"),
        ("spacing", " x ".join(f"{step:g}" for step in grid.spacing) + " mm"),
        ("covered", f"{outcome.covered:.1%} by pixels, {outcome.known.mean():.1%} with holes filled"),
        ("compounding", f"{outcome.pixels_per_second / 1e6:.3g} Mpixel/s, hole filling included"),
        *((muscle.name, _in_words(muscle)) for muscle in outcome.muscles),
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
