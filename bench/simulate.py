"""B-mode simulation: time of each stage of a 480 x 640 frame, and the echo sum against NumPy.

    python bench/simulate.py [--tiny] [--json FILE] [--rounds 5]

Medians of several rounds on one thread. The phantom is two layers, so that the figures are the simulator's own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from roofline import machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from reference.simulate import Layers, Tissue

from usfast import _core
from usfast.simulate import SPEED_OF_SOUND, BModeSettings, LinearProbe, find_scatterers, simulate_frame
from usfast.simulate.beams import _noise, _speckle, receive
from usfast.simulate.lines import trace_lines
from usfast.simulate.scan import envelope_at_pixels


def median_ms(work, rounds):
    """Median wall time of `work` after a run to warm up, ms."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def stages(probe, rounds):
    """Name -> ms of one frame's stages."""
    phantom = Layers([Tissue(-22.0, 0.7, 1.65), Tissue(-18.0, 0.5, 1.38)], [probe.depth / 2])
    settings, pose = BModeSettings(), np.eye(4)
    echoes = receive(phantom, pose, probe, settings, 0)
    found = find_scatterers(probe, pose)
    work = {
        f"scatterers ({len(found) / 1e3:.0f} thousand)": lambda: find_scatterers(probe, pose),
        "scatterers, tissue, echo sum": lambda: _speckle(phantom, pose, probe, settings, 0),
        "loss and interfaces": lambda: trace_lines(phantom, probe, pose, settings),
        "noise": lambda: _noise((probe.lines, probe.samples), pose, 0),
        "scan conversion": lambda: envelope_at_pixels(echoes, probe),
        "frame with truth": lambda: simulate_frame(phantom, pose, probe),
    }
    return {name: median_ms(run, rounds) for name, run in work.items()}


def kernel_arguments(probe, found):
    """What `_core.sum_echoes` takes for these scatterers."""
    depth, step = probe.sample_depths, probe.line_laterals[1] - probe.line_laterals[0]
    tables = (probe.lateral_sigma(depth) / step, probe.elevational_sigma(depth), np.ones(probe.samples))
    return (
        probe.lines, float(probe.line_laterals[0]), float(step), probe.sample_step, probe.axial_sigma,
        2 * probe.frequency / SPEED_OF_SOUND, 2.8, *(t.astype(np.float32) for t in tables),
        found.lateral, found.depth, found.elevation, found.amplitude,
    )  # fmt: skip


def sum_with_bincount(probe, lateral, depth, elevation, amplitude, lines_each=11, samples_each=15):
    """The echo sum in vectorised NumPy: each echo's footprint of lines and samples at once, added by bincount."""
    step = probe.line_laterals[1] - probe.line_laterals[0]
    at_line = (lateral - probe.line_laterals[0]) / step
    at_sample = depth / probe.sample_step
    line = np.rint(at_line).astype(int)[:, None] + np.arange(lines_each) - lines_each // 2
    sample = np.rint(at_sample).astype(int)[:, None] + np.arange(samples_each) - samples_each // 2
    sigma = (probe.lateral_sigma(depth) / step)[:, None]
    across = np.exp(-((line - at_line[:, None]) ** 2) / (2 * sigma**2)) * ((line >= 0) & (line < probe.lines))
    along = np.exp(-((sample - at_sample[:, None]) ** 2) * probe.sample_step**2 / (2 * probe.axial_sigma**2))
    along *= (sample >= 0) & (sample < probe.samples)
    weight = amplitude * np.exp(-(elevation**2) / (2 * probe.elevational_sigma(depth) ** 2))
    phase = -4 * np.pi * probe.frequency / SPEED_OF_SOUND * depth
    place = np.clip(line, 0, probe.lines - 1)[:, :, None] * probe.samples
    place = (place + np.clip(sample, 0, probe.samples - 1)[:, None]).ravel()
    footprint = across[:, :, None] * along[:, None]
    size = probe.lines * probe.samples
    parts = [
        np.bincount(place, ((weight * wave)[:, None, None] * footprint).ravel(), size)
        for wave in (np.cos(phase), np.sin(phase))
    ]
    return (parts[0] + 1j * parts[1]).reshape(probe.lines, probe.samples)


def against_numpy(probe, rounds):
    """The echo sum of a whole frame by the kernel, and by NumPy from a part of it, ms."""
    found = find_scatterers(probe, np.eye(4))
    arguments = kernel_arguments(probe, found)
    count = min(len(found), 20000)
    few = [a[:: len(found) // count][:count].astype(float) for a in arguments[-4:]]
    reference = sum_with_bincount(probe, *few)
    same = _core.sum_echoes(*arguments[:-4], *(a.astype(np.float32) for a in few))
    if np.abs(reference - same).max() > 0.05 * np.abs(same).max():
        raise SystemExit("kernel and NumPy differ")
    kernel = median_ms(lambda: _core.sum_echoes(*arguments), rounds)
    numpy = median_ms(lambda: sum_with_bincount(probe, *few), rounds) * len(found) / count
    return {"echo sum, kernel": kernel, "echo sum, NumPy bincount": numpy, "ratio": numpy / kernel}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    probe = LinearProbe(width=8, depth=8, shape=(64, 80), lines=64) if options.tiny else LinearProbe()
    rounds = 1 if options.tiny else options.rounds
    about = machine()
    figures = stages(probe, rounds) | against_numpy(probe, rounds)
    print(f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, {about['system']}")
    print(f"{probe}")
    for name, value in figures.items():
        print(f"{name:45s}{value:9.1f}{'' if name == 'ratio' else ' ms'}")
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
