"""Demodulated echoes in beam space: speckle, specular echoes, reverberation, loss, time gain and noise."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from usfast import _core
from usfast.simulate.lines import Interfaces, Lines, trace_lines
from usfast.simulate.probe import SPEED_OF_SOUND, Probe
from usfast.simulate.scatterers import echo_gain, find_scatterers
from usfast.simulate.scene import Scene, in_chunks
from usfast.simulate.settings import BModeSettings

__all__ = ["BeamEchoes", "receive"]

ComplexGrid: TypeAlias = NDArray[np.complex64]

_DB = np.float32(np.log(10) / 20)
_MULTIPLES = 5  # of one interface
_NEAREST_MULTIPLE = 0.5  # mm; closer interfaces lie in the face's own ringing


@dataclass(frozen=True, eq=False)
class BeamEchoes:
    """What a probe receives at a pose, (lines, samples) each.

    Attributes
    ----------
    speckle : complex64 array
        Echoes of scatterers, and noise.
    interfaces : complex64 array or None
        Specular echoes and their multiples; None where there is none.
    excess_db : float32 array (lines, steps)
        Loss that the time gain did not make good, at every `stride`-th sample.
    stride : int
    """

    speckle: ComplexGrid
    interfaces: ComplexGrid | None
    excess_db: NDArray[np.float32]
    stride: int


def receive(phantom: Scene, pose: NDArray[np.float64], probe: Probe, settings: BModeSettings, seed: int) -> BeamEchoes:
    """Return the echoes of a phantom at a checked pose."""
    speckle = _speckle(phantom, pose, probe, settings, seed)
    lines = trace_lines(phantom, probe, pose, settings)
    tgc = settings.tgc_gain_db(probe.sample_depths, probe.frequency).astype(np.float32)
    steps = np.arange(lines.loss_db.shape[1]) * (lines.stride * probe.sample_step)
    excess = lines.loss_db - settings.tgc_gain_db(steps, probe.frequency).astype(np.float32)
    if settings.attenuation or tgc.any():
        speckle *= np.exp(lines.at_samples(-excess, probe.samples) * _DB)
    if np.isfinite(settings.noise_db):
        speckle += _noise(speckle.shape, pose, seed) * np.exp((tgc + np.float32(settings.noise_db)) * _DB)
    bright = _specular(lines, probe, settings) if settings.speculars else None
    return BeamEchoes(speckle, bright, excess, lines.stride)


def _speckle(
    phantom: Scene, pose: NDArray[np.float64], probe: Probe, settings: BModeSettings, seed: int
) -> ComplexGrid:
    found = find_scatterers(
        probe, pose, scatterers_per_cell=settings.scatterers_per_cell, cutoff=settings.cutoff, seed=seed
    )

    def backscatter(points: NDArray[np.float32]) -> NDArray[np.float32]:
        # exp underflows to 0 far above float32's smallest number of dB, -inf included.
        return np.asarray(np.exp(phantom.echo_db(points, phantom.tissue(points)) * _DB))

    amplitude = in_chunks(backscatter, found.positions, np.empty(len(found), np.float32))
    amplitude *= found.amplitude
    depth = probe.sample_depths
    reach = probe.face_radius + depth if probe.face_radius else np.ones(len(depth))
    return _sum(
        probe,
        settings.cutoff,
        (probe.lateral_sigma(depth) / reach / _line_step(probe)).astype(np.float32),
        probe.elevational_sigma(depth).astype(np.float32),
        echo_gain(probe, found.pitch),
        (found.lateral, found.depth, found.elevation, amplitude),
    )


def _line_step(probe: Probe) -> float:
    laterals = probe.line_laterals
    return float(laterals[-1] - laterals[0]) / (probe.lines - 1)


def _sum(
    probe: Probe,
    cutoff: float,
    lateral_sigma: NDArray[np.float32],
    elevational_sigma: NDArray[np.float32],
    gain: NDArray[np.float32],
    echoes: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
) -> ComplexGrid:
    return _core.sum_echoes(
        probe.lines,
        float(probe.line_laterals[0]),
        _line_step(probe),
        probe.sample_step,
        probe.axial_sigma,
        2 * probe.frequency / SPEED_OF_SOUND,
        cutoff,
        lateral_sigma,
        elevational_sigma,
        gain,
        *echoes,
    )


def _specular(lines: Lines, probe: Probe, settings: BModeSettings) -> ComplexGrid | None:
    """Echoes of interfaces and of their multiples between interface and face, on the line that met them alone."""
    hit = lines.interfaces
    if not len(hit.line):
        return None
    line, depth, size = _multiples(hit, lines.loss_db[hit.line, hit.step].astype(np.float64), probe, settings)
    size *= 10 ** (settings.tgc_gain_db(depth, probe.frequency) / 20)
    ones = np.ones(probe.samples, np.float32)
    echoes = (probe.line_laterals[line], depth, np.zeros(len(depth)), size)
    # A tenth of a line wide and cut there: each echo stays on its line.
    return _sum(probe, 1.0, ones / 10, ones, ones, tuple(e.astype(np.float32) for e in echoes))  # type: ignore[arg-type]


def _multiples(
    hit: Interfaces, loss_db: NDArray[np.float64], probe: Probe, settings: BModeSettings
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Line, depth and amplitude before time gain of each specular echo and its multiples."""
    fall = np.exp(-((hit.incidence / np.radians(settings.specular_angle_deg)) ** 2))
    first = hit.reflection * fall * 10 ** ((settings.specular_db - loss_db) / 20)
    again = settings.reverberation * np.abs(hit.reflection) * fall * 10 ** (-loss_db / 20)
    found = [(hit.line, hit.depth, first)]
    for number in range(2, _MULTIPLES + 1):
        seen = (hit.depth > _NEAREST_MULTIPLE) & (number * hit.depth < probe.depth) & (again > 0)
        found.append((hit.line[seen], number * hit.depth[seen], (first * again ** (number - 1))[seen]))
    line, depth, size = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return line, depth, size


def _noise(shape: tuple[int, ...], pose: NDArray[np.float64], seed: int) -> ComplexGrid:
    """Complex Gaussian noise of unit mean square in the pulse's band; the same bits for the same pose and seed."""
    key = hashlib.blake2b((pose + 0.0).astype("<f8").tobytes() + seed.to_bytes(8, "little"), digest_size=16)
    rng = np.random.Generator(np.random.SFC64(int.from_bytes(key.digest(), "little")))
    lines, samples = shape
    white = rng.standard_normal((lines, 2 * (samples + 4)), np.float32).view(np.complex64)
    taps = np.exp(-(np.arange(-2, 3) ** 2) / 8).astype(np.float32)  # the pulse: sigma is two samples
    taps /= np.sqrt(2 * np.sum(taps**2))
    noise = taps[0] * (white[:, :-4] + white[:, 4:]) + taps[1] * (white[:, 1:-3] + white[:, 3:-1])
    noise += taps[2] * white[:, 2:-2]
    return np.asarray(noise)
