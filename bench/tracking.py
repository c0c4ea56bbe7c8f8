"""TUS-REC scores: usfast against the explicit displacement fields in NumPy.

    python bench/tracking.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 5]

All run in one process, in turn; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from roofline import machine

from usfast.geometry import euler_to_matrix, relative_to_absolute
from usfast.tracking import tus_rec_scores
from usfast.tracking.tusrec import displacement_matrices

SCALE, CALIBRATION = np.diag([0.23, 0.22, 1, 1.0]), np.eye(4)


def trajectories(count):
    """A sweep of 1 mm a frame and an estimate that is 10 % off with a little noise."""
    rng = np.random.default_rng(0)
    steps = np.tile(np.eye(4), (count - 1, 1, 1))
    steps[:, :3, :3] = euler_to_matrix(rng.normal(0, 0.3, (count - 1, 3)))
    steps[:, :3, 3] = rng.normal([0, 0, 1], 0.2, (count - 1, 3))
    guess = steps.copy()
    guess[:, :3, 3] *= 0.9
    guess[:, :3, :3] = guess[:, :3, :3] @ euler_to_matrix(rng.normal(0, 0.05, (count - 1, 3)))
    return relative_to_absolute(guess), relative_to_absolute(steps)


def fields(poses, shape, dtype):
    """(2, N-1, 3, H * W): all displacement fields at once, as a submission holds them."""
    v, u = np.mgrid[1 : shape[0] + 1, 1 : shape[1] + 1].reshape(2, -1)
    pixels = np.stack([u, v, np.ones_like(u)]).astype(dtype)
    return displacement_matrices("poses", poses, SCALE, CALIBRATION)[..., [0, 1, 3]].astype(dtype) @ pixels


def explicit(predicted, true, shape, dtype):
    """GPE and LPE from two sets of fields."""
    error = fields(predicted, shape, dtype) - fields(true, shape, dtype)
    return np.linalg.norm(error, axis=2).mean(axis=(1, 2), dtype=np.float64)


def in_parts(predicted, true, shape, dtype):
    """The same, frame by frame: what a careful NumPy user would write."""
    v, u = np.mgrid[1 : shape[0] + 1, 1 : shape[1] + 1].reshape(2, -1)
    pixels = np.stack([u, v, np.ones_like(u)]).astype(dtype)
    both = [displacement_matrices("poses", p, SCALE, CALIBRATION)[..., [0, 1, 3]] for p in (predicted, true)]
    means = [
        [np.sqrt(((m.astype(dtype) @ pixels) ** 2).sum(axis=0)).mean() for m in part] for part in both[0] - both[1]
    ]
    return np.mean(means, axis=1)


def measure(count, shape, threads, rounds, tiny):
    predicted, true = trajectories(count)
    contenders = {
        f"usfast {n}T": lambda n=n: tus_rec_scores(predicted, true, SCALE, CALIBRATION, shape, num_threads=n)
        for n in threads
    }
    contenders["NumPy float32, difference, frame by frame"] = lambda: in_parts(predicted, true, shape, np.float32)
    if tiny or count <= 100:
        contenders["NumPy float32, all fields"] = lambda: explicit(predicted, true, shape, np.float32)
        contenders["NumPy float64, all fields"] = lambda: explicit(predicted, true, shape, np.float64)
    seconds = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, function in contenders.items():
            start = time.perf_counter()
            function()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    reference = in_parts(predicted, true, shape, np.float64)
    found = tus_rec_scores(predicted, true, SCALE, CALIBRATION, shape)
    error = float(np.abs(np.array([found.gpe, found.lpe]) / reference - 1).max())
    best = min(statistics.median(v) for n, v in seconds.items() if n.startswith("usfast"))
    rows = [
        {"frames": count, "method": n, "seconds": statistics.median(v), "times_usfast": statistics.median(v) / best}
        for n, v in seconds.items()
    ]
    return rows, error


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    about, rows = machine(), []
    print(f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, numpy {about['numpy']}")
    # All fields of 500 frames would take 14 GB in float64: that route is timed on 20 frames.
    for count in (4,) if options.tiny else (20, 500):
        shape = (48, 64) if options.tiny else (480, 640)
        found, error = measure(count, shape, options.threads, 1 if options.tiny else options.rounds, options.tiny)
        print(f"{count} frames of {shape[0]}x{shape[1]}, relative difference to float64 {error:.1e}")
        for row in found:
            print(f"  {row['method']:<42} {row['seconds'] * 1e3:9.2f} ms  {row['times_usfast']:7.1f}x")
        rows += found
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
