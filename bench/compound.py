"""Compounding: usfast against vectorised NumPy and against the machine's memory.

    python bench/compound.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 5] [--data FOLDER]

All methods run in one process, in turn, for several rounds: figures are medians, ratios compare medians of the same
rounds. Peak memory comes from a fresh process a method. A busy machine spoils all of it: look at `load`.
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
import numpy as np
from roofline import bandwidth, machine

from usfast import Grid, Sweep, io
from usfast.compound import compound_arrays

DATA = Path(os.environ.get("USFAST_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
BASELINES = {
    "numpy nearest bincount": baselines.nearest_bincount,
    "numpy linear bincount": baselines.linear_bincount,
    "numpy linear add.at": baselines.linear_add_at,
}
METHODS = ("nearest", "linear", "gaussian")


def synthetic_sweep(shape, worst=False):
    """Parallel frames with a little jitter. `worst`: frames across x, columns along z, so that a row strides far."""
    count = shape[0]
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (count, 1, 1))
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0.0]]) if worst else np.eye(3)
    for n in range(count):
        turn = np.eye(3) + np.cross(np.eye(3), rng.normal(0, 0.01, 3))
        poses[n, :3, :3] = axes @ turn * [0.375, 0.375, 1]
        poses[n, :3, 3] = axes @ [0, 0, 0.5 * n]
    return Sweep(rng.integers(0, 256, shape).astype(np.uint8), poses)


def spine_sweep(data):
    """The tracked spine phantom of PLUS, or None where it is not there."""
    path = data / "plus_spine" / "SpinePhantomFreehand.igs.mha"
    config = data / "plus_spine" / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml"
    return io.read_sweep(path, config=config) if path.exists() else None


def scene(name, data, tiny):
    """(frames, image_to_world, grid) of a case."""
    shape = (6, 48, 64) if tiny else (100, 400, 500)
    sweep = spine_sweep(data) if name == "spine" else synthetic_sweep(shape, name == "worst stride")
    if sweep is None:
        return None
    if tiny and name == "spine":
        sweep = Sweep(sweep.frames[:3, ::8, ::8], sweep.image_to_world[:3] @ np.diag([8.0, 8, 1, 1]))
    grid = Grid.enclosing(sweep, 2.0 if tiny else 0.5)
    return sweep.frames[sweep.valid], sweep.image_to_world[sweep.valid], grid


def contenders(threads):
    """Name -> function of (frames, image_to_world, grid)."""
    found = dict(BASELINES)
    for method in METHODS:
        for count in threads:

            def run(frames, poses, grid, method=method, count=count):
                return compound_arrays(frames, poses, grid, method, "mean", num_threads=count)

            found[f"usfast {method} {count}T"] = run
    return found


def once(function, arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def timed(functions, arguments, rounds):
    """Median seconds of each function, run in turn after a round to warm up.

    Of the two trilinear NumPy versions only the one that warmed up faster goes on.
    """
    warm = {name: once(function, arguments) for name, function in functions.items()}
    slower = max((name for name in functions if name.startswith("numpy linear")), key=warm.__getitem__)
    seconds = {name: [] for name in functions if name != slower}
    for _ in range(rounds):
        for name, values in seconds.items():
            values.append(once(functions[name], arguments))
    return {name: statistics.median(values) for name, values in seconds.items()}


def check(arguments):
    """usfast and NumPy must agree but for pixels that single precision puts into the next voxel."""
    for method, baseline in (("nearest", baselines.nearest_bincount), ("linear", baselines.linear_bincount)):
        volume, _ = compound_arrays(*arguments, method)
        differ = np.mean(np.abs(volume - baseline(*arguments)[0]) > 1)
        if differ > 0.01:
            raise SystemExit(f"{method}: usfast and NumPy differ in {differ:.1%} of the voxels")


def baseline_of(name, seconds):
    """The NumPy time that a method is compared with: the faster of those of its kind."""
    kind = "nearest" if "nearest" in name else "linear"
    return min(value for other, value in seconds.items() if other.startswith(f"numpy {kind}"))


def measure(name, arguments, threads, rounds, roof):
    """Rows of results for one case."""
    frames, _, grid = arguments
    check(arguments)
    compulsory = frames.nbytes + 8 * grid.voxels  # frames read once, volume and weight written once
    seconds = timed(contenders(threads), arguments, rounds)
    rows = []
    for method, value in seconds.items():
        rate = compulsory / value / 1e9
        rows.append(
            {
                "case": name,
                "method": method,
                "seconds": value,
                "mpixel_per_s": frames.size / value / 1e6,
                "ratio": baseline_of(method, seconds) / value,
                "gb_per_s": rate,
                "share_of_triad": rate / roof["triad"],
                "voxels": grid.voxels,
                "pixels": frames.size,
            }
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


def report_peak(case, method, threads, data, tiny):
    """In a fresh process: print how far one run raises the peak of resident memory above inputs and libraries."""
    arguments = scene(case, data, tiny)
    forget_peak()
    before = resident("VmRSS")
    contenders(threads)[method](*arguments)
    print(resident("VmHWM") - before)


def peak_of(row, options):
    """Peak of one method above its inputs, bytes."""
    command = [sys.executable, __file__, "--peak", row["case"], row["method"], "--data", str(options.data)]
    command += ["--threads", *map(str, options.threads)] + (["--tiny"] if options.tiny else [])
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


# ---------------------------------------------------------------------------------------------- output


def show(rows, about, roof):
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(
        f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, {about['system']}\n"
        f"python {about['python']}, numpy {about['numpy']}, usfast {about['usfast']}\n"
        f"memory: read {roof['read']:.1f} GB/s, triad {roof['triad']:.1f} GB/s (all threads)"
    )
    for case in dict.fromkeys(row["case"] for row in rows):
        chosen = [row for row in rows if row["case"] == case]
        first = chosen[0]
        title = f"{case}: {first['pixels'] / 1e6:.1f} Mpixel into {first['voxels'] / 1e6:.2f} Mvoxel"
        table = Table(
            "method", "ms", "Mpixel/s", "x NumPy", "GB/s", "of triad", "peak MB", "result MB", "result + 12 B/voxel",
            title=title,
        )  # fmt: skip
        for row in chosen:
            table.add_row(
                row["method"],
                f"{row['seconds'] * 1e3:.1f}",
                f"{row['mpixel_per_s']:.1f}",
                f"{row['ratio']:.1f}",
                f"{row['gb_per_s']:.2f}",
                f"{row['share_of_triad']:.1%}",
                *(f"{b / 1e6:.1f}" for b in (row["peak"], 8 * row["voxels"], 20 * row["voxels"])),
            )
        console.print(table)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=DATA / "tracked")
    parser.add_argument("--peak", nargs=2, metavar=("CASE", "METHOD"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    if options.peak:
        report_peak(*options.peak, options.threads, options.data, options.tiny)
        return
    about, roof = machine(), bandwidth(max(options.threads), 16 if options.tiny else 256)
    rows = []
    for case in ("spine", "synthetic", "worst stride"):
        prepared = scene(case, options.data, options.tiny)
        if prepared is not None and not (case == "synthetic" and rows):
            rows += measure(case, prepared, options.threads, 1 if options.tiny else options.rounds, roof)
    for row in rows:
        row["peak"] = peak_of(row, options)
    show(rows, about, roof)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "memory": roof, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
