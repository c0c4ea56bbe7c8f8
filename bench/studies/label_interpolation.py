"""How well sparse annotations become full labels: the thesis' four methods and ours on ten phantom legs.

    python bench/studies/label_interpolation.py --out results [--legs 10] [--jobs 2] [--every 5,10,15,20] [--fresh]
    python bench/studies/label_interpolation.py --tiny

Each leg is a calf phantom of its own shape, scanned in overlapping passes of a 5 cm linear probe. An annotator whose
borders stray by half a millimetre draws the three muscles on every N-th frame of each pass; methods that need parallel
slices get every N-th axial slice of the volume instead, drawn by the same hand, and the image-driven ones the
compounded B-mode. What comes out is compared with the phantom's labels at the centres of the voxels that the sweep
encloses. The results of a leg are kept in a file of their own: a run that was interrupted goes on where it ended.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from usfast import Sweep, compound, labels, phantom, simulate
from usfast.io.atomic import replacing
from usfast.labels.images.annotation_seeds import seeds_from_annotations
from usfast.labels.images.grow_from_seeds import grow_from_seeds
from usfast.labels.images.watershed import watershed
from usfast.metrics import overlap
from usfast.phantom.trajectories import scan_passes

MUSCLES = {"GL": 2, "GM": 1, "SOL": 3}  # in the order of the thesis' table
THESIS = {  # table 1.1: minutes with the expert's work; Dice, IoU, volumetric error % of GL, GM, SOL
    "ZOI": (90, (0.937, 0.946, 0.841), (0.882, 0.898, 0.791), (2.61, 4.98, 4.93)),
    "FBS": (96, (0.909, 0.924, 0.919), (0.835, 0.859, 0.851), (10.00, 10.70, 13.03)),
    "GFS": (44, (0.818, 0.755, 0.763), (0.699, 0.615, 0.620), (24.02, 10.61, 15.53)),
    "WS": (120, (0.742, 0.764, 0.803), (0.591, 0.619, 0.671), (7.60, 7.99, 10.52)),
}
SWEEP_METHODS = ("nearest", "signed_distance", "discs", "spline")
METHODS = (*THESIS, *SWEEP_METHODS)


@dataclass(frozen=True)
class Settings:
    """All that a leg's numbers depend on beside its seed; lengths in mm."""

    passes: int = 5
    frames: int = 300
    width: float = 50.0
    depth: float = 90.0
    pixel: float = 1.0
    spacing: float = 1.0
    jitter: float = 0.5
    every: tuple[int, ...] = (5, 10, 15, 20)
    main: int = 15
    image_every: int = 2  # frames that are simulated as B-mode, for the image-driven methods
    frequency: float = 5.0
    scatterers: float = 1.0
    along: tuple[float, float] | None = None
    version: int = 1

    def key(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]

    @property
    def probe(self) -> simulate.LinearProbe:
        shape = (round(self.depth / self.pixel), round(self.width / self.pixel))
        return simulate.LinearProbe(
            width=self.width, depth=self.depth, shape=shape, lines=shape[1], frequency=self.frequency
        )


