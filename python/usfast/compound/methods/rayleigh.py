"""Maximum a posteriori interpolation under Rayleigh's law of speckle (MAP)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import positive
from usfast.compound.methods.adaptive import SAMPLED_FRAMES, TILE
from usfast.compound.methods.functions import data_reach, fit
from usfast.compound.methods.kernel import FloatVolume, Progress

__all__ = ["rayleigh", "speckle_compression", "speckle_level"]

LOG_RAYLEIGH = math.pi / math.sqrt(24)  # standard deviation of the logarithm of Rayleigh's distribution
DARKEST = 1 / 510  # of the brightest pixel: half a step of eight bits
STEEPEST = 100  # powers up to exp(200) are summed


def rayleigh(
    frames: NDArray[Any],
    index: NDArray[np.intp],
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    *,
    spacing: NDArray[np.float64],
    mask: NDArray[np.uint8] | None,
    importance: NDArray[np.float32] | None,
    num_threads: int,
    progress: Progress,
    reach: float | None = None,
    envelope: bool = False,
    compression: float | None = None,
    regularisation: float = 0.2,
    iterations: int = 30,
    tolerance: float = 0.01,
) -> tuple[FloatVolume, FloatVolume]:
    """Find the echo power that explains the pixels best and varies least.

    A pixel's amplitude y follows Rayleigh's law ``p(y) = y / f * exp(-y**2 / (2 f))``. The logarithm theta of its
    parameter f is trilinear between voxels and maximises the posterior, that is, minimises ``sum over pixels of
    (theta + y**2 / 2 * exp(-theta)) + regularisation / 2 * sum over neighbours of (theta - theta')**2``, a convex
    problem with one solution. Pixels of one cell between eight voxels count at their mean place. The volume holds
    the mean pixel of speckle of that power.

    Parameters
    ----------
    frames : (N, H, W) array of uint8 or float32
        Log-compressed B-mode images or, with `envelope`, amplitudes. Pixels that are not finite do not count.
    index : (M,) intp array
        The frames to use.
    image_to_voxel : (M, 3, 4) float64 array
        Takes pixel (u, v, 0, 1) of each of them to continuous voxel indices (x, y, z).
    size : (x, y, z) int
    spacing : (3,) float64 array
        mm between voxels, x, y, z.
    mask : (H, W) uint8 array, optional
        0 leaves a pixel out.
    importance : float32 array with axes of length (N or 1, H or 1, W or 1), optional
        Pixels that one pixel counts as; 0 leaves it out.
    num_threads : int
    progress : callable, optional
        Called as ``progress(done, total)``.
    reach : float, optional
        mm from data within which voxels get a value. Default: `frame_gap`, the 95th percentile of the steps between
        frames, but at least the diagonal of a voxel.
    envelope : bool
        Pixels are amplitudes of the envelope. Those below 1/510 of the brightest count as 1/510 of it.
    compression : float, optional
        Grey levels for a factor e of amplitude: ``grey level = compression * log(y) + constant``. 60 dB over 256
        levels is 37. Default: `speckle_compression` of the frames. Not with `envelope`.
    regularisation : float
        Pixels that weigh as much as one difference between neighbours. A larger one smooths.
    iterations : int
        Sweeps over each lattice, at most.
    tolerance : float
        Sweeps end where no theta changes by more.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        0 where no pixel is within `reach`; elsewhere the root mean square amplitude, log-compressed as the frames are,
        brought by `speckle_level` to the level of the frames' mean pixels, but not below the lowest pixel.
    weight : (Z, Y, X) float32 array
        Pixels within `reach`, by importance, each times ``1 - (distance / reach)**2``.

    Raises
    ------
    ValueError
        If an option is not positive, `reach` is longer than 32 voxels, `iterations` is not a whole number from 1 to
        10000, `envelope` goes with `compression` or with negative pixels, or `compression` is so small that powers
        cannot be summed.

    Notes
    -----
    Sanches and Marques, "A multiscale algorithm for three-dimensional free-hand ultrasound", Ultrasound Med. Biol. 28
    (2002): Rayleigh's law, a trilinear basis, a Gaussian prior, nodes improved one by one, coarse lattices first.
    The prior on the logarithm, which makes the problem convex: Seabra, Xavier and Sanches, "Convex ultrasound image
    reconstruction with log-Euclidean priors", EMBC (2008). Undoing log compression by the known spread of
    log-Rayleigh speckle: Seabra and Sanches, "Modeling log-compressed ultrasound images for radio frequency signal
    recovery", EMBC (2008). Nodes are taken in eight colours, none of which shares a cell, and each step minimises a
    convex bound of its own problem, so that no step lowers the posterior and threads do not matter.

    Examples
    --------
    >>> import numpy as np
    >>> envelope = np.random.default_rng(0).rayleigh(20, (40, 8, 8)).astype(np.float32)
    >>> poses = np.tile(np.eye(4)[:3], (40, 1, 1))  # one place, seen forty times
    >>> volume, weight = rayleigh(envelope, np.arange(40), poses, (8, 8, 1), spacing=np.ones(3), mask=None,
    ...     importance=None, num_threads=1, progress=None, envelope=True)
    >>> bool(abs(volume.mean() - 20 * np.sqrt(np.pi / 2)) < 1)  # the mean of Rayleigh's distribution
    True
    """
    if not isinstance(iterations, (int, np.integer)) or not 1 <= iterations <= 10000:
        raise ValueError(f"iterations must be a whole number from 1 to 10000, not {iterations!r}")
    if envelope and compression is not None:
        raise ValueError("compression is for log-compressed frames: give it or envelope, not both")
    factor = 0.0
    if not envelope:
        factor = (
            speckle_compression(frames, index, mask) if compression is None else positive("compression", compression)
        )
    darkest = _darkest(frames, index, factor)
    volume, weight = fit(
        "rayleigh",
        frames,
        index,
        image_to_voxel,
        size,
        spacing=spacing,
        mask=mask,
        importance=importance,
        num_threads=num_threads,
        progress=progress,
        reach=data_reach(reach, image_to_voxel, spacing, frames.shape[1:]),
        compression=factor,
        floor=darkest,
        level=speckle_level(frames, index, mask, factor),
        regularisation=positive("regularisation", regularisation),
        iterations=int(iterations),
        tolerance=positive("tolerance", tolerance),
    )
    if not envelope:  # what the display cuts off has no texture, and no mean below its level
        np.maximum(volume, _lowest(frames, index), out=volume, where=weight > 0)
    return volume, weight


def speckle_compression(frames: NDArray[Any], index: NDArray[np.intp], mask: NDArray[np.uint8] | None = None) -> float:
    """Return the grey levels for a factor e of amplitude that make usual texture Rayleigh's.

    The logarithm of Rayleigh's distribution has a standard deviation of ``pi / sqrt(24)``, whatever the power: the
    median standard deviation of small tiles, the brighter half of those with contrast, over that. But at least a
    fiftieth of the brightest pixel.

    Parameters
    ----------
    frames : (N, H, W) array of uint8 or float32
        Log-compressed.
    index : (M,) intp array
        The frames to use: up to 16 of them, evenly spread.
    mask : (H, W) uint8 array, optional
        0 leaves a pixel out.

    Examples
    --------
    >>> import numpy as np
    >>> frames = 100 + 30 * np.log(np.random.default_rng(0).rayleigh(1, (3, 64, 64))).astype(np.float32)
    >>> abs(speckle_compression(frames, np.arange(3)) - 30) < 3
    True
    """
    tiles = _texture(frames, index, mask)
    if not len(tiles):
        return max(1.0, 2 * _largest(frames, index) / STEEPEST)
    return max(float(np.median(tiles.std(axis=1))) / LOG_RAYLEIGH, 2 * _largest(frames, index) / STEEPEST)


def speckle_level(
    frames: NDArray[Any], index: NDArray[np.intp], mask: NDArray[np.uint8] | None, compression: float
) -> float:
    """Return how far the mean pixel of usual texture lies below its root mean square amplitude.

    Parameters
    ----------
    frames, index, mask
        As for `speckle_compression`.
    compression : float
        Grey levels for a factor e of amplitude; 0 where pixels are amplitudes.

    Returns
    -------
    float
        Grey levels, at most 0, to add (Rayleigh: ``-0.289 * compression``) or, for amplitudes, a factor (0.886).
        The median over the same tiles as there.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.random.default_rng(0).rayleigh(20, (3, 64, 64)).astype(np.float32)
    >>> round(speckle_level(frames, np.arange(3), None, 0.0), 2)
    0.89
    """
    tiles = _texture(frames, index, mask)
    if not len(tiles):
        return 0.0 if compression > 0 else 1.0
    mean = tiles.mean(axis=1)
    if not compression > 0:
        return float(np.median(mean / np.sqrt(np.square(tiles).mean(axis=1))))
    top = tiles.max(axis=1)
    power = np.exp(2 * (tiles - top[:, None]) / compression).mean(axis=1)
    return float(np.median(mean - top - 0.5 * compression * np.log(power)))


def _texture(frames: NDArray[Any], index: NDArray[np.intp], mask: NDArray[np.uint8] | None) -> NDArray[np.float64]:
    """Tiles of 8 x 8 pixels with contrast, all finite and none masked, (tiles, pixels): the brighter half of them.

    In dark tiles, the display's floor and the noise of the system hide speckle.
    """
    height, width = (n // TILE * TILE for n in frames.shape[1:])
    places = np.unique(np.linspace(0, len(index) - 1, min(len(index), SAMPLED_FRAMES)).astype(np.intp))
    pixels = frames[np.asarray(index)[places], :height, :width].astype(np.float64)
    if mask is not None:
        pixels[:, mask[:height, :width] == 0] = np.nan
    down, across = height // TILE, width // TILE
    tiles = pixels.reshape(len(places), down, TILE, across, TILE).swapaxes(2, 3)
    tiles = tiles.reshape(len(places) * down * across, TILE * TILE)
    tiles = tiles[np.isfinite(tiles).all(axis=1)]
    tiles = tiles[np.ptp(tiles, axis=1) > 0]
    mean = tiles.mean(axis=1)
    bright: NDArray[np.float64] = tiles[mean >= np.median(mean)] if len(tiles) else tiles
    return bright


def _largest(frames: NDArray[Any], index: NDArray[np.intp]) -> float:
    """Return the largest magnitude of a finite pixel."""
    return max(float(np.abs(frames[i][np.isfinite(frames[i])].astype(np.float64)).max(initial=0)) for i in index)


def _lowest(frames: NDArray[Any], index: NDArray[np.intp]) -> float:
    """Return the lowest finite pixel."""
    finite = (frames[i][np.isfinite(frames[i])] for i in index)
    return min((float(pixels.min()) for pixels in finite if pixels.size), default=0.0)


def _darkest(frames: NDArray[Any], index: NDArray[np.intp], compression: float) -> float:
    """Return the amplitude below which none counts; refuse pixels of which no power can be summed."""
    largest = _largest(frames, index)
    if compression > 0:
        if largest / compression > STEEPEST:
            raise ValueError(f"compression is too small: amplitudes would reach exp({largest / compression:.0f})")
        return 1.0
    lowest = _lowest(frames, index)
    if lowest < 0:
        raise ValueError(f"amplitudes must not be negative, but {lowest:g} occurs; is envelope=True right?")
    return DARKEST * largest if largest > 0 else 1.0
