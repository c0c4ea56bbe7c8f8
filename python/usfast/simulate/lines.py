"""What a beam meets on its way: loss along each line of sight, and the interfaces that reflect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfast.simulate.probe import Probe
from usfast.simulate.scene import Scene, in_chunks
from usfast.simulate.settings import BModeSettings

__all__ = ["Interfaces", "Lines", "trace_lines"]

_STEP = 0.12  # mm, about; tissue is asked for at this distance along a line
_HALVINGS = 6  # of a step, to place an interface within a fraction of the wavelength
_FAINTEST = 1e-4  # reflection coefficient


@dataclass(frozen=True, eq=False)
class Interfaces:
    """Where lines pass from one tissue into another.

    Attributes
    ----------
    line : (K,) int array
    step : (K,) int array
        Last step of the line before the interface.
    depth : (K,) float64 array
        mm.
    reflection : (K,) float64 array
        Amplitude coefficient ``(z2 - z1) / (z2 + z1)``.
    incidence : (K,) float64 array
        Angle between beam and normal, radians.
    """

    line: NDArray[np.intp]
    step: NDArray[np.intp]
    depth: NDArray[np.float64]
    reflection: NDArray[np.float64]
    incidence: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of sight through the tissue.

    Attributes
    ----------
    stride : int
        Samples of the beam grid in one step.
    loss_db : (lines, steps) float32 array
        Two-way loss from the face to each step: attenuation and transmission through interfaces.
    interfaces : Interfaces
    """

    stride: int
    loss_db: NDArray[np.float32]
    interfaces: Interfaces

    def at_samples(self, values: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
        """Interpolate (lines, steps) values linearly to (lines, samples)."""
        part = (np.arange(self.stride) / self.stride).astype(np.float32)
        between = values[:, :-1, None] + np.diff(values, axis=1)[..., None] * part
        return np.asarray(between.reshape(len(values), -1)[:, :samples])


def trace_lines(phantom: Scene, probe: Probe, probe_to_world: NDArray[np.float64], settings: BModeSettings) -> Lines:
    """Follow every line of sight of a probe at a pose."""
    stride = max(1, round(_STEP / probe.sample_step))
    steps = -(-probe.samples // stride) + 1
    depth = np.asarray(np.arange(steps) * (stride * probe.sample_step), np.float64)
    directions, starts = _rays(probe, probe_to_world)
    points = (starts[:, None] + depth[:, None] * directions[:, None]).astype(np.float32).reshape(-1, 3)
    tissue = in_chunks(phantom.tissue, points, np.empty(len(points), np.uint8)).reshape(probe.lines, steps)
    interfaces = _interfaces(phantom, tissue, depth, starts, directions)
    loss = np.zeros(tissue.shape, np.float32)
    if settings.attenuation:
        rate = np.array([t.attenuation for t in phantom.tissues]) * (2 * probe.frequency / 10)
        each = np.take(rate.astype(np.float32), tissue) * np.float32(depth[1])
        loss[:, 1:] = (each[:, :-1] + each[:, 1:]) / 2
        passed = -20 * np.log10(np.maximum(1 - interfaces.reflection**2, 1e-6))
        loss[interfaces.line, interfaces.step + 1] += passed.astype(np.float32)
        loss = _across_the_beam(loss, starts, settings.beam_mm)
        np.cumsum(loss, axis=1, out=loss)
    return Lines(stride, loss, interfaces)


def _across_the_beam(loss: NDArray[np.float32], starts: NDArray[np.float64], beam_mm: float) -> NDArray[np.float32]:
    """Average the loss of each step over the lines that a beam of this half width covers."""
    if beam_mm == 0 or len(loss) == 1:
        return loss
    from scipy.ndimage import gaussian_filter1d

    pitch = float(np.linalg.norm(starts[1] - starts[0]))
    return np.asarray(gaussian_filter1d(loss, beam_mm / pitch, axis=0, mode="nearest", truncate=3.0))


def _rays(probe: Probe, pose: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit directions and starts of the lines, (lines, 3) in the world."""
    start, far = (probe.beam_points(probe.line_laterals, depth) for depth in (0.0, 1.0))
    turn, shift = pose[:3, :3], pose[:3, 3]
    return (far - start) @ turn.T, start @ turn.T + shift


def _interfaces(
    phantom: Scene,
    tissue: NDArray[np.uint8],
    depth: NDArray[np.float64],
    starts: NDArray[np.float64],
    directions: NDArray[np.float64],
) -> Interfaces:
    impedance = np.array([t.impedance for t in phantom.tissues])
    line, step = np.nonzero(tissue[:, 1:] != tissue[:, :-1])
    before, after = tissue[line, step], tissue[line, step + 1]
    near, far = depth[step], depth[step + 1]
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        found = phantom.tissue((starts[line] + middle[:, None] * directions[line]).astype(np.float32))
        still = found == before
        near, far = np.where(still, middle, near), np.where(still, far, middle)
        after = np.where(still, after, found)
    place = (near + far) / 2
    z1, z2 = impedance[before], impedance[after]
    with np.errstate(invalid="ignore", divide="ignore"):
        reflection = np.nan_to_num((z2 - z1) / (z2 + z1))
    keep = np.abs(reflection) > _FAINTEST
    line, step, place, reflection = line[keep], step[keep], place[keep], reflection[keep]
    normal = np.asarray(phantom.normal((starts[line] + place[:, None] * directions[line]).astype(np.float32)))
    cosine = np.abs(np.sum(normal * directions[line], axis=1))
    return Interfaces(line, step, place, reflection, np.arccos(np.clip(cosine, 0, 1)))
