"""Maps of many frames as float32, a block at a time: for sweeps, volumes and compounding weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice
from usfast.confidence.attenuation import attenuation_map
from usfast.confidence.directed import directed_map
from usfast.confidence.maps import confidence_map
from usfast.confidence.sector import sector_seeds
from usfast.sweep import Sweep

__all__ = ["MAP_METHODS", "frame_maps", "sweep_weights"]

MAP_METHODS = ("random_walk", "directed", "attenuation")
BLOCK = 16  # frames in float64 at a time


def frame_maps(
    frames: ArrayLike,
    method: str = "random_walk",
    *,
    mask: ArrayLike | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
    **settings: Any,
) -> NDArray[np.float32]:
    """Return the map of every frame; beside the result, memory is that of 16 frames.

    Parameters
    ----------
    frames : (N, H, W) array
        Row 0 at the probe.
    method : {"random_walk", "directed", "attenuation"}
        `confidence_map`, `directed_map` or `attenuation_map`.
    mask : (H, W) bool array, optional
        Pixels that show tissue; the others get 0. For the random walk sound enters along the upper arc of the mask
        and ends along the lower one (see `sector_seeds`); the other methods take the frames as they are.
    num_threads : int, optional
        For the random walk. The other methods use one.
    progress : callable, optional
        Called as ``progress(frames done, frames in all)`` after every block.
    **settings
        Keywords of the method, as ``gamma=0.06``.

    Returns
    -------
    (N, H, W) float32 array
        From 0 to 1.

    Raises
    ------
    ValueError, TypeError
        If an argument has the wrong shape, type, name or range.

    Examples
    --------
    >>> import numpy as np
    >>> frame_maps(np.zeros((20, 4, 3), np.uint8), "attenuation").shape
    (20, 4, 3)
    """
    choice("method", method, MAP_METHODS)
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    array = np.asarray(frames)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"frames must be a non-empty array (N, H, W), not shape {array.shape}")
    inside = None if mask is None else np.asarray(mask, bool)
    if inside is not None and inside.shape != array.shape[1:]:
        raise ValueError(f"mask has shape {inside.shape}, but the frames are {array.shape[1:]}")
    if method == "random_walk":
        settings |= {"num_threads": num_threads} | _region(inside, settings)
    result = np.empty(array.shape, np.float32)
    for start in range(0, len(array), BLOCK):
        part = slice(start, start + BLOCK)
        result[part] = _block(array[part], method, settings)
        if progress is not None:
            progress(min(start + BLOCK, len(array)), len(array))
    if inside is not None:
        result[:, ~inside] = 0
    return result


def _region(inside: NDArray[np.bool_] | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the mask, and the sector's seeds and depth where the caller gives none."""
    if inside is None:
        return {}
    seeds = sector_seeds(inside)
    region: dict[str, Any] = {"mask": inside, "sources": seeds.sources, "depth": seeds.depth}
    sink_mode = settings.get("sink_mode", "all")
    if sink_mode == "all":
        region["sinks"] = seeds.sinks
    elif sink_mode == "mid":
        columns = np.flatnonzero(inside.any(axis=0))
        middle = np.arange(inside.shape[1]) == columns[len(columns) // 2]
        region |= {"sinks": seeds.sinks & middle, "sink_mode": "mask"}
    return region | {name: settings[name] for name in ("sources", "sinks", "depth") if name in settings}


def _block(frames: NDArray[Any], method: str, settings: dict[str, Any]) -> NDArray[Any]:
    if method == "random_walk":
        return confidence_map(frames, **settings)
    return directed_map(frames, **settings) if method == "directed" else attenuation_map(frames, **settings)


def sweep_weights(
    sweep: Sweep,
    method: str = "random_walk",
    *,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
    **settings: Any,
) -> NDArray[np.float32]:
    """Return the maps of a sweep as weights for ``compound(sweep, mode="weighted", weights=...)``.

    Where frames cross, the one that the sound reached counts more than the one that lies in shadow there.

    Parameters
    ----------
    sweep : Sweep
        Frames without a valid pose are not looked at: their weights are 0. So are those outside of its mask.
    method, num_threads, progress, **settings
        As in `frame_maps`.

    Returns
    -------
    (N, H, W) float32 array
        From 0 to 1.

    Raises
    ------
    ValueError, TypeError
        As `frame_maps`.

    Notes
    -----
    Confidence as weight of the compounding: the use for which Karamalis et al., Med. Image Anal. 16 (2012),
    proposed it. A pixel of confidence 0 leaves its voxel empty where no other frame knows better; the last row
    of a frame is such a row.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Sweep
    >>> sweep = Sweep(np.zeros((2, 5, 4), np.uint8), np.tile(np.eye(4), (2, 1, 1)), valid=[True, False])
    >>> weights = sweep_weights(sweep, "attenuation")
    >>> float(weights[0, 0, 0]), float(weights[1].max())
    (1.0, 0.0)
    """
    if not isinstance(sweep, Sweep):
        raise TypeError(f"sweep must be a Sweep, not {type(sweep).__name__}")
    weights = np.zeros(sweep.frames.shape, np.float32)
    if not sweep.valid.any():
        return weights
    whole = bool(sweep.valid.all())
    frames = sweep.frames if whole else sweep.frames[sweep.valid]
    maps = frame_maps(frames, method, mask=sweep.mask, num_threads=num_threads, progress=progress, **settings)
    if whole:
        return maps
    weights[sweep.valid] = maps
    return weights
