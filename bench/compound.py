"""Compounding: usfast against loops in C++ and numba, against vectorised NumPy and against the machine's memory.

    python bench/compound.py [--tiny] [--json FILE] [--figure FILE.png] [--threads 1 2] [--rounds 5] [--data FOLDER]
    python bench/compound.py --thesis            # 1500 frames of 400 x 500 into 564 x 632 x 1443 voxels
    python bench/compound.py --fill              # hole filling, ns a voxel

All methods run in one process, in turn, for several rounds: figures are medians, ratios compare medians of the same
rounds. Peak memory comes from a fresh process a method. A busy machine spoils wall times: look at `load`, and at the
rate by CPU time, which is what the same run would do with its cores to itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import baselines
import compound_peers
import numpy as np
from roofline import bandwidth, machine

from usfast import Grid, Sweep, io
from usfast.compound import FILLS, compound_arrays, fill_holes

DATA = Path(os.environ.get("USFAST_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
NUMPY = {
    "numpy nearest bincount": baselines.nearest_bincount,
    "numpy linear bincount": baselines.linear_bincount,
    "numpy linear add.at": baselines.linear_add_at,
}
METHODS = ("nearest", "linear", "gaussian")
CASES = ("linear z", "worst stride x", "fan", "spine")
VOXELS_A_PIXEL = 0.75
THESIS = {"frames": (1500, 400, 500), "grid": (564, 632, 1443)}


# ---------------------------------------------------------------------------------------------- sweeps


def turned(about, degrees):
    """Rotation matrix about axis 0, 1 or 2."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return np.roll(turn, (about, about), (0, 1))


def synthetic_sweep(case, shape):
    """Frames along z with up to 3 degrees of jitter; the same with x and z swapped; or an oblique fan of 60 degrees."""
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (shape[0], 1, 1))
    fan = turned(2, 20) @ turned(1, 15)
    for n, part in enumerate(np.linspace(-1, 1, shape[0])):
        jitter = turned(0, rng.uniform(-3, 3)) @ turned(1, rng.uniform(-3, 3)) @ turned(2, rng.uniform(-3, 3))
        poses[n, :3, :3] = fan @ turned(0, 30 * part) if case == "fan" else jitter
        poses[n, 2, 3] = 0 if case == "fan" else n
    poses[:, :3] *= VOXELS_A_PIXEL
    if case == "worst stride x":
        poses = poses[:, [2, 1, 0, 3]]
    return Sweep(rng.integers(0, 256, shape, dtype=np.uint8), poses)


def spine_sweep(data):
    """The tracked spine phantom of PLUS, or None where it is not there."""
    path = data / "plus_spine" / "SpinePhantomFreehand.igs.mha"
    config = data / "plus_spine" / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml"
    return io.read_sweep(path, config=config) if path.exists() else None


def scene(case, data, tiny):
    """(frames, image_to_world, grid) of a case; None where its data are missing."""
    if case == "thesis":
        return thesis_scene(tiny)
    if case != "spine":
        sweep = synthetic_sweep(case, (6, 48, 64) if tiny else (300 if case == "fan" else 100, 400, 500))
        return sweep.frames, sweep.image_to_world, Grid.enclosing(sweep, 1.0)
    sweep = spine_sweep(data)
    if sweep is None:
        return None
    if tiny:
        sweep = Sweep(sweep.frames[:3, ::8, ::8], sweep.image_to_world[:3] @ np.diag([8.0, 8, 1, 1]))
    return sweep.frames[sweep.valid], sweep.image_to_world[sweep.valid], Grid.enclosing(sweep, 2.0 if tiny else 0.5)


def thesis_scene(tiny):
    """A sweep of the thesis' size: frames along the longest axis, one voxel a pixel."""
    shape, size = ((15, 40, 50), (57, 64, 145)) if tiny else (THESIS["frames"], THESIS["grid"])
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (shape[0], 1, 1))
    for n, z in enumerate(np.linspace(0, size[2] - 1, shape[0])):
        poses[n, :3, :3] = turned(0, rng.uniform(-1, 1)) @ turned(1, rng.uniform(-1, 1))
        poses[n, :3, 3] = (size[0] - shape[2]) / 2, (size[1] - shape[1]) / 2, z
    return rng.integers(0, 256, shape, dtype=np.uint8), poses, Grid(size, 1.0)


# ---------------------------------------------------------------------------------------------- time


def contenders(threads, peers=True):
    """Name -> function of (frames, image_to_world, grid)."""
    found = NUMPY | compound_peers.cpp_loops() | compound_peers.numba_loops() if peers else {}
    for method in METHODS:
        for count in threads:

            def run(frames, poses, grid, method=method, count=count):
                return compound_arrays(frames, poses, grid, method, num_threads=count)

            found[f"usfast {method} {count}T"] = run
    return found


def once(function, arguments):
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - wall, time.process_time() - cpu


