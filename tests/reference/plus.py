"""What IGSIO's volume reconstruction computes, pixel by pixel in plain Python: for small inputs only.

Written from the published facts of the algorithm. `settings` is anything with the attributes of
`usfast.io.Reconstruction`. Numbers are Python ints (IGSIO's 14-bit fixed point) for Optimization FULL and Python
floats for PARTIAL and NONE; a voxel of integer type truncates or rounds as IGSIO does, a float32 one computes in
float32 where IGSIO does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reference.plus_holes import fill_holes

BITS = 14
ONE = 1 << BITS
MAGIC = 103079215104.0  # 1.5 * 2**36: adding it rounds to a multiple of 2**-16
ACCUMULATION_MAXIMUM = 65535
ACCUMULATION_THRESHOLD = 65279
f32 = np.float32


def floor(x: float) -> int:
    """Largest integer not above x, where 2**-17 below an integer is taken for it."""
    return int(x + MAGIC) - int(MAGIC)


def nearest(x: float) -> int:
    """Integer nearest to x, halves up, with the same tolerance."""
    return int(x + (MAGIC + 0.5)) - int(MAGIC)


def ceiling(x: float) -> int:
    return -floor(-x)


def to_fixed(x: float) -> int:
    return int(np.rint(x * ONE))


def multiply(a: int, b: int) -> int:
    return (a * b + ONE // 2) >> BITS


# ---------------------------------------------------------------------------------------------- geometry


def clip_rectangle(settings, height, width):
    """First and last column, first and last row (inclusive) of the clip rectangle."""
    origin, size = settings.clip_origin or (0, 0), settings.clip_size or (0, 0)
    if not (size[0] > 0 and size[1] > 0):
        return 0, width - 1, 0, height - 1
    return (
        max(origin[0], 0),
        min(origin[0] + size[0], width - 1),
        max(origin[1], 0),
        min(origin[1] + size[1], height - 1),
    )


def output_geometry(poses, settings, height, width):
    """Origin and size (x, y, z) of the volume around the clip rectangles of all frames."""
    u0, u1, v0, v1 = map(float, clip_rectangle(settings, height, width))
    corners = [(u, v) for u in (u0, u1) for v in (v0, v1)]
    points = [[(m[0] * u + m[1] * v) + m[3] for m in pose[:3].tolist()] for pose in poses for u, v in corners]
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    steps = (high - low) / np.asarray(settings.output_spacing)
    return low, tuple(math.floor(s + 0.5) + 1 for s in steps)


def image_to_voxel(pose, origin, spacing):
    """Three rows of four: pixels to voxel indices, by VTK's adjugate inverse of the output's matrix."""
    (sx, sy, sz), (ox, oy, oz) = np.asarray(spacing, float).tolist(), np.asarray(origin, float).tolist()
    determinant = sx * (sy * sz)
    scale = [sy * sz / determinant, sx * sz / determinant, sx * sy / determinant]
    shift = [
        -(ox * (sy * sz)) / determinant,
        -(sx * (sz * oy)) / determinant,
        -(sx * (sy * oz)) / determinant,
    ]
    rows = pose[:3].tolist()
    return [[s * a for a in row[:3]] + [s * row[3] + t] for s, t, row in zip(scale, shift, rows, strict=True)]


# ---------------------------------------------------------------------------------------------- which pixels


@dataclass
class Fan:
    """The fan of the configuration; `on` is False where both angles are zero."""

    tangents: tuple[float, float]
    origin: tuple[float, float]
    start: float
    stop: float

    @classmethod
    def of(cls, settings, angles=None):
        angles = angles or settings.fan_angles_deg or (0.0, 0.0)
        tangents = tuple(sorted(math.tan(a * 0.017453292519943295) for a in angles))
        start, stop = settings.fan_radius_start_px, settings.fan_radius_stop_px
        return cls(
            tangents,
            settings.fan_origin_px or (0.0, 0.0),
            0.0 if start is None else start,
            500.0 if stop is None else stop,
        )

    @property
    def on(self):
        return self.tangents != (0.0, 0.0)

    def holds(self, u, v):
        """The test of Optimization NONE."""
        x, y = u - self.origin[0], v - self.origin[1]
        if y < 0:
            return False
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.float64(x) / np.float64(y)
        if slope < self.tangents[0] or slope > self.tangents[1]:
            return False
        return not (x * x + y * y < self.start**2 or x * x + y * y > self.stop**2)

    def narrow(self, first, last, v):
        """First and last column of a row for FULL and PARTIAL, and the columns to skip in between (or None)."""
        ox, y = self.origin[0], v - self.origin[1]
        first = max(first, ceiling(self.tangents[0] * y + ox + 1))
        last = min(last, floor(self.tangents[1] * y + ox - 1))
        if self.stop**2 - y * y < 0:
            return 0, -1, None
        reach = math.sqrt(self.stop**2 - y * y)
        first, last = max(first, ceiling(ox - reach + 1)), min(last, floor(ox + reach - 1))
        if not self.start**2 - y * y > 0:
            return first, last, None
        near = math.sqrt(self.start**2 - y * y)
        return first, last, (ceiling(ox - near + 1), floor(ox + near - 1))


def segments(v, inside, clip, fan):
    """Column intervals (first, last) of row v that FULL and PARTIAL insert; `inside` are columns in the volume."""
    first, last = (min(inside), max(inside)) if inside else (0, -1)
    skip = None
    if fan.on and first <= last:
        first, last, skip = fan.narrow(first, last, v)
    first, last = max(first, clip[0]), min(last, clip[1])
    if first > last or not clip[2] <= v <= clip[3]:
        first, last = 0, -1
    if skip is None:
        return [(first, last)]
    if skip[0] < first:
        return [(max(first, skip[1] + 1), last)]
    if skip[1] > last:
        return [(first, min(last, skip[0] - 1))]
    return [(first, skip[0] - 1), (skip[1] + 1, last)]


# ---------------------------------------------------------------------------------------------- insertion


class Paster:
    """The volume under construction."""

    def __init__(self, settings, dtype, size):
        self.settings = settings
        self.fixed = settings.optimization == "FULL"
        self.linear = settings.interpolation == "LINEAR"
        self.mode = settings.compounding
        self.integer = np.dtype(dtype).kind in "iu"
        self.size = size
        self.out = np.zeros(size[::-1], dtype)
        self.acc = np.zeros(size[::-1], np.int64)

    def point(self, rows, u, v):
        """Continuous voxel index of a pixel, in the order of operations of each optimisation."""
        if self.settings.optimization == "NONE":
            return [((m[0] * u + m[1] * v) + m[2] * 0.0) + m[3] for m in rows]
        return [(m[3] + v * m[1]) + u * m[0] for m in rows]

    def index(self, p):
        return [(c + ONE // 2) >> BITS if self.fixed else nearest(c) for c in p]

    def inside(self, index):
        return all(0 <= i < n for i, n in zip(index, self.size, strict=True))

    def insert(self, p, value, importance):
        """Insert one pixel at p."""
        if self.linear:
            self._insert_linear(p, value, importance)
            return True
        at = tuple(self.index(p)[::-1])
        return self._insert_nearest(at, value, importance)

    def _insert_nearest(self, at, value, importance):
        """Insert a pixel into its nearest voxel; return what the running mean says (see `_running_mean`)."""
        if self.mode == "MEAN":
            return self._running_mean(at, value, 256)
        if self.mode == "IMPORTANCE_MASK":
            return self._running_mean(at, value, int(importance))
        if self.mode == "LATEST" or value > self.out[at]:
            self.out[at] = value
        whole = self.settings.optimization == "NONE"
        self.acc[at] = min(self.acc[at] + 256, ACCUMULATION_MAXIMUM) if whole else 256
        return "taken"

    def _running_mean(self, at, value, weight):
        acc, out = int(self.acc[at]), self.out[at]
        if acc > ACCUMULATION_THRESHOLD:
            self.out[at] = self._truncated(float(value) * (1 / 256) + float(out) * (255 / 256))
            return "overflow"
        if weight == 0:
            return "zero"
        total = acc + weight
        if self.integer:
            self.out[at] = (int(value) * weight + int(out) * acc) // total
        else:
            self.out[at] = (f32(value) * f32(weight) + f32(out) * f32(acc)) / f32(total)
        self.acc[at] = min(total, ACCUMULATION_MAXIMUM)
        return "taken"

    def _truncated(self, x):
        return int(x) if self.integer else f32(x)

    def _insert_linear(self, p, value, importance):
        lower = [c >> BITS if self.fixed else floor(c) for c in p]
        fraction = [c - (i << BITS) if self.fixed else c - i for c, i in zip(p, lower, strict=True)]
        upper = [i + (f != 0) for i, f in zip(lower, fraction, strict=True)]
        if min(lower) < 0 or any(i >= n for i, n in zip(upper, self.size, strict=True)):
            return
        one, times = (ONE, multiply) if self.fixed else (1.0, lambda a, b: a * b)
        for corner in range(7, -1, -1):
            far = [corner >> 2 & 1, corner >> 1 & 1, corner & 1]
            wx, wy, wz = (f if k else one - f for k, f in zip(far, fraction, strict=True))
            weight = times(wx, times(wy, wz))
            if weight != 0:
                x, y, z = (hi if k else lo for k, lo, hi in zip(far, lower, upper, strict=True))
                self._splat((z, y, x), value, weight, importance)

    def _splat(self, at, value, weight, importance):
        """Give one of the eight voxels its share."""
        unit = ONE if self.fixed else 1
        total = int(self.acc[at]) * unit
        if self.mode == "MEAN":
            total = self._splat_mean(at, value, weight)
        elif self.mode == "IMPORTANCE_MASK":
            if importance != 0:
                total = self._splat_important(at, value, weight, int(importance))
        elif weight >= unit / 8 and (self.mode == "LATEST" or value > self.out[at]):
            self.out[at] = value
            total = weight * 256
        if total >= ACCUMULATION_MAXIMUM * unit:
            self.acc[at] = ACCUMULATION_MAXIMUM
        else:
            self.acc[at] = (total + ONE // 2) >> BITS if self.fixed else nearest(total)

    def _splat_mean(self, at, value, weight):
        out, acc = self.out[at], int(self.acc[at])
        if not self.fixed:
            rest = acc / 256
            self._store(at, (weight * float(value) + rest * float(out)) / (weight + rest))
            return (weight + rest) * 256
        rest = acc * (ONE // 256)
        if self.integer:
            self._store(at, to_fixed((weight * int(value) + rest * int(out)) / (weight + rest)))
        else:
            self.out[at] = (f32(weight / ONE) * value + f32(rest / ONE) * out) / f32((weight + rest) / ONE)
        return (weight + rest) * 256

    def _splat_important(self, at, value, weight, importance):
        out, acc = self.out[at], int(self.acc[at])
        if not self.fixed:
            total = importance * weight + acc
            if self.integer:
                self._store(at, (int(value) * importance * weight + int(out) * acc) / total)
            else:
                self._store(at, (float(value * f32(importance)) * weight + float(out * f32(acc))) / total)
            return total
        total = importance * weight + acc * ONE
        kept = to_fixed(acc * ONE / total)
        if self.integer:
            self._store(at, to_fixed(int(value) * importance * weight / total) + kept * int(out))
        else:
            new = (value * f32(importance)) * f32(weight / ONE) / f32(total / ONE)
            self._store(at, to_fixed(float(new + f32(kept / ONE) * out)))
        return total

    def _store(self, at, x):
        """Store a number of the optimisation's kind: integers round, float32 takes it as it is."""
        if self.integer:
            self.out[at] = (((x + ONE // 2) >> BITS) if self.fixed else nearest(x)) & 0xFF
        else:
            self.out[at] = f32(x / ONE if self.fixed else x)


def rejected(value, settings):
    return settings.pixel_rejection_threshold is not None and float(value) < settings.pixel_rejection_threshold


def paste_plainly(paster, frame, rows, settings, clip, fan, mask):
    """Optimization NONE: every pixel is tested on its own."""
    for v in range(clip[2], clip[3] + 1):
        for u in range(clip[0], clip[1] + 1):
            if rejected(frame[v, u], settings) or (fan.on and not fan.holds(u, v)):
                continue
            p = paster.point(rows, float(u), float(v))
            if paster.linear or paster.inside(paster.index(p)):
                paster.insert(p, frame[v, u], mask[v, u])


def paste_rows(paster, frame, rows, settings, clip, fan, mask):
    """FULL and PARTIAL: segments of rows, read through two pointers that IGSIO lets run out of step."""
    if paster.fixed:
        rows = [[to_fixed(a) for a in row] for row in rows]
    pixels, weights = frame.ravel(), mask.ravel()
    width = frame.shape[1]
    start = start_mask = 0
    for v in range(frame.shape[0]):
        columns = [u for u in range(width) if paster.inside(paster.index(paster.point(rows, u, v)))]
        parts = segments(v, columns, clip, fan)
        start, start_mask = start + parts[0][0], start_mask + parts[0][0]
        for part, (first, last) in enumerate(parts):
            if part:
                gap = first - (parts[part - 1][1] + 1)
                start, start_mask = start + gap, start_mask + gap
            for u in range(first, last + 1):
                value, importance = pixels[start], weights[start_mask]
                if not rejected(value, settings):
                    told = paster.insert(paster.point(rows, u, v), value, importance)
                    if told == "zero":
                        break  # the pointers stay
                    start_mask -= told == "overflow" and paster.mode == "IMPORTANCE_MASK"
                start, start_mask = start + 1, start_mask + 1
        rest = width - (max(parts[-1][1], parts[-1][0] - 1) + 1)
        start, start_mask = start + rest, start_mask + rest


def reconstruct(frames, image_to_reference, settings, mask=None):
    """Return (volume, accumulation, origin): what IGSIO makes of valid frames with these settings.

    `mask` is the importance mask (H, W) uint8. Frames are uint8 or float32.
    """
    frames, poses = np.asarray(frames), np.asarray(image_to_reference, np.float64)
    height, width = frames.shape[1:]
    mask = np.ones((height, width), np.uint8) if mask is None else mask
    origin, size = output_geometry(poses, settings, height, width)
    clip = clip_rectangle(settings, height, width)
    paster = Paster(settings, frames.dtype, size)
    paste = paste_plainly if settings.optimization == "NONE" else paste_rows
    for n in range(0, len(frames), max(1, settings.skip_interval)):
        angles = None
        if settings.fan_angles_auto_detect:
            angles = detected_angles(frames[n], settings)
            if angles is None:
                continue
        rows = image_to_voxel(poses[n], origin, settings.output_spacing)
        paste(paster, frames[n], rows, settings, clip, Fan.of(settings, angles), mask)
    volume = paster.out
    if settings.fill_holes:
        volume = fill_holes(volume, paster.acc, settings.hole_filling)
    return volume, paster.acc, origin


# ---------------------------------------------------------------------------------------------- fan detection


def detected_angles(frame, settings, threshold=30.0, window=20, margin=3.0):
    """Edges (degrees) of the widest bright sector of a frame, or None where the frame is empty."""
    fan = Fan.of(settings)
    low, high = (a * 0.017453292519943295 for a in settings.fan_angles_deg or (0.0, 0.0))
    widest = None
    for percentage in (15, 30, 50, 70):
        radius = fan.start + (fan.stop - fan.start) * percentage / 100
        angles, values = arc_samples(frame, fan.origin, radius, low, high)
        found = widest_run(angles, values >= threshold, window, high)
        if widest is None or found[1] - found[0] > widest[1] - widest[0]:
            widest = found
    if widest == (0.0, 0.0):
        return None
    left, right = (a * 57.29577951308232 for a in widest)
    return max(left + margin, settings.fan_angles_deg[0]), min(right - margin, settings.fan_angles_deg[1])


def arc_samples(frame, origin, radius, low, high):
    """Angles and intensities along an arc, one pixel apart, where it lies inside the image."""
    step = 1 / radius
    angles, values = [], []
    for k in range(int((high - low) / step)):
        angle = low + k * step
        place = (int(origin[0]) + radius * math.sin(angle), int(origin[1]) + radius * math.cos(angle))
        u, v = (int(x + 0.5) if x >= 0 else int(x - 0.5) for x in place)
        if 0 <= u < frame.shape[1] and 0 <= v < frame.shape[0]:
            angles.append(angle)
            values.append(float(frame[v, u]))
    return angles, np.asarray(values)


def widest_run(angles, bright, window, high):
    """Ends of the widest interval in which at least half of a moving window is bright; (0, 0) for none."""
    left, right, on = [], [], False
    for j in range(window, len(angles)):
        count = int(bright[j - window : j].sum())
        if not on and count >= window / 2:
            left.append(angles[j - window])
            on = True
        elif on and count <= window / 2:
            right.append(angles[j - 1])
            on = False
    if on:
        right.append(high)
    best = (0.0, 0.0)
    for pair in zip(left, right, strict=True):
        if pair[1] - pair[0] > best[1] - best[0]:
            best = pair
    return best
