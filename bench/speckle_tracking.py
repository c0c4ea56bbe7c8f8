"""Speckle tracking: how far the path length is off on simulated sweeps, and on a real one in two halves.

    python bench/speckle_tracking.py [--tiny] [--json FILE] [--seeds 4] [--data FOLDER]

Simulated: fully developed speckle, elevational width sigma = 1.2 mm (12 pixels), 8-bit log compression, 64 patches of
32 x 32 pixels; sigma comes from a sweep of its own. The real sweep has tracked poses; each half is tracked with
what the other half calibrated. Nothing here depends on the machine but the rounding.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from reference.speckle_field import SpeckleField, planes  # noqa: E402

from usfast import Sweep, io  # noqa: E402
from usfast.speckle import PatchGrid, calibrate_sweep, correlate_pairs, estimate_motion, track_frames  # noqa: E402
from usfast.speckle.models import correlation  # noqa: E402
from usfast.speckle.track import patch_positions  # noqa: E402

DATA = Path(os.environ.get("USFAST_TEST_DATA", ROOT.parent / "shared" / "data"))
SIGMA, SPACING = 1.2, (0.1, 0.1)


def cases(count):
    """Name -> (steps mm, tilt steps rad, SNR dB)."""
    number = np.arange(count - 1)
    constant, none = np.full(count - 1, 0.167 * SIGMA), np.zeros(count - 1)
    fast_slow = SIGMA * (0.2 + 0.16 * np.sin(number / 5))
    tilt = np.radians(0.4) * np.sin(number / 8)
    return {
        "constant, 20 dB": (constant, none, 20),
        "constant, 12 dB": (constant, none, 12),
        "fast-slow, 20 dB": (fast_slow, none, 20),
        "fast-slow, 12 dB": (fast_slow, none, 12),
        "tilted, 20 dB": (constant, tilt, 20),
        "tilted, 12 dB": (constant, tilt, 12),
    }


class Bench:
    """Simulated sweeps of one size."""

    def __init__(self, tiny):
        self.count, side, grid = (20, 96, 3) if tiny else (60, 256, 8)
        self.shape = (side, side)
        self.patches = PatchGrid.regular(self.shape, (32, 32), grid=(grid, grid))
        self.places = patch_positions(self.patches, self.shape, SPACING)
        self.rows = np.repeat(np.arange(grid), grid)

    def frames(self, steps, tilts, snr, seed):
        z = planes(self.shape, SPACING[0], steps, tilts)
        field = SpeckleField(self.shape, z.max() - z.min(), SIGMA, seed=seed)
        return np.stack([field.bmode(place - z.min(), snr) for place in z])

    def calibrated(self):
        steps = np.full(self.count - 1, 0.15 * SIGMA)
        poses = np.tile(np.diag([*SPACING, 0.1, 1.0]), (self.count, 1, 1))
        poses[1:, 2, 3] = np.cumsum(steps)
        return calibrate_sweep(Sweep(self.frames(steps, 0.0, 20, seed=1000), poses), self.patches)

    def methods(self, frames, fit, steps):
        """Name -> relative error of the path length."""
        rho = correlate_pairs(frames, self.patches, min(20, self.count - 1))

        def error(rho, true, **options):
            found = estimate_motion(rho, self.places, fit.sigma_of_patches, rows=self.rows, **options)
            return float(found.translation_mm.sum() / true - 1)

        fifth = np.arange(0, self.count, 5)
        coarse = correlate_pairs(frames[fifth], self.patches, 1)
        true = steps[: fifth[-1]].sum()
        return {
            "adjacent": error(rho, steps.sum(), lags="adjacent", motion="translation"),
            "every fifth": error(coarse, true, lags="adjacent", motion="translation"),
            "all lags, translation": error(rho, steps.sum(), motion="translation"),
            "all lags, plane": error(rho, steps.sum()),
        }


def simulated(tiny, seeds):
    bench = Bench(tiny)
    fit = bench.calibrated()
    print(f"calibrated sigma {fit.sigma_mm.min():.3f} to {fit.sigma_mm.max():.3f} mm, true {SIGMA} mm")
    rows = []
    for name, (steps, tilts, snr) in cases(bench.count).items():
        found = [bench.methods(bench.frames(steps, tilts, snr, seed), fit, steps) for seed in range(seeds)]
        for method in found[0]:
            values = [100 * one[method] for one in found]
            worst = max(values, key=abs)
            rows.append(
                {"case": name, "method": method, "mean_percent": float(np.mean(values)), "worst_percent": worst}
            )
            print(f"{name:<18} {method:<22} {np.mean(values):+7.1f} %   worst of {seeds}: {worst:+.1f} %")
    return rows


def decorrelation(tiny):
    """Largest difference between measured mean correlations and the dilogarithm, up to 2 sigma."""
    bench = Bench(tiny)
    apart = np.arange(0, 2.01, 0.25)
    total, seeds = np.zeros(len(apart) - 1), 2 if tiny else 16
    for seed in range(seeds):
        field = SpeckleField(bench.shape, 2 * SIGMA, SIGMA, seed=500 + seed)
        frames = np.stack([field.bmode(place * SIGMA) for place in apart])
        total += correlate_pairs(frames, bench.patches, len(apart) - 1)[0].mean(axis=1)
    return float(np.abs(total / seeds - correlation(apart[1:], 1.0)).max())


def halves(path, window, motion):
    """Track each half of a tracked sweep with the calibration of the other; rows of relative path errors."""
    sweep = io.read_sweep(path)
    patches = PatchGrid.regular(sweep.image_size, (32, 32), grid=(12, 12))
    shown = (sweep.frames > 0).mean(axis=0) > 0.5
    inside = np.array([shown[r : r + 32, c : c + 32].mean() > 0.95 for r, c in patches.corners])
    middle = len(sweep) // 2
    rows = []
    for own, other in ((sweep[:middle], sweep[middle:]), (sweep[middle:], sweep[:middle])):
        fit = calibrate_sweep(other, patches, window, usable=np.tile(inside, (len(other), 1)))
        usable = np.tile(inside, (len(own), 1))
        # The sweep moves against its third axis; nothing in the frames could tell.
        track = track_frames(own.frames, fit, patches, window=window, motion=motion, signs=-1, usable=usable)
        found, true = -np.cumsum(track.motion.translation_mm), _elevational(own)
        first, last = np.triu_indices(len(own), 1)
        near = last - first <= window
        spans = [np.concatenate([[0], z])[last[near]] - np.concatenate([[0], z])[first[near]] for z in (found, true)]
        rows.append(
            {
                "window": window,
                "motion": motion,
                "tracked_half": len(rows) + 1,
                "true_mm": float(true[-1]),
                "path_percent": float(100 * (found[-1] / true[-1] - 1)),
                "constant_speed_percent": float(100 * (_elevational(other)[-1] / true[-1] - 1)),
                "correlation_of_pairs": float(np.corrcoef(*spans)[0, 1]),
                "correlation_of_steps": float(np.corrcoef(np.diff(found), np.diff(true))[0, 1]),
            }
        )
    return rows


def _elevational(sweep):
    """Accumulated elevational displacement of the image's middle, mm."""
    height, width = sweep.image_size
    place = (sweep.image_to_world @ [(width - 1) / 2, (height - 1) / 2, 0, 1])[:, :3]
    normal = np.cross(sweep.image_to_world[:, :3, 0], sweep.image_to_world[:, :3, 1])
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    return -np.cumsum(np.sum(np.diff(place, axis=0) * normal[:-1], axis=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes; figures mean nothing")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--seeds", type=int, default=4, help="simulated sweeps of each case")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of real recordings")
    options = parser.parse_args()
    result = {"dilogarithm_error": decorrelation(options.tiny)}
    print(f"log decorrelation against Li2 up to 2 sigma: at most {result['dilogarithm_error']:.3f} off")
    result["simulated"] = simulated(options.tiny, 1 if options.tiny else options.seeds)
    liver = options.data / "tracked" / "imfusion_liver" / "liver_sweep_f000-079.igs.mha"
    result["liver"] = []
    if not liver.exists():
        print(f"no real sweep at {liver}")
    else:
        settings = (
            [(10, "translation")] if options.tiny else [(w, m) for m in ("translation", "plane") for w in (10, 20)]
        )
        for window, motion in settings:
            for row in halves(liver, window, motion):
                result["liver"].append(row)
                print(
                    f"liver, half {row['tracked_half']}, window {window}, {motion:<11} "
                    f"{row['true_mm']:.1f} mm: path {row['path_percent']:+.0f} %, pairs r = "
                    f"{row['correlation_of_pairs']:.2f}, steps r = {row['correlation_of_steps']:.2f} "
                    f"(constant speed: {row['constant_speed_percent']:+.0f} %)"
                )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