class Leg:
    """One leg: its true labels on frames and voxels, its compounded B-mode, and its annotator."""

    def __init__(self, seed: int, settings: Settings) -> None:
        self.seed, self.settings = seed, settings
        self.calf, self.probe = phantom.CalfPhantom(seed=seed), settings.probe
        path = scan_passes(
            self.calf,
            settings.passes,
            settings.frames,
            width_mm=settings.width,
            along_mm=settings.along,
            seed=seed,
        )
        self.path, self.passes = path, list(path.passes())
        self.poses = path.probe_to_world @ self.probe.image_to_probe
        self.true_frames = np.stack([self._true(pose) for pose in self.poses])
        # The hull is that of the sweep, whatever the annotations: every frame labelled, every frame known.
        full = [Sweep(self.true_frames[p], self.poses[p], labels=self.true_frames[p]) for p in self.passes]
        made = labels.label_volume(full, spacing=settings.spacing, size=1)
        self.grid, self.hull = made.volume.grid, made.hull
        everywhere = _muscles(phantom.label_volume(self.calf, self.grid).array)
        self.truth = np.where(self.hull, everywhere, 0).astype(np.uint8)
        self.coverage = {
            name: float(np.count_nonzero(self.truth == k)) * settings.spacing**3 / 1000 / self._whole(k)
            for name, k in MUSCLES.items()
        }

    def _true(self, pose):
        v, u = np.mgrid[: self.probe.shape[0], : self.probe.shape[1]]
        pixels = np.stack([u, v, np.zeros_like(u), np.ones_like(u)], axis=-1)
        return _muscles(self.calf.labels((pixels @ pose.T)[..., :3]))

    def _whole(self, label):
        return next(s.volume_ml for s in self.calf.structures if s.label == label)

    def image(self):
        """Compounded B-mode (Z, Y, X) uint8 and the voxels that it reached within the hull."""
        chosen = np.concatenate([np.arange(p.start, p.stop, self.settings.image_every) for p in self.passes])
        settings = simulate.BModeSettings(scatterers_per_cell=self.settings.scatterers)
        frames = simulate.simulate_bmode(
            self.calf, self.path.probe_to_world[chosen], self.probe, settings=settings, seed=self.seed, num_threads=1
        ).image
        volume, weight = compound.compound_arrays(frames, self.poses[chosen], self.grid, "gaussian")
        return np.rint(volume).astype(np.uint8), (weight > 0) & self.hull

    def annotated_sweeps(self, every):
        """A sweep for each pass with what was drawn on it, and which frames those are."""
        drawn = []
        for part in self.passes:
            true = self.true_frames[part]
            marked = np.zeros(len(true), bool)
            marked[::every] = marked[-1] = True
            hand = np.zeros_like(true)
            for k in np.flatnonzero(marked):
                hand[k] = self._by_hand(true[k], (self.settings.pixel,) * 2, part.start + int(k))
            drawn.append((Sweep(true, self.poses[part], labels=hand), marked))
        return drawn

    def annotated_slices(self, every):
        """Axial slices as far apart as the annotated frames: labels (Z, Y, X) and which slices (Z,)."""
        inside = np.flatnonzero(self.hull.any(axis=(1, 2)))
        step = max(round(every * self._frame_step() / self.settings.spacing), 1)
        marked = np.zeros(len(self.hull), bool)
        marked[inside[0] : inside[-1] + 1 : step] = marked[inside[-1]] = True
        slices = np.zeros_like(self.truth)
        for k in np.flatnonzero(marked):
            slices[k] = self._by_hand(self.truth[k], (self.settings.spacing,) * 2, 100_000 + int(k))
        return np.where(self.hull, slices, 0).astype(np.uint8), marked

    def _by_hand(self, true, pixel, number):
        return simulate.drawn_by_hand(true, pixel, self.settings.jitter, seed=1_000_000 * self.seed + number)

    def _frame_step(self):
        middle = self.path.probe_to_world[:, :3, 3]
        return float(np.mean([np.linalg.norm(middle[p][-1] - middle[p][0]) / (p.stop - p.start - 1)
                              for p in self.passes]))  # fmt: skip


def _muscles(found):
    return np.where(np.isin(found, tuple(MUSCLES.values())), found, 0).astype(np.uint8)


def from_frames(leg, drawn, method):
    """Labels from annotated frames, in the sweep's own geometry; the thesis' ZOI is taken at its word."""
    literal = method == "ZOI"
    made = [
        labels.interpolate(sweep, "smaller" if literal else method, marked, structures=tuple(MUSCLES.values()))
        for sweep, marked in drawn
    ]
    return labels.label_volume(made, grid=leg.grid, volume_preserving=not literal).volume.array


def from_slices(leg, slices, marked):
    """FBS: full parallel slices, filled between, then smoothed as the others are."""
    filled = labels.fill_between_slices(slices, 0, marked)
    return labels.smooth_labels(filled, leg.hull, volume_preserving=False)


def from_image(leg, drawn, method, image, reached):
    """GFS or WS: the annotated frames' voxels are the seeds."""
    votes, weight = compound.compound_arrays(
        np.concatenate([sweep.labels[marked] for sweep, marked in drawn]),
        np.concatenate([sweep.image_to_world[marked] for sweep, marked in drawn]),
        leg.grid, "nearest", "vote",
    )  # fmt: skip
    step = leg.settings.spacing
    known = (weight > 0) & reached
    seeds, background = seeds_from_annotations(np.where(known, votes, 0).astype(np.uint8), known, spacing=step)
    function = grow_from_seeds if method == "GFS" else watershed
    found = function(image, seeds, spacing=step, mask=reached, background=background)
    return labels.smooth_labels(found.astype(np.uint8), leg.hull, volume_preserving=False)


