"""Scatterers against cell-by-cell enumeration, and their sum against the formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import simulate as reference

from usfast import _core
from usfast.errors import GeometryError
from usfast.simulate import SPEED_OF_SOUND, ConvexProbe, LinearProbe, find_scatterers
from usfast.simulate.scatterers import lattice_pitch

few = settings(max_examples=12, deadline=None)
LINEAR = LinearProbe(width=4, depth=5, lines=24, elevation_focus=5, elevation_aperture=1.6, transmit_focus=3)
CONVEX = ConvexProbe(radius=15, opening_deg=30, depth=6, lines=24, elevation_focus=5, elevation_aperture=2)
probes = st.sampled_from([LINEAR, CONVEX])


@st.composite
def poses(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    pose = np.eye(4)
    pose[:3, :3] = turn * np.sign(np.linalg.det(turn))
    pose[:3, 3] = rng.uniform(-300, 300, 3)
    return pose if draw(st.booleans()) else np.block([[np.eye(3), pose[:3, 3:]], [np.zeros((1, 3)), np.ones((1, 1))]])


def expected_scatterers(probe, pose, pitch, cutoff, seed):
    """World places and amplitudes within reach, from every cell of the region's bounding box."""
    width = 4 if not probe.face_radius else 2 * (probe.radius + probe.depth) * np.sin(np.radians(20))
    corners = np.array([[x, y, z] for x in (-width, width) for y in (-3, 8) for z in (-7, 7)])
    corners = corners @ pose[:3, :3].T + pose[:3, 3]
    places, amplitudes = reference.all_scatterers(seed, pitch, corners.min(0), corners.max(0))
    local = (places - pose[:3, 3]) @ pose[:3, :3]
    lateral, depth = probe.beam_coordinates(local)
    at = np.clip(depth, 0, probe.depth)
    reach = probe.face_radius + at if probe.face_radius else 1.0
    limit = probe.line_laterals[-1] + cutoff * probe.lateral_sigma(at) / reach
    near = np.abs(local[:, 2]) / (cutoff * probe.elevational_sigma(at))
    inside = (np.abs(lateral) / limit, near, np.abs(depth - probe.depth / 2) / (probe.depth / 2))
    return places, amplitudes, np.max(inside, axis=0)


@few
@given(probe=probes, pose=poses(), seed=st.integers(0, 2**63 - 1))
def test_finds_every_scatterer_within_reach_and_no_other(probe, pose, seed):
    density = 0.02
    found = find_scatterers(probe, pose, scatterers_per_cell=density, cutoff=2.0, seed=seed)
    places, amplitudes, level = expected_scatterers(probe, pose, found.pitch, 2.0, seed)
    # Tables of the kernel step through depth: leave out what lies at the very border.
    inside, outside = level < 0.93, level > 1.25
    key = {tuple(np.float32(p).tolist()): a for p, a in zip(places, amplitudes, strict=True)}
    got = {tuple(p): float(a) for p, a in zip(found.positions.tolist(), found.amplitude, strict=True)}
    assert len(got) == len(found)
    assert all(key[place] == pytest.approx(amplitude, abs=1e-6) for place, amplitude in got.items())
    assert {tuple(p) for p in np.float32(places[inside]).tolist()} <= set(got)
    assert not {tuple(p) for p in np.float32(places[outside]).tolist()} & set(got)


@few
@given(probe=probes, pose=poses())
def test_beam_coordinates_are_those_of_the_world_places(probe, pose):
    found = find_scatterers(probe, pose, scatterers_per_cell=0.5, seed=5)
    local = (found.positions.astype(float) - pose[:3, 3]) @ pose[:3, :3]
    lateral, depth = probe.beam_coordinates(local)
    np.testing.assert_allclose(found.lateral, lateral, atol=2e-4)
    np.testing.assert_allclose(found.depth, depth, atol=2e-4)
    np.testing.assert_allclose(found.elevation, local[:, 2], atol=2e-4)