def timed(functions, arguments, rounds):
    """Median wall and CPU seconds of each function, run in turn after a round to warm up.

    Of the two trilinear NumPy versions only the one that warmed up faster goes on.
    """
    warm = {name: once(function, arguments) for name, function in functions.items()}
    slower = max((name for name in functions if name.startswith("numpy linear")), key=warm.__getitem__)
    seconds = {name: [] for name in functions if name != slower}
    for _ in range(rounds):
        for name, values in seconds.items():
            values.append(once(functions[name], arguments))
    return {name: tuple(map(statistics.median, zip(*values, strict=True))) for name, values in seconds.items()}


def check(arguments, functions):
    """All must agree but for pixels that single precision puts into the next voxel."""
    for method in METHODS:
        volume, _ = compound_arrays(*arguments, method)
        for name, function in functions.items():
            if method in name and not name.startswith("usfast"):
                differ = np.mean(np.abs(volume - function(*arguments)[0]) > 1)
                if differ > 0.01:
                    raise SystemExit(f"{method}: usfast and {name} differ in {differ:.1%} of the voxels")


def faster_than(kind, name, seconds):
    """How many times faster than the fastest contender of `kind` with the same method; None where there is none."""
    method = next(m for m in METHODS if m in name)
    others = [wall for other, (wall, _) in seconds.items() if other.startswith(kind) and method in other]
    return min(others) / seconds[name][0] if others else None


def measure(case, arguments, functions, rounds, roof):
    """Rows of results for one case."""
    frames, _, grid = arguments
    check(arguments, functions)
    bound = frames.nbytes + 8 * grid.voxels  # frames read once, volume and weight written once
    seconds = timed(functions, arguments, rounds)
    return [
        {
            "case": case,
            "method": name,
            "seconds": wall,
            "mpixel_per_s": frames.size / wall / 1e6,
            "mpixel_per_s_by_cpu": frames.size / cpu / 1e6 * (int(name[-2]) if name.startswith("usfast") else 1),
            "x_numpy": faster_than("numpy", name, seconds),
            "x_cpp_loop": faster_than("C++", name, seconds),
            "gb_per_s": bound / wall / 1e9,
            "share_of_triad": bound / wall / 1e9 / roof["triad"],
            "bound_bytes": bound,
            "voxels": grid.voxels,
            "pixels": frames.size,
        }
        for name, (wall, cpu) in seconds.items()
    ]


def measure_fill(arguments, threads):
    """ns a voxel of the grid of each kind of hole filling."""
    volume, weight = compound_arrays(*arguments, "nearest")
    rows = []
    for name in FILLS:
        for count in threads:
            wall, cpu = min(
                once(lambda n=name, c=count: fill_holes(volume, weight, n, num_threads=c), ()) for _ in range(3)
            )
            rows.append(
                {"fill": name, "threads": count, "ns": wall / volume.size * 1e9, "ns_cpu": cpu / volume.size * 1e9}
            )
    return rows


# ---------------------------------------------------------------------------------------------- memory


