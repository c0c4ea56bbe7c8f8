"""Confidence maps by random walks: where the arguments are checked and the kernel is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import choice
from usfast._threads import get_num_threads
from usfast.confidence.seeds import SINK_MODES, pixel_states
from usfast.errors import GeometryError

__all__ = ["MODES", "PRECISIONS", "VARIANTS", "clear_cache", "confidence_map"]

MODES = ("B", "RF")
PRECISIONS = ("double", "single")
VARIANTS = ("authors", "paper", "port")
EPSILON = 2.0**-52  # MATLAB's eps, which the authors' code adds to every range
CHUNK_BYTES = 64_000_000  # of images that are prepared in Python at a time


def confidence_map(
    image: ArrayLike,
    alpha: float = 2.0,
    beta: float = 90.0,
    gamma: float = 0.05,
    *,
    mode: str = "B",
    variant: str = "authors",
    sink_mode: str = "all",
    sources: ArrayLike | None = None,
    sinks: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    depth: ArrayLike | None = None,
    precision: str = "double",
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.floating[Any]]:
    """Compute the probability that a random walk from each pixel reaches the transducer before the bottom.

    The image is a graph of 8-neighbours whose weights fall with the difference of the attenuated intensities and, by
    `gamma`, off the beam's direction. Rows run along the beam: row 0 is at the transducer.

    Parameters
    ----------
    image : (H, W) or (N, H, W) array
        One image or a stack; bool, integers or floating point, not log-compressed further than a B-mode image is.
    alpha : float
        Attenuation over the whole depth, >= 0: intensities are weighted by ``1 - exp(-alpha * depth)``.
    beta : float
        How strongly differences of intensity hinder a walk, >= 0.
    gamma : float
        What a step sideways or diagonal costs beside the difference of intensity, >= 0.
    mode : {"B", "RF"}
        `"RF"`: take the envelope of each column, the absolute value of its analytic signal, after normalisation.
    variant : {"authors", "paper", "port"}
        Whose formula. `"authors"`: the authors' MATLAB code and MONAI. `"paper"`: as the paper's text has it,
        intensities weighted by ``exp(-alpha * depth)`` and diagonal steps penalised by ``sqrt(2) * gamma``.
        `"port"`: as a widespread Python port has it, `gamma` on vertical steps instead of all others, and a least
        weight of 1e-6 instead of 1e-5; to compare with maps made by it.
    sink_mode : {"all", "mid", "min", "mask"}
        Pixels of value 0: the last row; the pixel (H-1, W//2); the smallest of the last row, except for a tenth of
        the columns at both sides; those in `sinks`.
    sources : (H, W) or (N, H, W) bool array, optional
        Pixels of value 1; default the first row. A pixel that is source and sink is a source.
    sinks : (H, W) or (N, H, W) bool array, optional
        Pixels of value 0, for ``sink_mode="mask"``, which is the default where they are given.
    mask : (H, W) bool array, optional
        Pixels of the image: a sector or a region of interest. Those outside belong neither to the graph nor to the
        range of intensities, and get 0.
    depth : (H,) or (H, W) array, optional
        Depth from the transducer, 0 to 1; default ``row / (H - 1)``. Sector images have their own.
    precision : {"double", "single"}
        Of the solution. The relative error is some 1e-12 in double and some 4e-6 in single.
    num_threads : int, optional
        The result does not depend on it.
    progress : callable, optional
        Called as ``progress(done, total)`` now and then, in images.

    Returns
    -------
    map : array of the image's shape, float64 (float32 for ``precision="single"``)
        Confidence in [0, 1]: exactly 1 on sources, exactly 0 on sinks and outside the mask. A region from which no
        path leads to a source has 0 too: a walk from there never reaches the transducer.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, an intensity is not finite or nothing is left of the image.
    GeometryError
        If shapes do not fit each other.
    MemoryError
        Before allocating, if one image would not fit.

    Notes
    -----
    As the authors' MATLAB code and MONAI 1.6 compute it, which differs from the text of the paper (A. Karamalis, W.
    Wein, T. Klein, N. Navab, "Ultrasound confidence maps using random walks", Med. Image Anal. 16 (2012)): see the
    page "Confidence maps" for the formula and every constant.

    The linear system is solved directly, by nested dissection of the pixel grid and elimination without subtractions
    (W. Grassmann, M. Taksar, D. Heyman, "Regenerative analysis and steady state distributions for Markov chains", Oper.
    Res. 33 (1985)), so that small confidences are as accurate, relatively, as large ones. An image of n pixels takes
    about ``20 * n**1.5`` floating point operations and 700 bytes of memory a pixel at 512 x 512 (half in single). Up
    to 256 MB of that are kept for the next image of the same size; `clear_cache` gives them back.

    Examples
    --------
    >>> import numpy as np
    >>> flat = np.zeros((5, 4), np.uint8)
    >>> confidence_map(flat)[:, 0].round(3).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> flat[2, :3] = 200  # a bright reflector with a gap
    >>> confidence_map(flat)[3].round(3).tolist()
    [0.0, 0.0, 0.01, 0.247]
    """
    stack, single_image = images_of(image)
    height, width = stack.shape[1:]
    inside = mask_of(mask, (height, width))
    number("alpha", alpha), number("beta", beta), number("gamma", gamma)
    choice("mode", mode, MODES)
    choice("precision", precision, PRECISIONS)
    choice("variant", variant, VARIANTS)
    if sinks is not None and sink_mode == "all":
        sink_mode = "mask"
    choice("sink_mode", sink_mode, SINK_MODES)
    check_finite(stack, inside)
    passed = np.exp(-float(alpha) * depth_of(depth, (height, width)))
    factor = passed if variant == "paper" else 1 - passed
    threads = get_num_threads(num_threads)
    limit = affordable(height, width, precision == "single", threads)
    if len(stack) > 1:
        threads = limit
    per_image = mode == "RF" or sink_mode == "min"
    count = len(stack)
    step = max(1, CHUNK_BYTES // (8 * height * width)) if per_image else max(count, 1)
    parts = []
    for start in range(0, max(count, 1), step):
        chunk = stack[start : start + step]
        normalised = normalise(chunk, inside, mode) if per_image else None
        state = pixel_states(
            (len(chunk), height, width),
            sink_mode,
            None if sources is None else part_of("sources", sources, stack.shape, start, step),
            None if sinks is None else part_of("sinks", sinks, stack.shape, start, step),
            inside,
            normalised,
        )
        parts.append(
            _core.confidence_maps(
                chunk if normalised is None else normalised,
                state,
                np.ascontiguousarray(np.broadcast_to(factor, (height, width))),
                float(beta),
                penalties(variant, float(gamma)),
                1e-6 if variant == "port" else 1e-5,
                normalised is None,
                precision == "single",
                threads,
                None if progress is None else shifted(progress, start, count),
            )
        )
    maps = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return maps[0] if single_image else maps


def penalties(variant: str, gamma: float) -> tuple[float, float, float]:
    """Return what vertical, horizontal and diagonal steps cost beside the difference of intensity."""
    if variant == "port":
        return gamma, 0.0, 0.0
    return 0.0, gamma, gamma * 2**0.5 if variant == "paper" else gamma


def clear_cache() -> None:
    """Give back the memory that is kept for the next image of the same size.

    Examples
    --------
    >>> clear_cache()
    """
    _core.confidence_forget()


def shifted(progress: Callable[[int, int], Any], start: int, count: int) -> Callable[[int, int], Any]:
    """Report the progress of a part as that of the whole."""
    return lambda done, _total: progress(start + done, count)


def number(name: str, value: float) -> float:
    """Return `value` where it is finite and not negative."""
    result = float(value)
    if not (np.isfinite(result) and result >= 0):
        raise ValueError(f"{name} must be finite and not negative, not {value!r}")
    return result


def images_of(image: ArrayLike) -> tuple[NDArray[Any], bool]:
    """Return images (N, H, W) in a type that the kernel reads, and whether there was only one."""
    array = np.asarray(image)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"image must hold real numbers, not {array.dtype}")
    if array.ndim not in (2, 3):
        raise GeometryError(f"image must be (H, W) or (N, H, W), not {array.shape}")
    if 0 in array.shape[-2:]:
        raise GeometryError(f"image must have rows and columns, not shape {array.shape}")
    if array.dtype in (np.bool_, np.uint8):
        dtype: type[np.generic] = np.uint8
    elif array.dtype == np.uint16:
        dtype = np.uint16
    else:
        dtype = np.float32 if array.dtype in (np.float16, np.float32) else np.float64
    return np.ascontiguousarray(array, dtype).reshape(-1, *array.shape[-2:]), array.ndim == 2


def mask_of(mask: ArrayLike | None, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return the mask as bool array, None where it leaves nothing out."""
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.shape != shape:
        raise GeometryError(f"mask must have the image's shape {shape}, not {array.shape}")
    inside = array != 0
    if not inside.any():
        raise ValueError("mask leaves no pixel of the image")
    return None if inside.all() else inside


