"""Registration of two acquisitions of one calf at two frequencies, from known offsets: target registration error.

    python bench/studies/transfer.py [--tiny] [--starts 6] [--figure docs/transfer.png] [--json FILE] [--data FOLDER]

A phantom calf is scanned twice, at 5 and at 10 MHz, each time with its own hand motion, and compounded to 1 mm voxels.
The second volume is then moved by a random rigid motion of 10 mm and 10 degrees and registered back. The target
registration error is the distance between where the found and the true motion put the corners and the middles of the
muscles. With --data, the spine and the liver sweep are compounded from their even and odd frames and moved likewise.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from usfast import Grid, Sweep, Volume, compound, phantom, simulate
from usfast.labels.registration.quality import checkerboard, registration_quality
from usfast.labels.registration.rigid import register
from usfast.labels.registration.transfer import transfer_labels
from usfast.phantom.trajectories import HandMotion, rigid_motion, scan_passes

SPACING = 1.0
MUSCLES = (1, 2, 3)


def scan(calf, frequency, seed):
    """A compounded volume of the belly of the calf, its coverage and the true labels on its grid."""
    probe = simulate.LinearProbe(width=50, depth=60, shape=(120, 100), lines=64, frequency=frequency)
    path = scan_passes(
        calf, passes=2, frames_per_pass=45, width_mm=50, along_mm=(85, 145), hand=HandMotion().scaled(0.3), seed=seed
    )
    settings = simulate.BModeSettings(scatterers_per_cell=4)
    # Another seed, other scatterers: what the two have in common is anatomy, not speckle.
    images = simulate.simulate_bmode(calf, path.probe_to_world, probe, settings=settings, seed=seed).image
    sweep = Sweep(images, path.probe_to_world @ probe.image_to_probe)
    result = compound.compound(sweep, spacing=SPACING, fill="sticks")
    data = result.coverage if result.filled is None else result.coverage | result.filled
    return result.volume, data, phantom.label_volume(calf, result.volume.grid)


def targets(labels, data):
    """World points of the muscles: the corners of their boxes and their middles, where the sweep saw them."""
    points = []
    for label in MUSCLES:
        index = np.argwhere((labels.array == label) & data)[:, ::-1]
        low, high = np.percentile(index, (5, 95), axis=0)
        corners = np.array([[(low, high)[b >> a & 1][a] for a in range(3)] for b in range(8)])
        points.append(np.vstack([corners, index.mean(axis=0)]))
    index = np.vstack(points)
    matrix = labels.grid.voxel_to_world
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def displaced(rng, centre, mm=10.0, degrees=10.0):
    """A random rigid motion of exactly `degrees` about `centre` and `mm`."""
    axis, way = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
    motion = rigid_motion([0, 0, 0], degrees * axis)
    motion[:3, 3] = centre - motion[:3, :3] @ centre + mm * way
    return motion


def moved(volume, motion):
    """The same voxels elsewhere."""
    return Volume(volume.array, volume.spacing, motion[:3, :3] @ volume.origin + motion[:3, 3],
                  motion[:3, :3] @ volume.direction)  # fmt: skip


def errors(found, motion, points):
    """Distances (before, after) at points of the fixed world, mm."""
    away = points @ motion[:3, :3].T + motion[:3, 3]
    back = away @ found[:3, :3].T + found[:3, 3]
    return np.linalg.norm(away - points, axis=1), np.linalg.norm(back - points, axis=1)


def row(name, fixed, data, moving, moving_data, points, metric, rng):
    """Move, register, measure; one line of the table."""
    motion = displaced(rng, points.mean(axis=0))
    begin = time.process_time()
    found = register(
        fixed, moved(moving, motion), metric=metric, fixed_mask=data, moving_mask=moving_data, num_threads=1
    )
    seconds = time.process_time() - begin
    before, after = errors(found.moving_to_fixed, motion, points)
    print(
        f"{name:22s} {metric:19s} {before.mean():8.2f} {before.max():8.2f} {after.mean():8.3f} {after.max():8.3f} "
        f"{found.before.of(metric):7.3f} {found.value:7.3f} {found.overlap:7.2f} {seconds:7.1f}",
        flush=True,
    )
    line = {"name": name, "metric": metric, "before_mm": before.mean(), "after_mm": after.mean(),
            "after_max_mm": after.max(), "overlap": found.overlap, "cpu_s": seconds}  # fmt: skip
    return line, found, motion


def box_points(volume, data):
    """Corners of the middle half of the data, world mm."""
    index = np.argwhere(data)[:, ::-1]
    low, high = np.percentile(index, (25, 75), axis=0)
    corners = np.array([[(low, high)[b >> a & 1][a] for a in range(3)] for b in range(8)])
    matrix = volume.grid.voxel_to_world
    return corners @ matrix[:3, :3].T + matrix[:3, 3]


def real_volumes(folder):
    """(name, (volume, data) of the even frames, (volume, data) of the odd) of the real sweeps that are there."""
    from usfast import io

    spine = folder / "tracked/plus_spine/SpinePhantomFreehand.igs.mha"
    config = folder / "tracked/plus_spine/PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml"
    liver = folder / "tracked/imfusion_liver/liver_sweep_f000-079.igs.mha"
    for name, path, options, spacing in (
        ("spine, even/odd", spine, {"config": config}, 1.0),
        ("liver, even/odd", liver, {}, 1.0),
    ):
        if not path.is_file():
            continue
        sweep = io.read_sweep(path, **options)
        grid = Grid.enclosing(sweep, spacing)
        made = []
        for part in (sweep[0::2], sweep[1::2]):
            result = compound.compound(part, grid=grid, method="gaussian", kernel_size=5, sigma=1.0)
            made.append((result.volume, result.coverage))
        yield name, *made


def figure(path, panels):
    """Checkerboards before and after, a row for each pair of volumes."""
    from matplotlib.figure import Figure

    from usfast.report.save import save_figure

    fig = Figure(figsize=(11, 3.6 * len(panels)), layout="constrained", facecolor="white")
    axes = fig.subplots(len(panels), 3, squeeze=False)
    for line, (name, slices, aspect) in zip(axes, panels, strict=True):
        for axis, (title, image) in zip(line, slices, strict=True):
            axis.imshow(image, cmap="gray", aspect=aspect, interpolation="nearest")
            axis.set_title(f"{name}: {title}", fontsize=10)
            axis.set_axis_off()
    save_figure(fig, path, dpi=110)


def panel(name, fixed, data, moving, moving_data, found, axis=0, tile_mm=12.0):
    """The three pictures of one row: a slice of the fixed volume, and the checkerboards before and after."""
    boards = [
        checkerboard(fixed, moving, motion, tile_mm=tile_mm, fixed_mask=data, moving_mask=moving_data)
        for motion in (np.eye(4), found.moving_to_fixed)
    ]
    shown = np.moveaxis((boards[0].array > 0) & (fixed.array > 0), axis, 0)
    k = int(np.argmax(np.count_nonzero(shown, axis=(1, 2))))  # where the tiles of both show most
    area = np.take(data, k, axis=axis)
    rows, columns = (np.flatnonzero(area.any(axis=a)) for a in (1, 0))
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    steps = np.delete(fixed.spacing[::-1], axis)
    titles = ("fixed", "checkerboard before", "checkerboard after")
    arrays = (fixed.array, boards[0].array, boards[1].array)
    pictures = [(t, np.take(a, k, axis=axis)[cut]) for t, a in zip(titles, arrays, strict=True)]
    return name, pictures, float(steps[0] / steps[1])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="one registration: does it run at all?")
    parser.add_argument("--starts", type=int, default=6)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    default = os.environ.get("USFAST_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder of the real recordings")
    options = parser.parse_args(arguments)
    begin = time.process_time()
    calf, rng = phantom.CalfPhantom(), np.random.default_rng(0)
    (fixed, data, labels), (moving, moving_data, other) = scan(calf, 5.0, 5), scan(calf, 10.0, 10)
    points = targets(labels, data)
    print(f"simulated and compounded in {time.process_time() - begin:.0f} s of CPU: {fixed.grid.size}, "
          f"{moving.grid.size} voxels of {SPACING:g} mm")  # fmt: skip
    print(f"{'volumes':22s} {'metric':19s} {'TRE mean':>8s} {'max':>8s} {'after':>8s} {'max':>8s} "
          f"{'metric':>7s} {'after':>7s} {'overlap':>7s} {'CPU s':>7s}")  # fmt: skip
    lines, panels = [], []
    for metric in ("mutual_information",) if options.tiny else ("mutual_information", "correlation"):
        for number in range(1 if options.tiny else options.starts):
            line, found, motion = row(f"calf 5/10 MHz, {number}", fixed, data, moving, moving_data, points, metric, rng)
            lines.append(line)
            if metric == "mutual_information" and number == 0:
                there = moved(moving, motion)
                panels.append(panel("calf, 5 and 10 MHz", fixed, data, there, moving_data, found))
                carried = transfer_labels(moved(other, motion), found, fixed.grid)
                dice = registration_quality(
                    fixed, there, found, fixed_mask=data, moving_mask=moving_data,
                    fixed_labels=labels, moving_labels=moved(other, motion),
                ).dice  # fmt: skip
                both = {k: f"{a:.3f} -> {b:.3f}" for k, (a, b) in dice.items()}
                print(f"  labels carried over ({np.count_nonzero(carried.array)} voxels), Dice by label: {both}")
    if options.data.is_dir() and not options.tiny:
        for name, (one, one_data), (two, two_data) in real_volumes(options.data):
            for metric in ("mutual_information", "correlation"):
                points = box_points(one, one_data)
                line, found, motion = row(name, one, one_data, two, two_data, points, metric, rng)
                lines.append(line)
                if metric == "mutual_information":
                    axis = 1 if name.startswith("spine") else 0  # its slices along z lie at one depth
                    panels.append(panel(name, one, one_data, moved(two, motion), two_data, found, axis))
    if options.figure:
        figure(options.figure, panels)
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1, default=float))
    print(f"{time.process_time() - begin:.0f} s of CPU in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
