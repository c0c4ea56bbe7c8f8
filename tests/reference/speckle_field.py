"""Fully developed speckle as a probe would see it at any elevational place: slow, and nothing but its definition.

Scatterers are complex white noise on slices along the elevational axis. A frame is their sum under the beam's
pulse-echo amplitude weight ``exp(-e**2 / (2 sigma**2))`` after the in-plane point-spread function, so the squared
complex coherence of two parallel frames a distance d apart is ``exp(-d**2 / (2 sigma**2))``.
"""

import numpy as np
from scipy.ndimage import gaussian_filter


class SpeckleField:
    """Speckle of elevational width `sigma` (mm), in the plane of correlation width `cell` (px, standard deviation)."""

    def __init__(self, shape, length, sigma, cell=1.7, seed=0):
        self.sigma, self.step = sigma, sigma / 1.5  # fine enough: the sum over slices is the integral to 1e-9
        count = int(np.ceil((length + 8 * sigma) / self.step)) + 1
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((2, count, *shape), np.float32)
        smooth = gaussian_filter(noise, (0, 0, cell, cell), mode="wrap")
        self.slices = (smooth[0] + 1j * smooth[1]) / smooth.std()
        self.cell, self.rng = cell, rng

    def echo(self, z, snr_db=None):
        """Complex echo where the pixels lie at elevational places z (mm): a number or an array (H, W)."""
        place = np.asarray(z, np.float64) + 4 * self.sigma
        first = max(int((place.min() - 4 * self.sigma) / self.step), 0)
        last = int((place.max() + 4 * self.sigma) / self.step) + 1
        total = np.zeros(self.slices.shape[1:], np.complex64)
        for n in range(first, min(last, len(self.slices) - 1) + 1):
            weight = np.exp(-((n * self.step - place) ** 2) / (2 * self.sigma**2))
            total += weight.astype(np.float32) * self.slices[n]
        total /= np.sqrt(np.mean(np.abs(total) ** 2))
        return total if snr_db is None else total + 10 ** (-snr_db / 20) * self._noise()

    def _noise(self):
        white = self.rng.standard_normal((2, *self.slices.shape[1:]), np.float32)
        smooth = gaussian_filter(white, (0, self.cell, self.cell), mode="wrap")
        noise = smooth[0] + 1j * smooth[1]
        return noise / np.sqrt(np.mean(np.abs(noise) ** 2))

    def bmode(self, z, snr_db=None):
        """(H, W) uint8: the echo log-compressed to 60 dB."""
        return log_compressed(self.echo(z, snr_db))


def log_compressed(echo, dynamic_range_db=60.0, peak_db=10.0):
    level = 20 * np.log10(np.maximum(np.abs(echo), 1e-6)) - peak_db
    return np.round(255 * np.clip(1 + level / dynamic_range_db, 0, 1)).astype(np.uint8)


def planes(shape, spacing, steps, tilts=0.0, yaws=0.0):
    """(N, H, W) elevational places of the pixels of frames that step, tilt (rad, about u) and yaw (rad, about v).

    All turns are about the middle of the image; small angles.
    """
    height, width = shape
    y = (np.arange(height) - (height - 1) / 2)[:, None] * spacing
    x = (np.arange(width) - (width - 1) / 2) * spacing
    position = np.concatenate([[0], np.cumsum(steps)])
    tilt = np.concatenate([[0], np.cumsum(np.broadcast_to(tilts, np.shape(steps)))])
    yaw = np.concatenate([[0], np.cumsum(np.broadcast_to(yaws, np.shape(steps)))])
    return position[:, None, None] + tilt[:, None, None] * y - yaw[:, None, None] * x


def pearson_pairs(frames, corners, size, window):
    """(N, window, P) float32 correlations between each patch of frame i and the same patch of frame i + lag."""
    count = len(frames)
    out = np.full((count, window, len(corners)), np.nan, np.float32)
    for p, (row, column) in enumerate(np.asarray(corners)):
        part = frames[:, row : row + size[0], column : column + size[1]].reshape(count, -1).astype(np.float64)
        part -= part.mean(axis=1, keepdims=True)
        length = np.sqrt((part**2).sum(axis=1))
        with np.errstate(invalid="ignore", divide="ignore"):
            rho = (part @ part.T) / (length[:, None] * length)
        for lag in range(1, min(window, count - 1) + 1):
            out[: count - lag, lag - 1, p] = np.diagonal(rho, lag)
    return out
