"""Points are found where they are, whatever the array and the wave."""

import numpy as np
import pytest

from usfast.beamform import (
    CurvilinearScan,
    ElementDelays,
    PlaneWave,
    Transducer,
    VirtualSource,
    analytic_signal,
    cartesian_grid,
    delay_and_sum,
    demodulate,
    envelope,
    insonified,
    scan_convert,
    simulate_channel_data,
)

RATE, CARRIER = 40.0, 5.0
LINEAR = Transducer.linear(64, 0.3)
CONVEX = Transducer.convex(64, 0.5, 40.0)
FIRST = LINEAR.positions[0]


def fired_plane(angle_deg):
    """Delays that make a plane wave whose front passes the origin at time zero."""
    return ElementDelays(LINEAR.positions[:, 0] * np.sin(np.deg2rad(angle_deg)) / 1.54e6)


CASES = {
    "plane": (LINEAR, PlaneWave(0)),
    "steered": (LINEAR, PlaneWave(15)),
    "steered, time zero at the first element": (LINEAR, PlaneWave(15, FIRST)),
    "steered by delays": (LINEAR, fired_plane(-10)),
    "diverging": (LINEAR, VirtualSource((2, -15))),
    "focused beyond the point": (LINEAR, VirtualSource((0, 60))),
    "focused before the point": (LINEAR, VirtualSource((0, 10))),
    "one element": (LINEAR, VirtualSource(FIRST, FIRST)),
    "one element by delays": (LINEAR, ElementDelays([0.0] + [np.nan] * 63)),
    "convex, diverging": (CONVEX, VirtualSource((0, -40))),
    "convex, plane": (CONVEX, PlaneWave(-5)),
}


def peak(points, image):
    return points[np.unravel_index(np.argmax(image), image.shape)]


@pytest.mark.parametrize("kind", ["rf", "analytic", "iq"])
@pytest.mark.parametrize("name", CASES)
def test_a_point_is_found(name, kind):
    array, wave = CASES[name]
    target = (1.6, 24.0)
    options = {"sampling_frequency": RATE, "start_time": 3e-6}
    data = simulate_channel_data([target], array, wave, samples=1500, frequency=CARRIER, **options)
    if kind == "analytic":
        data, options["demodulation_frequency"] = analytic_signal(data), 0
    if kind == "iq":
        options["demodulation_frequency"] = CARRIER
        data = demodulate(data, **options)
    points = cartesian_grid((0.6, 2.6), (22.5, 25.5), (0.1, 0.02))
    image = envelope(delay_and_sum(data, array, wave, points, f_number=1.0, interpolation="cubic", **options))
    assert (np.abs(peak(points, image) - target) < (0.051, 0.021)).all()
    # Away from the point there is little.
    assert np.median(image) < 0.1 * image.max()


def test_iq_and_rf_give_the_same_envelope():
    wave = PlaneWave(5)
    options = {"sampling_frequency": RATE}
    data = simulate_channel_data([[0, 15], [2, 18]], LINEAR, wave, samples=1400, frequency=CARRIER, **options)
    points = cartesian_grid((-2, 4), (13, 20), (0.25, 0.02))
    image = {"f_number": 1.5, "window": "hann", "interpolation": "cubic"}
    analytic = delay_and_sum(analytic_signal(data), LINEAR, wave, points, demodulation_frequency=0, **options, **image)
    rf = delay_and_sum(data, LINEAR, wave, points, **options, **image)
    np.testing.assert_allclose(analytic.real, rf, atol=1e-3 * np.abs(rf).max())
    shift = {"demodulation_frequency": CARRIER}
    iq = delay_and_sum(demodulate(data, **options, **shift), LINEAR, wave, points, **options, **shift, **image)
    np.testing.assert_allclose(np.abs(iq), np.abs(analytic), atol=0.02 * np.abs(analytic).max())
    np.testing.assert_allclose(envelope(rf), np.abs(analytic), atol=0.05 * np.abs(analytic).max())


def test_compounding_narrows_the_point():
    waves = [PlaneWave(angle) for angle in np.linspace(-16, 16, 9)]
    data = simulate_channel_data([[0, 20]], LINEAR, waves, sampling_frequency=RATE, samples=1300, frequency=CARRIER)
    points = cartesian_grid((-3, 3), (19, 21), (0.05, 0.02))
    each = delay_and_sum(
        analytic_signal(data), LINEAR, waves, points, sampling_frequency=RATE, demodulation_frequency=0, compound=False
    )
    one, many = np.abs(each[4]), np.abs(each.sum(axis=0))
    assert np.sum(many.max(0) > many.max() / 2) < np.sum(one.max(0) > one.max() / 2)
    assert many.max() == pytest.approx(np.abs(each).max(axis=(1, 2)).sum(), rel=0.02)


def test_transmit_weights_keep_a_focused_wave_to_its_cone():
    waves = [VirtualSource((x, 15)) for x in (-4, 0, 4)]
    points = cartesian_grid((-8, 8), (2, 28), 0.5)
    reached = insonified(waves, LINEAR, points)
    middle = reached[1, 26]
    assert reached.shape == (3, *points.shape[:2])
    assert points[26, 0, 1] == 15
    assert points[26, middle, 0].tolist() == [0.0]  # at the focus the cone is a point
    assert reached[1, 4].sum() > reached[1, 20].sum() < reached[1, 50].sum()
    data = np.ones((3, 64, 2000), np.float32)
    image = delay_and_sum(data, LINEAR, waves, points, sampling_frequency=RATE, transmit_weights=reached)
    np.testing.assert_array_equal(image, 64 * reached.sum(axis=0))


def test_insonified_by_a_steered_wave():
    points = cartesian_grid((-20, 20), (1, 30), 0.25)
    reached = insonified(PlaneWave(20), LINEAR, points, margin=0.15)[0]
    start = points[..., 0] - points[..., 1] * np.tan(np.deg2rad(20))
    np.testing.assert_array_equal(reached, np.abs(start) <= 9.6)
    with pytest.raises(TypeError, match="no rays"):
        insonified(fired_plane(0), LINEAR, points)


def test_scan_lines_of_a_convex_array_become_an_image():
    scan = CurvilinearScan((160, 240), (0.25, 0.25), (119.5, 0.0), 40.0, 76.0, -22.0, 22.0)
    targets = [(-8.0, 20.0), (0.0, 30.0), (6.0, 12.0)]
    wave = VirtualSource((0, -40))
    data = simulate_channel_data(targets, CONVEX, wave, sampling_frequency=RATE, samples=2400, frequency=CARRIER)
    lines = scan.points(120, 400)
    image = scan_convert(
        np.abs(
            delay_and_sum(
                analytic_signal(data),
                CONVEX,
                wave,
                lines,
                sampling_frequency=RATE,
                demodulation_frequency=0,
                f_number=1.0,
            )
        ),
        scan,
    )
    for x, y in targets:
        u, v = np.linalg.solve(scan.image_to_probe, (x, y, 0, 1))[:2]
        near = image[int(v) - 8 : int(v) + 9, int(u) - 8 : int(u) + 9]
        row, column = np.unravel_index(near.argmax(), near.shape)
        assert np.hypot(row + int(v) - 8 - v, column + int(u) - 8 - u) < 1.6
