"""Geometry and point-spread function of the probes."""

import numpy as np
import pytest

from usfast.simulate import BModeSettings, ConvexProbe, LinearProbe
from usfast.simulate.scan import pixel_places

LINEAR = LinearProbe(width=30, depth=40, shape=(200, 150))
CONVEX = ConvexProbe(radius=50, opening_deg=70, depth=80, shape=(200, 300))


@pytest.mark.parametrize("probe", [LINEAR, CONVEX])
def test_beam_points_and_coordinates_are_inverse(probe):
    lateral, depth = np.meshgrid(probe.line_laterals, probe.sample_depths[::50])
    points = probe.beam_points(lateral, depth)
    back = probe.beam_coordinates(points)
    np.testing.assert_allclose(back[0], lateral, atol=1e-12)
    np.testing.assert_allclose(back[1], depth, atol=1e-10)
    assert not points[..., 2].any()


@pytest.mark.parametrize("probe", [LINEAR, CONVEX])
def test_image_transform_is_invertible_and_ends_in_the_affine_row(probe):
    matrix = probe.image_to_probe
    assert matrix.shape == (4, 4)
    assert matrix[3].tolist() == [0, 0, 0, 1]
    assert np.linalg.det(matrix) > 0


def test_fan_of_the_convex_probe():
    v, u = np.mgrid[:200, :300]
    x, y = (CONVEX.image_to_probe @ [u.ravel(), v.ravel(), 0 * v.ravel(), 1 + 0 * v.ravel()])[:2]
    reach, angle = np.hypot(x, y + 50), np.degrees(np.arctan2(x, y + 50))
    inside = (reach >= 50) & (reach <= 130) & (np.abs(angle) <= 35)
    np.testing.assert_array_equal(CONVEX.mask.ravel(), inside)
    fan = 70 / 360 * np.pi * (130**2 - 50**2)
    pixel = CONVEX.image_to_probe[0, 0] * CONVEX.image_to_probe[1, 1]
    assert inside.sum() * pixel == pytest.approx(fan, rel=0.01)
    assert LINEAR.mask.all()


@pytest.mark.parametrize("probe", [LINEAR, CONVEX])
def test_pixels_lie_where_their_beam_says(probe):
    places = pixel_places(probe)
    v, u = np.nonzero(probe.mask)
    line, sample = places[v, u].T
    lateral = np.interp(line, np.arange(probe.lines), probe.line_laterals)
    points = probe.beam_points(lateral, sample * probe.sample_step)
    pixels = np.stack([u, v, 0 * u, 1 + 0 * u])
    np.testing.assert_allclose(points, (probe.image_to_probe @ pixels)[:3].T, atol=1e-4)
    assert (places[~probe.mask] == -1).all()


def test_widths():
    probe = LinearProbe()
    depth = np.linspace(0, 50, 101)
    elevation, lateral = probe.elevational_sigma(depth), probe.lateral_sigma(depth)
    assert depth[elevation.argmin()] == pytest.approx(probe.elevation_focus, abs=0.5)
    assert depth[lateral.argmin()] == pytest.approx(probe.transmit_focus, abs=0.5)
    # -6 dB width of the pulse-echo beam at the focus: 0.886 wavelengths times the f-number.
    assert elevation.min() * 2.3548 == pytest.approx(0.886 * probe.wavelength * 22 / 4, rel=1e-3)
    pulse = np.exp(-((np.arange(4096) - 2048) ** 2) * 0.01**2 / (2 * probe.axial_sigma**2))
    spectrum = np.abs(np.fft.fftshift(np.fft.fft(pulse)))
    mhz = np.fft.fftshift(np.fft.fftfreq(4096, 0.01)) * 1.54 / 2
    above = mhz[spectrum > spectrum.max() / 2]
    assert np.ptp(above) == pytest.approx(probe.bandwidth * probe.frequency, abs=0.1)


def test_probes_are_values():
    assert LinearProbe() == LinearProbe()
    assert hash(LinearProbe()) == hash(LinearProbe())
    assert isinstance(LinearProbe().face_radius, float)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (LinearProbe, {"width": 0.0}, "width of a probe must be positive"),
        (LinearProbe, {"depth": -1.0}, "depth of a probe must be positive"),
        (LinearProbe, {"frequency": float("nan")}, "frequency of a probe must be positive"),
        (LinearProbe, {"shape": (1, 5)}, "shape of a probe's image"),
        (LinearProbe, {"shape": (480.0, 640)}, "shape of a probe's image"),
        (LinearProbe, {"lines": 1}, "lines of a probe"),
        (LinearProbe, {"bandwidth": 3.0}, "bandwidth of a probe"),
        (LinearProbe, {"elevation_aperture": float("inf")}, "elevation_aperture of a probe"),
        (ConvexProbe, {"radius": "60"}, "radius of a probe must be positive"),
        (ConvexProbe, {"radius": 0.5}, "radius of a probe must be 1 mm or more"),
        (LinearProbe, {"depth": 1e4, "frequency": 50.0}, "lines of .* samples are more than"),
        (ConvexProbe, {"opening_deg": 180.0}, "opening_deg of a probe must be below 180"),
    ],
)
def test_bad_probes(kind, change, message):
    with pytest.raises(ValueError, match=message):
        kind(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dynamic_range_db": 0}, "dynamic_range_db must be a number above 0"),
        ({"white_db": float("nan")}, "white_db must be a number"),
        ({"cutoff": 9.0}, "cutoff must be a number above"),
        ({"reverberation": 1.5}, "reverberation must be a number above"),
        ({"reverberation": -0.5}, "reverberation must be a number above"),
        ({"scatterers_per_cell": 1e6}, "scatterers_per_cell must be"),
        ({"noise_db": float("nan")}, "noise_db must be"),
        ({"noise_db": float("inf")}, "noise_db must be"),
        ({"filter": "mean"}, "filter must be None, 'median' or 'lee'"),
        ({"filter_size": 4}, "filter_size must be odd"),
        ({"tgc": -1.0}, "tgc must be an attenuation"),
        ({"tgc": ((0, 0, 0),)}, "tgc must be an attenuation or a table"),
        ({"tgc": "high"}, "tgc must be an attenuation or a table"),
        ({"tgc": ((5, 0), (5, 1))}, "depths in the tgc table must increase"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        BModeSettings(**change)
