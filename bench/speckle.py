"""Correlation of speckle patches: usfast against NumPy and against the machine's memory.

    python bench/speckle.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 5]

500 frames of 480 x 640, 12 x 12 patches of 32 x 32, all pairs of frames up to 20 apart. All methods run in one process,
in turn, for several rounds; figures are medians. Each instruction set level below the machine's best runs in a
process of its own, since the level is chosen when usfast loads. A busy machine spoils all of it: look at `load`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from roofline import bandwidth, machine

from usfast.speckle.correlation import correlate_pairs
from usfast.speckle.inplane import track_patches
from usfast.speckle.patches import PatchGrid

LEVELS = ("baseline", "x86-64-v3")
NAIVE_PAIRS = 2000


def scene(tiny):
    """(frames, patches, window): noise that changes little by little from frame to frame."""
    count, height, width, many, window = (30, 96, 128, (3, 3), 5) if tiny else (500, 480, 640, (12, 12), 20)
    rng = np.random.default_rng(0)
    frames = np.empty((count, height, width), np.uint8)
    state = rng.normal(size=(height, width)).astype(np.float32)
    for frame in frames:
        state = 0.95 * state + 0.3 * rng.standard_normal((height, width), np.float32)
        frame[...] = np.clip(128 + 40 * state, 0, 255)
    return frames, PatchGrid.regular((height, width), (32, 32), many), window


def normalised(frames, patches):
    """(P, N, pixels) float32: each patch less its mean, of unit length."""
    rows, columns = patches.size
    cut = [frames[:, r : r + rows, c : c + columns].reshape(len(frames), -1) for r, c in patches.corners]
    z = np.stack(cut).astype(np.float32)
    z -= z.mean(axis=-1, keepdims=True)
    z /= np.sqrt(np.einsum("pnk,pnk->pn", z, z))[..., None]
    return z


def numpy_einsum(frames, patches, window):
    """One einsum a lag."""
    z = normalised(frames, patches)
    out = np.full((len(frames), window, len(patches)), np.nan, np.float32)
    for lag in range(1, window + 1):
        out[:-lag, lag - 1] = np.einsum("pnk,pnk->np", z[:, :-lag], z[:, lag:])
    return out


def numpy_gram(frames, patches, window):
    """One matrix product a patch, its diagonals near the middle."""
    z = normalised(frames, patches)
    out = np.full((len(frames), window, len(patches)), np.nan, np.float32)
    for p, rows in enumerate(z):
        gram = rows @ rows.T
        for lag in range(1, window + 1):
            out[:-lag, lag - 1, p] = np.diagonal(gram, lag)
    return out


def naive_seconds(frames, patches, window):
    """np.corrcoef of each pair of patches, from a few of them to all."""
    rng = np.random.default_rng(1)
    rows, columns = patches.size
    start = time.perf_counter()
    for _ in range(NAIVE_PAIRS):
        lag = rng.integers(1, window + 1)
        i, (r, c) = rng.integers(0, len(frames) - lag), patches.corners[rng.integers(len(patches))]
        a, b = (frames[j, r : r + rows, c : c + columns].ravel() for j in (i, i + lag))
        np.corrcoef(a, b)
    return (time.perf_counter() - start) / NAIVE_PAIRS * pair_count(frames, patches, window)


def pair_count(frames, patches, window):
    return len(patches) * sum(len(frames) - lag for lag in range(1, window + 1))


def contenders(threads):
    """Name -> function of (frames, patches, window)."""
    found = {"numpy einsum": numpy_einsum, "numpy BLAS": numpy_gram}
    for count in threads:
        found[f"usfast {count}T"] = lambda *arguments, count=count: correlate_pairs(*arguments, num_threads=count)
    return found


def timed(functions, arguments, rounds):
    """Median seconds of each function, run in turn after a round to warm up."""
    seconds = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function(*arguments)
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def at_level(level, options):
    """Median seconds of the kernel in a fresh process that is held back to one instruction set level."""
    command = [sys.executable, __file__, "--kernel", "--rounds", str(options.rounds), "--threads"]
    command += [*map(str, options.threads), *(["--tiny"] if options.tiny else [])]
    environment = {**os.environ, "USFAST_ISA": level}
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
    return {f"{name} {level}": value for name, value in found.items()}


def search_seconds(frames, patches, threads):
    """Seconds a patch of the search for in-plane motion, +-8 pixels."""
    pairs = [[i, i + 1] for i in range(min(10, len(frames) - 1))]
    start = time.perf_counter()
    track_patches(frames, patches, pairs, search=8, num_threads=threads)
    return (time.perf_counter() - start) / (len(pairs) * len(patches))


def check(arguments):
    """usfast and NumPy must agree."""
    gap = np.nanmax(np.abs(correlate_pairs(*arguments) - numpy_gram(*arguments)))
    if not gap < 1e-5:
        raise SystemExit(f"usfast and NumPy differ by {gap}")


def table(seconds, bound):
    """Rows of results."""
    best = min(value for name, value in seconds.items() if name.startswith("numpy") and "corrcoef" not in name)
    return [
        {"method": name, "seconds": value, "ratio": best / value, "times_bytes_bound": value / bound}
        for name, value in seconds.items()
    ]


def show(rows, about, roof, facts):
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(
        f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, {about['system']}\n"
        f"python {about['python']}, numpy {about['numpy']}, usfast {about['usfast']}\n"
        f"memory: read {roof['read']:.1f} GB/s (all threads); {facts['pairs'] / 1e6:.2f} M pairs of patches, "
        f"{facts['bytes'] / 1e6:.1f} MB at least: {facts['bound'] * 1e3:.2f} ms\n"
        f"in-plane search +-8 pixels, 1 thread: {facts['search'] * 1e6:.1f} us a patch"
    )
    shown = Table("method", "ms", "x best NumPy", "x bytes bound")
    for row in rows:
        shown.add_row(
            row["method"],
            f"{row['seconds'] * 1e3:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['times_bytes_bound']:.1f}",
        )
    console.print(shown)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kernel", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    frames, patches, window = prepared = scene(options.tiny)
    functions = contenders(options.threads)
    if options.kernel:
        kernels = {name: function for name, function in functions.items() if name.startswith("usfast")}
        print(json.dumps(timed(kernels, prepared, options.rounds)))
        return
    about, roof = machine(), bandwidth(max(options.threads), 16 if options.tiny else 256)
    check(prepared)
    seconds = timed(functions, prepared, options.rounds)
    for level in LEVELS:
        if level != about["usfast"]["isa"]:
            seconds |= at_level(level, options)
    seconds["numpy corrcoef (extrapolated)"] = naive_seconds(frames, patches, window)
    # Every pixel of a patch read once, every correlation written once.
    size = len(frames) * len(patches) * (patches.size[0] * patches.size[1] + 4 * window)
    facts = {"pairs": pair_count(frames, patches, window), "bytes": size, "bound": size / roof["read"] / 1e9}
    facts["search"] = search_seconds(frames, patches, 1)
    rows = table(seconds, facts["bound"])
    show(rows, about, roof, facts)
    if options.json:
        options.json.write_text(
            json.dumps({"machine": about, "memory": roof, "facts": facts, "results": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
