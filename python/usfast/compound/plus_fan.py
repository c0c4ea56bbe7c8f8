"""The fan of a PLUS configuration: given, or found anew in every frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast.sweep import Sweep

if TYPE_CHECKING:
    from usfast.io import Reconstruction

__all__ = ["fan_radii", "fan_tangents"]

_RADIANS = 0.017453292519943295  # as IGSIO rounds it
_DEPTHS_PERCENT = (15, 30, 50, 70)
_MARGIN_DEG = 3.0


def fan_radii(settings: Reconstruction) -> tuple[float, float]:
    """Inner and outer radius of the fan, pixels; 0 and 500 where the configuration says nothing, as in PLUS."""
    start, stop = settings.fan_radius_start_px, settings.fan_radius_stop_px
    return (0.0 if start is None else start, 500.0 if stop is None else stop)


def fan_tangents(
    sweep: Sweep, settings: Reconstruction, used: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
    """Return the frames to insert and the tangents of each one's fan edges, (M, 2) ascending; None without a fan.

    With automatic detection, frames that show no bright sector are left out.
    """
    limits = settings.fan_angles_deg or (0.0, 0.0)
    if settings.fan_angles_auto_detect:
        found = [(n, _detect(sweep.frames[n], settings, limits)) for n in used]
        kept = [(n, angles) for n, angles in found if angles is not None]
        used = np.array([n for n, _ in kept], np.int64)
        angles = np.array([a for _, a in kept], np.float64).reshape(-1, 2)
    else:
        angles = np.tile(np.asarray(limits, np.float64), (len(used), 1))
    tangents = np.sort(np.tan(angles * _RADIANS), axis=1)
    return used, (np.ascontiguousarray(tangents) if tangents.any() else None)


def _detect(frame: NDArray[Any], settings: Reconstruction, limits: tuple[float, float]) -> tuple[float, float] | None:
    """Widest bright interval of angles on four arcs, degrees, less a margin; None where the frame is empty."""
    ox, oy = (int(c) for c in settings.fan_origin_px or (0.0, 0.0))
    start, stop = fan_radii(settings)
    first, last = limits[0] * _RADIANS, limits[1] * _RADIANS
    best: tuple[float, float] | None = None
    for percent in _DEPTHS_PERCENT:
        radius = start + (stop - start) * percent / 100
        if radius <= 0:
            continue
        angles, bright = _arc(frame >= settings.fan_auto_detect_threshold, (ox, oy), radius, first, last)
        widest = max(
            _intervals(angles, bright, 2 * settings.fan_auto_detect_filter_radius_px, last),
            key=lambda i: i[1] - i[0],
            default=(0.0, 0.0),
        )
        if best is None or widest[1] - widest[0] > best[1] - best[0]:
            best = widest
    if best is None or best == (0.0, 0.0):
        return None
    return max(best[0] / _RADIANS + _MARGIN_DEG, limits[0]), min(best[1] / _RADIANS - _MARGIN_DEG, limits[1])


def _arc(
    above: NDArray[np.bool_], origin: tuple[int, int], radius: float, first: float, last: float
) -> tuple[list[float], list[bool]]:
    """Angles of the samples one pixel apart that lie in the image, and whether each is bright."""
    height, width = above.shape
    angles, bright = [], []
    for k in range(int((last - first) * radius)):
        angle = first + k / radius
        x = _half_away(origin[0] + radius * math.sin(angle))
        y = _half_away(origin[1] + radius * math.cos(angle))
        if 0 <= x < width and 0 <= y < height:
            angles.append(angle)
            bright.append(bool(above[y, x]))
    return angles, bright


def _half_away(x: float) -> int:
    return int(x + 0.5) if x >= 0 else int(x - 0.5)


def _intervals(angles: list[float], bright: list[bool], window: int, last: float) -> list[tuple[float, float]]:
    """Intervals in which at least half of a moving window is bright."""
    left: list[float] = []
    right: list[float] = []
    inside = False
    for j in range(window, len(angles)):
        count = sum(bright[j - window : j])
        if not inside and count >= window // 2:
            left.append(angles[j - window])
            inside = True
        elif inside and count <= window // 2:
            right.append(angles[j - 1])
            inside = False
    if len(left) > len(right):
        right.append(last)
    return list(zip(left, right, strict=True))
