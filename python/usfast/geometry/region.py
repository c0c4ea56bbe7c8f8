"""Which pixels show tissue: rectangles, fans, and the sector found from the frames themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

__all__ = ["fan_mask", "rectangle_mask", "sector_mask"]

_Mask = NDArray[np.bool_]


def _shape(shape_hw: Sequence[int]) -> tuple[int, int]:
    shape = np.asarray(shape_hw)
    if shape.shape != (2,) or not np.issubdtype(shape.dtype, np.integer) or (shape < 1).any():
        raise ValueError(f"shape_hw must be two positive integers (height, width), not {shape_hw!r}")
    return int(shape[0]), int(shape[1])


def _pair(name: str, value: ArrayLike) -> tuple[float, float]:
    pair = np.asarray(value, dtype=np.float64)
    if pair.shape != (2,) or not np.isfinite(pair).all():
        raise ValueError(f"{name} must be two finite numbers, not {value!r}")
    return float(pair[0]), float(pair[1])


def _not_empty(mask: _Mask, what: str) -> _Mask:
    if not mask.any():
        raise GeometryError(f"{what} holds no pixel centre of the {mask.shape[1]} x {mask.shape[0]} image")
    return mask


def rectangle_mask(shape_hw: Sequence[int], origin_uv: ArrayLike, size_uv: ArrayLike) -> _Mask:
    """Return the pixels whose centres lie in a rectangle, its edges included.

    As in PLUS (ClipRectangleOrigin, ClipRectangleSize) a rectangle 420 wide from an integer origin holds 421
    columns. What lies outside the image is cut off.

    Parameters
    ----------
    shape_hw : (int, int)
        Height and width of the image.
    origin_uv : (float, float)
        Lowest column and row, pixels.
    size_uv : (float, float)
        Extent along u and v, pixels, positive.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    ValueError
        If an argument is not two finite numbers or the size not positive.
    GeometryError
        If no pixel centre lies in the rectangle.

    Examples
    --------
    >>> rectangle_mask((3, 4), (1, 0), (1, 1)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    height, width = _shape(shape_hw)
    left, top = _pair("origin_uv", origin_uv)
    across, down = _pair("size_uv", size_uv)
    if across <= 0 or down <= 0:
        raise ValueError(f"size_uv must be positive (pixels), not {(across, down)}")
    u, v = np.arange(width), np.arange(height)[:, None]
    mask = (u >= left) & (u <= left + across) & (v >= top) & (v <= top + down)
    return _not_empty(mask, f"the rectangle at {(left, top)} of size {(across, down)}")


def fan_mask(shape_hw: Sequence[int], origin_uv: ArrayLike, angles_deg: ArrayLike, radius: ArrayLike) -> _Mask:
    """Return the pixels whose centres lie in the sector of a curved probe, its edges included.

    Parameters
    ----------
    shape_hw : (int, int)
        Height and width of the image.
    origin_uv : (float, float)
        Centre of the arcs (column, row), pixels; for a convex probe it lies above the image (row < 0).
    angles_deg : (float, float)
        First and last angle, degrees, from the image's +v axis (depth) and positive towards +u:
        ``tan(angle) = (u - u0) / (v - v0)``. PLUS: FanAnglesDeg.
    radius : (float, float)
        Radius of the inner (probe) and the outer arc, pixels.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    ValueError
        If an argument is not two finite numbers, the angles do not increase within [-180, 180] or the radii
        do not increase from 0 on.
    GeometryError
        If no pixel centre lies in the sector.

    Examples
    --------
    >>> fan_mask((4, 5), (2, 0), (-45, 45), (1, 3)).astype(int).tolist()
    [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0]]
    """
    height, width = _shape(shape_hw)
    u0, v0 = _pair("origin_uv", origin_uv)
    first, last = _pair("angles_deg", angles_deg)
    inner, outer = _pair("radius", radius)
    if not -180 <= first < last <= 180:
        raise ValueError(f"angles_deg must increase within [-180, 180], not {(first, last)}")
    if not 0 <= inner < outer:
        raise ValueError(f"radius must be two increasing numbers from 0 on (pixels), not {(inner, outer)}")
    du, dv = np.arange(width) - u0, np.arange(height)[:, None] - v0
    angle, distance = np.degrees(np.arctan2(du, dv)), np.hypot(du, dv)
    slack = 1e-9  # so that rounding does not decide about centres on an edge
    mask = (angle >= first - slack) & (angle <= last + slack)
    mask &= (distance >= inner - slack) & (distance <= outer + slack)
    return _not_empty(mask, f"the fan at {(u0, v0)}, {first} to {last} degrees, radius {inner} to {outer}")


def sector_mask(frames: ArrayLike, threshold: float = 0.0) -> _Mask:
    """Return the pixels that show tissue in any frame, as one solid region without holes.

    For sweeps whose geometry is not recorded. Pixels ever above the threshold are opened with a 3 x 3 square
    (thin lines and specks go), the largest connected region is kept, and in every column all between its
    first and last pixel is filled: a sector that opens downwards has no gap along v, whereas the arc of the
    probe may cut a row in two. What stays dark in all frames at the edge of the sector is lost.

    Parameters
    ----------
    frames : (N, H, W) or (H, W) array
        B-mode intensities.
    threshold : float
        Intensity that the background does not exceed. Lossy compression smears the edges of a sector: a few
        grey levels then fit closer than 0.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    ValueError
        If the shape is neither (N, H, W) nor (H, W).
    GeometryError
        If no region of at least 3 x 3 pixels is ever above the threshold.

    Examples
    --------
    >>> frames = np.zeros((2, 20, 12))
    >>> frames[0, 0:6, 1:11] = 1.0
    >>> frames[1, 6:19, 1:11] = 1.0
    >>> frames[1, 12, 5] = 0.0  # a hole
    >>> frames[:, 19, :] = 1.0  # a line at the edge of the screen
    >>> mask = sector_mask(frames)
    >>> int(mask.sum()), bool(mask[0:19, 1:11].all())
    (200, True)
    """
    from scipy import ndimage

    array = np.asarray(frames)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"frames must have shape (N, H, W) or (H, W), not {array.shape}")
    ever = np.fmax.reduce(array, axis=0) > threshold
    regions, count = ndimage.label(ndimage.binary_opening(ever, np.ones((3, 3))))
    if not count:
        raise GeometryError(f"no region of the frames is ever above the threshold {threshold}")
    sizes = np.bincount(regions.ravel())
    largest = regions == 1 + int(np.argmax(sizes[1:]))
    from_top = np.logical_or.accumulate(largest, axis=0)
    from_bottom = np.logical_or.accumulate(largest[::-1], axis=0)[::-1]
    mask: _Mask = from_top & from_bottom
    return mask
