"""Slices of a volume: the adjoint of trilinear compounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.volume import Volume

__all__ = ["slice_volume"]


def slice_volume(
    volume: Volume,
    image_to_world: ArrayLike,
    shape: tuple[int, int],
    *,
    order: str = "linear",
    fill: float = 0.0,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> NDArray[np.float32]:
    """Return what frames at these poses would show of a volume: compounding, the other way round.

    Parameters
    ----------
    volume : Volume
    image_to_world : (N, 4, 4) or (4, 4) array
        Takes pixel (u, v, 0, 1), its centre at integer coordinates, to world mm.
    shape : (int, int)
        Rows and columns (H, W) of a slice.
    order : {"linear", "cubic"}
        Trilinear, or the cubic B-spline through the voxels.
    fill : float
        Value outside the volume.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    (N, H, W) float32 array

    Raises
    ------
    ValueError, TypeError
        If an argument has the wrong shape, type or name.
    GeometryError
        If a pose is not finite or not affine.
    MemoryError
        Before allocating, if the slices would not fit.

    Notes
    -----
    With ``order="linear"`` and ``fill=0`` this is the adjoint A* of trilinear compounding's weighted sum A,
    ``A y = volume * weight`` of ``compound_arrays(y, ..., method="linear")``: the sum over pixels of ``A* x`` times y
    equals the sum over voxels of x times ``A y``. Both place a pixel in the same cell with the same weights. That
    makes the pair fit for iterative reconstruction (conjugate gradients and the like). The kernel is
    `usfast.simulate.resample`.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Grid, Volume
    >>> from usfast.compound import compound_arrays
    >>> grid, pose = Grid((6, 5, 4), 1.0), np.eye(4)[None]
    >>> pose[0, :3, 3] = 0.3, 0.6, 1.2
    >>> frames = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    >>> mean, weight = compound_arrays(frames, pose, grid)
    >>> x = np.arange(grid.voxels, dtype=np.float32).reshape(grid.shape)
    >>> slices = slice_volume(Volume.on(grid, x), pose, (3, 4))
    >>> bool(np.isclose((slices * frames).sum(), (x * mean * weight).sum()))
    True
    """
    from usfast.simulate.resample import resample

    return resample(volume, image_to_world, shape, order=order, fill=fill, num_threads=num_threads, progress=progress)
