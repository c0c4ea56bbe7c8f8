"""Arrays, transmits, grids and the forward model: geometry and refusals."""

import numpy as np
import pytest
from reference import beamform as reference

from usfast.beamform import (
    ElementDelays,
    PlaneWave,
    Transducer,
    VirtualSource,
    cartesian_grid,
    directivity_f_number,
    simulate_channel_data,
)
from usfast.errors import GeometryError


def test_arrays():
    line = Transducer.linear(5, 0.5)
    np.testing.assert_allclose(line.positions, [[-1, 0, 0], [-0.5, 0, 0], [0, 0, 0], [0.5, 0, 0], [1, 0, 0]])
    assert (line.normals == [0, 1, 0]).all()
    arc = Transducer.convex(9, 4.0, 50.0)
    from_centre = arc.positions - np.array([0, -50, 0])
    np.testing.assert_allclose(np.linalg.norm(from_centre, axis=1), 50)
    np.testing.assert_allclose(from_centre, 50 * arc.normals, atol=1e-12)
    assert arc.positions[4].tolist() == [0, 0, 0]
    assert (np.diff(arc.positions[:, 0]) > 0).all()


def test_f_number_of_the_directivity():
    for width, frequency in ((0.2, 5), (0.3, 7.5), (0.05, 3)):
        f_number = directivity_f_number(width, frequency, level=0.5)
        angle = np.arctan(1 / (2 * f_number))
        heard = np.cos(angle) * np.sinc(width / (1.54 / frequency) * np.sin(angle))
        assert heard == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    "transmit",
    [
        PlaneWave(12, (3, 0)),
        VirtualSource((1, 20)),
        VirtualSource((1, -20), (0, 1)),
        ElementDelays([0, 1e-6, np.nan, 2e-6]),
    ],
)
def test_paths(transmit):
    points = np.random.default_rng(0).uniform((-9, 1, -1), (9, 40, 1), (50, 3))
    array = Transducer.linear(4, 1.0)
    found = transmit.path(points, array) if isinstance(transmit, ElementDelays) else transmit.path(points)
    np.testing.assert_allclose(found, reference.transmit_path(transmit, points, array, 1.54e6))


def test_grid():
    grid = cartesian_grid((-1, 1), (10, 11), (0.5, 0.25))
    assert grid.shape == (5, 5, 2)
    assert grid[4, 0].tolist() == [-1, 11]
    assert cartesian_grid((0, 0.3), (0, 0), 0.1).shape == (1, 4, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Transducer.linear(0, 0.3), ValueError, "count must be a whole number"),
        (lambda: Transducer.linear(4, 0), ValueError, "pitch must be positive"),
        (lambda: Transducer.convex(64, 5, 40), GeometryError, "more than half around"),
        (lambda: Transducer(np.zeros((3, 4))), ValueError, r"not \(3, 4\)"),
        (lambda: Transducer(np.zeros((0, 2))), ValueError, "1 to 65536 elements"),
        (lambda: Transducer([[0, np.nan]]), ValueError, "positions must be finite"),
        (lambda: Transducer(np.zeros((3, 2)), np.zeros((3, 2))), GeometryError, "normal of element 0 has no length"),
        (lambda: Transducer(np.zeros((3, 2)), np.ones((2, 2))), ValueError, "3 positions, but normals"),
        (lambda: PlaneWave(90), ValueError, "between -90 and 90"),
        (lambda: PlaneWave(float("nan")), ValueError, "between -90 and 90"),
        (lambda: PlaneWave(0, (1, 2, 3, 4)), ValueError, "reference must be"),
        (lambda: VirtualSource((0, np.inf)), ValueError, "position must be finite"),
        (lambda: VirtualSource([(0, 1)]), ValueError, "position must be one point"),
        (lambda: ElementDelays([np.nan]), ValueError, "at least one element"),
        (lambda: ElementDelays([np.inf]), ValueError, "at least one element"),
        (lambda: ElementDelays([1e9]), ValueError, "in seconds"),
        (lambda: ElementDelays([0.0]).path([[0, 1]], Transducer.linear(2, 1)), ValueError, "1 delays, but 2"),
        (lambda: directivity_f_number(0, 5), ValueError, "width must be positive"),
        (lambda: directivity_f_number(0.3, 5, level=1), ValueError, "level must be"),
        (lambda: cartesian_grid((1, 0), (0, 1), 0.1), ValueError, "x must be"),
        (lambda: cartesian_grid((0, 1), (0, 1), 0), ValueError, "spacing must be positive"),
        (lambda: cartesian_grid((0, 1), (0, 1), (1, 1, 1)), ValueError, "one number or two"),
        (lambda: cartesian_grid((0, 1e6), (0, 1e6), 1e-3), ValueError, "too many"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scatterers": [0.0, 1.0]}, "scatterers must be"),
        ({"amplitudes": [1.0, 2.0]}, "amplitudes must be"),
        ({"samples": 0}, "samples must be"),
        ({"bandwidth": 0.0}, "bandwidth must be positive"),
        ({"frequency": -1.0}, "frequency must be positive"),
        ({"start_time": np.nan}, "start_time must be"),
    ],
)
def test_forward_model_refuses(change, message):
    good = {"scatterers": [[0.0, 9.0]], "sampling_frequency": 20.0, "samples": 50, "frequency": 5.0, **change}
    with pytest.raises(ValueError, match=message):
        simulate_channel_data(transducer=Transducer.linear(2, 0.3), transmits=PlaneWave(), **good)


def test_forward_model_adds_amplitudes_and_keeps_the_bandwidth():
    array, options = Transducer.linear(1, 1), {"sampling_frequency": 100, "samples": 4000, "frequency": 5.0}
    one = simulate_channel_data([[0, 15]], array, PlaneWave(), **options)
    both = simulate_channel_data([[0, 15], [0, 20]], array, PlaneWave(), amplitudes=[2, -1], **options)
    other = simulate_channel_data([[0, 20]], array, PlaneWave(), **options)
    np.testing.assert_allclose(both, 2 * one - other, atol=1e-6)
    spectrum, frequency = np.abs(np.fft.rfft(one[0, 0])), np.fft.rfftfreq(4000, 0.01)
    band = frequency[spectrum > spectrum.max() / 2]
    assert np.ptp(band) == pytest.approx(0.6 * 5, abs=0.1)
