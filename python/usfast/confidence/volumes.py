"""Confidence maps of volumes: the random walk among 26 neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.confidence.maps import EPSILON, number
from usfast.confidence.seeds import OUTSIDE, SINK, SOURCE, UNKNOWN
from usfast.errors import GeometryError, UsfastError
from usfast.volume import Volume

__all__ = ["confidence_volume"]

MOST_ITERATIONS = 400
TOLERANCES = (1e-8, 0.1)  # single precision weights leave 2e-9


def confidence_volume(
    volume: ArrayLike | Volume,
    alpha: float = 2.0,
    beta: float = 90.0,
    gamma: float = 0.05,
    *,
    axis: int = 1,
    tolerance: float = 1e-6,
    mask: ArrayLike | None = None,
    sources: ArrayLike | None = None,
    sinks: ArrayLike | None = None,
    depth: ArrayLike | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.float64]:
    """Compute the probability that a random walk through a volume reaches the transducer before the bottom.

    As `confidence_map`, but a voxel's walk may step to any of its 26 neighbours: sound that passes beside an obstacle
    out of the image's plane counts too. A volume of one plane has exactly the map of its image.

    Parameters
    ----------
    volume : (Z, Y, X) array or Volume
        Bool, integers or floating point. For a stack of frames (N, H, W) the beam runs along axis 1.
    alpha, beta, gamma : float
        As for `confidence_map`: attenuation over the whole depth; how strongly differences of intensity hinder a walk;
        what each step costs that is not straight along the beam. All >= 0.
    axis : {0, 1, 2}
        Axis of the array along the beam; its first plane is at the transducer.
    tolerance : float
        Largest absolute error of the map, 1e-8 to 0.1. It is estimated from how the iteration converges, ten times
        too large to be safe.
    mask : (Z, Y, X) bool array, optional
        Voxels of the volume. Those outside belong neither to the graph nor to the range of intensities, and get 0.
    sources, sinks : (Z, Y, X) bool array, optional
        Voxels of value 1 and of value 0; default the first and the last plane along the beam. A voxel that is both is
        a source.
    depth : (n,) or (Z, Y, X) array, optional
        Depth from the transducer, 0 to 1, n being the volume's length along the beam; default ``index / (n - 1)``.
    num_threads : int, optional
        The result does not depend on it, bit for bit.
    progress : callable, optional
        Called as ``progress(percent, 100)`` now and then.

    Returns
    -------
    (Z, Y, X) float64 array
        Confidence in [0, 1]: exactly 1 on sources, exactly 0 on sinks, outside the mask and in regions from which no
        path leads to a source.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, an intensity is not finite or nothing is left of the volume.
    GeometryError
        If shapes do not fit each other.
    MemoryError
        Before allocating, if the volume would not fit.
    UsfastError
        If the tolerance is not reached within 400 iterations; it never returns a map that is less exact.

    Notes
    -----
    The formula is that of `confidence_map` (A. Karamalis, W. Wein, T. Klein, N. Navab, "Ultrasound confidence maps
    using random walks", Med. Image Anal. 16 (2012)) with `gamma` on every edge that is not along the beam and no
    scaling with the neighbours' distance, so a voxel's size does not enter.

    The system is solved by conjugate gradients in double precision. Their preconditioner is a cycle of algebraic
    multigrid in single precision: voxels that cling together become one (Y. Notay, "An aggregation-based algebraic
    multigrid method", Electron. Trans. Numer. Anal. 37 (2010)). Couplings are only ever added, so nothing cancels.
    Some 15 to 40 iterations; about 250 bytes of memory a voxel.

    Examples
    --------
    >>> import numpy as np
    >>> volume = np.zeros((3, 5, 4), np.uint8)
    >>> confidence_volume(volume)[0, :, 0].round(3).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> volume[:, 2, :3] = 200  # a bright reflector with a gap
    >>> confidence_volume(volume)[1, 3].round(3).tolist()
    [0.0, 0.001, 0.025, 0.241]
    """
    array = _array_of(volume)
    along = _axis_of(axis)
    inside = _voxels("mask", mask, array.shape)
    if inside is not None and not inside.any():
        raise ValueError("mask leaves no voxel of the volume")
    number("alpha", alpha), number("beta", beta), number("gamma", gamma)
    if not TOLERANCES[0] <= float(tolerance) <= TOLERANCES[1]:
        raise ValueError(f"tolerance must lie between {TOLERANCES[0]:g} and {TOLERANCES[1]:g}, not {tolerance!r}")
    factor = 1 - np.exp(-float(alpha) * _depth_of(depth, array.shape, along))
    state = _states(
        array.shape, along, _voxels("sources", sources, array.shape), _voxels("sinks", sinks, array.shape), inside
    )
    threads = get_num_threads(num_threads)
    low, high = _range_of(array, inside)
    _check_memory(array.shape)
    attenuated = array.astype(np.float64, order="C")
    if inside is not None:
        attenuated[~inside] = low
    attenuated -= low
    attenuated /= (high - low) + EPSILON
    attenuated *= factor
    found, exact, iterations, error = _core.confidence_volume(
        attenuated, state, float(beta), float(gamma), float(tolerance), along, MOST_ITERATIONS, threads, progress
    )
    if not exact:
        raise UsfastError(
            f"the confidence map has an error of about {error:.1g} after {iterations} iterations, more than the "
            f"tolerance of {float(tolerance):g}; a larger tolerance or a larger gamma may help"
        )
    return np.asarray(found)


def _array_of(volume: ArrayLike | Volume) -> NDArray[Any]:
    array = np.asarray(volume.array if isinstance(volume, Volume) else volume)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"volume must hold real numbers, not {array.dtype}")
    if array.ndim != 3:
        raise GeometryError(f"volume must be (Z, Y, X), not {array.shape}")
    if 0 in array.shape:
        raise GeometryError(f"volume must have voxels, not shape {array.shape}")
    return array


def _axis_of(axis: int) -> int:
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not 0 <= axis <= 2:
        raise ValueError(f"axis must be 0, 1 or 2, not {axis!r}")
    return int(axis)


def _voxels(name: str, chosen: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return a mask of voxels as bool array."""
    if chosen is None:
        return None
    array = np.asarray(chosen)
    if array.shape != shape:
        raise GeometryError(f"{name} must have the volume's shape {shape}, not {array.shape}")
    return np.asarray(array != 0, np.bool_)


def _depth_of(depth: ArrayLike | None, shape: tuple[int, ...], axis: int) -> NDArray[np.float64]:
    """Return depths that broadcast to the volume."""
    length = shape[axis]
    array = np.linspace(0.0, 1.0, length) if depth is None else np.asarray(depth, np.float64)
    if array.shape not in ((length,), shape):
        raise GeometryError(f"depth must be ({length},) or {shape}, not {array.shape}")
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise ValueError("depth must be finite, from 0 at the transducer to 1")
    return array.reshape([-1 if i == axis else 1 for i in range(3)]) if array.ndim == 1 else array


def _states(
    shape: tuple[int, ...],
    axis: int,
    sources: NDArray[np.bool_] | None,
    sinks: NDArray[np.bool_] | None,
    inside: NDArray[np.bool_] | None,
) -> NDArray[np.uint8]:
    """Return what each voxel is, as the kernel counts it."""
    state = np.full(shape, UNKNOWN, np.uint8)
    planes = np.moveaxis(state, axis, 0)
    if sinks is None:
        planes[-1] = SINK
    else:
        state[sinks] = SINK
    if sources is None:
        planes[0] = SOURCE
    else:
        state[sources] = SOURCE
    if inside is not None:
        state[~inside] = OUTSIDE
    return state


def _range_of(array: NDArray[Any], inside: NDArray[np.bool_] | None) -> tuple[float, float]:
    """Return the smallest and the largest intensity; ValueError where they or their span are not finite."""
    voxels = array if inside is None else array[inside]
    low, high = float(voxels.min()), float(voxels.max())
    if not np.isfinite(high - low):
        finite = bool(np.isfinite(voxels).all())
        raise ValueError(f"volume {'spans too wide a range' if finite else 'has an intensity that is not finite'}")
    return low, high


def _check_memory(shape: tuple[int, ...]) -> None:
    """Raise MemoryError where a volume of this shape does not fit."""
    if int(np.prod(shape, dtype=object)) < 1_000_000:
        return
    import psutil

    available = int(psutil.virtual_memory().available)
    z, y, x = shape
    if z * (y + 1) * (x + 1) >= 2**31:
        raise MemoryError(f"a volume of shape {shape} has more than the 2 billion voxels that one map can hold")
    needed = _core.confidence_volume_bytes(z, y, x) + 17 * z * y * x
    if needed > available:
        raise MemoryError(
            f"the map of a volume of shape {shape} needs {needed / 1e9:.3g} GB, but only {available / 1e9:.3g} GB are "
            "available; a volume of half the resolution takes an eighth"
        )
