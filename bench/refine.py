"""Matching frames with a volume (NCC, gradient, Gauss-Newton matrix): the kernel against NumPy.

    python bench/refine.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 5]

Both run in one process, in turn; figures are medians. The lower bound of bytes moved is the frames and the voxels of
the slabs that they touch, each read once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from roofline import bandwidth, machine

from usfast import _core
from usfast.geometry import euler_to_matrix


def scene(tiny):
    """A volume of 0.5 mm and tilted frames that lie mostly inside it."""
    rng = np.random.default_rng(0)
    size, count, height, width = (24, 3, 24, 32) if tiny else (160, 24, 240, 320)
    volume = rng.normal(size=(size,) * 3).astype(np.float32)
    frames = rng.normal(size=(count, height, width)).astype(np.float32)
    matrices = np.zeros((count, 3, 4))
    for n, matrix in enumerate(matrices):
        matrix[:, :3] = euler_to_matrix(rng.uniform(-10, 10, 3)) * 0.85 * size / max(height, width)
        matrix[:, 3] = 0.07 * size, 0.07 * size, size * (0.15 + 0.7 * n / count)
    return volume, (0.5, 0.5, 0.5), frames, matrices, np.full((count, 3), size / 2)


def by_numpy(volume, spacing, frames, matrices, pivots):
    """Vectorised over the pixels of a frame, in single precision."""
    size = np.array(volume.shape[::-1])
    flat = volume.ravel()
    stride = np.array([1, size[0], size[0] * size[1]])
    v, u = np.mgrid[: frames.shape[1], : frames.shape[2]]
    pixels = np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1)
    results = []
    for frame, matrix, pivot in zip(frames, matrices, pivots, strict=True):
        place = pixels @ matrix[:, [0, 1, 3]].T
        cell = np.floor(place).astype(np.int64)
        good = ((cell >= 0) & (cell < size - 1)).all(axis=1)
        place, cell = place[good], cell[good]
        fx, fy, fz = (place - cell).astype(np.float32).T
        at = cell @ stride
        c = [flat[at + x + y * stride[1] + z * stride[2]] for z in (0, 1) for y in (0, 1) for x in (0, 1)]
        plane = [c[k] + (c[k + 4] - c[k]) * fz for k in range(4)]
        by_z = [c[k + 4] - c[k] for k in range(4)]
        row = [plane[k] + (plane[k + 2] - plane[k]) * fy for k in range(2)]
        by_y = [plane[k + 2] - plane[k] for k in range(2)]
        z_row = [by_z[k] + (by_z[k + 2] - by_z[k]) * fy for k in range(2)]
        slope = np.stack(
            [row[1] - row[0], by_y[0] + (by_y[1] - by_y[0]) * fx, z_row[0] + (z_row[1] - z_row[0]) * fx], axis=1
        ) / np.float32(spacing)
        arm = ((place - pivot) * spacing).astype(np.float32)
        g = np.concatenate([slope, np.cross(arm, slope)], axis=1)
        a, b = frame.ravel()[good], row[0] + (row[1] - row[0]) * fx
        a, b, g = a - a.mean(), b - b.mean(), g - g.mean(axis=0)
        length_a, length_b = np.linalg.norm(a), np.linalg.norm(b)
        ncc = a @ b / (length_a * length_b)
        along = b @ g / length_b**2
        results.append(
            (ncc, a @ g / (length_a * length_b) - ncc * along, g.T @ g / length_b**2 - np.outer(along, along))
        )
    return [np.array(part) for part in zip(*results, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    case = scene(options.tiny)
    about, roof = machine(), bandwidth(max(options.threads), 16 if options.tiny else 256)
    contenders = {f"usfast {n}T": lambda n=n: _core.match_frames(*case, n, None) for n in options.threads}
    contenders["numpy"] = lambda: by_numpy(*case)
    wall, cpu, results = {name: [] for name in contenders}, {name: [] for name in contenders}, {}
    for turn in range((1 if options.tiny else options.rounds) + 1):
        for name, work in contenders.items():
            start = time.perf_counter(), time.process_time()
            results[name] = work()
            if turn:
                wall[name].append(time.perf_counter() - start[0])
                cpu[name].append(time.process_time() - start[1])
    first = next(iter(results.values()))
    np.testing.assert_allclose(results["numpy"][0], first[0], atol=1e-4)
    np.testing.assert_allclose(results["numpy"][2], first[3], rtol=0, atol=1e-3 * np.abs(first[3]).max())
    pixels, moved = case[2].size, case[2].nbytes + case[0].nbytes
    print(f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, numpy {about['numpy']}")
    print(f"memory: read {roof['read']:.1f} GB/s; {pixels / 1e6:.2f} Mpixel, {moved / 1e6:.0f} MB at least")
    rows = []
    for name in contenders:
        seconds, work = statistics.median(wall[name]), statistics.median(cpu[name])
        rows.append(
            {
                "method": name, "seconds": seconds, "cpu_seconds": work, "mpixel_per_s": pixels / seconds / 1e6,
                "share_of_read": moved / seconds / 1e9 / roof["read"],
            }
        )  # fmt: skip
    slowest = rows[-1]
    for row in rows:
        row["times_numpy"] = slowest["seconds"] / row["seconds"]
        row["times_numpy_cpu"] = slowest["cpu_seconds"] / max(row["cpu_seconds"], 1e-9)
        print(
            f"  {row['method']:<10} {row['seconds'] * 1e3:9.2f} ms ({row['cpu_seconds'] * 1e3:.2f} ms of CPU) "
            f"{row['mpixel_per_s']:7.1f} Mpixel/s, {row['times_numpy']:5.1f}x NumPy ({row['times_numpy_cpu']:.1f}x by "
            f"CPU), {row['share_of_read']:.1%} of read bandwidth"
        )
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "memory": roof, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
