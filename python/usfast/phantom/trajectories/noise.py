"""Smooth random motion in continuous time, with its power in a chosen band of frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["band_noise"]

_WAVES = 48  # cosines a channel: enough that the sum is close to Gaussian


def band_noise(
    rng: np.random.Generator, times: NDArray[np.float64], channels: int, band: tuple[float, float]
) -> NDArray[np.float64]:
    """Return random signals of unit variance whose spectrum is flat in `band` (Hz) and zero outside.

    A sum of cosines, one at a random frequency in each of equal parts of the band, with random phases
    (spectral representation, Shinozuka 1972). It has a value at any time, so that frames sample it as they
    would a real hand: tremor above half the frame rate is aliased, not lost.

    Parameters
    ----------
    rng : numpy.random.Generator
    times : (N,) array
        s.
    channels : int
    band : (float, float)
        Lowest and highest frequency, Hz.

    Returns
    -------
    (N, channels) float64 array

    Examples
    --------
    >>> noise = band_noise(np.random.default_rng(0), np.linspace(0, 60, 6001), 2, (0.5, 2.0))
    >>> noise.shape, bool(abs(noise.std() - 1) < 0.1)
    ((6001, 2), True)
    """
    low, high = band
    parts = np.arange(_WAVES)[:, None] + rng.random((_WAVES, channels))
    frequency = low + (high - low) * parts / _WAVES
    phase = rng.random((_WAVES, channels))
    signal = np.zeros((len(times), channels))
    for wave in range(_WAVES):
        signal += np.cos(2 * np.pi * (times[:, None] * frequency[wave] + phase[wave]))
    return np.asarray(signal * np.sqrt(2 / _WAVES))