def measure(leg, found):
    """Dice, IoU and signed volumetric error (%) of each muscle inside the hull."""
    if found[~leg.hull].any():
        raise AssertionError("a label lies outside the sweep's hull")
    rows = {}
    for name, label in MUSCLES.items():
        mine, true = found == label, leg.truth == label
        if not true.any():
            raise ValueError(f"leg {leg.seed}: the sweep does not reach {name}")
        score = overlap(mine, true)
        error = 100 * (np.count_nonzero(mine) / np.count_nonzero(true) - 1)
        rows[name] = {"dice": float(score.dice), "iou": float(score.iou), "error": float(error)}
    return rows


def study_leg(seed, settings, folder):
    """Run every method on one leg and write its file; returns what is in it."""
    from usfast import set_num_threads

    set_num_threads(1)
    begin = time.process_time()
    leg = Leg(seed, settings)
    image, reached = leg.image()
    simulated = time.process_time() - begin
    rows, pictures = [], {}
    for every in settings.every:
        drawn, slices = leg.annotated_sweeps(every), leg.annotated_slices(every)
        for method in METHODS:
            start = time.process_time()
            if method == "FBS":
                found = from_slices(leg, *slices)
            elif method in ("GFS", "WS"):
                found = from_image(leg, drawn, method, image, reached)
            else:
                found = from_frames(leg, drawn, method)
            seconds = time.process_time() - start
            for muscle, values in measure(leg, found).items():
                rows.append(
                    {"leg": seed, "every": every, "method": method, "muscle": muscle, **values, "cpu_s": seconds}
                )
            if seed == 0 and every == settings.main:
                pictures[method] = cuts(leg, found)
    result = {
        "leg": seed,
        "key": settings.key(),
        "coverage": leg.coverage,
        "image_reached": float(np.count_nonzero(reached) / np.count_nonzero(leg.hull)),
        "frame_step_mm": leg._frame_step(),
        "simulation_cpu_s": simulated,
        "rows": rows,
    }
    if pictures:
        pictures |= {"truth": cuts(leg, leg.truth), "image": cuts(leg, image)}
        arrays = {f"{name}-{k}": picture for name, pair in pictures.items() for k, picture in enumerate(pair)}
        with replacing(leg_file(folder, seed, settings).with_suffix(".npz")) as draft, open(draft, "wb") as stream:
            np.savez_compressed(stream, **arrays)
    with replacing(leg_file(folder, seed, settings)) as draft:
        draft.write_text(json.dumps(result, indent=1))
    return result


def cuts(leg, array):
    """Two slices: across the leg between two annotations, and along it through the medial belly."""
    belly = np.argwhere(leg.truth == MUSCLES["GM"])
    k, _, i = belly.mean(axis=0).astype(int)
    return array[k], array[:, :, i]


def leg_file(folder, seed, settings):
    return folder / f"leg-{seed:02d}-{settings.key()}.json"


def run(settings, legs, folder, jobs, fresh):
    """Results of all legs, computed or read; KeyboardInterrupt keeps those that are done."""
    folder.mkdir(parents=True, exist_ok=True)
    results, missing = {}, []
    for seed in range(legs):
        file = leg_file(folder, seed, settings)
        if file.is_file() and not fresh:
            results[seed] = json.loads(file.read_text())
        else:
            missing.append(seed)
    if results:
        print(f"{len(results)} of {legs} legs were done before", flush=True)
    start = time.perf_counter()
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(study_leg, seed, settings, folder): seed for seed in missing}
        try:
            for future in as_completed(waiting):
                results[waiting[future]] = future.result()
                print(f"leg {waiting[future]}: done after {time.perf_counter() - start:.0f} s", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[seed] for seed in sorted(results)]


def values(results, every, method, muscle, what):
    return np.array([
        row[what] for one in results for row in one["rows"]
        if (row["every"], row["method"], row["muscle"]) == (every, method, muscle)
    ])  # fmt: skip


def averages(results, every, method):
    """Dice, IoU, |volumetric error| and signed error, each of GL, GM, SOL; CPU seconds."""
    table = [
        [float(np.mean(change(values(results, every, method, muscle, what)))) for muscle in MUSCLES]
        for what, change in (("dice", np.asarray), ("iou", np.asarray), ("error", np.abs), ("error", np.asarray))
    ]
    return *table, float(np.mean(values(results, every, method, "GM", "cpu_s")))


