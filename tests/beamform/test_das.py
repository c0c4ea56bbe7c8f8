"""delay_and_sum against the NumPy reference, its determinism, its refusals."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import beamform as reference

from usfast.beamform import (
    INTERPOLATIONS,
    WINDOWS,
    ElementDelays,
    PlaneWave,
    Transducer,
    VirtualSource,
    cartesian_grid,
    delay_and_sum,
)
from usfast.errors import GeometryError

few = settings(max_examples=40, deadline=None)
RATE = 20.0


def smooth(rng, shape, complex_data=False):
    """Band-limited noise, as echoes are: white noise would make of a nearest sample a lottery."""
    noise = rng.normal(size=shape) + (1j * rng.normal(size=shape) if complex_data else 0)
    spectrum = np.fft.fft(noise, axis=-1) * (np.abs(np.fft.fftfreq(shape[-1])) < 0.3)
    found = np.fft.ifft(spectrum, axis=-1)
    return found.astype(np.complex64) if complex_data else found.real.astype(np.float32)


@st.composite
def scenes(draw):
    """(data, transducer, transmits, points, options)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, events = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    samples = draw(st.sampled_from((4, 5, 33, 400)))
    transducer = draw(
        st.sampled_from(
            (
                Transducer.linear(count, 0.4),
                Transducer.convex(count, 0.7, 20.0),
                Transducer(rng.normal(size=(count, 3))),
            )
        )
    )
    kinds = draw(st.lists(st.sampled_from(("plane", "focus", "diverge", "delays")), min_size=events, max_size=events))
    transmits = [
        {
            "plane": PlaneWave(rng.uniform(-30, 30), rng.normal(size=2)),
            "focus": VirtualSource((rng.normal(), rng.uniform(5, 20))),
            "diverge": VirtualSource((rng.normal(), -rng.uniform(1, 20), rng.normal())),
            "delays": ElementDelays(rng.uniform(0, 1e-6, count)),
        }[kind]
        for kind in kinds
    ]
    points = rng.uniform((-8, 3, -2), (8, 15, 2), (draw(st.sampled_from((1, 63, 64, 65, 150))), 3))
    complex_data = draw(st.booleans())
    windowed = draw(st.booleans())
    options = {
        "sampling_frequency": RATE,
        "start_time": rng.uniform(-1e-6, 5e-6, events),
        "speed_of_sound": rng.uniform(1400, 1600),
        "demodulation_frequency": draw(st.sampled_from((0.0, 5.0))) if complex_data else None,
        "f_number": rng.uniform(0.3, 2) if windowed else None,
        "window": draw(st.sampled_from(WINDOWS)) if windowed else "boxcar",
        "taper": rng.uniform(0.05, 1),
        "interpolation": draw(st.sampled_from(("linear", "cubic"))),
        "transmit_weights": rng.uniform(0, 1, (events, len(points))) if draw(st.booleans()) else None,
        "compound": draw(st.booleans()),
    }
    return smooth(rng, (events, count, samples), complex_data), transducer, transmits, points, options


def at_an_edge(scene):
    """Points for which rounding may decide whether an element or a sample counts at all."""
    data, transducer, transmits, points, o = scene
    speed = o["speed_of_sound"] * 1e3
    edge = np.zeros(len(points), bool)
    for transmit, start in zip(transmits, o["start_time"], strict=True):
        there = reference.transmit_path(transmit, points, transducer, speed)
        for position, normal in zip(transducer.positions, transducer.normals, strict=True):
            k = ((there + np.linalg.norm(points - position, axis=-1)) / speed - start) * RATE * 1e6
            edge |= (np.abs(k) < 1e-3) | (np.abs(k - data.shape[2] + 1) < 1e-3)
            if o["f_number"] is not None:
                way = points - position
                across = np.linalg.norm(np.cross(way, normal), axis=-1)
                edge |= np.abs(2 * o["f_number"] * across - way @ normal) < 1e-3
    return edge


@few
@given(scene=scenes())
def test_matches_reference(scene):
    data, transducer, transmits, points, options = scene
    found = delay_and_sum(data, transducer, transmits, points, num_threads=1, **options)
    expected = reference.delay_and_sum(data, transducer, transmits, points, **options)
    assert found.dtype == (np.complex64 if np.iscomplexobj(data) else np.float32)
    assert found.shape == expected.shape
    clear = ~at_an_edge(scene)
    peak = np.abs(data).max() * len(transducer)
    np.testing.assert_allclose(found[..., clear], expected[..., clear], rtol=0, atol=1e-4 * peak)


