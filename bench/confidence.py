"""Confidence maps: usfast against MONAI, SciPy and scikit-image, in one process, in turn.

    python bench/confidence.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 3] [--sizes 256 512] [--slow]

Figures are medians of the calls after the first, which is given apart: it plans the elimination and takes its memory.
`error` is the largest difference from the double precision map; scikit-image's random walker has another graph (4
neighbours, other weights), so only its time compares. `--slow` adds MONAI's use_cg and the random walker's cg_j, which
take up to a minute each. MONAI, pyamg and scikit-image are left out where they are not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from roofline import machine

from usfast.confidence import clear_cache, confidence_map
from usfast.confidence.directed import directed_map

ALPHA, BETA, GAMMA = 2.0, 90.0, 0.05


def speckle(shape):
    """Rayleigh speckle with a bright line and its shadow."""
    rng = np.random.default_rng(0)
    image = 120 * rng.rayleigh(0.6, shape)
    half, third = shape[0] // 2, shape[1] // 3
    image[half : half + max(2, shape[0] // 60), third : 2 * third] = 255
    image[half + max(2, shape[0] // 60) :, third : 2 * third] *= 0.15
    return image.clip(0, 255).astype(np.uint8)


def by_scipy(image):
    """The same system, assembled with NumPy and solved by SuperLU, as MONAI does."""
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import spsolve

    eps = np.finfo(float).eps
    x = image.astype(float)
    height, width = x.shape
    x = (x - x.min()) / (np.ptp(x) + eps)
    a = x * (1 - np.exp(-ALPHA * np.linspace(0, 1, height)))[:, None]
    index = np.arange(a.size).reshape(a.shape)
    pairs = [
        (index[:-1], index[1:]),
        (index[:, :-1], index[:, 1:]),
        (index[:-1, :-1], index[1:, 1:]),
        (index[:-1, 1:], index[1:, :-1]),
    ]
    p, q = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    s = np.abs(a.ravel()[p] - a.ravel()[q])
    s = s / (s.max() + eps)
    s[(height - 1) * width :] += GAMMA
    w = np.exp(-BETA * s / (s.max() + eps)) + 1e-5
    adjacency = coo_matrix((np.r_[w, w], (np.r_[p, q], np.r_[q, p])), (a.size, a.size)).tocsr()
    laplacian = (diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency).tocsc()
    free = slice(width, a.size - width)
    result = np.zeros(a.size)
    result[:width] = 1
    result[free] = spsolve(laplacian[free, free], -laplacian[free, :width] @ np.ones(width))
    return result.reshape(a.shape)


def by_monai(use_cg):
    from monai.data.ultrasound_confidence_map import UltrasoundConfidenceMap

    return UltrasoundConfidenceMap(ALPHA, BETA, GAMMA, use_cg=use_cg)


def by_random_walker(mode):
    from skimage.segmentation import random_walker

    def run(image):
        seeds = np.zeros(image.shape, np.int32)
        seeds[0], seeds[-1] = 1, 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return random_walker(image / 255.0, seeds, beta=BETA, mode=mode, return_full_prob=True)[0]

    return run


def installed(*names):
    return all(importlib.util.find_spec(name) for name in names)


def contenders(threads, slow):
    found = {
        f"usfast {precision} {n}T": lambda image, p=precision, n=n: confidence_map(
            image, ALPHA, BETA, GAMMA, precision=p, num_threads=n
        )
        for precision in ("double", "single")
        for n in threads
    }
    found["scipy spsolve"] = by_scipy
    if installed("monai"):
        found["MONAI"] = by_monai(False)
    if slow and installed("monai", "pyamg"):
        found["MONAI use_cg"] = by_monai(True)
    if installed("skimage"):
        found["scikit-image random walker bf"] = by_random_walker("bf")
        if slow:
            found["scikit-image random walker cg_j"] = by_random_walker("cg_j")
    return found


def measure(shape, threads, rounds, slow):
    image = speckle(shape)
    methods = contenders(threads, slow)
    exact = confidence_map(image, ALPHA, BETA, GAMMA)
    seconds = {name: [] for name in methods}
    error = {}
    for turn in range(rounds + 1):
        for name, function in methods.items():
            if name.startswith("usfast"):
                # Its own second call: the first plans, and other precisions in between would take the memory away.
                clear_cache()
                start = time.perf_counter()
                function(image)
                first = time.perf_counter() - start
                if turn == 0:
                    seconds[name].append(first)
            start = time.perf_counter()
            result = function(image)
            seconds[name].append(time.perf_counter() - start)
            error[name] = float(np.abs(result - exact).max())
    rows = []
    for name, values in seconds.items():
        rows.append(
            {"shape": shape, "method": name, "first": values[0], "seconds": statistics.median(values[1:]),
             "error": error[name]}
        )  # fmt: skip
    base = next(r["seconds"] for r in rows if r["method"] == ("MONAI" if "MONAI" in methods else "scipy spsolve"))
    for row in rows:
        row["times_faster"] = base / row["seconds"]
    return rows


def measure_stack(shape, count, threads):
    """Images a second in one call."""
    stack = np.stack([np.roll(speckle(shape), n, axis=1) for n in range(count)])
    rows = []
    for precision in ("double", "single"):
        for n in threads:
            start = time.perf_counter()
            confidence_map(stack, precision=precision, num_threads=n)
            taken = time.perf_counter() - start
            rows.append({"shape": (count, *shape), "method": f"usfast {precision} {n}T", "seconds": taken / count})
    return rows


def measure_directed(shape, threads, rounds):
    """The directed map, one image a thread; without and with a power of the relative gradient."""
    rows = []
    for n in threads:
        stack = np.stack([speckle(shape)] * n)
        for power in (1.0, 0.7):
            seconds, cpu = [], []
            for _ in range(rounds + 1):
                start, busy = time.perf_counter(), time.process_time()
                directed_map(stack, power=power, num_threads=n)
                seconds.append((time.perf_counter() - start) / n)
                cpu.append((time.process_time() - busy) / n)
            rows.append(
                {
                    "shape": shape,
                    "method": f"directed, power {power:g}, {n}T",
                    "seconds": statistics.median(seconds[1:]),
                    "cpu_seconds": statistics.median(cpu[1:]),
                }
            )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--slow", action="store_true", help="iterative solvers too")
    options = parser.parse_args()
    about, rows = machine(), []
    print(f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, numpy {about['numpy']}")
    for size in (40,) if options.tiny else options.sizes:
        found = measure((size, size), options.threads, 1 if options.tiny else options.rounds, options.slow)
        print(f"{size} x {size}")
        for row in found:
            print(
                f"  {row['method']:<32} {row['seconds'] * 1e3:9.1f} ms (first {row['first'] * 1e3:9.1f})"
                f" {row['times_faster']:7.1f}x  error {row['error']:.1e}"
            )
        rows += found
        directed = measure_directed((size, size), options.threads, 1 if options.tiny else max(5, options.rounds))
        for row in directed:
            print(
                f"  {row['method']:<32} {row['seconds'] * 1e3:9.1f} ms (cpu {row['cpu_seconds'] * 1e3:9.1f}) an image"
            )
        rows += directed
    shape, count = ((40, 50), 4) if options.tiny else ((564, 632), 8)
    found = measure_stack(shape, count, options.threads)
    print(f"{count} images of {shape[0]} x {shape[1]} in one call")
    for row in found:
        print(f"  {row['method']:<32} {row['seconds'] * 1e3:9.1f} ms an image")
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": rows + found}, indent=1))


if __name__ == "__main__":
    main()
