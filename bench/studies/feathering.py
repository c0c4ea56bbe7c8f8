"""What feathering does to the lines at image borders: pictures and a number, simulated and real.

    python bench/studies/feathering.py [--tiny] [--data FOLDER] [--figure docs/feathering.png] [--json FILE]

The number is the seam step, grey levels: across the left and right borders of the frames, where others continue the
view, how much the compounded values jump beyond their trend on both sides. Means over 40 rows of all frames of a pass
(speckle averages out, a seam does not), and the root mean square of those. Anatomy has steps there too: the same number
with equal gains says how large.

Simulated: three passes over the calf phantom with a gain each, as after a change of contact. Liver, two views: real
frames, of which even ones keep the left and odd ones the right two thirds of the sector, with a gain between them
that is not real. Liver, spine: single real passes, as they are.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usfast import Grid, Sweep, io
from usfast.compound import compound_arrays, edge_feather

DATA = Path(os.environ.get("USFAST_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "tracked"
GAINS = (0, -30, 20)  # grey levels: B-mode is compressed, so a gain adds
ROWS = 40
NEAR, FAR = np.array([1, 2, 3]), np.array([5, 6, 7])  # voxels from the border


@dataclass
class Case:
    """A sweep, the mask of each pass, and which pass each frame belongs to."""

    name: str
    sweep: Sweep
    masks: list
    passes: np.ndarray
    spacing: float
    offset: np.ndarray  # (N,) gain of each frame, grey levels


def simulated():
    from usfast.phantom import CalfPhantom
    from usfast.phantom.trajectories import scan_passes
    from usfast.simulate import BModeSettings, LinearProbe, simulate_bmode

    phantom = CalfPhantom(0)
    probe = LinearProbe(width=50.0, depth=60.0, shape=(320, 256), frequency=5.0, lines=128)
    path = scan_passes(phantom, len(GAINS), 16, width_mm=50.0, overlap=0.4, along_mm=(110.0, 122.0), seed=0)
    settings = BModeSettings(scatterers_per_cell=4.0)
    images = simulate_bmode(phantom, path.probe_to_world, probe, settings=settings, seed=0).image
    passes = np.repeat(np.arange(len(GAINS)), len(images) // len(GAINS))
    sweep = Sweep(images, path.probe_to_world @ probe.image_to_probe)
    masks = [np.ones(sweep.image_size, bool)] * 3
    return Case("simulated, three passes", sweep, masks, passes, 0.7, np.take(GAINS, passes))


def amplified(images, offset):
    return np.clip(images + np.where(images > 0, offset[:, None, None], 0), 0, 255).astype(np.uint8)


def spine(data):
    folder = data / "plus_spine"
    config = folder / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml"
    sweep = io.read_sweep(folder / "SpinePhantomFreehand.igs.mha", config=config)
    # The sector is what is ever lit, less the text and lines beside it.
    from scipy.ndimage import binary_fill_holes, binary_opening, label

    parts, _ = label(binary_opening(binary_fill_holes((sweep.frames > 8).mean(axis=0) > 0.3), iterations=3))
    mask = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    return Case("spine phantom, one pass", sweep, [mask], np.zeros(len(sweep), int), 0.5, np.zeros(len(sweep), int))


def liver(data, views):
    from usfast.geometry import fan_mask

    sweep = io.read_sweep(data / "imfusion_liver" / "liver_sweep_f000-079.igs.mha")
    places = json.loads((data / "imfusion_liver" / "sector_geometry.json").read_text())
    origin = tuple(float(number) for number in places["offset"].split())
    half = float(places["openingAngle"])
    radii = float(places["shortRadius"]) + 4, float(places["longRadius"]) - 4
    if views == 1:
        mask = fan_mask(sweep.image_size, origin, (-half, half), radii)
        return Case("liver, one pass", sweep, [mask], np.zeros(len(sweep), int), 0.8, np.zeros(len(sweep), int))
    masks = [fan_mask(sweep.image_size, origin, angles, radii) for angles in ((-half, half / 3), (-half / 3, half))]
    passes = np.arange(len(sweep)) % 2
    return Case("liver, two views", sweep, masks, passes, 0.8, np.array([0, 30])[passes])


def seam_step(case, grid, volume, weight):
    """Root mean square of the jumps, and how many there are."""
    from scipy.ndimage import map_coordinates

    known = (weight > 0).astype(np.float32)
    jumps = []
    for number, mask in enumerate(case.masks):
        frames = np.flatnonzero(case.sweep.valid & (case.passes == number))
        rows = np.flatnonzero(mask.sum(axis=1) > 40)
        matrices = grid.world_to_voxel @ case.sweep.image_to_world[frames]
        pixels = 1 / np.linalg.norm(matrices[:, :3, 0], axis=1).mean()  # a voxel
        for side in (-1, 1):
            edge = np.array([np.flatnonzero(mask[v])[0 if side < 0 else -1] for v in rows])
            profile = []
            for steps in (-FAR, -NEAR, NEAR, FAR):  # from far inside to far outside
                u = edge[:, None] + side * (steps * pixels)[None]
                place = np.stack([u, np.broadcast_to(rows[:, None], u.shape), 0 * u, 0 * u + 1])
                x, y, z = np.einsum("fij,jrs->ifrs", matrices, place)[:3]
                inside = map_coordinates(known, [z, y, x], order=1, cval=0) > 0.999
                profile.append(np.where(inside, map_coordinates(volume, [z, y, x], order=1), np.nan).mean(axis=2))
            far_in, near_in, near_out, far_out = profile  # (frames, rows)
            jump = near_out - near_in - 0.5 * (near_in - far_in + far_out - near_out)
            for start in range(0, len(rows), ROWS):
                found = jump[:, start : start + ROWS]
                if np.isfinite(found).sum() > ROWS:
                    jumps.append(np.nanmean(found))
    return float(np.sqrt(np.mean(np.square(jumps)))) if jumps else float("nan"), len(jumps)


def study(case):
    shape = case.sweep.frames.shape
    inside = np.stack(case.masks)[case.passes].astype(np.float32)
    width = 0.15 * shape[2]
    feather = np.stack([edge_feather(mask, width) for mask in case.masks])[case.passes]
    mask = np.any(case.masks, axis=0)
    grid = Grid.enclosing(
        Sweep(case.sweep.frames, case.sweep.image_to_world, None, case.sweep.valid, mask), case.spacing
    )
    images = case.sweep.frames
    found = []
    for offset, weights in ((0 * case.offset, inside), (case.offset, inside), (case.offset, feather)):
        frames = amplified(images, offset)
        arrays = compound_arrays(
            frames, case.sweep.image_to_world, grid, mode="weighted", weights=weights, valid=case.sweep.valid
        )
        found.append((arrays, *seam_step(case, grid, *arrays)))
    (_, step_equal, count), (before, step_before, _), (after, step_after, _) = found
    facts = {
        "name": case.name,
        "borders": count,
        "equal_gains": step_equal,
        "before": step_before,
        "after": step_after,
        "same_coverage": bool(((before[1] > 0) == (after[1] > 0)).all()),
    }
    return facts, (before[0], after[0]), before[1] > 0


def draw(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(rows), 2, figsize=(8, 3.2 * len(rows)), squeeze=False, layout="constrained")
    for line, (facts, arrays, known) in zip(axes, rows, strict=True):
        plane = int(np.argmax(known.sum(axis=(1, 2))))
        for panel, array, when in zip(line, arrays, ("before", "after"), strict=True):
            image = array[plane]
            panel.imshow(image, cmap="gray", vmin=0, vmax=max(1, np.percentile(image[image > 0], 99)))
            name = "mean" if when == "before" else "feathered"
            number = f"seam step {facts[when]:.1f}" if facts["borders"] else "no border inside the view of others"
            panel.set_title(f"{facts['name']}: {name}\n{number}", size=9)
            panel.axis("off")
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="the simulated case only")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cases = [simulated]
    if (arguments.data / "plus_spine").is_dir() and not arguments.tiny:
        data = arguments.data
        cases += [lambda: liver(data, 2), lambda: liver(data, 1), lambda: spine(data)]
    rows = [study(make()) for make in cases]
    for facts, *_ in rows:
        print(
            "{name}: {borders} pieces of border, seam step {before:.2f} -> {after:.2f} grey levels "
            "(equal gains: {equal_gains:.2f}), coverage kept: {same_coverage}".format(**facts)
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([facts for facts, *_ in rows], indent=1))
    if arguments.figure:
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