def print_tables(results, settings):
    reach = {muscle: 100 * np.mean([one["coverage"][muscle] for one in results]) for muscle in MUSCLES}
    step = np.mean([one["frame_step_mm"] for one in results])
    print(
        f"\n{len(results)} legs, {settings.passes} passes of {settings.frames} frames {step:.2f} mm apart, voxels of "
        f"{settings.spacing:g} mm; the sweeps reach "
        + ", ".join(f"{share:.1f} % of {muscle}" for muscle, share in reach.items())
    )
    heads = "GL    GM    SOL"
    print(f"\nTable 1.1 of the thesis beside the same methods here, 1 frame in {settings.main}")
    print(f"{'method':22s} {'time':>8s}  {'Dice ' + heads:20s}  {'IoU ' + heads:19s}  volumetric error % {heads}")
    for method, (minutes, *numbers) in THESIS.items():
        _print_line(f"{method} (thesis)", f"{minutes} min", *numbers)
        _print_ours(results, settings.main, method)
    for method in SWEEP_METHODS:
        _print_ours(results, settings.main, method)
    print("time: here CPU seconds of the computation, in the thesis minutes with the expert's work")
    print("volumetric error: mean of the absolute values over the legs (and, here, the mean with its sign)")
    print_leaks(results, settings.main)
    for title, column, digits in (("Dice", 0, 3), ("volumetric error %", 2, 2)):
        print(f"\n{title} of GL, GM, SOL by density of annotation")
        print(f"{'method':18s} " + " ".join(f"{f'1 in {every}':20s}" for every in settings.every).rstrip())
        for method in METHODS:
            cells = [_row(averages(results, every, method)[column], digits) for every in settings.every]
            print(f"{method:18s} " + " ".join(f"{cell:20s}" for cell in cells).rstrip())


def print_leaks(results, every):
    """Where the errors lie: beyond the muscle (leaks) or within it; both follow from Dice and the volumes."""
    print(f"\nShares in %, 1 frame in {every}: {'labelled, but outside the muscle':34s} of the muscle, not labelled")
    print(f"{'method':24s} {'GL    GM    SOL':34s} GL    GM    SOL")
    for method in METHODS:
        outside, missed = [], []
        for muscle in MUSCLES:
            dice, error = (values(results, every, method, muscle, what) for what in ("dice", "error"))
            size = 1 + error / 100  # of the label, in volumes of the muscle
            right = dice * (1 + size) / 2
            outside.append(float(np.mean(100 * (1 - right / size))))
            missed.append(float(np.mean(100 * (1 - right))))
        print(f"{method:24s} {_row(outside, 1):34s} {_row(missed, 1)}")


def _row(numbers, digits=3):
    return " ".join(f"{number:5.{digits}f}" for number in numbers)


def _print_line(name, spent, dice, iou, error, signs=""):
    print(f"{name:22s} {spent:>8s}  {_row(dice):20s}  {_row(iou):19s}  {_row(error, 2)}  {signs}".rstrip())


def _print_ours(results, every, method):
    dice, iou, error, signed, seconds = averages(results, every, method)
    signs = ", ".join(f"{number:+.1f}" for number in signed)
    _print_line(f"{method} (here)", f"{seconds:.1f} s", dice, iou, error, f"({signs})")


def verdict(results, settings):
    """Say whether spline, the recommended method, meets its aim at the main density."""
    dice, _, error, *_ = averages(results, settings.main, "spline")
    met = min(dice) >= 0.95 and max(error) <= 3
    print(
        f"\nAim for spline at 1 frame in {settings.main}, for each muscle: mean Dice >= 0.95 and mean volumetric error"
    )
    print(f"<= 3 %: {'met' if met else 'NOT met'}")


