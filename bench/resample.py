"""Slices of a volume: usfast against SciPy, SimpleITK and the machine's memory.

    python bench/resample.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 3]

All run in one process, in turn; figures are medians. SimpleITK runs on all threads given last.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from roofline import bandwidth, machine
from scipy.ndimage import map_coordinates, spline_filter

from usfast import Volume
from usfast.geometry import euler_to_matrix
from usfast.simulate import resample


def scene(tiny, dtype):
    """A volume and tilted slices that lie mostly inside it."""
    rng = np.random.default_rng(0)
    size, count, shape = (24, 3, (24, 32)) if tiny else (256, 20, (480, 640))
    volume = Volume(rng.integers(0, 256, (size,) * 3).astype(dtype), 0.5)
    poses = np.tile(np.eye(4), (count, 1, 1))
    pixel = 0.9 * 0.5 * size / max(shape)
    for n, pose in enumerate(poses):
        pose[:3, :3] = euler_to_matrix(rng.uniform(-10, 10, 3)) * pixel
        pose[:3, 3] = [0.02 * size, 0.02 * size, 0.5 * size * (0.1 + 0.8 * n / count)]
    return volume, poses, shape


def coordinates(volume, pose, shape):
    matrix = volume.grid.world_to_voxel @ pose
    v, u = np.mgrid[: shape[0], : shape[1]]
    points = matrix[:3, 0, None, None] * u + matrix[:3, 1, None, None] * v + matrix[:3, 3, None, None]
    return points[::-1]


def by_scipy(volume, poses, shape, order):
    array = volume.array.astype(np.float32)
    if order == "cubic":
        array = spline_filter(array, 3, output=np.float32, mode="mirror")
    degree = 1 if order == "linear" else 3
    mode = "grid-constant" if order == "linear" else "mirror"
    return np.stack(
        [
            map_coordinates(array, coordinates(volume, p, shape), np.float32, degree, mode=mode, prefilter=False)
            for p in poses
        ]
    )


def by_sitk(volume, poses, shape, order, threads):
    """One thin slice a pose; the image is made before the clock starts in `measure`."""
    image = volume if isinstance(volume, sitk.Image) else volume.to_sitk()
    method = sitk.ResampleImageFilter()
    method.SetNumberOfThreads(threads)
    method.SetInterpolator(sitk.sitkLinear if order == "linear" else sitk.sitkBSpline)
    method.SetOutputPixelType(sitk.sitkFloat32)
    method.SetSize([shape[1], shape[0], 1])
    slices = []
    for pose in poses:
        pixel = np.linalg.norm(pose[:3, :3], axis=0)
        method.SetOutputSpacing(pixel.tolist())
        method.SetOutputOrigin(pose[:3, 3].tolist())
        method.SetOutputDirection((pose[:3, :3] / pixel).ravel().tolist())
        slices.append(sitk.GetArrayViewFromImage(method.Execute(image))[0].copy())
    return np.stack(slices)


def measure(dtype, order, threads, rounds, tiny):
    volume, poses, shape = scene(tiny, dtype)
    image = volume.to_sitk()
    contenders = {
        f"usfast {n}T": lambda n=n: resample(volume, poses, shape, order=order, num_threads=n) for n in threads
    }
    contenders["scipy map_coordinates"] = lambda: by_scipy(volume, poses, shape, order)
    contenders[f"SimpleITK {threads[-1]}T"] = lambda: by_sitk(image, poses, shape, order, threads[-1])
    results, seconds = {}, {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, function in contenders.items():
            start = time.perf_counter()
            results[name] = function()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    first = next(iter(results.values()))
    pixels = first.size
    bound = 4 * pixels + volume.array.nbytes  # results written once, the volume read once
    best = min(statistics.median(v) for n, v in seconds.items() if n.startswith("usfast"))
    rows = []
    for name, values in seconds.items():
        taken = statistics.median(values)
        differ = np.abs(results[name] - first)
        rows.append(
            {
                "volume": np.dtype(dtype).name, "order": order, "method": name, "seconds": taken,
                "ns_per_pixel": taken / pixels * 1e9, "times_usfast": taken / best,
                "gb_per_s": bound / taken / 1e9, "median_difference": float(np.median(differ)),
            }
        )  # fmt: skip
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    about, roof = machine(), bandwidth(max(options.threads), 16 if options.tiny else 256)
    print(f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, numpy {about['numpy']}")
    print(f"memory: read {roof['read']:.1f} GB/s, triad {roof['triad']:.1f} GB/s")
    rows = []
    for order in ("linear", "cubic"):
        for dtype in (np.uint8, np.float32):
            found = measure(dtype, order, options.threads, 1 if options.tiny else options.rounds, options.tiny)
            print(f"{order}, {np.dtype(dtype).name}")
            for row in found:
                share = row["gb_per_s"] / roof["triad"]
                print(
                    f"  {row['method']:<24} {row['seconds'] * 1e3:9.2f} ms {row['ns_per_pixel']:7.1f} ns/pixel "
                    f"{row['times_usfast']:6.1f}x  {row['gb_per_s']:6.2f} GB/s ({share:.0%} of triad)  "
                    f"median difference {row['median_difference']:.1e}"
                )
            rows += found
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "memory": roof, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
