"""Delay and sum: where the arguments are checked and the kernel is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import choice
from usfast._threads import get_num_threads
from usfast.beamform.arguments import (
    MAX_MHZ,
    MAX_SECONDS,
    coordinates,
    megahertz,
    number,
    positive,
    signals,
    speed,
)
from usfast.beamform.transducer import Transducer
from usfast.beamform.transmits import Transmit, listed
from usfast.errors import GeometryError

__all__ = ["INTERPOLATIONS", "WINDOWS", "delay_and_sum"]

INTERPOLATIONS = ("nearest", "linear", "cubic")
WINDOWS = ("boxcar", "hann", "hamming", "tukey")
MAX_SAMPLES = 200_000


def delay_and_sum(
    channel_data: ArrayLike,
    transducer: Transducer,
    transmits: Transmit | Iterable[Transmit],
    points: ArrayLike,
    *,
    sampling_frequency: float,
    start_time: ArrayLike = 0.0,
    speed_of_sound: float = 1540.0,
    demodulation_frequency: float | None = None,
    f_number: float | None = None,
    window: str = "boxcar",
    taper: float = 0.5,
    interpolation: str = "linear",
    transmit_weights: ArrayLike | None = None,
    compound: bool = True,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[Any]:
    """Beamform channel data: in each point, the sum of what every element heard from there.

    ``S(p) = sum_t sum_e a_e(p) s_te((d_t(p) + |p - p_e|) / c)``: the signal of element e at the time when the echo of
    transmit t from the point p reaches it, weighted by the receive apodisation a. IQ data are turned by
    ``exp(2 pi i f_demod time)`` besides, so that echoes add up in phase.

    Parameters
    ----------
    channel_data : (T, E, S) array
        What element e heard after transmit t: RF (float32, int16; others are converted to float32) or IQ (complex64).
    transducer : Transducer
        The E elements.
    transmits : PlaneWave, VirtualSource, ElementDelays or a sequence of T
        One transmit goes for all T: frames of the same sequence.
    points : (..., 2) or (..., 3) array
        Where to beamform, mm, in any order; `cartesian_grid` makes pixels.
    sampling_frequency : float
        Of the data, MHz.
    start_time : float or (T,) array
        Time of the first sample after time zero of the transmit, seconds. Delays in the electronics and half the
        length of the pulse belong here, too.
    speed_of_sound : float
        m/s.
    demodulation_frequency : float, optional
        For complex data, MHz: of data that were multiplied by ``exp(-2 pi i f time)``, the time counted from time zero.
        0 for the analytic signal. Must be given for complex data and only for them.
    f_number : float, optional
        Depth over width of the receiving aperture: element e serves p where p lies within ``atan(1 / (2 f))`` of the
        element's normal. None: all elements, unweighted. See `directivity_f_number`.
    window : {"boxcar", "hann", "hamming", "tukey"}
        Weight across the aperture; needs an f-number unless `"boxcar"`.
    taper : float
        Share of the aperture over which `"tukey"` falls, 0 < taper <= 1 (1 is `"hann"`).
    interpolation : {"nearest", "linear", "cubic"}
        Between samples: the nearest one, a line through two, Lagrange's cubic through four (which at the ends of the
        record are the first or last four).
    transmit_weights : (T, ...) array, optional
        Weight of each transmit in each point, finite; see `insonified`.
    compound : bool
        Sum over the transmits (coherently), or keep each.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    (...) or (T, ...) array of float32 or complex64
        Of the points' shape, one for each transmit where ``compound=False``. Echoes from before the first or after
        the last sample count as 0.

    Raises
    ------
    ValueError, TypeError
        If arguments are wrong or do not fit each other, or data hold NaN or infinity.
    GeometryError
        If points lie behind the array (more than 0.02 mm), where no element looks.

    Notes
    -----
    The sum is eq. 1.1 of the thesis this project follows, the f-number rule that of Perrot et al., "So you think you
    can DAS?", Ultrasonics 111 (2021). The result differs from a float64 computation by less than 1e-4 of its largest
    value (with `"nearest"`, but for delays half way between two samples). Way there and way to the middle of the
    array are computed in double precision, the elements' differences from that to some 1e-7 of the array's size. Sums
    are float32, over the elements first, then over the transmits, so the bits do not depend on the number of
    threads. Integer data are copied to float32; float32 and complex64 are used in place.

    Examples
    --------
    >>> from usfast.beamform import PlaneWave, cartesian_grid, envelope, simulate_channel_data
    >>> array, wave = Transducer.linear(32, pitch=0.3), PlaneWave(0)
    >>> data = simulate_channel_data([[1.0, 20.0]], array, wave, sampling_frequency=20, samples=700, frequency=5)
    >>> points = cartesian_grid((-3, 3), (18, 22), (0.2, 0.05))
    >>> image = envelope(delay_and_sum(data, array, wave, points, sampling_frequency=20))
    >>> v, u = np.unravel_index(np.argmax(image), image.shape)
    >>> points[v, u].round(2).tolist()
    [1.0, 20.0]
    """
    data = _channels(channel_data, transducer)
    events = _events(transmits, len(data))
    at = coordinates("points", points)
    if at.size == 0:
        raise ValueError(f"points have the shape {np.shape(points)}: there are none")
    starts = _starts(start_time, len(data))
    rate, mm_per_s = megahertz("sampling_frequency", sampling_frequency), speed(speed_of_sound)
    _check_reach(data.shape[2], transducer, rate / mm_per_s)
    choice("window", window, WINDOWS)
    if f_number is None and window != "boxcar":
        raise ValueError(f'window="{window}" needs an f_number, which says how wide it is')
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    image, behind = _core.delay_and_sum(
        data,
        transducer.positions,
        transducer.normals,
        [
            (kind, point, reference, start, delays)
            for (kind, point, reference, delays), start in zip(
                (event.describe(transducer) for event in events), starts, strict=True
            )
        ],
        at.reshape(-1, 3),
        _weights(transmit_weights, (len(data), *at.shape[:-1])),
        choice("interpolation", interpolation, INTERPOLATIONS),
        window,
        number("taper", taper, 1e-6, 1) if window == "tukey" else 0.5,
        0.0 if f_number is None else positive("f_number", f_number),
        mm_per_s,
        rate,
        _demodulation(data, demodulation_frequency),
        bool(compound),
        get_num_threads(num_threads),
        progress,
    )
    if behind:
        total = at.size // 3
        raise GeometryError(f"{behind} of {total} points lie behind the array (for a linear one: y < 0)")
    return image.reshape(at.shape[:-1] if compound else (len(data), *at.shape[:-1]))


def _channels(channel_data: ArrayLike, transducer: Transducer) -> NDArray[Any]:
    """(T, E, S) C-contiguous float32 or complex64, finite."""
    if not isinstance(transducer, Transducer):
        raise TypeError(f"transducer must be a Transducer, not {type(transducer).__name__}")
    array = signals("channel_data", channel_data)
    if array.ndim != 3:
        raise ValueError(f"channel_data must be (transmits, elements, samples), not {array.shape}")
    if array.shape[1] != len(transducer):
        raise ValueError(f"channel_data has the shape {array.shape}, but the transducer has {len(transducer)} elements")
    if not 4 <= array.shape[2] <= MAX_SAMPLES:
        raise ValueError(f"channel_data must have 4 to {MAX_SAMPLES} samples, not {array.shape[2]}")
    with np.errstate(over="ignore"):  # refused as infinite below
        data = np.ascontiguousarray(array, np.complex64 if array.dtype.kind == "c" else np.float32)
    for t, record in enumerate(data):
        if not np.isfinite(record).all():
            e, s = np.argwhere(~np.isfinite(record))[0]
            raise ValueError(f"channel_data is not finite at transmit {t}, element {e}, sample {s}")
    return data


def _events(transmits: Transmit | Iterable[Transmit], count: int) -> list[Transmit]:
    events = listed(transmits)
    if len(events) == 1:
        events *= count
    if len(events) != count:
        raise ValueError(f"there are {len(events)} transmits, but channel_data holds {count}")
    return events


def _starts(start_time: ArrayLike, count: int) -> list[float]:
    starts = np.asarray(start_time, np.float64)
    if starts.shape not in ((), (count,)):
        raise ValueError(f"start_time must be one number or ({count},), not {starts.shape}")
    if not (np.abs(starts) <= MAX_SECONDS).all():
        raise ValueError(f"start_time is in seconds: it must be finite and at most {MAX_SECONDS:g}")
    return [float(value) for value in np.broadcast_to(starts, (count,))]


def _check_reach(samples: int, transducer: Transducer, samples_per_mm: float) -> None:
    """Delays are kept as 32-bit numbers: the array must not be longer than some ten thousand samples."""
    size = float(np.linalg.norm(np.ptp(transducer.positions, axis=0)))
    if samples + (size + 2) * 2 * samples_per_mm > 250_000:
        raise ValueError(f"the array spans {size:g} mm: too much at {samples_per_mm:g} samples a mm (units: mm, MHz)")


def _demodulation(data: NDArray[Any], frequency: float | None) -> float:
    if data.dtype.kind == "c":
        if frequency is None:
            raise ValueError("complex channel_data need a demodulation_frequency (0 for the analytic signal)")
        return 1e6 * number("demodulation_frequency", frequency, 0, MAX_MHZ, " MHz")
    if frequency is not None:
        raise ValueError("demodulation_frequency is for complex channel_data; these are real")
    return 0.0


def _weights(weights: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    if weights is None:
        return None
    with np.errstate(over="ignore"):  # infinity is refused below
        array = np.ascontiguousarray(weights, np.float32)
    if array.shape != shape:
        raise ValueError(f"transmit_weights must have the shape {shape}, not {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("transmit_weights must be finite")
    return array.reshape(shape[0], -1)
