"""Confidence maps of volumes: usfast against SciPy, pyamg and MONAI's six images, in one process, in turn.

    python bench/confidence_volume.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 3] [--sizes 32 64 128]

`iterations` are those of the preconditioned conjugate gradients, `memory` the growth of the peak resident size during
the first call, in bytes a voxel, `error` the largest difference from the direct solution (where SciPy can find it: up
to 24 voxels a side) or else from usfast's own at a tolerance of 1e-8. MONAI has no volumes: the yardstick is its map of
a 512 x 512 image, six times. pyamg and MONAI are left out where they are not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
from roofline import machine

from usfast import _core
from usfast.confidence import confidence_volume
from usfast.confidence import volumes as _volumes

ALPHA, BETA, GAMMA = 2.0, 90.0, 0.05
DIRECT = 24  # voxels a side that SuperLU solves in seconds


def speckle(size, smooth):
    """Rayleigh speckle, of the size of a voxel or blurred, with a bright plate and its shadow."""
    from scipy.ndimage import gaussian_filter

    volume = 120 * np.random.default_rng(0).rayleigh(0.6, (size, size, size))
    if smooth:
        volume = gaussian_filter(volume, 1.0)
        volume = 255 * (volume - volume.min()) / np.ptp(volume)
    half, third, thick = size // 2, size // 3, max(2, size // 60)
    volume[:, half : half + thick, third : 2 * third] = 255
    volume[:, half + thick :, third : 2 * third] *= 0.15
    return volume.clip(0, 255).astype(np.uint8)


def system(volume):
    """The matrix of the voxels that are sought, its right-hand side and their indices."""
    from scipy.sparse import coo_matrix, diags

    eps = np.finfo(float).eps
    x = volume.astype(float)
    length = x.shape[1]
    a = (x - x.min()) / (np.ptp(x) + eps) * (1 - np.exp(-ALPHA * np.linspace(0, 1, length)))[None, :, None]
    index = np.arange(a.size).reshape(a.shape)
    first, second, straight = [], [], []
    for step in product((-1, 0, 1), repeat=3):
        if step <= (0, 0, 0):
            continue
        here = tuple(slice(max(0, -d), n - max(0, d)) for d, n in zip(step, a.shape, strict=True))
        there = tuple(slice(max(0, d), n - max(0, -d)) for d, n in zip(step, a.shape, strict=True))
        first.append(index[here].ravel())
        second.append(index[there].ravel())
        straight.append(np.full(first[-1].size, step == (0, 1, 0)))
    p, q, vertical = (np.concatenate(part) for part in (first, second, straight))
    s = np.abs(a.ravel()[p] - a.ravel()[q])
    s = s / (s.max() + eps) + GAMMA * ~vertical
    w = np.exp(-BETA * s / (s.max() + eps)) + 1e-5
    adjacency = coo_matrix((np.r_[w, w], (np.r_[p, q], np.r_[q, p])), (a.size, a.size)).tocsr()
    laplacian = (diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency).tocsr()
    free, top = index[:, 1:-1].ravel(), index[:, 0].ravel()
    return laplacian[free][:, free], np.asarray(adjacency[free][:, top].sum(axis=1)).ravel()


def whole(volume, found):
    result = np.zeros(volume.shape)
    result[:, 0] = 1
    result[:, 1:-1] = found.reshape(volume[:, 1:-1].shape)
    return result


def by_scipy(volume):
    from scipy.sparse.linalg import spsolve

    matrix, right = system(volume)
    return whole(volume, spsolve(matrix.tocsc(), right))


def by_pyamg(volume):
    import pyamg

    matrix, right = system(volume)
    return whole(volume, pyamg.ruge_stuben_solver(matrix).solve(right, tol=1e-9, accel="cg"))


def six_images(rounds):
    """Seconds of MONAI's map of a 512 x 512 image, times six."""
    from monai.data.ultrasound_confidence_map import UltrasoundConfidenceMap

    image = np.random.default_rng(0).rayleigh(0.3, (512, 512)).clip(0, 1)
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        UltrasoundConfidenceMap(ALPHA, BETA, GAMMA)(image)
        taken.append(time.perf_counter() - start)
    return 6 * statistics.median(taken)


class Iterations:
    """Counts the iterations of the calls in its `with` block."""

    def __enter__(self):
        self.kernel, self.count = _core.confidence_volume, 0

        def counted(*arguments):
            result = self.kernel(*arguments)
            self.count = result[2]
            return result

        _volumes._core.confidence_volume = counted
        return self

    def __exit__(self, *_error):
        _volumes._core.confidence_volume = self.kernel


def peak():
    """Peak resident size of this process, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def installed(name):
    return importlib.util.find_spec(name) is not None


def measure(size, smooth, threads, rounds):
    volume = speckle(size, smooth)
    before = peak()
    with Iterations() as iterations:
        confidence_volume(volume, ALPHA, BETA, GAMMA, num_threads=threads[0])
    memory = (peak() - before) / volume.size
    methods = {f"usfast {n}T": lambda v, n=n: confidence_volume(v, ALPHA, BETA, GAMMA, num_threads=n) for n in threads}
    if size <= DIRECT:
        methods["scipy spsolve"] = by_scipy
        exact = by_scipy(volume)
    else:
        exact = confidence_volume(volume, ALPHA, BETA, GAMMA, tolerance=1e-8)
    if installed("pyamg") and size <= 64:
        methods["pyamg"] = by_pyamg
    seconds, cpu, error = ({name: [] for name in methods} for _ in range(3))
    for _ in range(rounds):
        for name, function in methods.items():
            start, busy = time.perf_counter(), time.process_time()
            found = function(volume)
            seconds[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - busy)
            error[name].append(float(np.abs(found - exact).max()))
    ours = {"iterations": iterations.count, "memory": memory}
    return [
        {"size": size, "speckle": "blurred" if smooth else "white", "method": name,
         "seconds": statistics.median(seconds[name]), "cpu_seconds": statistics.median(cpu[name]),
         "error": max(error[name]), **(ours if name.startswith("usfast") else {})}
        for name in methods
    ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[24, 32, 64, 128])
    options = parser.parse_args()
    rounds = 1 if options.tiny else options.rounds
    about, rows = machine(), []
    print(f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, numpy {about['numpy']}")
    for size, smooth in product((12,) if options.tiny else options.sizes, (False, True)):
        for row in measure(size, smooth, options.threads, rounds):
            extra = f"  {row['iterations']} iterations {row['memory']:.0f} B/voxel" if "memory" in row else ""
            print(
                f"{size:4d}^3 {row['speckle']:<8} {row['method']:<14} {row['seconds']:8.3f} s (cpu "
                f"{row['cpu_seconds']:8.3f} s)  error {row['error']:.1e}{extra}"
            )
            rows.append(row)
    if installed("monai") and not options.tiny:
        seconds = six_images(options.rounds)
        print(f"MONAI, six images of 512 x 512: {seconds:.2f} s")
        rows.append({"method": "MONAI, six images of 512 x 512", "seconds": seconds})
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