def write_csv(results, path):
    rows = [row for one in results for row in one["rows"]]
    with replacing(path) as draft, open(draft, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def figure(results, settings, pictures, path):
    """Slices of leg 0 with outlines, and Dice and volume by method."""
    from matplotlib.figure import Figure

    from usfast.report import save_figure

    fig = Figure(figsize=(13, 10.5), layout="constrained", facecolor="white")
    top, bottom = fig.subfigures(2, 1, height_ratios=(1.45, 1))
    if pictures is not None:
        _draw_slices(top, pictures, settings)
    dice, error, density = bottom.subplots(1, 3)
    _draw_boxes(dice, results, settings.main, "dice", f"Dice, 1 frame in {settings.main}")
    _draw_boxes(error, results, settings.main, "error", "volumetric error, %")
    dice.axhline(0.95, color="0.5", linewidth=0.8, linestyle=":")
    error.axhline(0, color="0.5", linewidth=0.8)
    for number, method in enumerate(METHODS):
        mean = [np.mean(averages(results, every, method)[0]) for every in settings.every]
        style = "--" if method in THESIS else "-"
        density.plot(settings.every, mean, style, marker="o", markersize=4, color=f"C{number}", label=method)
    density.set_xticks(settings.every, [f"1 in {every}" for every in settings.every])
    density.set_title("mean Dice by density of annotation", fontsize=10)
    density.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(fig, path, dpi=110)


_COLOURS = {"GL": "#2ea6e4", "GM": "#e4572e", "SOL": "#6cc24a"}


def _draw_slices(fig, pictures, settings):
    axes = fig.subplots(2, len(METHODS), height_ratios=(1, 2.2))
    for column, method in enumerate(METHODS):
        for row in range(2):
            axis = axes[row, column]
            axis.imshow(pictures[f"image-{row}"], cmap="gray", origin="upper")
            for name, label in MUSCLES.items():
                for what, style in (("truth", "white"), (method, _COLOURS[name])):
                    mask = pictures[f"{what}-{row}"] == label
                    if mask.any() and not mask.all():
                        axis.contour(mask, levels=[0.5], colors=[style], linewidths=0.6 if what == "truth" else 1.0)
            axis.set_axis_off()
        axes[0, column].set_title(method, fontsize=10)
    fig.suptitle(f"leg 0, 1 frame in {settings.main}: across and along; truth white", fontsize=10)


def _draw_boxes(axis, results, every, what, title):
    for number, (muscle, colour) in enumerate(_COLOURS.items()):
        data = [values(results, every, method, muscle, what) for method in METHODS]
        places = np.arange(len(METHODS)) + 0.25 * (number - 1)
        boxes = axis.boxplot(data, positions=places, widths=0.2, patch_artist=True, showfliers=True, manage_ticks=False,
                             flierprops={"markersize": 2}, medianprops={"color": "black"})  # fmt: skip
        for box in boxes["boxes"]:
            box.set_facecolor(colour)
        axis.plot([], [], "s", color=colour, label=muscle)
    axis.set_xticks(range(len(METHODS)), METHODS, rotation=40, ha="right", fontsize=8)
    axis.set_title(title, fontsize=10)
    axis.legend(fontsize=8, loc="lower right")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder of the legs' files, table and figure (default: none kept)")
    parser.add_argument("--legs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="legs at the same time")
    parser.add_argument("--every", default="5,10,15,20", help="annotate one frame in each of these")
    parser.add_argument("--fresh", action="store_true", help="compute legs again that are done")
    parser.add_argument("--tiny", action="store_true", help="one small piece of a leg: does it run?")
    parser.add_argument("--json", type=Path, help="write all legs there")
    parser.add_argument("--figure", type=Path, help="default: label_study.png in --out")
    options = parser.parse_args(arguments)
    every = tuple(sorted(int(number) for number in options.every.split(",")))
    settings = replace(Settings(), every=every, main=15 if 15 in every else every[0])
    legs = options.legs
    if options.tiny:
        settings = replace(
            settings, passes=3, frames=32, pixel=2.5, spacing=2.5, along=(70, 130), every=(15,), main=15, image_every=4
        )
        legs = 1
    if legs < 1 or options.jobs < 1 or min(every) < 2:
        parser.error("--legs and --jobs must be 1 or more, --every 2 or more")
    return study(settings, legs, options)


def study(settings, legs, options):
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as scratch:
        folder = options.out or Path(scratch)
        start = time.perf_counter()
        try:
            results = run(settings, legs, folder, options.jobs, options.fresh)
        except KeyboardInterrupt:
            print("interrupted; the legs that are done are kept" if options.out else "interrupted", file=sys.stderr)
            return 130
        print_tables(results, settings)
        if not options.tiny:  # a piece of one leg says nothing
            verdict(results, settings)
        write_csv(results, folder / "label_study.csv")
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))
        kept = leg_file(folder, 0, settings).with_suffix(".npz")
        pictures = np.load(kept) if kept.is_file() else None
        figure(results, settings, pictures, options.figure or folder / "label_study.png")
        simulation = np.mean([one["simulation_cpu_s"] for one in results])
        methods = np.mean([sum(row["cpu_s"] for row in one["rows"] if row["muscle"] == "GM") for one in results])
        print(f"{time.perf_counter() - start:.0f} s in all; CPU a leg: {simulation:.0f} s to make it and its images, "
              f"{methods:.0f} s for the methods")  # fmt: skip
        if options.out:
            print(f"{folder / 'label_study.csv'}\n{options.figure or folder / 'label_study.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
