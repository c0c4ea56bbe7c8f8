"""Correlation of patches between all frames of a window: the measurement that decorrelation rests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._threads import get_num_threads
from usfast.speckle.patches import PatchGrid

__all__ = ["correlate_pairs"]


def correlate_pairs(
    frames: ArrayLike,
    patches: PatchGrid,
    window: int = 20,
    *,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.float32]:
    """Correlate each patch of each frame with the same patch of the `window` frames that follow.

    Parameters
    ----------
    frames : (N, H, W) array of uint8 or float32
        At least two frames, in the order of the sweep. Pearson correlation does not change with gain or offset, so
        B-mode frames need no decompression: the models of decorrelation have a form for log-compressed data.
    patches : PatchGrid
        P patches inside the frames.
    window : int
        Largest number of frames from one frame of a pair to the other, at least 1.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    (N, window, P) float32 array
        Pearson's r of patch ``p`` of frames ``i`` and ``i + lag`` at ``[i, lag - 1, p]``, lag = 1 .. `window`; NaN
        where there is no frame ``i + lag``, a patch is constant, or one holds NaN or infinity.

    Raises
    ------
    ValueError, TypeError
        If the frames have the wrong shape or type, there is only one, a patch reaches beyond them, or the window is
        no whole number of at least 1.

    Notes
    -----
    ``r = (n Sxy - Sx Sy) / sqrt((n Sxx - Sx**2) (n Syy - Sy**2))`` over the n pixels of a patch. The sums of uint8
    frames are integers, exact; float32 frames are summed in double precision with the mean of each patch taken off
    first, at about a quarter of the speed. The bits depend neither on the number of threads nor on the
    instruction set. Memory beyond the result: ``window + 3`` packed frames of a few patches a thread.

    Correlation of speckle between frames as in Gee et al., "Sensorless freehand 3D ultrasound in real tissue:
    speckle decorrelation without fully developed speckle", Med. Image Anal. 10 (2006).

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.random.default_rng(0).integers(0, 100, (3, 8, 8)).astype(np.uint8)
    >>> frames[2] = 2 * frames[0] + 5
    >>> r = correlate_pairs(frames, PatchGrid.regular((8, 8), (8, 8)), window=2)
    >>> r.shape, float(r[0, 1, 0]), bool(np.isnan(r[2]).all())
    ((3, 2, 1), 1.0, True)
    """
    stack = checked_frames(frames, patches)
    if not isinstance(window, (int, np.integer)) or isinstance(window, bool) or window < 1:
        raise ValueError(f"window must be a whole number of frames, at least 1, not {window!r}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    threads = get_num_threads(num_threads)
    return _core.correlate_pairs(stack, patches.corners, *patches.size, int(window), threads, progress)


def checked_frames(frames: ArrayLike, patches: PatchGrid) -> NDArray[Any]:
    """Return C-contiguous uint8 or float32 frames (N >= 2, H, W) that hold the patches."""
    stack = np.asarray(frames)
    if not isinstance(patches, PatchGrid):
        raise TypeError(f"patches must be a PatchGrid, not {type(patches).__name__}")
    if stack.ndim != 3:
        raise ValueError(f"frames must be (N, H, W), not {stack.shape}")
    if stack.dtype not in (np.uint8, np.float32):
        raise TypeError(f"frames must be uint8 or float32, not {stack.dtype}: convert them first")
    if len(stack) < 2:
        raise ValueError(f"correlation between frames needs at least two of them, not {len(stack)}")
    patches.check_inside((stack.shape[1], stack.shape[2]))
    return np.ascontiguousarray(stack)
