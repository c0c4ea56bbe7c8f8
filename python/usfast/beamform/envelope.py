"""From beamformed signals to brightness: analytic signal, IQ demodulation, envelope, log compression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.beamform.arguments import MAX_SECONDS, megahertz, number, positive, signals

__all__ = ["analytic_signal", "demodulate", "envelope", "log_compress"]


def _axis(array: NDArray[Any], axis: int, least: int) -> int:
    """The length of an axis that is there and long enough."""
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"there is no axis {axis} in the shape {array.shape}")
    if array.shape[axis] < least:
        raise ValueError(f"the axis {axis} must be {least} or longer, not {array.shape[axis]}")
    return int(array.shape[axis])


def analytic_signal(signal: ArrayLike, axis: int = -1) -> NDArray[np.complexfloating[Any, Any]]:
    """Return the signal plus i times its Hilbert transform, by Fourier transforms.

    Parameters
    ----------
    signal : real array
        RF: channel data along the samples, or a beamformed image along the depth, sampled at more than twice the
        highest frequency: along the depth that is, in cycles a mm, ``2 f / c``, so an eighth of a wavelength is a
        good spacing.
    axis : int
        Along which.

    Returns
    -------
    complex64 array (complex128 for float64), same shape
        Channel data made analytic can be beamformed with ``demodulation_frequency=0`` onto a grid of any spacing.

    Raises
    ------
    ValueError, TypeError
        If the signal is complex, empty, or has no such axis.

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * np.arange(64) / 8)
    >>> bool(np.allclose(analytic_signal(wave), np.exp(2j * np.pi * np.arange(64) / 8)))
    True
    """
    array = signals("signal", signal)
    if array.dtype.kind == "c":
        raise TypeError("the signal is complex already")
    count = _axis(array, axis, 1)
    # A frequency and its negative hold the same of a real signal: drop one, double the other; 0 and Nyquist are alone.
    gain = np.zeros(count, np.float32)
    gain[: (count + 1) // 2] = 2
    gain[0] = 1
    if count % 2 == 0:
        gain[count // 2] = 1
    shape = [1] * array.ndim
    shape[axis] = count
    spectrum = np.fft.fft(array, axis=axis) * gain.reshape(shape)
    found = np.fft.ifft(spectrum, axis=axis)
    return found.astype(np.complex128 if array.dtype == np.float64 else np.complex64, copy=False)


def envelope(beamformed: ArrayLike, axis: int = -2) -> NDArray[np.floating[Any]]:
    """Return the amplitude of beamformed signals.

    Parameters
    ----------
    beamformed : array
        Complex (from IQ or analytic data): its magnitude. Real (from RF): that of its `analytic_signal`.
    axis : int
        Along the depth, for real input; the rows of an image (H, W) by default.

    Returns
    -------
    float array, same shape

    Raises
    ------
    ValueError, TypeError
        If the array is empty, not of numbers, or has no such axis.

    Examples
    --------
    >>> envelope(np.array([[3 + 4j]])).tolist()
    [[5.0]]
    """
    array = signals("beamformed", beamformed)
    if array.dtype.kind != "c":
        array = analytic_signal(array, axis)
    found: NDArray[np.floating[Any]] = np.abs(array)
    return found


def demodulate(
    rf: ArrayLike,
    *,
    sampling_frequency: float,
    demodulation_frequency: float,
    bandwidth: float | None = None,
    start_time: float = 0.0,
    axis: int = -1,
) -> NDArray[np.complex64]:
    """Return complex baseband (IQ) data: down-mixing, then a low-pass filter of no phase.

    Parameters
    ----------
    rf : real array
    sampling_frequency, demodulation_frequency : float
        MHz. RF may be undersampled where its band does not fold onto itself.
    bandwidth : float, optional
        Fractional bandwidth of the signal: the filter ends at ``bandwidth * demodulation_frequency / 2``. By default
        at the demodulation frequency, or at a quarter of the sampling frequency where that is less.
    start_time : float
        Time of the first sample, seconds: the phase counts from time zero, as `delay_and_sum` takes it.
    axis : int
        Along the samples.

    Returns
    -------
    complex64 array, same shape
        Amplitudes are those of the RF's envelope.

    Raises
    ------
    ValueError, TypeError
        If the data are complex or too short (19 samples), or a frequency is out of range.

    Notes
    -----
    A Butterworth filter of order 5, forwards and backwards, as MUST's ``rf2iq``: Madiena et al., "Color and vector
    flow imaging in parallel ultrasound with sub-Nyquist sampling", IEEE Trans. UFFC 65 (2018).

    Examples
    --------
    >>> time = np.arange(400) / 20e6
    >>> iq = demodulate(np.cos(2 * np.pi * 5e6 * time + 1), sampling_frequency=20, demodulation_frequency=5)
    >>> float(np.angle(iq[200]).round(3)), float(np.abs(iq[200]).round(3))
    (1.0, 1.0)
    """
    from scipy.signal import butter, sosfiltfilt

    array = signals("rf", rf)
    if array.dtype.kind == "c":
        raise TypeError("rf must be real, not complex")
    count = _axis(array, axis, 19)
    rate = megahertz("sampling_frequency", sampling_frequency)
    carrier = megahertz("demodulation_frequency", demodulation_frequency)
    edge = min(2 * carrier / rate, 0.5)
    if bandwidth is not None:
        edge = carrier * positive("bandwidth", bandwidth, 2.0) / rate
        if edge >= 1:
            raise ValueError(f"a bandwidth of {bandwidth:g} needs samples at more than {edge * rate / 1e6:g} MHz")
    time = np.arange(count) / rate + number("start_time", start_time, -MAX_SECONDS, MAX_SECONDS, " s")
    turns = carrier * time
    shape = [1] * array.ndim
    shape[axis] = count
    mixed = array * np.exp(-2j * np.pi * (turns - np.round(turns))).reshape(shape)
    filtered = sosfiltfilt(butter(5, edge, output="sos"), mixed, axis=axis)
    return np.asarray(2 * filtered, np.complex64)


def log_compress(
    amplitude: ArrayLike, dynamic_range: float = 60.0, *, reference: float | None = None
) -> NDArray[np.uint8]:
    """Return grey levels: 255 at the reference, 0 where the amplitude is `dynamic_range` dB below, linear in dB.

    Parameters
    ----------
    amplitude : real array, >= 0
        An envelope. NaN becomes 0.
    dynamic_range : float
        dB.
    reference : float, optional
        Amplitude that becomes 255; the largest one by default. Give one for frames that are to be compared.

    Returns
    -------
    uint8 array, same shape

    Raises
    ------
    ValueError, TypeError
        If amplitudes are negative, complex or infinite, or a number is not positive.

    Examples
    --------
    >>> log_compress([1.0, 0.1, 0.001, 0.0], 60).tolist()
    [255, 170, 0, 0]
    """
    array = signals("amplitude", amplitude)
    if array.dtype.kind == "c":
        raise TypeError("amplitude must be real: take the envelope first")
    wide = np.nan_to_num(np.asarray(array, np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    if (wide < 0).any() or np.isinf(wide).any():
        raise ValueError("amplitude must be finite and not negative: take the envelope first")
    span = positive("dynamic_range", dynamic_range, 1e4, " dB")
    top = float(wide.max()) if reference is None else positive("reference", reference, np.inf)
    if top == 0:
        return np.zeros(wide.shape, np.uint8)
    with np.errstate(divide="ignore"):
        level = 255 * (20 * np.log10(wide / top) + span) / span
    return np.asarray(np.floor(np.clip(level, 0, 255) + 0.5), np.uint8)
