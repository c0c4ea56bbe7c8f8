"""Rigid motions from a shift and a turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["rigid_motion"]


def rigid_motion(shift_mm: ArrayLike, turn_deg: ArrayLike) -> NDArray[np.float64]:
    """Return the rigid transforms that turn about the origin by rotation vectors, then shift.

    Rodrigues' formula; orthonormal to rounding for any angle, however small.

    Parameters
    ----------
    shift_mm : (..., 3) array
        Translations, mm.
    turn_deg : (..., 3) array
        Rotation vectors: axis times angle, degrees.

    Returns
    -------
    (..., 4, 4) float64 array

    Raises
    ------
    ValueError
        If the last axis of either is not 3.

    Examples
    --------
    >>> rigid_motion([1.0, 2.0, 3.0], [0.0, 0.0, 90.0]).round(9).tolist()[0]
    [0.0, -1.0, 0.0, 1.0]
    """
    shift = np.asarray(shift_mm, np.float64)
    turn = np.deg2rad(np.asarray(turn_deg, np.float64))
    for name, vectors in (("shift_mm", shift), ("turn_deg", turn)):
        if vectors.ndim < 1 or vectors.shape[-1] != 3:
            raise ValueError(f"{name} must have shape (..., 3), not {vectors.shape}")
    shift, turn = np.broadcast_arrays(shift, turn)
    cross = np.zeros((*turn.shape[:-1], 3, 3))
    cross[..., 2, 1], cross[..., 0, 2], cross[..., 1, 0] = np.moveaxis(turn, -1, 0)
    cross -= np.swapaxes(cross, -1, -2)
    angle = np.linalg.norm(turn, axis=-1)[..., None, None]
    motion = np.zeros((*turn.shape[:-1], 4, 4))
    # sinc keeps both quotients exact as the angle goes to zero.
    motion[..., :3, :3] = (
        np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * (cross @ cross)
    )
    motion[..., :3, 3] = shift
    motion[..., 3, 3] = 1.0
    return motion