@pytest.mark.parametrize("complex_data", [False, True])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_error_is_below_a_ten_thousandth_of_the_peak(interpolation, complex_data):
    rng = np.random.default_rng(5)
    array = Transducer.linear(64, 0.3)
    waves = [PlaneWave(-12), PlaneWave(7)]
    # A record that is constant between samples lets the nearest one be compared, too.
    data = smooth(rng, (2, 64, 300), complex_data)
    points = cartesian_grid((-12, 12), (0.5, 9), (0.31, 0.17))
    options = {
        "sampling_frequency": RATE,
        "demodulation_frequency": 6.0 if complex_data else None,
        "interpolation": interpolation,
        "f_number": 1.2,
        "window": "hann",
    }
    found = delay_and_sum(data, array, waves, points, **options)
    expected = reference.delay_and_sum(data, array, waves, points, **options)
    error = np.abs(found - expected) / np.abs(expected).max()
    if interpolation == "nearest":  # a delay half way between two samples may go to either
        assert np.quantile(error, 0.99) < 1e-4
    else:
        assert error.max() < 1e-4


@pytest.mark.parametrize("complex_data", [False, True])
def test_bits_do_not_depend_on_threads(complex_data):
    rng = np.random.default_rng(1)
    data = smooth(rng, (3, 16, 200), complex_data)
    array, waves = Transducer.convex(16, 0.5, 40), [PlaneWave(5), VirtualSource((0, -9)), VirtualSource((1, 8))]
    points = rng.uniform((-5, 1), (5, 9), (5000, 2))
    options = {
        "sampling_frequency": RATE,
        "f_number": 0.8,
        "window": "tukey",
        "demodulation_frequency": 3 if complex_data else None,
    }
    runs = {delay_and_sum(data, array, waves, points, num_threads=n, **options).tobytes() for n in (1, 2, 3, 8)}
    assert len(runs) == 1


DIGEST = """
import hashlib, sys
import numpy as np
from usfast.beamform import *
rng = np.random.default_rng(0)
points = cartesian_grid((-4, 4), (1, 12), 0.2)
array, waves = Transducer.linear(24, 0.3), [PlaneWave(4), VirtualSource((0, 6)), VirtualSource((0, -3))]
for data in (rng.normal(size=(3, 24, 333)), rng.normal(size=(3, 24, 333)) + 1j):
    for interpolation in INTERPOLATIONS:
        for window in WINDOWS:
            image = delay_and_sum(data, array, waves, points, sampling_frequency=20, f_number=1.1, window=window,
                interpolation=interpolation, demodulation_frequency=5 if np.iscomplexobj(data) else None)
            print(hashlib.sha256(image.tobytes()).hexdigest())
"""


def test_bits_do_not_depend_on_the_instruction_set(monkeypatch):
    digests = []
    for isa in ("", "baseline"):
        monkeypatch.setenv("USFAST_ISA", isa)
        digests.append(
            subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True).stdout
        )
    assert digests[0] == digests[1]
    assert len(set(digests[0].split())) == 2 * len(INTERPOLATIONS) * len(WINDOWS)


def test_linear_in_the_data():
    rng = np.random.default_rng(3)
    a, b = smooth(rng, (1, 8, 200)), smooth(rng, (1, 8, 200))
    array, points = Transducer.linear(8, 0.5), cartesian_grid((-3, 3), (1, 6), 0.2)

    def image(data):
        return delay_and_sum(data, array, PlaneWave(3), points, sampling_frequency=RATE, f_number=1)

    np.testing.assert_allclose(image(2 * a - 3 * b), 2 * image(a) - 3 * image(b), atol=1e-5)


def test_cubic_is_exact_for_cubics_up_to_the_ends_of_the_record():
    samples = np.arange(40.0)
    cubic = 1 - 0.5 * samples + 0.03 * samples**2 - 0.0007 * samples**3
    array = Transducer.linear(1, 1)
    k = np.linspace(0.01, 38.99, 777)
    points = np.stack([0 * k, k * 1.54e6 / 20e6 / 2], axis=-1)
    image = delay_and_sum(cubic[None, None], array, PlaneWave(), points, sampling_frequency=20, interpolation="cubic")
    np.testing.assert_allclose(image, 1 - 0.5 * k + 0.03 * k**2 - 0.0007 * k**3, atol=2e-5)


def test_integers_strides_and_one_transmit_for_many_frames():
    rng = np.random.default_rng(4)
    data = rng.integers(-3000, 3000, (100, 6, 3)).astype(np.int16)
    points = cartesian_grid((-1, 1), (1, 3), 0.25)
    array = Transducer.linear(6, 0.3)
    options = {"sampling_frequency": RATE, "compound": False}
    found = delay_and_sum(data.transpose(2, 1, 0), array, PlaneWave(), points, **options)
    assert found.shape == (3, 9, 9)
    copy = np.ascontiguousarray(data.transpose(2, 1, 0), np.float64)
    np.testing.assert_array_equal(found, delay_and_sum(copy, array, [PlaneWave()] * 3, points, **options))
    summed = delay_and_sum(copy, array, PlaneWave(), points, sampling_frequency=RATE)
    np.testing.assert_allclose(summed, found.sum(0), rtol=1e-5, atol=1e-2)


