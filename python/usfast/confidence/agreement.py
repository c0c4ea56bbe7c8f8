"""Maps of a sweep that agree where its frames overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.compound import compound
from usfast.simulate import resample
from usfast.sweep import Sweep

__all__ = ["agreeing_maps"]


def agreeing_maps(
    sweep: Sweep,
    maps: ArrayLike,
    spacing: ArrayLike,
    *,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.float32]:
    """Return each frame's map replaced by the mean of all maps at the same places.

    The maps are compounded into a volume, and the volume is read again at the pixels of every frame: two frames
    that cross show the same confidence where they cross, up to interpolation.

    Parameters
    ----------
    sweep : Sweep
        Says where the frames are; frames without a valid pose and pixels outside of its mask keep their maps.
    maps : (N, H, W) array
        A map for each frame, 0..1. NaN marks pixels without one: they take no part, and get one where another
        frame has it.
    spacing : float or (float, float, float)
        Of the volume along x, y, z, mm. Maps become as smooth as this; smaller than a few pixels it costs memory
        and brings nothing.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    (N, H, W) float32 array
        From 0 to 1. Top and bottom rows need no longer be 1 and 0: another frame may know better.

    Raises
    ------
    ValueError, TypeError
        If arguments do not fit each other.
    GeometryError
        If no frame has a valid pose.
    MemoryError
        Before allocating, if the volume would not fit.

    Notes
    -----
    Method "linear", mode "mean" of `usfast.compound.compound`, then trilinear reading, divided by the share of
    the eight voxels that hold data. Frames that lie apart by more than a voxel do not influence each other.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Sweep
    >>> twice = Sweep(np.zeros((2, 4, 4), np.uint8), np.tile(np.eye(4), (2, 1, 1)))  # one place, seen twice
    >>> agreeing_maps(twice, np.stack([np.full((4, 4), 0.2), np.full((4, 4), 0.8)]), 1.0)[:, 1, 1].tolist()
    [0.5, 0.5]
    """
    if not isinstance(sweep, Sweep):
        raise TypeError(f"sweep must be a Sweep, not {type(sweep).__name__}")
    own = np.array(maps, np.float32)
    if own.shape != sweep.frames.shape:
        raise ValueError(f"maps have shape {own.shape}, but the frames {sweep.frames.shape}")
    with np.errstate(invalid="ignore"):
        if ((own < 0) | (own > 1)).any():
            raise ValueError("maps must hold confidence: values from 0 to 1")
    shared = compound(replace(sweep, frames=own, labels=None), spacing, num_threads=num_threads, progress=progress)
    known = replace(shared.volume, array=shared.coverage.astype(np.float32))
    for n in np.flatnonzero(sweep.valid):
        pose = sweep.image_to_world[n]
        values, share = (
            resample(volume, pose, sweep.image_size, num_threads=num_threads)[0] for volume in (shared.volume, known)
        )
        reached = share > 1e-3
        if sweep.mask is not None:
            reached &= sweep.mask
        np.divide(values, share, out=own[n], where=reached)
    return np.clip(own, 0, 1, out=own)
