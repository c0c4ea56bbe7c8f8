"""Analytic signal, demodulation, envelope, log compression, brightness of PLUS."""

import numpy as np
import pytest
from scipy.signal import hilbert

from usfast.beamform import analytic_signal, demodulate, envelope, log_compress, plus_brightness


@pytest.mark.parametrize("count", [1, 2, 63, 64])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_analytic_signal_as_scipy(count, axis):
    shape = [3, 4, 5]
    shape[axis] = count
    signal = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(analytic_signal(signal, axis), hilbert(signal, axis=axis), atol=1e-6)
    assert analytic_signal(signal.astype(np.float32), axis).dtype == np.complex64


def test_envelope_of_a_pulse():
    time = np.linspace(-3, 3, 301)
    pulse = np.exp(-(time**2))
    rf = pulse * np.cos(20 * time)
    np.testing.assert_allclose(envelope(rf, axis=0), pulse, atol=0.01)
    np.testing.assert_allclose(envelope(rf[:, None])[:, 0], pulse, atol=0.01)
    np.testing.assert_array_equal(envelope(np.array([3 + 4j], np.complex64)), [5])


@pytest.mark.parametrize(("rate", "bandwidth"), [(40, None), (40, 0.8), (6.6667, 0.3)])
def test_demodulation_keeps_amplitude_and_phase(rate, bandwidth):
    start = 7.7e-6
    time = start + np.arange(600) / rate / 1e6
    pulse = np.exp(-(((time - time.mean()) / np.ptp(time) * 7) ** 2))
    rf = pulse * np.cos(2 * np.pi * 5e6 * time + 0.7)
    iq = demodulate(rf, sampling_frequency=rate, demodulation_frequency=5, bandwidth=bandwidth, start_time=start)
    np.testing.assert_allclose(iq, pulse * np.exp(0.7j), atol=0.02)


def test_log_compression():
    levels = np.array([1, 10 ** (-20 / 20), 10 ** (-59.9 / 20), 1e-9, 0, np.nan])
    assert log_compress(levels, 60).tolist() == [255, 170, 0, 0, 0, 0]
    assert log_compress(levels, 60, reference=10).tolist() == [170, 85, 0, 0, 0, 0]
    assert log_compress(levels, 60, reference=0.5)[0] == 255
    assert log_compress(np.zeros((2, 3)), 40).tolist() == [[0] * 3] * 2


def test_brightness_of_plus():
    rng = np.random.default_rng(0)
    rf = rng.integers(-32768, 32768, (5, 6, 90)).astype(np.int16)
    grey = plus_brightness(rf, coefficients=8, scale=20)
    wide = rf.astype(float)
    expected = np.minimum(np.hypot(wide[:, ::2], wide[:, 1::2]) ** 0.25 * 20, 255)
    assert grey.shape == (5, 3, 90)
    assert not grey[..., :5].any()
    assert not grey[..., -3:].any()
    np.testing.assert_allclose(grey[..., 5:-3], np.floor(expected[..., 5:-3]), atol=1)
    together = plus_brightness(rf, "RF_IQ_LINE", scale=5)
    np.testing.assert_allclose(together, np.hypot(wide[..., ::2], wide[..., 1::2]) ** 0.25 * 5, atol=1)
    assert not plus_brightness(rf[..., :6]).any()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: analytic_signal([1j]), TypeError, "complex already"),
        (lambda: analytic_signal([1.0], axis=1), ValueError, "no axis 1"),
        (lambda: analytic_signal([]), ValueError, "nothing in it"),
        (lambda: envelope(np.zeros(5)), ValueError, "no axis -2"),
        (lambda: envelope("text"), TypeError, "must be numbers"),
        (lambda: demodulate(np.zeros(5), sampling_frequency=20, demodulation_frequency=5), ValueError, "19 or longer"),
        (lambda: demodulate(np.zeros(50), sampling_frequency=0, demodulation_frequency=5), ValueError, "positive"),
        (lambda: demodulate(np.zeros(50) * 1j, sampling_frequency=9, demodulation_frequency=5), TypeError, "real"),
        (
            lambda: demodulate(np.zeros(50), sampling_frequency=4, demodulation_frequency=5, bandwidth=0.9),
            ValueError,
            "needs samples at more than 4.5 MHz",
        ),
        (lambda: log_compress([-1.0]), ValueError, "not negative"),
        (lambda: log_compress([np.inf]), ValueError, "finite"),
        (lambda: log_compress([1j]), TypeError, "take the envelope"),
        (lambda: log_compress([1.0], 0), ValueError, "dynamic_range must be positive"),
        (lambda: log_compress([1.0], reference=0), ValueError, "reference must be positive"),
        (lambda: plus_brightness(np.zeros((2, 3))), TypeError, "must be integers"),
        (lambda: plus_brightness(np.zeros((3, 3), int)), ValueError, "even number along axis -2"),
        (lambda: plus_brightness(np.zeros((2, 3), int), "RF_REAL"), ValueError, "RF_I_LINE_Q_LINE, RF_IQ_LINE"),
        (lambda: plus_brightness(np.zeros((2, 3), int), coefficients=0), ValueError, "coefficients"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
