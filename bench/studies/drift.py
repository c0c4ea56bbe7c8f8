"""Tracking errors corrected: a phantom with injected drift, and overlapping passes of real recordings.

    python bench/studies/drift.py [--tiny] [--data FOLDER] [--figure docs/refinement.png] [--json FILE]

Phantom: three overlapping passes over a calf. The middle one keeps its true poses; each of the others gets a random
walk. Errors are those of a 9 x 9 grid of points in every frame, in the image plane and across it. Real recordings:
no truth, so the poses are found from three quarters of the pixels, and the NCC with the other pass is measured on the
rest, stripes that took no part.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from usfast import Sweep, io
from usfast.compound import compound, overlap_ncc, refine_poses, slice_volume
from usfast.geometry import quaternion_to_matrix
from usfast.phantom import CalfPhantom
from usfast.phantom.trajectories import scan_passes
from usfast.simulate import BModeSettings, LinearProbe, simulate_bmode

MIDDLE = 1


def phantom_passes(tiny):
    """Three true passes; the simulation is coarse in pixels, not in physics."""
    count, shape = (8, (80, 64)) if tiny else (30, (160, 128))
    probe = LinearProbe(width=50.0, depth=60.0, shape=shape, frequency=5.0, lines=96)
    phantom = CalfPhantom(0)
    path = scan_passes(phantom, 3, count, width_mm=50, overlap=0.6, along_mm=(80, 92 if tiny else 130), seed=0)
    settings = BModeSettings(scatterers_per_cell=4.0)
    frames = simulate_bmode(phantom, path.probe_to_world, probe, settings=settings, seed=0).image
    poses = path.probe_to_world @ probe.image_to_probe
    return [Sweep(frames[part], poses[part], timestamps=path.timestamps[part]) for part in path.passes()]


def drifted(sweep, rng, mm, deg):
    """The sweep with a smooth random walk of its frames that reaches `mm` and `deg`."""
    walk = gaussian_filter1d(np.cumsum(rng.normal(size=(len(sweep), 6)), axis=0), 2.0, axis=0, mode="nearest")
    for part, reach in ((np.s_[:, :3], mm), (np.s_[:, 3:], np.deg2rad(deg))):
        walk[part] *= reach / np.linalg.norm(walk[part], axis=1).max()
    half = np.linalg.norm(walk[:, 3:], axis=1, keepdims=True) / 2
    turn = quaternion_to_matrix(np.concatenate([np.cos(half), walk[:, 3:] / 2 * np.sinc(half / np.pi)], axis=1))
    height, width = sweep.image_size
    centre = (sweep.image_to_world @ [(width - 1) / 2, (height - 1) / 2, 0, 1])[:, :3]
    poses = sweep.image_to_world.copy()
    poses[:, :3, :3] = turn @ poses[:, :3, :3]
    offset = sweep.image_to_world[:, :3, 3] - centre
    poses[:, :3, 3] = np.einsum("nij,nj->ni", turn, offset) + centre + walk[:, :3]
    return Sweep(sweep.frames, poses, timestamps=sweep.timestamps)


def errors(sweep, true):
    """Root-mean-square error of points of the images, mm: in all, in the plane, across it."""
    height, width = true.image_size
    v, u = np.mgrid[0 : height - 1 : 9j, 0 : width - 1 : 9j]
    points = np.stack([u.ravel(), v.ravel(), np.zeros(81), np.ones(81)])
    off = ((sweep.image_to_world - true.image_to_world) @ points)[:, :3]
    normal = np.cross(true.image_to_world[:, :3, 0], true.image_to_world[:, :3, 1])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    across = np.einsum("ni,nik->nk", normal, off)
    whole = (off**2).sum(axis=1)
    return tuple(float(np.sqrt(x.mean())) for x in (whole, np.maximum(whole - across**2, 0), across**2))


def study_phantom(true, seeds, mm=4.0, deg=3.0):
    rows, example = [], None
    for seed in seeds:
        rng = np.random.default_rng(seed)
        moved = [s if n == MIDDLE else drifted(s, rng, mm, deg) for n, s in enumerate(true)]
        found = refine_poses(moved, 1.0, reference=MIDDLE)
        for n in range(len(true)):
            if n == MIDDLE:
                continue
            before, after = errors(moved[n], true[n]), errors(found.sweeps[n], true[n])
            ncc = [float(np.nanmean(x[n])) for x in (found.ncc_before, found.ncc_after)]
            rows.append({"seed": seed, "pass": n, "before_mm": before, "after_mm": after, "ncc": ncc})
            print(
                f"  seed {seed} pass {n}: in plane {before[1]:.2f} -> {after[1]:.2f} mm ({before[1] / after[1]:.1f}x), "
                f"across {before[2]:.2f} -> {after[2]:.2f} mm, NCC {ncc[0]:.3f} -> {ncc[1]:.3f}"
            )
        example = moved, found.sweeps
    for name, k in (("all", 0), ("in plane", 1), ("across", 2)):
        b, a = (np.sqrt(np.mean([row[key][k] ** 2 for row in rows])) for key in ("before_mm", "after_mm"))
        print(f"  {name}: {b:.2f} -> {a:.2f} mm rms, {b / a:.1f}x less")
    return rows, example


def real_passes(folder):
    """Name and passes of each recording that goes over one place twice."""
    tracked = folder / "tracked"
    nwire = tracked / "plus_nwire"
    config = next(nwire.glob("*vtkVolumeReconstructorTest2.xml"), None)
    if config is not None:
        sweep = io.read_sweep(nwire / "NwirePhantomFreehand.igs.mha", config=config)
        yield "N-wire phantom, there (frames 0-23) and back (28-54)", [sweep[:24], sweep[28:55]]
    fcal = tracked / "plus_fcal"
    if (config := fcal / "FreehandCalibration3NWires.results.xml").exists():
        both = [io.read_sweep(fcal / f"fCal_Test_{name}_3NWires.igs.mha", config=config) for name in
                ("Calibration", "Validation")]  # fmt: skip
        yield "3 N-wires, calibration (every 3rd of 188 frames) and validation (94)", [both[0][::3], both[1]]


def stripes(sweep, held_out):
    """The sweep with only the stripes of columns that are held out, or only the rest."""
    width = sweep.image_size[1]
    stripe = np.arange(width) * 16 // width % 4 == 3
    mask = np.broadcast_to(stripe if held_out else ~stripe, sweep.image_size)
    return Sweep(
        sweep.frames, sweep.image_to_world, valid=sweep.valid, mask=mask if sweep.mask is None else mask & sweep.mask
    )


def held_out_ncc(sweeps, spacing):
    """Mean NCC of the held-out stripes of each sweep with the other sweeps."""
    found = []
    for n in range(len(sweeps)):
        tested = [stripes(s, True) if m == n else s for m, s in enumerate(sweeps)]
        found.append(float(np.nanmean(overlap_ncc(tested, spacing)[n])))
    return found


def study_real(folder, spacing=0.6):
    rows = []
    for name, passes in real_passes(folder):
        found = refine_poses([stripes(s, False) for s in passes], spacing, reference=0, max_shift_mm=5)
        moved = [Sweep(s.frames, t.image_to_world, valid=s.valid) for s, t in zip(passes, found.sweeps, strict=True)]
        before, after = held_out_ncc(passes, spacing), held_out_ncc(moved, spacing)
        centre = found.corrections[1] @ passes[1].image_to_world - passes[1].image_to_world
        shift = float(np.linalg.norm((centre @ [410, 308, 0, 1])[:, :3], axis=1).mean())
        rows.append({"recording": name, "held_out_before": before, "held_out_after": after, "mean_shift_mm": shift})
        text = ", ".join(f"{b:.3f} -> {a:.3f}" for b, a in zip(before, after, strict=True))
        print(f"  {name}: held-out NCC {text}; mean shift {shift:.2f} mm")
    return rows


def draw(example, true, path):
    """A slice across all passes: with the true poses, with drift, corrected."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from usfast import Grid

    grid = Grid.enclosing(Sweep.concatenate(true), 0.4)
    corner = np.diag([*grid.spacing, 1.0])
    corner[:3, 3] = grid.origin
    corner[2, 3] += 0.8 * grid.spacing[2] * (grid.size[2] - 1)
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 5.2), layout="constrained")
    titles = ("with injected drift", "corrected by refine_poses", "true poses")
    for axis, title, sweeps in zip(axes, titles, (*example, true), strict=True):
        result = compound(Sweep.concatenate(list(sweeps)), grid=grid, fill="gaussian", fill_size=9)
        image = slice_volume(result.volume, corner, (grid.size[1], grid.size[0]))[0]
        axis.imshow(image, cmap="gray", vmin=0, vmax=200, extent=(0, grid.size[0] * 0.4, grid.size[1] * 0.4, 0))
        axis.set_title(title)
        axis.set_xlabel("mm")
    figure.savefig(path, dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--data", type=Path, default=os.environ.get("USFAST_TEST_DATA"), help="real recordings")
    parser.add_argument("--figure", type=Path, help="write the pictures before and after there")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    true = phantom_passes(options.tiny)
    print("calf phantom, the outer two of three passes with drift up to 4 mm and 3 degrees")
    rows, example = study_phantom(true, (1,) if options.tiny else (1, 2, 3))
    real = []
    if options.data is not None:
        print("real recordings, two passes each")
        real = study_real(options.data)
    if options.figure:
        draw(example, true, options.figure)
    if options.json:
        options.json.write_text(json.dumps({"phantom": rows, "real": real}, indent=1))


if __name__ == "__main__":
    main()
