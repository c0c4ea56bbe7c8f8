"""Which method of compounding? Leave frames out, compound the others, and look where the left out frame was.

    python bench/studies/leave_one_out.py [--data FOLDER] [--csv FILE] [--figure docs/compounding_methods.png] [--tiny]

For some frames of a sweep, one, three or five frames around it are left out; a few neighbours on both sides are
compounded with every method on one and the same grid (the one PLUS would choose); the volume is interpolated
trilinearly at the pixels of the frame in the middle, of which the recording knows the truth. The error is the mean
absolute difference and its root mean square, over the pixels at which all methods have a value. Coverage: the share of
pixels at which a method has one. Speed: million pixels put in and voxels put out in a second of processor time, on
one thread.

All methods may bridge the gap that is left, and no more: windows of hole filling, sticks, radii and reaches are set
from its width, everything else stays at the defaults. Frames are cut to a rectangle inside the sector, because PLUS
knows no masks. PLUS is computed by ``compat="plus"``, which equals it bit for bit.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from feathering import DATA, liver, simulated, spine

from usfast import Grid, Sweep
from usfast.compound import compound, compound_arrays, fill_holes
from usfast.compound.methods import METHODS
from usfast.io import HoleFillingElement, PlusConfig, Reconstruction

PIXEL_METHODS = ("nearest", "linear", "gaussian")
FILLS = ("gaussian", "normalized_convolution", "sticks")
GAPS = (1, 3, 5)


@dataclass
class Case:
    """A sweep cut to a rectangle, the edge of voxels in mm, and in how many places a frame is left out."""

    name: str
    sweep: Sweep
    spacing: float
    places: int


@dataclass
class Task:
    """Frames to compound, the grid, the frame that was left out, and the width of the gap in mm."""

    sweep: Sweep
    grid: Grid
    left_out: np.ndarray
    pose: np.ndarray
    gap: float


# --- methods: each takes a task and returns values and where they are known ---


def filled(method: str, fill: str, **options: Any):
    def run(task):
        volume, weight = compounded(task, method, **options)
        return with_fill(task, volume, weight, fill)

    return run


def thin(fill: str, sigma: float):
    """Gaussian; voxels that only the kernel's rim reaches stay holes, which are then filled from both sides."""

    def run(task):
        volume, weight = compounded(task, "gaussian", kernel_size=3, sigma=sigma)
        weight[weight < 0.5 * np.percentile(weight[weight > 0], 90)] = 0
        return with_fill(task, volume, weight, fill)

    return run


def within(method: str, fill: str, edges: float):
    """A method with a radius of so many edges of a voxel; half a diagonal is the least that loses no pixel."""

    def run(task):
        volume, weight = compounded(task, method, radius=edges * float(np.max(task.grid.spacing)))
        return with_fill(task, volume, weight, fill)

    return run


def bridging(method: str):
    """A method that spans the gap by itself."""

    def run(task):
        volume, weight = compounded(task, method, **reach_option(method, task.gap))
        return volume, weight > 0

    return run


def compounded(task, method, **options):
    """The one call of every method: (volume, weight)."""
    frames, poses = task.sweep.frames, task.sweep.image_to_world
    if method in PIXEL_METHODS:
        return compound_arrays(frames, poses, task.grid, method, num_threads=1, **options)
    matrices = np.ascontiguousarray((task.grid.world_to_voxel @ poses)[:, :3])
    return METHODS[method](
        frames, np.arange(len(frames)), matrices, task.grid.size, spacing=task.grid.spacing, mask=None,
        importance=None, num_threads=1, progress=None, **options,
    )  # fmt: skip


def with_fill(task, volume, weight, fill):
    volume, holes = fill_holes(volume, weight, fill, size=window(task), num_threads=1)
    return volume, (weight > 0) | holes


def window(task):
    """Voxels, odd: gaps of up to one less are closed."""
    return min(101, 2 * int(np.ceil(task.gap / min(task.grid.spacing) / 2)) + 3)


def reach_option(method, gap):
    if method in ("voxel_nearest", "inverse_distance"):
        return {"max_distance": gap}
    return {"max_gap": 1.5 * gap} if method == "trajectory" else {"reach": 0.75 * gap}


def plus_settings(spacing, interpolation, sticks):
    element = HoleFillingElement(type="STICK", stick_length_limit=sticks, number_of_sticks_to_use=1)
    settings = Reconstruction(
        output_spacing=(spacing,) * 3, interpolation=interpolation, fill_holes=True, hole_filling=(element,)
    )
    return PlusConfig(Path("none.xml"), {}, settings)


def plus(interpolation: str):
    def run(task):
        config = plus_settings(float(task.grid.spacing[0]), interpolation, window(task))
        result = compound(task.sweep, config=config, compat="plus", num_threads=1)
        return result.volume.array.astype(np.float32), result.coverage | result.filled

    return run