def test_extreme_numbers_do_no_harm():
    array = Transducer.linear(2, 0.3)
    data = np.full((1, 2, 4), 3e38, np.float32)
    for place in ((0, 1e6), (1e6, 1), (0, 0), (0, 1e-300)):
        for start in (-1e3, 0, 1e3):
            delay_and_sum(data, array, PlaneWave(), [place], sampling_frequency=1e4, start_time=start, f_number=1e-5)
    silent = delay_and_sum(data, array, ElementDelays([1e3, np.nan]), [(0, 1)], sampling_frequency=1)
    assert silent.tolist() == [0]


def test_progress_and_cancelling():
    seen = []
    array, points = Transducer.linear(4, 0.3), np.full((5000, 2), 5.0)
    data = np.zeros((1, 4, 300))
    delay_and_sum(
        data,
        array,
        PlaneWave(),
        points,
        sampling_frequency=RATE,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] == 5

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delay_and_sum(data, array, PlaneWave(), points, sampling_frequency=RATE, progress=stop)


GOOD = {"transmits": PlaneWave(), "points": [[0.0, 5.0]], "sampling_frequency": 20.0}
NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"channel_data": np.zeros((4, 50))}, ValueError, r"\(transmits, elements, samples\), not \(4, 50\)"),
        ({"channel_data": np.zeros((1, 5, 50))}, ValueError, r"\(1, 5, 50\), but the transducer has 4 elements"),
        ({"channel_data": np.zeros((0, 4, 50))}, ValueError, "there is nothing in it"),
        ({"channel_data": np.zeros((1, 4, 3))}, ValueError, "4 to 200000 samples, not 3"),
        ({"channel_data": np.full((1, 4, 50), NAN)}, ValueError, "not finite at transmit 0, element 0, sample 0"),
        ({"channel_data": np.full((1, 4, 50), 1e300)}, ValueError, "not finite"),
        ({"channel_data": np.zeros((1, 4, 50), bool)}, TypeError, "must be numbers, not bool"),
        ({"channel_data": np.zeros((1, 4, 50), complex)}, ValueError, "need a demodulation_frequency"),
        ({"channel_data": np.zeros((2, 4, 50)), "transmits": [PlaneWave()] * 3}, ValueError, "3 transmits, but .* 2"),
        ({"demodulation_frequency": 5.0}, ValueError, "for complex channel_data"),
        ({"transducer": np.zeros((4, 2))}, TypeError, "must be a Transducer, not ndarray"),
        ({"transducer": Transducer.linear(4, 1e5)}, ValueError, "spans 300000 mm"),
        ({"transmits": []}, ValueError, "there is no transmit"),
        ({"transmits": 15.0}, TypeError, "not iterable"),
        ({"transmits": [15.0]}, TypeError, "a transmit must be a PlaneWave.* not float"),
        ({"transmits": ElementDelays([0.0])}, ValueError, "1 delays, but 4 elements"),
        ({"points": [0.0, 5.0, 1.0, 2.0]}, ValueError, r"points must be \(..., 2\) or \(..., 3\), not \(4,\)"),
        ({"points": np.zeros((0, 2))}, ValueError, "there are none"),
        ({"points": [[0.0, NAN]]}, ValueError, "points must be finite"),
        ({"points": [[0.0, 1e7]]}, ValueError, "points must be finite and within 1e\\+06 mm"),
        ({"points": [["a", "b"]]}, TypeError, "points must be real numbers"),
        ({"points": [[0.0, 5.0], [0.0, -0.1]]}, GeometryError, "1 of 2 points lie behind the array"),
        ({"sampling_frequency": -20.0}, ValueError, "sampling_frequency must be positive"),
        ({"sampling_frequency": NAN}, ValueError, "sampling_frequency must be positive"),
        ({"sampling_frequency": 20e6}, ValueError, "sampling_frequency is in MHz"),
        ({"start_time": NAN}, ValueError, "start_time is in seconds"),
        ({"start_time": [0.0, 0.0]}, ValueError, r"one number or \(1,\), not \(2,\)"),
        ({"speed_of_sound": 1.54}, ValueError, "speed_of_sound must be from 100 to 20000 m/s"),
        ({"f_number": 0.0}, ValueError, "f_number must be positive"),
        ({"f_number": -1.0}, ValueError, "f_number must be positive"),
        ({"window": "hann"}, ValueError, "needs an f_number"),
        ({"window": "kaiser"}, ValueError, "boxcar, hann, hamming, tukey"),
        ({"window": "tukey", "f_number": 1.0, "taper": 0.0}, ValueError, "taper must be from"),
        ({"interpolation": "spline"}, ValueError, "nearest, linear, cubic"),
        ({"transmit_weights": np.ones((1, 2))}, ValueError, r"\(1, 1\), not \(1, 2\)"),
        ({"transmit_weights": [[NAN]]}, ValueError, "transmit_weights must be finite"),
        ({"num_threads": 0}, ValueError, "num_threads"),
        ({"progress": 3}, TypeError, "progress must be callable"),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"channel_data": np.zeros((1, 4, 50)), "transducer": Transducer.linear(4, 0.3), **GOOD, **change}
    with pytest.raises(error, match=message):
        delay_and_sum(**arguments)
