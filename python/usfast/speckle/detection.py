"""Which patches hold fully developed speckle: many scatterers in each cell of the beam and none that stands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.speckle.patches import PatchGrid

__all__ = [
    "SpeckleStatistics",
    "coherent_ratio_from_decorrelation",
    "coherent_ratio_from_moments",
    "detect_speckle",
    "drop_unusable",
    "speckle_statistics",
]

_Array = NDArray[np.float64]

RAYLEIGH_SNR = 1.9131  # sqrt(pi / (4 - pi))
RAYLEIGH_SKEWNESS = 0.6311
RAYLEIGH_SD_DB = 5.5699  # 20 / ln(10) * pi / sqrt(24)


@dataclass(frozen=True, eq=False)
class SpeckleStatistics:
    """Moments of each patch in each frame, all (N, P) float64; NaN where a patch is constant.

    Attributes
    ----------
    snr : mean over standard deviation of the amplitude; 1.91 for fully developed speckle.
    skewness : of the amplitude; 0.63 for fully developed speckle.
    sd_db : standard deviation of the log-compressed amplitude, dB; 5.57 for fully developed speckle.
    intensity_snr : mean over standard deviation of the amplitude squared; 1 for fully developed speckle.
    clipped : share of pixels at the lowest or highest grey value, whose amplitude is not known.
    """

    snr: _Array
    skewness: _Array
    sd_db: _Array
    intensity_snr: _Array
    clipped: _Array


def speckle_statistics(
    frames: ArrayLike,
    patches: PatchGrid,
    dynamic_range_db: float = 60.0,
    *,
    progress: Callable[[int, int], Any] | None = None,
) -> SpeckleStatistics:
    """Decompress a B-mode and return the moments of each patch.

    Parameters
    ----------
    frames : (N, H, W) uint8 array
        Log-compressed: ``amplitude = 10**((grey / 255 - 1) dynamic_range_db / 20)``.
    patches : PatchGrid
    dynamic_range_db : float
        Range of the compression, dB.
    progress : callable, optional
        Called as ``progress(patches done, patches)``.

    Returns
    -------
    SpeckleStatistics

    Raises
    ------
    ValueError, TypeError
        If frames are not (N, H, W) uint8, a patch lies outside, or the range is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> amplitude = np.abs(rng.normal(size=(1, 64, 64)) + 1j * rng.normal(size=(1, 64, 64)))
    >>> grey = np.clip(255 * (1 + 20 * np.log10(amplitude / 5) / 60), 0, 255).astype(np.uint8)
    >>> found = speckle_statistics(grey, PatchGrid.regular((64, 64), (64, 64)))
    >>> found.snr.round(1).item(), found.sd_db.round(1).item()
    (1.9, 5.5)
    """
    pixels = np.asarray(frames)
    if pixels.ndim != 3 or not pixels.size:
        raise ValueError(f"frames must be a non-empty array (N, H, W), not shape {pixels.shape}")
    if pixels.dtype != np.uint8:
        raise TypeError(f"frames must be uint8 (log-compressed B-mode), not {pixels.dtype}")
    decibel = float(dynamic_range_db)
    if not (np.isfinite(decibel) and decibel > 0):
        raise ValueError(f"dynamic_range_db must be positive, not {dynamic_range_db!r}")
    patches.check_inside((pixels.shape[1], pixels.shape[2]))
    amplitude = 10 ** ((np.arange(256) / 255 - 1) * decibel / 20)
    moments = np.empty((5, len(pixels), len(patches)))
    rows, columns = patches.size
    for p, (row, column) in enumerate(patches.corners.tolist()):
        grey = pixels[:, row : row + rows, column : column + columns].reshape(len(pixels), -1)
        moments[:, :, p] = _moments(grey, amplitude[grey], decibel)
        if progress is not None:
            progress(p + 1, len(patches))
    return SpeckleStatistics(*moments)


def _moments(grey: NDArray[np.uint8], amplitude: _Array, decibel: float) -> _Array:
    mean, sd = amplitude.mean(axis=1), amplitude.std(axis=1)
    squared = amplitude**2
    clipped = np.mean((grey == 0) | (grey == 255), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        constant = np.where(grey.min(axis=1) == grey.max(axis=1), np.nan, 1.0)
        skewness = np.mean((amplitude - mean[:, None]) ** 3, axis=1) / sd**3
        intensity = squared.mean(axis=1) / squared.std(axis=1)
        found = np.stack([mean / sd, skewness, grey.std(axis=1) / 255 * decibel, intensity]) * constant
    return np.concatenate([found, clipped[None]])


def detect_speckle(
    statistics: SpeckleStatistics,
    method: str = "amplitude",
    *,
    tolerance: float = 0.25,
    max_clipped: float = 0.02,
) -> NDArray[np.bool_]:
    """Return where patches hold fully developed speckle.

    Parameters
    ----------
    statistics : SpeckleStatistics
        From `speckle_statistics`.
    method : {"amplitude", "log"}
        ``"amplitude"``: signal-to-noise ratio near 1.91 and skewness near 0.63 (Prager et al., Pattern Recognit. Lett.
        24, 2003, with v = 1). ``"log"``: standard deviation of the log-compressed amplitude near 5.57 dB, whatever the
        mean.
    tolerance : float
        Largest relative difference from these values; the skewness, which scatters more, may differ by twice as much
        of 1. A patch of 32 x 32 pixels holds about 64 speckles of 4 x 4 pixels: 0.25 is four standard deviations of
        its ratio.
    max_clipped : float
        Largest share of pixels at the lowest or highest grey value.

    Returns
    -------
    (N, P) bool array

    Raises
    ------
    ValueError
        If the method is unknown, or a limit is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones((1, 2))
    >>> made = SpeckleStatistics(one * [1.9, 3.0], one * 0.6, one * 5.5, one, one * 0)
    >>> detect_speckle(made).tolist()
    [[True, False]]
    """
    for name, limit in (("tolerance", tolerance), ("max_clipped", max_clipped)):
        if not (np.isfinite(limit) and limit >= 0):
            raise ValueError(f"{name} must be finite and not negative, not {limit!r}")
    clear = statistics.clipped <= max_clipped
    if method == "log":
        return np.asarray(clear & (np.abs(statistics.sd_db / RAYLEIGH_SD_DB - 1) <= tolerance))
    if method != "amplitude":
        raise ValueError(f"method must be amplitude or log, not {method!r}")
    ratio = np.abs(statistics.snr / RAYLEIGH_SNR - 1) <= tolerance
    return np.asarray(clear & ratio & (np.abs(statistics.skewness - RAYLEIGH_SKEWNESS) <= 2 * tolerance))


def coherent_ratio_from_moments(intensity_snr: ArrayLike) -> _Array:
    """Return the coherent over the diffuse power of Rician speckle from its intensity's mean over standard deviation.

    The intensity has mean ``s (1 + k)`` and variance ``s**2 (1 + 2 k)`` for diffuse power s, so with R the squared
    ratio ``k = R - 1 + sqrt(R (R - 1))``. Ratios below 1 (heavier tails than speckle's) give 0.

    Examples
    --------
    >>> coherent_ratio_from_moments([1.0, 3 / 5**0.5]).round(3).tolist()
    [0.0, 2.0]
    """
    squared = np.maximum(np.asarray(intensity_snr, dtype=np.float64), 1.0) ** 2
    return np.asarray(squared - 1 + np.sqrt(squared * (squared - 1)))


def coherent_ratio_from_decorrelation(rho: ArrayLike, rho_speckle: ArrayLike) -> _Array:
    """Return the coherent over the diffuse power from a lateral correlation and the one that pure speckle has there.

    Parameters
    ----------
    rho : array
        Correlation of the intensity with itself a lateral distance away.
    rho_speckle : array
        The same of fully developed speckle at the same depth, from a speckle phantom; in (0, 1). Broadcasts with `rho`.

    Returns
    -------
    float64 array
        k >= 0; 0 where `rho` is not above `rho_speckle`, infinite where it reaches its square root (no diffuse part).

    Raises
    ------
    ValueError
        If `rho_speckle` is not in (0, 1).

    Notes
    -----
    Solves ``rho = (x + 2 k sqrt(x)) / (1 + 2 k)`` with ``x = rho_speckle``. The idea of adapting the elevational curve
    to what is seen in the image: Gee et al., Med. Image Anal. 10 (2006). Above k = 2 the correlation is so close to its
    limit that k is known to a factor only.

    Examples
    --------
    >>> coherent_ratio_from_decorrelation([0.25, 0.45], 0.25).round(3).tolist()
    [0.0, 2.0]
    """
    x = np.asarray(rho_speckle, dtype=np.float64)
    if not ((x > 0) & (x < 1)).all():
        raise ValueError("rho_speckle must lie between 0 and 1")
    excess = np.maximum(np.asarray(rho, dtype=np.float64) - x, 0.0)
    left = np.sqrt(x) - x - excess
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(left > 0, excess / (2 * left), np.where(np.isnan(left), np.nan, np.inf)))


def drop_unusable(correlation: ArrayLike, usable: ArrayLike) -> _Array:
    """Return correlations with NaN wherever a patch is not usable in one of the pair's frames.

    Parameters
    ----------
    correlation : (N, window, P) array
    usable : (N, P) bool array
        From `detect_speckle`.

    Raises
    ------
    ValueError, TypeError
        If the shapes do not fit each other, or `usable` is not bool.

    Examples
    --------
    >>> import numpy as np
    >>> drop_unusable(np.full((3, 1, 1), 0.5), [[True], [True], [False]])[:, 0, 0].tolist()
    [0.5, nan, nan]
    """
    rho = np.array(correlation, dtype=np.float64)
    good = np.asarray(usable)
    if good.dtype != bool:
        raise TypeError(f"usable must be bool, not {good.dtype}")
    if rho.ndim != 3 or good.shape != (rho.shape[0], rho.shape[2]):
        raise ValueError(f"usable has shape {good.shape}, but correlation (N, window, P) = {rho.shape}")
    for lag in range(1, rho.shape[1] + 1):
        both = np.zeros_like(good)
        both[: max(len(good) - lag, 0)] = good[:-lag] & good[lag:]
        rho[:, lag - 1][~both] = np.nan
    return rho