def depth_of(depth: ArrayLike | None, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return depths (H, 1) or (H, W)."""
    if depth is None:
        return np.linspace(0.0, 1.0, shape[0])[:, None]
    array = np.asarray(depth, np.float64)
    if array.shape not in ((shape[0],), shape):
        raise GeometryError(f"depth must be ({shape[0]},) or {shape}, not {array.shape}")
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise ValueError("depth must be finite, from 0 at the transducer to 1")
    return array[:, None] if array.ndim == 1 else array


def part_of(name: str, seeds: ArrayLike, shape: tuple[int, ...], start: int, step: int) -> NDArray[np.bool_]:
    """Return the seeds of some images of the stack, (H, W) where all have the same."""
    array = np.asarray(seeds)
    if array.shape not in (shape[1:], shape):
        raise GeometryError(f"{name} must be {shape[1:]} or {shape}, not {array.shape}")
    return np.asarray((array if array.ndim == 2 else array[start : start + step]) != 0)


def check_finite(stack: NDArray[Any], inside: NDArray[np.bool_] | None) -> None:
    """Raise ValueError where an intensity, or the range of them, is not finite."""
    if stack.dtype.kind != "f":
        return
    for n, image in enumerate(stack):
        pixels = image if inside is None else image[inside]
        low, high = float(pixels.min()), float(pixels.max())
        if not np.isfinite(high - low):
            what = "has an intensity that is not finite" if not np.isfinite(pixels).all() else "spans too wide a range"
            raise ValueError(f"image {n} {what}" if len(stack) > 1 else f"image {what}")


def affordable(height: int, width: int, single: bool, threads: int) -> int:
    """Return how many of the threads can each have an image of this size in memory; MemoryError where none can."""
    if height * width < 1_000_000:
        return threads
    import psutil

    available = int(psutil.virtual_memory().available)
    needed = _core.confidence_bytes(height, width, single)
    if needed > available:
        raise MemoryError(
            f"the map of an image of {height} x {width} pixels needs {needed / 1e9:.3g} GB, but only "
            f'{available / 1e9:.3g} GB are available; precision="single" takes half, an image of half the size a fifth'
        )
    return min(threads, int(available / needed))


def normalise(chunk: NDArray[Any], inside: NDArray[np.bool_] | None, mode: str) -> NDArray[np.float64]:
    """Return intensities of [0, 1], each image by itself; for RF data the envelope of each column after that."""
    x = chunk.astype(np.float64)
    pixels = x.reshape(len(x), -1) if inside is None else x[:, inside]
    low, high = pixels.min(axis=1, initial=np.inf), pixels.max(axis=1, initial=-np.inf)
    x -= low[:, None, None]
    x /= ((high - low) + EPSILON)[:, None, None]
    if inside is not None:
        x[:, ~inside] = 0
    if mode == "RF":
        from scipy.signal import hilbert

        x = np.abs(hilbert(x, axis=1))
    return x