def resident(field):
    """VmRSS or VmHWM of this process, bytes; the peak alone where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak():
    """Let the peak start again from what is resident now (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def report_peak(case, method, options):
    """In a fresh process: print seconds of a first and a second run and how far one raises the peak of memory."""
    arguments = scene(case, options.data, options.tiny)
    if case == "thesis":
        name, weight = method.split("/")

        def run(*sweep):
            return compound_arrays(*sweep, name, return_weight=weight == "weight", num_threads=max(options.threads))
    else:
        run = contenders(options.threads, peers=False)[method]
    forget_peak()
    before = resident("VmRSS")
    cold, _ = once(run, arguments)
    peak = resident("VmHWM") - before
    print(json.dumps({"peak": peak, "cold": cold, "warm": once(run, arguments)[0] if case == "thesis" else None}))


def peak_of(case, method, options):
    """What `report_peak` prints, from a fresh process."""
    command = [sys.executable, __file__, "--peak", case, method, "--data", str(options.data)]
    command += ["--threads", *map(str, options.threads)] + (["--tiny"] if options.tiny else [])
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def measure_thesis(options):
    """Rows of the thesis-size case: seconds cold and warm, peak above the inputs."""
    voxels = np.prod(THESIS["grid"] if not options.tiny else (57, 64, 145))
    rows = []
    for method in METHODS:
        for weight in ("weight", "no weight"):
            found = peak_of("thesis", f"{method}/{weight}", options)
            rows.append({"method": method, "results": weight, **found, "peak_x_volume": found["peak"] / (4 * voxels)})
    return rows


# ---------------------------------------------------------------------------------------------- output


def table(title, columns, rows):
    from rich.table import Table

    built = Table(*columns, title=title)
    for row in rows:
        built.add_row(*row)
    return built


def times(ratio):
    return "" if ratio is None else f"{ratio:.1f}"


def case_table(case, rows):
    first = rows[0]
    title = (
        f"{case}: {first['pixels'] / 1e6:.1f} Mpixel into {first['voxels'] / 1e6:.2f} Mvoxel, "
        f"at least {first['bound_bytes'] / 1e9:.2f} GB to move"
    )
    columns = (
        "method",
        "ms",
        "Mpixel/s",
        "by CPU time",
        "x NumPy",
        "x C++ loop",
        "GB/s",
        "of triad",
        "peak MB",
        "result MB",
    )
    return table(
        title,
        columns,
        [
            (
                row["method"],
                f"{row['seconds'] * 1e3:.1f}",
                f"{row['mpixel_per_s']:.1f}",
                f"{row['mpixel_per_s_by_cpu']:.1f}",
                times(row["x_numpy"]),
                times(row["x_cpp_loop"]),
                f"{row['gb_per_s']:.2f}",
                f"{row['share_of_triad']:.1%}",
                "" if row["peak"] is None else f"{row['peak'] / 1e6:.1f}",
                f"{8 * row['voxels'] / 1e6:.1f}",
            )
            for row in rows
        ],
    )


def thesis_table(rows):
    columns = ("method", "results", "cold s", "warm s", "peak GB", "x float32 volume")
    return table(
        "thesis size",
        columns,
        [
            (row["method"], row["results"], f"{row['cold']:.2f}", f"{row['warm']:.2f}", f"{row['peak'] / 1e9:.2f}",
             f"{row['peak_x_volume']:.2f}")
            for row in rows
        ],
    )  # fmt: skip


def fill_table(rows):
    columns = ("fill", "threads", "ns a voxel", "ns of CPU time")
    return table(
        "hole filling",
        columns,
        [(row["fill"], str(row["threads"]), f"{row['ns']:.2f}", f"{row['ns_cpu']:.2f}") for row in rows],
    )


def draw(rows, path):
    """Bars of Mpixel/s by method for each case, logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    cases = list(dict.fromkeys(row["case"] for row in rows))
    names = list(dict.fromkeys(row["method"] for row in rows))
    rates = {(row["case"], row["method"]): row["mpixel_per_s"] for row in rows}
    figure, axes = plt.subplots(1, len(cases), figsize=(3.2 * len(cases) + 1.5, 0.3 * len(names) + 1.2), sharey=True)
    for axis, case in zip(np.atleast_1d(axes), cases, strict=True):
        values = [rates.get((case, name), np.nan) for name in names]
        colours = ["tab:blue" if name.startswith("usfast") else "0.6" for name in names]
        bars = axis.barh(names, values, color=colours)
        axis.bar_label(bars, fmt="%.0f", padding=2, fontsize=8)
        axis.set(title=case, xlabel="Mpixel/s", xscale="log")
        axis.margins(x=0.2)
        axis.invert_yaxis() if axis is np.atleast_1d(axes)[0] else None
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--figure", type=Path, help="draw the rates there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--thesis", action="store_true", help="the thesis-size case alone")
    parser.add_argument("--fill", action="store_true", help="hole filling alone")
    parser.add_argument("--data", type=Path, default=DATA / "tracked")
    parser.add_argument("--peak", nargs=2, metavar=("CASE", "METHOD"), help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_cases(options, roof):
    """Rows of every case whose data are there."""
    functions, rows = contenders(options.threads), []
    for case in options.cases:
        prepared = scene(case, options.data, options.tiny)
        if prepared is not None:
            rows += measure(case, prepared, functions, 1 if options.tiny else options.rounds, roof)
    for row in rows:
        wanted = row["method"].startswith("usfast") and not (options.tiny and row["case"] != options.cases[0])
        row["peak"] = peak_of(row["case"], row["method"], options)["peak"] if wanted else None
    return rows


def main():
    options = arguments()
    if options.peak:
        report_peak(*options.peak, options)
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 150)
    about, roof = machine(), bandwidth(max(options.threads), 16 if options.tiny else 256)
    console.print(
        f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, {about['system']}\n"
        f"python {about['python']}, numpy {about['numpy']}, usfast {about['usfast']}\n"
        f"memory: read {roof['read']:.1f} GB/s, triad {roof['triad']:.1f} GB/s (all threads)"
    )
    results = {"machine": about, "memory": roof}
    if options.thesis:
        results["thesis"] = measure_thesis(options)
        console.print(thesis_table(results["thesis"]))
    if options.fill:
        prepared = scene(options.cases[0], options.data, options.tiny)
        if prepared is None:
            raise SystemExit(f"no data for the case {options.cases[0]}")
        results["fill"] = measure_fill(prepared, options.threads)
        console.print(fill_table(results["fill"]))
    if not (options.thesis or options.fill):
        rows = results["results"] = measure_cases(options, roof)
        for case in dict.fromkeys(row["case"] for row in rows):
            console.print(case_table(case, [row for row in rows if row["case"] == case]))
        if options.figure:
            draw(rows, options.figure)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
