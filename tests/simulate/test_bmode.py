"""Images: places, shadows, interfaces, borders, determinism, and what is refused."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from reference import simulate as reference
from reference.simulate import Layers, Tissue, homogeneous

from usfast.errors import GeometryError
from usfast.simulate import (
    COMPLETED,
    DISTINCT,
    BModeSettings,
    ConvexProbe,
    LinearProbe,
    iter_bmode,
    simulate_bmode,
    simulate_envelope,
    simulate_frame,
    simulate_iq,
)
from usfast.simulate.borders import label_borders
from usfast.simulate.scan import pixel_places

SMALL = LinearProbe(width=20, depth=20, shape=(128, 96), lines=96, transmit_focus=10, elevation_focus=12)
FAN = ConvexProbe(radius=30, opening_deg=50, depth=40, shape=(96, 128), lines=96)
SILENT = {"noise_db": -np.inf, "tgc": 0.0}
MUSCLE, FAT = Tissue(-22.0, 0.7, 1.65), Tissue(-18.0, 0.7, 1.38)
BONE = Tissue(-10.0, 20.0, 7.0)


def poses(count, seed=0):
    rng = np.random.default_rng(seed)
    moved = np.tile(np.eye(4), (count, 1, 1))
    moved[:, :3, 3] = rng.uniform(-1, 1, (count, 3))
    return moved


class Point(Layers):
    """One lump of bright tissue, 0.6 mm wide, in nothing."""

    def __init__(self, place):
        super().__init__([Tissue(-np.inf), Tissue(0.0)])
        self.place = np.asarray(place, np.float32)

    def tissue(self, points):
        return (np.linalg.norm(points - self.place, axis=-1) < 0.3).astype(np.uint8)


@pytest.mark.parametrize("probe", [SMALL, FAN])
@pytest.mark.parametrize("where", [(40, 60), (70, 50), (60, 64)])
def test_a_point_appears_at_its_pixel(probe, where):
    v, u = where
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    pose[:3, 3] = 5, -8, 30
    place = (pose @ probe.image_to_probe @ [u, v, 0, 1])[:3]
    settings = BModeSettings(speculars=False, scatterers_per_cell=60, **SILENT)
    energy = simulate_envelope(Point(place), pose, probe, settings=settings).astype(float) ** 2
    rows, columns = np.indices(energy.shape)
    found = [(part * energy).sum() / energy.sum() for part in (rows, columns)]
    step = probe.image_to_probe
    assert abs(found[0] - v) * step[1, 1] < 0.25
    assert abs(found[1] - u) * step[0, 0] < 0.4


@pytest.mark.parametrize("probe", [SMALL, FAN])
def test_scan_conversion_matches_reference(probe):
    settings = BModeSettings(attenuation=False, speculars=False, **SILENT)
    iq = simulate_iq(homogeneous(), np.eye(4), probe, settings=settings)
    envelope = simulate_envelope(homogeneous(), np.eye(4), probe, settings=settings)
    places = pixel_places(probe)
    for v, u in np.random.default_rng(0).integers(0, 96, (50, 2)):
        expected = abs(reference.bilinear(iq, *places[v, u])) if probe.mask[v, u] else 0
        assert envelope[v, u] == pytest.approx(expected, abs=1e-4)
    assert not envelope[~probe.mask].any()


def test_grey_levels_follow_the_decibels():
    settings = BModeSettings(dynamic_range_db=50, white_db=0, speculars=False, **SILENT)
    frame = simulate_frame(homogeneous(-25.0), np.eye(4), SMALL, settings=settings)
    envelope = simulate_envelope(homogeneous(-25.0), np.eye(4), SMALL, settings=settings)
    expected = np.clip((20 * np.log10(envelope) + 50) / 50 * 255, 0, 255)
    assert np.abs(frame.image - expected).max() <= 0.51
    assert 20 * np.log10(envelope.mean()) == pytest.approx(-25, abs=0.3)


@pytest.mark.parametrize("probe", [SMALL, FAN])
def test_same_pose_same_bits_for_any_number_of_threads(probe):
    phantom = Layers([MUSCLE, FAT, BONE], [5, 15])
    runs = [simulate_bmode(phantom, poses(5), probe, seed=3, num_threads=n) for n in (1, 2, 5)]
    single = [simulate_frame(phantom, pose, probe, seed=3) for pose in poses(5)]
    for field in ("image", "labels", "shadow", "border"):
        arrays = [getattr(run, field) for run in runs] + [np.array([getattr(f, field) for f in single])]
        assert len({a.tobytes() for a in arrays}) == 1
        assert arrays[0].shape == (5, *probe.shape)
    assert len(runs[0]) == 5
    assert (runs[0].image[0] != runs[0].image[1]).mean() > 0.2


def test_negative_zero_in_a_pose_is_zero():
    pose = np.eye(4)
    pose[0, 1] = -0.0
    np.testing.assert_array_equal(
        simulate_frame(homogeneous(-60), pose, SMALL).image, simulate_frame(homogeneous(-60), np.eye(4), SMALL).image
    )


def test_attenuation_and_time_gain():
    lossy = Layers([Tissue(0.0, 0.8)])
    depth = SMALL.sample_depths

    def level(**changes):
        settings = BModeSettings(noise_db=-np.inf, **changes)
        return 20 * np.log10(np.abs(simulate_iq(lossy, np.eye(4), SMALL, settings=settings)).mean(0))

    expected = -2 * 0.8 * 7.5 * depth / 10
    pure = level(attenuation=False, tgc=0.0)
    np.testing.assert_allclose(level(tgc=0.0) - pure, expected, atol=0.02)
    np.testing.assert_allclose(level(tgc=0.8) - pure, 0, atol=0.02)
    table = ((0.0, 0.0), (10.0, 10.0))
    np.testing.assert_allclose(level(tgc=table) - pure, expected + np.minimum(depth, 10), atol=0.05)
    assert (level(tgc=5.0, tgc_limit_db=12.0) - level(tgc=0.0)).max() == pytest.approx(12, abs=1e-3)


def test_shadow_below_bone():
    phantom = Layers([MUSCLE, BONE, MUSCLE], [8, 11])
    frame = simulate_frame(phantom, np.eye(4), SMALL)
    depth = np.arange(128) * 20 / 128
    assert not frame.shadow[depth < 7.5].any()
    assert frame.shadow[depth > 9.5].all()
    assert frame.image[depth > 10].mean() < 0.3 * frame.image[(depth > 2) & (depth < 7)].mean()
    surface = np.abs(depth - 8) < 0.3
    assert frame.image[surface].max(axis=0).mean() > 250


def brightness_of_interface(turn_deg):
    """Mean dB of the specular echo of a weak interface that the beam meets at an angle; a mirror returns 30 dB."""
    phantom = Layers([Tissue(-np.inf, 0, 1.6), Tissue(-np.inf, 0, 1.65)], [10])
    turn, pose = np.radians(turn_deg), np.eye(4)
    pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    settings = BModeSettings(reverberation=0.0, specular_db=30.0, specular_angle_deg=14.0, **SILENT)
    envelope = np.abs(simulate_iq(phantom, pose, SMALL, settings=settings))
    return 20 * np.log10(envelope.max(axis=1)[20:-20].mean())


def test_specular_echo_is_brightest_at_normal_incidence():
    reflection = 20 * np.log10(0.05 / 3.25)
    head_on = brightness_of_interface(0)
    assert head_on == pytest.approx(30 + reflection, abs=0.5)
    fall = 20 * np.log10(np.exp(-((10 / 14) ** 2)))
    assert brightness_of_interface(10) - head_on == pytest.approx(fall, abs=0.7)
    assert brightness_of_interface(30) < head_on - 30


def test_an_oblique_interface_has_no_gaps():
    phantom = Layers([Tissue(-np.inf, 0, 1.6), Tissue(-np.inf, 0, 1.65)], [10])
    turn, pose = np.radians(20), np.eye(4)
    pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    probe = LinearProbe(width=20, depth=20, shape=(400, 397), lines=128)
    envelope = simulate_envelope(phantom, pose, probe, settings=BModeSettings(reverberation=0.0, **SILENT))
    crest = envelope.max(axis=0)
    assert crest[50:-50].min() > 0.6 * crest[50:-50].max()


def test_reverberation_repeats_a_shallow_interface():
    phantom = Layers([Tissue(-np.inf, 0, 1.5), Tissue(-np.inf, 0, 3.0)], [4])
    settings = BModeSettings(reverberation=0.5, specular_db=0.0, **SILENT)
    crest = np.abs(simulate_iq(phantom, np.eye(4), SMALL, settings=settings)).mean(0)
    echoes = [crest[round(4 * n / SMALL.sample_step)] for n in (1, 2, 3)]
    assert echoes[0] == pytest.approx(1 / 3, rel=0.05)
    assert echoes[1] / echoes[0] == pytest.approx(0.5 / 3, rel=0.05)
    assert echoes[2] / echoes[1] == pytest.approx(0.5 / 3, rel=0.05)
    without = BModeSettings(reverberation=0.0, specular_db=0.0, **SILENT)
    assert np.abs(simulate_iq(phantom, np.eye(4), SMALL, settings=without)).mean(0)[-200:].max() < 1e-6


def test_slice_thickness_blurs_an_interface_across_the_plane():
    class Side(Layers):
        def tissue(self, points):
            return (points[..., 2] > 0).astype(np.uint8)

    phantom = Side([Tissue(-np.inf), Tissue(0.0)])
    level = []
    for offset in (-0.8, 0.0, 0.8):
        pose = np.eye(4)
        pose[2, 3] = offset
        envelope = simulate_envelope(
            phantom, pose, SMALL, settings=BModeSettings(attenuation=False, speculars=False, **SILENT)
        )
        level.append(np.mean(envelope**2))
    assert 0 < level[0] < level[1] < level[2]
    assert level[1] / level[2] == pytest.approx(0.5, abs=0.08)


def test_labels_are_those_of_the_pixel_centres():
    phantom = Layers([MUSCLE, FAT], [7.7])
    for probe in (SMALL, FAN):
        frame = simulate_frame(phantom, np.eye(4), probe)
        v, u = np.indices(probe.shape)
        points = np.stack([u, v, 0 * u, 1 + 0 * u], -1) @ probe.image_to_probe.T
        np.testing.assert_array_equal(frame.labels, points[..., 1].astype(np.float32) >= np.float32(7.7))


@pytest.mark.parametrize(
    ("below", "expected"), [(Tissue(-40.0), DISTINCT), (Tissue(0.0), COMPLETED), (Tissue(0.0, 0, 3.0), DISTINCT)]
)
def test_borders_are_distinct_where_the_image_shows_them(below, expected):
    phantom = Layers([Tissue(0.0), below], [10.0])
    settings = BModeSettings(white_db=20.0, noise_db=-np.inf, tgc=0.0, reverberation=0.0)
    probe = replace(SMALL, shape=(256, 96))
    frame = simulate_frame(phantom, np.eye(4), probe, settings=settings)
    border = label_borders(frame.labels, probe.mask)
    assert set(np.flatnonzero(border.any(axis=1))) == {127, 128}
    np.testing.assert_array_equal(frame.border > 0, border)
    assert np.mean(frame.border[border] == expected) > 0.95


def test_borders_in_shadow_are_completed():
    phantom = Layers([MUSCLE, BONE, FAT], [5, 15])
    frame = simulate_frame(phantom, np.eye(4), SMALL)
    assert set(frame.border[frame.shadow & (frame.border > 0)]) == {COMPLETED}
    assert frame.border[30:36].max() == DISTINCT


@pytest.mark.parametrize("name", ["median", "lee"])
def test_filters_reduce_speckle(name):
    plain, filtered = (
        simulate_frame(homogeneous(-10.0), np.eye(4), FAN, settings=BModeSettings(filter=f)).image for f in (None, name)
    )
    inside = np.s_[30:60, 50:80]
    assert filtered[inside].std() < 0.75 * plain[inside].std()
    assert abs(float(filtered[inside].mean()) - float(plain[inside].mean())) < 12
    assert not filtered[~FAN.mask].any()


def test_progress_and_the_iterator():
    calls = []
    simulate_bmode(homogeneous(), poses(3), SMALL, num_threads=2, progress=lambda *a: calls.append(a))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    before = threading.active_count()
    frames = iter_bmode(homogeneous(), poses(30), SMALL, num_threads=2)
    first = next(frames)
    frames.close()
    np.testing.assert_array_equal(first.image, simulate_frame(homogeneous(), poses(30)[0], SMALL).image)
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and "ThreadPool" in thread.name:
            thread.join(5)
    assert threading.active_count() <= before


def test_an_error_in_the_phantom_reaches_the_caller():
    class Broken(Layers):
        def labels(self, points):
            raise RuntimeError("no labels here")

    with pytest.raises(RuntimeError, match="no labels here"):
        simulate_bmode(Broken([MUSCLE]), poses(4), SMALL, num_threads=2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((object(), np.eye(4)[None], SMALL), TypeError, "object has no tissues, tissue, echo_db, normal, labels"),
        ((homogeneous(), np.eye(4), SMALL), ValueError, r"shape \(N, 4, 4\)"),
        ((homogeneous(), np.empty((0, 4, 4)), SMALL), ValueError, "a frame or more"),
        ((homogeneous(), poses(2) * np.nan, SMALL), GeometryError, "frame 0 is not finite"),
        ((homogeneous(), poses(2) * 2, SMALL), GeometryError, "frame 0 must end in the row"),
        ((homogeneous(), poses(2), "linear"), TypeError, "probe must be a LinearProbe or a ConvexProbe, not str"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        simulate_bmode(*arguments)
    with pytest.raises(error, match=message):
        iter_bmode(*arguments)


def test_bad_options():
    with pytest.raises(TypeError, match="settings must be BModeSettings, not dict"):
        simulate_frame(homogeneous(), np.eye(4), SMALL, settings={})
    with pytest.raises(ValueError, match="seed must be"):
        simulate_frame(homogeneous(), np.eye(4), SMALL, seed=-1)
    with pytest.raises(ValueError, match="num_threads must be"):
        iter_bmode(homogeneous(), poses(1), SMALL, num_threads=0)
    with pytest.raises(TypeError, match="progress must be callable"):
        simulate_bmode(homogeneous(), poses(1), SMALL, progress=3)