def methods():
    found = {f"PLUS {name.split('_')[0].lower()} + sticks": plus(name) for name in ("NEAREST_NEIGHBOR", "LINEAR")}
    for method in PIXEL_METHODS:
        for fill in FILLS:
            found[f"{method} + {fill}"] = filled(method, fill)
    found["gaussian, sigma 0.4, thin + sticks"] = thin("sticks", 0.4)
    for method in ("squared_distance", "adaptive", "median"):
        found[f"{method}, 1.5 voxels + sticks"] = within(method, "sticks", 1.5)
        found[f"{method}, small radius + sticks"] = within(method, "sticks", 0.5 * 3**0.5)
    for method in ("voxel_nearest", "inverse_distance", "trajectory", "radial_basis", "rayleigh", "bspline"):
        found[method] = bridging(method)
    return found


# --- cases and tasks ---


def cut(case, spacing=0.5, millimetres=40.0, places=8):
    """Frames cut to a rectangle inside the mask, at most so wide and high, where the images are bright."""
    sweep, mask = case.sweep, case.masks[0]
    light = np.where(mask, sweep.frames.mean(axis=0), 0)
    v, u = (int(np.average(np.arange(n), weights=light.sum(axis=1 - a))) for a, n in enumerate(mask.shape))
    pitch = np.linalg.norm(sweep.image_to_world[0, :3, :2], axis=0)
    half = np.zeros(2, int)  # columns, rows
    growing = [True, True]
    while any(growing):
        for axis in (0, 1):
            larger = half.copy()
            larger[axis] += 1
            box = slice(v - larger[1], v + larger[1] + 1), slice(u - larger[0], u + larger[0] + 1)
            fits = min(v - larger[1], u - larger[0]) >= 0 and mask[box].size == np.prod(2 * larger + 1)
            growing[axis] = bool(fits and mask[box].all() and 2 * larger[axis] * pitch[axis] < millimetres)
            if growing[axis]:
                half = larger
    frames = sweep.frames[:, v - half[1] : v + half[1] + 1, u - half[0] : u + half[0] + 1]
    shift = np.eye(4)
    shift[:2, 3] = u - half[0], v - half[1]
    used = np.flatnonzero(sweep.valid & (case.passes == case.passes[0]))
    frames = np.ascontiguousarray(frames[used])
    return Case(case.name.split(",")[0], Sweep(frames, sweep.image_to_world[used] @ shift), spacing, places)


def tasks(case, removed, count):
    """Tasks with `removed` frames left out, evenly spread over the sweep."""
    from usfast.compound.methods.reach import frame_gap
    from usfast.compound.plus import compound_plus

    sweep, half = case.sweep, removed // 2
    step = np.median(np.linalg.norm(np.diff(sweep.image_to_world[:, :3, 3], axis=0), axis=1))
    beside = max(3, int(np.ceil(2.5 / step)))
    first, last = half + 2, len(sweep) - half - 3
    for middle in np.unique(np.linspace(first, last, count + 2)[1:-1].astype(int)):
        near = np.arange(max(0, middle - half - beside), min(len(sweep), middle + half + beside + 1))
        kept = near[np.abs(near - middle) > half]
        part = sweep[kept]
        # The grid that PLUS chooses.
        settings = plus_settings(case.spacing, "NEAREST_NEIGHBOR", 2).reconstruction
        lattice = compound_plus(part, settings, num_threads=1).volume
        grid = Grid(lattice.array.shape[::-1], lattice.spacing, lattice.origin, lattice.direction)
        beside_hole = part.image_to_world[np.searchsorted(kept, [middle - half - 1, middle + half + 1])]
        gap = frame_gap((grid.world_to_voxel @ beside_hole)[:, :3], grid.spacing, sweep.image_size)
        yield Task(part, grid, sweep.frames[middle].astype(float), sweep.image_to_world[middle], gap)


def cases(data, tiny):
    """Voxels as fine as the pixels of the liver; the others' pixels are finer than any voxel one would take."""
    if tiny or not (data / "plus_spine").is_dir():
        return [cut(simulated())]
    return [cut(simulated()), cut(spine(data)), cut(liver(data, 1), spacing=0.3, millimetres=25.0, places=4)]


# --- measurement ---


def at_pixels(task, values, known):
    """Trilinear values at the pixels of the frame left out; NaN where a voxel around is not known."""
    from scipy.ndimage import map_coordinates

    height, width = task.left_out.shape
    v, u = np.mgrid[:height, :width]
    place = np.stack([u, v, np.zeros_like(u), np.ones_like(u)]).astype(float)
    x, y, z = np.einsum("ij,jvu->ivu", task.grid.world_to_voxel @ task.pose, place)[:3]
    share = map_coordinates(known.astype(np.float32), [z, y, x], order=1, mode="constant")
    found = map_coordinates(np.where(known, values, 0), [z, y, x], order=1, mode="nearest")
    return np.where(share > 0.999, found, np.nan)