@few
@given(probe=probes, seed=st.integers(0, 2**32 - 1))
def test_sum_matches_reference(probe, seed):
    rng = np.random.default_rng(seed)
    count = 60
    lateral = rng.uniform(1.3 * probe.line_laterals[0], 1.3 * probe.line_laterals[-1], count).astype(np.float32)
    depth = rng.uniform(-1, probe.depth + 1, count).astype(np.float32)
    elevation = rng.uniform(-2, 2, count).astype(np.float32)
    amplitude = rng.normal(size=count).astype(np.float32)
    ones = np.ones(probe.samples)
    reach = probe.face_radius + probe.sample_depths if probe.face_radius else ones
    step = probe.line_laterals[1] - probe.line_laterals[0]
    tables = (
        probe.lateral_sigma(probe.sample_depths) / reach / step,
        probe.elevational_sigma(probe.sample_depths),
        ones,
    )
    out = _core.sum_echoes(
        probe.lines, probe.line_laterals[0], step, probe.sample_step, probe.axial_sigma,
        2 * probe.frequency / SPEED_OF_SOUND, 5.0, *(t.astype(np.float32) for t in tables),
        lateral, depth, elevation, amplitude,
    )  # fmt: skip
    expected = reference.sum_echoes(probe, lateral, depth, elevation, amplitude, probe.frequency, SPEED_OF_SOUND)
    inside = np.s_[:, 10:-10]  # beyond the samples the widths of the first and the last one hold
    # 3.5 sigmas of the pulse, depth-dependent widths read at the nearest sample.
    np.testing.assert_allclose(out[inside], expected[inside], atol=0.015)


def test_nonsense_echoes_harm_nobody():
    probe = LINEAR
    ones = np.ones(probe.samples, np.float32)
    wild = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0, 1.0], np.float32)
    grid = np.array(np.meshgrid(wild, wild, wild)).reshape(3, -1).astype(np.float32)
    out = _core.sum_echoes(
        probe.lines, -2.0, 0.2, probe.sample_step, probe.axial_sigma, 10.0, 3.0, ones, ones, ones,
        *(np.ascontiguousarray(g) for g in grid), np.zeros(grid.shape[1], np.float32),
    )  # fmt: skip
    assert out.shape == (probe.lines, probe.samples)


def test_statistics_of_the_lattice():
    found = find_scatterers(LinearProbe(width=20, depth=20), np.eye(4))
    inside = found.positions / found.pitch % 1
    np.testing.assert_allclose(inside.mean(0), 0.5, atol=0.005)
    np.testing.assert_allclose(np.cov(inside.T), np.eye(3) / 12, atol=1e-3)
    assert found.amplitude.mean() == pytest.approx(0, abs=0.01)
    assert set(found.amplitude.tolist()) == {-1.0, 1.0}
    neighbours = np.corrcoef(found.amplitude[:-1], found.amplitude[1:])[0, 1]
    assert abs(neighbours) < 0.01


def test_pitch_follows_the_density():
    assert lattice_pitch(LINEAR, 1) / lattice_pitch(LINEAR, 8) == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scatterers_per_cell": 0}, "scatterers_per_cell must be above 0"),
        ({"scatterers_per_cell": float("nan")}, "scatterers_per_cell must be above 0"),
        ({"cutoff": 0.5}, "cutoff must be from 1 to 6"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        find_scatterers(LINEAR, np.eye(4), **change)


def test_too_many_scatterers_are_refused_before_they_are_made():
    with pytest.raises(ValueError, match="more than 3e"):
        find_scatterers(LinearProbe(width=400, depth=400, elevation_aperture=30), np.eye(4), scatterers_per_cell=1000)


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (np.eye(3), r"shape \(4, 4\), not \(3, 3\)"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.diag([2.0, 2, 2, 1]), "not rigid"),
        (np.diag([1.0, 1, -1, 1]), "mirrors"),
        (np.diag([1.0, 1, 1, 2]), "must end in the row"),
        (np.eye(4) + 1e7 * np.eye(4, k=3), "from the origin"),
    ],
)
def test_bad_poses(pose, message):
    with pytest.raises((ValueError, GeometryError), match=message):
        find_scatterers(LINEAR, pose)
