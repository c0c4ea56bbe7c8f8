"""Surface distances: usfast against the packages of the field and against one read of both masks.

    python bench/surface.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 5] [--slow] [--thesis]

All run in one process, in turn, for several rounds: figures are medians, ratios compare medians of the same rounds.
Every contender returns HD, HD95, ASSD and NSD of one pair (usfast: the overlap too, in the same call). Peers take part
where they are installed (`pip install edt monai medpy`; DeepMind's surface-distance from its repository); --slow adds
those that take half a minute. Peak memory comes from a fresh process each. A busy machine spoils
all of it: look at `load`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

import numpy as np
import surface_peers
from roofline import bandwidth, machine

from usfast import metrics

CASES = {"256": 256, "512": 512, "512 aniso": 512, "256 far": 256, "256 noise": 256}


def smooth_noise(random, shape):
    """A random field without detail, float32 in about -2 to 2."""
    from scipy.ndimage import zoom

    coarse = random.standard_normal((9, 9, 9)).astype(np.float32)
    return zoom(coarse, [n / 9 for n in shape], order=1)


def realistic(shape):
    """A tapered ellipsoid with a wavy surface, and the same moved by about a voxel and wavier; Dice about 0.97."""
    random = np.random.default_rng(0)
    z, y, x = (
        np.linspace(-0.5, 0.5, n, dtype=np.float32).reshape(s)
        for n, s in zip(shape, ((-1, 1, 1), (1, -1, 1), (1, 1, -1)), strict=True)
    )
    level = (z / 0.44) ** 2 + (y / 0.31) ** 2 * (1 + 0.5 * z) + (x / 0.33) ** 2 + 0.05 * smooth_noise(random, shape)
    ref = level < 1
    level += 0.03 * smooth_noise(random, shape)
    step = max(shape[0] // 128, 1)
    return np.roll(level, (step, step), (0, 2)) < 1, ref


def scene(name, tiny):
    """(pred, ref, spacing) of a case."""
    if name == "thesis":
        return *realistic((1443, 632, 564)), (0.277, 0.277, 0.277)
    size = 40 if tiny else CASES[name]
    pred, ref = realistic((size, size, size))
    if name.endswith("far"):
        pred = np.roll(pred, (-size // 8, size // 12, size // 20), (0, 1, 2))
        pred[2:5, 2:5, 2:5] = True
    if name.endswith("noise"):
        pred = pred ^ (np.random.default_rng(1).random(pred.shape, np.float32) < 0.02)
    return pred, ref, (2.0, 0.5, 0.5) if name.endswith("aniso") else (1.0, 1.0, 1.0)


def usfast(definition, threads):
    """A contender of ours."""

    def run(pred, ref, spacing):
        s = metrics.surface(pred, ref, spacing, definition=definition, num_threads=threads)
        return s.hd, s.hd_percentile[95], s.assd, s.nsd[1.0]

    return run


def contenders(threads, slow, peers=None):
    """Name -> function of (pred, ref, spacing)."""
    found = {name: peer for name, peer in surface_peers.available(slow).items() if peers is None or name in peers}
    for count in threads:
        found[f"usfast voxel {count}T"] = usfast("voxel", count)
        found[f"usfast surfel {count}T"] = usfast("surfel", count)
    return found


def timed(functions, arguments, rounds):
    """Median seconds of each function, run in turn after a round to warm up; slow ones have fewer rounds."""
    seconds = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            if turn > 1 and seconds[name][0] > 5:
                continue
            start = time.perf_counter()
            function(*arguments)
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def check(functions, arguments):
    """Whoever measures border voxels must find the same as we do."""
    ours = functions["usfast voxel 1T"](*arguments)
    for name, function in functions.items():
        if "surf" in name or name in ("medpy", "usfast voxel 1T"):
            continue
        if not np.allclose(function(*arguments), ours, rtol=1e-4, atol=1e-6):
            raise SystemExit(f"{name} finds other distances than usfast")


def peak_bytes(case, name, tiny):
    """What a contender takes above both masks, in a process of its own."""
    code = (
        "import sys, resource, surface as s\n"
        f"found = s.contenders([2], True); arguments = s.scene({case!r}, {tiny})\n"
        f"found[{name!r}](*(m[:16, :16, :16] if getattr(m, 'ndim', 0) else m for m in arguments))\n"
        "before = int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()\n"
        "open('/proc/self/clear_refs', 'w').write('5')\n"  # the peak so far was the making of the masks
        f"found[{name!r}](*arguments)\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "print(next(int(line.split()[1]) * 1024 for line in lines if line.startswith('VmHWM')) - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=sys.path[0])
    return int(run.stdout) if run.returncode == 0 and run.stdout.strip() else None


def measure(case, arguments, functions, rounds, roof, tiny):
    """Rows of results for one case."""
    check(functions, arguments)
    seconds = timed(functions, arguments, rounds)
    ours = [name for name in functions if name.startswith("usfast")]
    fastest = min((name for name in functions if name not in ours), key=seconds.__getitem__)
    compulsory = arguments[0].nbytes + arguments[1].nbytes
    rows = []
    for name, value in seconds.items():
        memory = peak_bytes(case, name, tiny) if not name.endswith("1T") else None
        rows.append(
            {
                "case": case,
                "contender": name,
                "seconds": value,
                "times_faster_than_best_peer": seconds[fastest] / value,
                "best_peer": fastest,
                "share_of_read": compulsory / value / 1e9 / roof["read"],
                "bytes_per_voxel": None if memory is None else memory / arguments[0].size,
            }
        )
    return rows


def show(rows):
    """A table for people."""
    for row in rows:
        memory = "" if row["bytes_per_voxel"] is None else f"{row['bytes_per_voxel']:8.2f} B/voxel"
        print(
            f"{row['case']:<10} {row['contender']:<20} {row['seconds'] * 1e3:10.1f} ms "
            f"{row['times_faster_than_best_peer']:8.1f} x {row['best_peer']:<14} "
            f"{row['share_of_read']:6.1%} of one read {memory}"
        )


def main():
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a second in all: does it run?")
    parser.add_argument("--json", help="write the rows here")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=[*CASES, "thesis"])
    parser.add_argument("--peers", nargs="+", help='only these, e.g. "scipy cKDTree" edt')
    parser.add_argument("--slow", action="store_true", help="DeepMind's package and MedPy too")
    parser.add_argument("--thesis", action="store_true", help="564 x 632 x 1443 voxels too")
    options = parser.parse_args()
    rounds = 1 if options.tiny else options.rounds
    facts = machine()
    roof = bandwidth(max(options.threads), 8 if options.tiny else 256)
    print(facts, {name: f"{rate:.1f} GB/s" for name, rate in roof.items()}, sep="\n")
    rows = []
    for case in [*options.cases, *(["thesis"] if options.thesis else [])]:
        arguments = scene(case, options.tiny)
        functions = contenders(sorted({1, *options.threads}), options.slow, options.peers)
        rows += (found := measure(case, arguments, functions, rounds, roof, options.tiny))
        show(found)
        sys.stdout.flush()
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": facts, "bandwidth": roof, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
