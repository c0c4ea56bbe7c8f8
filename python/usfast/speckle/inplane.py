"""Motion of patches within the image, to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.speckle.correlation import checked_frames
from usfast.speckle.patches import PatchGrid

__all__ = ["InPlaneMotion", "track_patches"]

MAX_SEARCH = 255


@dataclass(frozen=True, eq=False)
class InPlaneMotion:
    """How far patches moved within the image between the frames of K pairs.

    Attributes
    ----------
    pairs : (K, 2) int64 array
        The frames (i, j).
    shift : (K, P, 2) float32 array
        (du, dv) in pixels: what is at (u, v) in frame i is at (u + du, v + dv) in frame j. NaN where it is not known.
    correlation : (K, P) float32 array
        Pearson's r at the best whole-pixel displacement; NaN where a patch is constant.
    rim : (K, P) bool array
        True where the best displacement lies on the rim of the search area, so that the true one may lie outside;
        `shift` is NaN there.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.zeros((2, 16, 16), np.uint8)
    >>> track_patches(frames, PatchGrid([[4, 4]], (8, 8)), search=2).shift.shape
    (1, 1, 2)
    """

    pairs: NDArray[np.int64]
    shift: NDArray[np.float32]
    correlation: NDArray[np.float32]
    rim: NDArray[np.bool_]


def track_patches(
    frames: ArrayLike,
    patches: PatchGrid,
    pairs: ArrayLike | None = None,
    *,
    lag: int | None = None,
    search: int = 8,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> InPlaneMotion:
    """Find each patch of one frame in another by zero-mean normalised cross-correlation.

    Parameters
    ----------
    frames : (N, H, W) uint8 array
        At least two frames.
    patches : PatchGrid
        P patches inside the frames.
    pairs : (K, 2) integer array, optional
        Frames (i, j): patches of i are looked for in j. Default: all pairs ``(i, i + lag)``.
    lag : int, optional
        Frames from one of a pair to the other where `pairs` is not given; default 1.
    search : int
        Largest displacement along either axis, pixels, from 1 to 255. Only displacements that keep the patch inside the
        frame are tried.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    InPlaneMotion

    Raises
    ------
    ValueError, TypeError
        If frames, patches and pairs do not fit each other, or a number is out of range.

    Notes
    -----
    The correlation at every whole displacement is exact (sums of integers); of equal ones the first counts, row by row.
    The fraction is the vertex of the least-squares quadric ``c + b.x + x.A.x`` through the 3 x 3 correlations around
    the best; it is zero where that quadric has no maximum within a pixel. Where speckle is much finer than three
    pixels the quadric is too wide for the peak and draws the result towards whole pixels.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8)
    >>> frames = np.stack([image, np.roll(image, (2, -3), axis=(0, 1))])
    >>> motion = track_patches(frames, PatchGrid([[12, 12]], (16, 16)), search=5)
    >>> np.rint(motion.shift[0, 0]).tolist(), float(motion.correlation[0, 0])
    ([-3.0, 2.0], 1.0)
    """
    stack = checked_frames(frames, patches)
    if stack.dtype != np.uint8:
        raise TypeError(f"frames must be uint8 for an exact search, not {stack.dtype}: scale and round them to 0..255")
    if not isinstance(search, (int, np.integer)) or isinstance(search, bool) or not 1 <= search <= MAX_SEARCH:
        raise ValueError(f"search must be a whole number of pixels from 1 to {MAX_SEARCH}, not {search!r}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    if pairs is not None and lag is not None:
        raise ValueError("give pairs or lag, not both")
    chosen = _all_pairs(len(stack), 1 if lag is None else lag) if pairs is None else _checked_pairs(pairs, len(stack))
    threads = get_num_threads(num_threads)
    found = _core.track_patches(stack, patches.corners, *patches.size, chosen, int(search), threads, progress)
    return InPlaneMotion(chosen, *found)


def _all_pairs(frames: int, lag: int) -> NDArray[np.int64]:
    if not isinstance(lag, (int, np.integer)) or isinstance(lag, bool) or not 1 <= lag < frames:
        raise ValueError(f"lag must be a whole number from 1 to {frames - 1} for {frames} frames, not {lag!r}")
    first = np.arange(frames - lag, dtype=np.int64)
    return np.stack([first, first + lag], axis=1)


def _checked_pairs(pairs: ArrayLike, frames: int) -> NDArray[np.int64]:
    chosen = np.asarray(pairs)
    if chosen.ndim != 2 or chosen.shape[1] != 2 or not len(chosen):
        raise ValueError(f"pairs must be (K, 2) with at least one pair, not {chosen.shape}")
    if not np.issubdtype(chosen.dtype, np.integer):
        raise TypeError(f"pairs must be whole numbers, not {chosen.dtype}")
    if (chosen < 0).any() or (chosen >= frames).any():
        raise ValueError(f"pairs must name frames from 0 to {frames - 1}")
    return np.ascontiguousarray(chosen, np.int64)
