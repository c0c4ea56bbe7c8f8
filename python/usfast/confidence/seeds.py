"""Pixels of known confidence: 1 at the transducer, 0 at the bottom."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SINK_MODES", "pixel_states"]

SINK_MODES = ("all", "mid", "min", "mask")
UNKNOWN, SOURCE, SINK, OUTSIDE = range(4)  # as the kernel counts them


def pixel_states(
    shape: tuple[int, int, int],
    sink_mode: str,
    sources: NDArray[np.bool_] | None,
    sinks: NDArray[np.bool_] | None,
    inside: NDArray[np.bool_] | None,
    normalised: NDArray[np.float64] | None,
) -> NDArray[np.uint8]:
    """Return what each pixel is, (H, W), or (N, H, W) where that differs between images.

    Parameters
    ----------
    shape : (N, H, W)
    sink_mode : {"all", "mid", "min", "mask"}
    sources, sinks : (H, W) or (N, H, W) bool arrays or None
    inside : (H, W) bool array or None
        The mask.
    normalised : (N, H, W) float64 array or None
        Intensities, for ``sink_mode="min"``.

    Examples
    --------
    >>> pixel_states((1, 3, 3), "mid", None, None, None, None).tolist()
    [[1, 1, 1], [0, 0, 0], [0, 2, 0]]
    """
    height, width = shape[1:]
    each = sink_mode == "min" or any(s is not None and s.ndim == 3 for s in (sources, sinks))
    state = np.full(shape if each else shape[1:], UNKNOWN, np.uint8)
    if sink_mode == "all":
        state[..., height - 1, :] = SINK
    elif sink_mode == "mid":
        state[..., height - 1, width // 2] = SINK
    elif sink_mode == "min":
        assert normalised is not None
        state[:, height - 1][smallest(normalised[:, height - 1], None if inside is None else inside[-1])] = SINK
    else:
        if sinks is None:
            raise ValueError('sink_mode="mask" needs sinks')
        state[np.broadcast_to(sinks, state.shape)] = SINK
    if sources is None:
        state[..., 0, :] = SOURCE
    else:
        state[np.broadcast_to(sources, state.shape)] = SOURCE
    if inside is not None:
        state[..., ~inside] = OUTSIDE
    return state


def smallest(row: NDArray[Any], inside: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Mark the pixels (N, W) that equal the row's smallest, without a tenth of the columns at both ends."""
    width = row.shape[1]
    margin = width // 10
    usable = np.zeros(width, bool)
    usable[margin : width - margin] = True
    if inside is not None:
        usable &= inside
    if not usable.any():
        raise ValueError('the mask leaves no pixel of the last row for sink_mode="min"; give sinks')
    values = np.where(usable, row, np.inf)
    return np.asarray((values == values.min(axis=1, keepdims=True)) & usable)