def measure(case, removed, count, chosen):
    """One row for each method."""
    sums = {name: {"absolute": 0.0, "square": 0.0, "known": 0, "seconds": 0.0} for name in chosen}
    pixels = common = put_in = put_out = 0
    example = None
    for task in tasks(case, removed, count):
        found = {}
        for name, run in chosen.items():
            begin = time.process_time()
            values, known = run(task)
            sums[name]["seconds"] += time.process_time() - begin
            found[name] = at_pixels(task, values, known)
        everywhere = np.all([np.isfinite(image) for image in found.values()], axis=0)
        pixels, common = pixels + everywhere.size, common + int(everywhere.sum())
        put_in, put_out = put_in + task.sweep.frames.size, put_out + task.grid.voxels
        for name, image in found.items():
            error = (image - task.left_out)[everywhere]
            sums[name]["absolute"] += float(np.abs(error).sum())
            sums[name]["square"] += float(np.square(error).sum())
            sums[name]["known"] += int(np.isfinite(image).sum())
        example = example or (task.left_out, found)
    rows = [
        {
            "sweep": case.name,
            "removed": removed,
            "method": name,
            "mean_error": s["absolute"] / max(common, 1),
            "rms_error": (s["square"] / max(common, 1)) ** 0.5,
            "coverage": s["known"] / pixels,
            "common": common / pixels,
            "mpixel_per_s": put_in / s["seconds"] / 1e6,
            "mvoxel_per_s": put_out / s["seconds"] / 1e6,
        }
        for name, s in sums.items()
    ]
    return rows, example


def show(rows):
    for sweep in dict.fromkeys(row["sweep"] for row in rows):
        for removed in dict.fromkeys(row["removed"] for row in rows if row["sweep"] == sweep):
            part = [row for row in rows if row["sweep"] == sweep and row["removed"] == removed]
            print(f"\n{sweep}, {removed} left out, {part[0]['common']:.0%} of the pixels compared")
            for r in sorted(part, key=lambda row: row["mean_error"]):
                print(
                    f"  {r['method']:36s} mean {r['mean_error']:6.2f}  rms {r['rms_error']:6.2f}  "
                    f"covers {r['coverage']:5.1%}  {r['mpixel_per_s']:8.2f} Mpixel/s {r['mvoxel_per_s']:8.3f} Mvoxel/s"
                )


def relative(rows):
    """Mean error over that of the better PLUS method, for each method: a list over sweeps and gaps."""
    found = {}
    for sweep, removed in dict.fromkeys((row["sweep"], row["removed"]) for row in rows):
        part = {r["method"]: r["mean_error"] for r in rows if (r["sweep"], r["removed"]) == (sweep, removed)}
        best = min(error for name, error in part.items() if name.startswith("PLUS"))
        for name, error in part.items():
            found.setdefault(name, []).append((sweep, removed, error / best))
    return found


def draw(rows, examples, path):
    """Errors against PLUS above, and what some methods make of a frame that was left out below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = relative(rows)
    names = sorted(found, key=lambda name: np.mean([ratio for *_, ratio in found[name]]))
    shown = (
        "PLUS nearest + sticks",
        names[0],
        "gaussian, sigma 0.4, thin + sticks",
        "radial_basis",
        "rayleigh",
        "bspline",
    )
    figure = plt.figure(figsize=(11, 12), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(6, 5))
    axes = upper.subplots()
    sweeps = list(dict.fromkeys(row["sweep"] for row in rows))
    for line, name in enumerate(names):
        for sweep, removed, ratio in found[name]:
            axes.plot(ratio, line, "os^"[GAPS.index(removed)], color=f"C{sweeps.index(sweep)}", alpha=0.7, ms=5)
    for number, sweep in enumerate(sweeps):
        axes.plot([], [], "o", color=f"C{number}", label=sweep)
    for mark, removed in zip("os^", GAPS, strict=True):
        axes.plot([], [], mark, color="grey", label=f"{removed} left out")
    axes.axvline(1, color="black", lw=0.8)
    axes.set_yticks(range(len(names)), names, size=8)
    axes.invert_yaxis()
    axes.set_xlabel("mean error at the frame left out / that of the better PLUS method")
    axes.legend(fontsize=8)
    chosen = [example for example in examples if example[1] == GAPS[0]]
    panels = lower.subplots(len(chosen), len(shown) + 1, squeeze=False)
    for line, (sweep, _, (truth, images)) in zip(panels, chosen, strict=True):
        for panel, name in zip(line, ("left out", *shown), strict=True):
            panel.imshow(truth if name == "left out" else images[name], cmap="gray", vmin=0, vmax=truth.max())
            panel.set_title(f"{sweep}\n{name}" if name == "left out" else name.replace(", ", "\n"), size=6)
            panel.axis("off")
    figure.savefig(path, dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--tiny", action="store_true", help="one gap of the simulated sweep: seconds")
    arguments = parser.parse_args()
    chosen, rows, examples = methods(), [], []
    for case in cases(arguments.data, arguments.tiny):
        for removed in GAPS[:1] if arguments.tiny else GAPS:
            places = 1 if arguments.tiny else max(1, case.places // (removed // 2 + 1))
            found, example = measure(case, removed, places, chosen)
            rows += found
            examples.append((case.name, removed, example))
    show(rows)
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    if arguments.figure:
        draw(rows, examples, arguments.figure)


if __name__ == "__main__":
    main()
