"""Channel data of point scatterers: a simple forward model, for tests and examples."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.beamform.arguments import MAX_SECONDS, coordinates, megahertz, number, positive, speed, whole
from usfast.beamform.transducer import Transducer
from usfast.beamform.transmits import ElementDelays, Transmit, listed

__all__ = ["simulate_channel_data"]


def simulate_channel_data(
    scatterers: ArrayLike,
    transducer: Transducer,
    transmits: Transmit | Iterable[Transmit],
    *,
    sampling_frequency: float,
    samples: int,
    frequency: float,
    bandwidth: float = 0.6,
    amplitudes: ArrayLike | None = None,
    start_time: float = 0.0,
    speed_of_sound: float = 1540.0,
) -> NDArray[np.float32]:
    """Return the RF data of point scatterers under the model that delay and sum inverts.

    Each element hears each scatterer once, with a Gaussian pulse at the time of transmit path plus way back. There is
    neither spreading, attenuation, directivity nor multiple scattering: use it to check geometry, not image quality.

    Parameters
    ----------
    scatterers : (K, 2) or (K, 3) array
        mm.
    transducer : Transducer
    transmits : PlaneWave, VirtualSource, ElementDelays or a sequence of T
    sampling_frequency : float
        MHz.
    samples : int
        Of a record.
    frequency : float
        Of the pulse, MHz.
    bandwidth : float
        Fractional, of the pulse's spectrum at -6 dB.
    amplitudes : (K,) array, optional
        1 by default.
    start_time : float
        Of the first sample, seconds.
    speed_of_sound : float
        m/s.

    Returns
    -------
    (T, E, samples) float32 array

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong.

    Examples
    --------
    >>> from usfast.beamform import PlaneWave
    >>> data = simulate_channel_data(
    ...     [[0, 15.4]], Transducer.linear(1, 0.3), PlaneWave(), sampling_frequency=20, samples=500, frequency=5
    ... )
    >>> int(np.argmax(data[0, 0]))
    400
    """
    at = coordinates("scatterers", scatterers)
    if at.ndim != 2 or not len(at):
        raise ValueError(f"scatterers must be (K, 2) or (K, 3), not {np.shape(scatterers)}")
    strength = np.ones(len(at)) if amplitudes is None else np.asarray(amplitudes, np.float64)
    if strength.shape != (len(at),) or not np.isfinite(strength).all():
        raise ValueError(f"amplitudes must be finite and ({len(at)},), not {strength.shape}")
    rate, carrier = megahertz("sampling_frequency", sampling_frequency), megahertz("frequency", frequency)
    # The spectrum of exp(-t^2 / (2 s^2)) falls to a half at sqrt(2 ln 2) / (2 pi s).
    sigma = np.sqrt(2 * np.log(2)) / (np.pi * carrier * positive("bandwidth", bandwidth, 2.0))
    time = np.arange(whole("samples", samples, 1, 10**7)) / rate
    time += number("start_time", start_time, -MAX_SECONDS, MAX_SECONDS, " s")
    events = listed(transmits)
    data = np.zeros((len(events), len(transducer), len(time)))
    back = np.linalg.norm(at[:, None] - transducer.positions, axis=-1)
    for records, event in zip(data, events, strict=True):
        there = event.path(at, transducer, speed_of_sound) if isinstance(event, ElementDelays) else event.path(at)
        for k, arrivals in enumerate((there[:, None] + back) / speed(speed_of_sound)):
            late = time - arrivals[:, None]
            records += strength[k] * np.exp(-0.5 * (late / sigma) ** 2) * np.cos(2 * np.pi * carrier * late)
    return data.astype(np.float32)
