"""The physics of speckle: Rayleigh envelopes and decorrelation as theory has it."""

import numpy as np
import pytest
from reference.simulate import homogeneous
from scipy.special import spence
from scipy.stats import kstest, rayleigh

from usfast.simulate import BModeSettings, ConvexProbe, LinearProbe, simulate_iq

PURE = {"attenuation": False, "speculars": False, "tgc": 0.0, "noise_db": -np.inf}
# A long elevational depth of focus: one sigma for the whole image.
PROBE = LinearProbe(width=30, depth=14, shape=(140, 300), lines=192, elevation_focus=10, elevation_aperture=1)


def li2(x):
    return spence(1 - x)


def iq_at(x=0.0, y=0.0, z=0.0, *, probe=PROBE, seed=0, origin=(3.0, -7.0, 11.0)):
    pose = np.eye(4)
    pose[:3, 3] = np.add(origin, (x, y, z))
    return simulate_iq(homogeneous(), pose, probe, settings=BModeSettings(**PURE), seed=seed)


@pytest.fixture(scope="module")
def frames():
    """IQ frames (bodies, frames, lines, samples) at elevational steps of sigma / 4."""
    sigma = float(PROBE.elevational_sigma(10.0))
    return np.array([[iq_at(z=n * sigma / 4, seed=seed) for n in range(17)] for seed in range(2)])


def rows_of_one_depth(frames):
    """Samples from 4 to 14 mm, where the elevational sigma varies by less than 1.5 %."""
    return frames[..., int(4 / PROBE.sample_step) :]


def coherence(a, b):
    return np.vdot(a, b) / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real)


def test_the_probe_has_one_elevational_sigma():
    sigma = PROBE.elevational_sigma(np.linspace(4, 14, 50))
    assert np.ptp(sigma) / sigma.mean() < 0.015


@pytest.mark.parametrize("probe", [PROBE, ConvexProbe(radius=40, depth=40, lines=192, opening_deg=50)])
def test_envelope_is_rayleigh(probe):
    envelope = np.abs([iq_at(probe=probe, seed=seed) for seed in range(4)])
    reach = probe.face_radius + probe.depth if probe.face_radius else 1.0
    apart = (probe.line_laterals[1] - probe.line_laterals[0]) * reach
    across = int(np.ceil(4 * probe.lateral_sigma(probe.depth) / apart))
    samples = envelope[:, ::across, 20:-20:8]  # 4 sigmas apart either way
    samples = (samples / np.sqrt(np.mean(samples**2))).ravel()
    assert kstest(samples, rayleigh(scale=np.sqrt(0.5)).cdf).pvalue > 0.01
    assert envelope.mean() == pytest.approx(1.0, abs=0.02)
    assert envelope.mean() / envelope.std() == pytest.approx(1.91, abs=0.05)


def test_elevational_coherence(frames):
    iq = rows_of_one_depth(frames)
    for lag in range(1, 9):
        x = abs(coherence(iq[:, :-lag], iq[:, lag:])) ** 2
        assert x == pytest.approx(np.exp(-((lag / 4) ** 2) / 2), abs=0.02)


def test_log_images_decorrelate_by_the_dilogarithm(frames):
    log = np.log(np.abs(rows_of_one_depth(frames)))[..., : 64 * 4]
    patches = log.reshape(2, 17, 6, 32, 4, 64).swapaxes(3, 4).reshape(2, 17, 24, -1)
    patches = (patches - patches.mean(-1, keepdims=True)) / patches.std(-1, keepdims=True)
    for lag in range(1, 9):
        pearson = np.mean(patches[:, :-lag] * patches[:, lag:])
        assert pearson == pytest.approx(li2(np.exp(-((lag / 4) ** 2) / 2)) / (np.pi**2 / 6), abs=0.02)


def test_lateral_shift():
    step = PROBE.line_laterals[1] - PROBE.line_laterals[0]
    here = iq_at()
    depth = PROBE.sample_depths
    sigma = PROBE.lateral_sigma(depth)
    for lines in (1, 2, 3):
        there = iq_at(lines * step, 0, 0)
        x = abs(coherence(here[5:-5, 20:], there[5:-5, 20:])) ** 2
        assert x == pytest.approx(np.mean(np.exp(-((lines * step) ** 2) / (4 * sigma**2))) ** 2, abs=0.03)
        # The same scatterers, one line on: the moved frame holds the same speckle.
        assert abs(coherence(here[lines + 5 : -5, 20:], there[5 : -5 - lines, 20:])) > 0.999


def test_axial_shift():
    here = iq_at()[:, 30:-30]
    for shift in (0.5, 1.0, 1.5):
        there = iq_at(0, shift * PROBE.axial_sigma, 0)[:, 30:-30]
        assert abs(coherence(here, there)) ** 2 == pytest.approx(np.exp(-(shift**2) / 2), abs=0.03)


def test_a_half_turn_about_the_beam_mirrors_the_speckle():
    pose = np.diag([-1.0, 1.0, -1.0, 1.0])
    settings = BModeSettings(**PURE)
    one = simulate_iq(homogeneous(), np.eye(4), PROBE, settings=settings)
    other = simulate_iq(homogeneous(), pose, PROBE, settings=settings)
    np.testing.assert_allclose(other[::-1], one, atol=0.01)


def test_another_seed_is_another_body():
    assert abs(coherence(iq_at(), iq_at(seed=1))) < 0.05
