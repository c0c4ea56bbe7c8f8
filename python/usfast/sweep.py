"""`Sweep`: tracked B-mode frames, checked on construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

__all__ = ["Sweep"]


def _as_frames(frames: ArrayLike) -> NDArray[Any]:
    array = np.asarray(frames)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"frames must be a non-empty array (N, H, W), not shape {array.shape}")
    if array.dtype.kind not in "buif":
        raise TypeError(f"frames must hold real numbers (uint8 or float32), not {array.dtype}")
    if array.dtype in (np.uint8, np.float32):
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(array, np.float32)
    if array.dtype.kind == "f" and (np.isinf(single) & np.isfinite(array)).any():
        raise ValueError("frames hold values too large for float32")
    return single


def _as_poses(image_to_world: ArrayLike, count: int) -> NDArray[np.float64]:
    poses = np.ascontiguousarray(image_to_world, np.float64)
    if poses.shape == (4, 4) and count == 1:
        poses = poses[None]
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise ValueError(f"image_to_world must have shape ({count}, 4, 4), not {poses.shape}")
    if len(poses) != count:
        raise ValueError(f"image_to_world has shape {poses.shape}, but there are {count} frames")
    return poses


def _per_frame(name: str, values: ArrayLike, dtype: Any, count: int) -> NDArray[Any]:
    array = np.ascontiguousarray(values, dtype)
    if array.shape != (count,):
        raise ValueError(f"{name} must have one entry for each of the {count} frames, not shape {array.shape}")
    return array


def _check_valid_poses(poses: NDArray[np.float64], valid: NDArray[np.bool_]) -> None:
    """Every valid pose must be finite, affine and invertible."""
    finite = np.isfinite(poses).all(axis=(1, 2))
    bad = np.flatnonzero(valid & ~finite)
    if bad.size:
        raise GeometryError(
            f"image_to_world of frame {bad[0]} is not finite ({bad.size} such frames); mark them in valid"
        )
    rows = poses[valid]
    bad = np.flatnonzero(valid)[(rows[:, 3] != (0, 0, 0, 1)).any(axis=1)]
    if bad.size:
        raise GeometryError(
            f"image_to_world of frame {bad[0]} must end in the row 0 0 0 1, not {poses[bad[0], 3].tolist()}"
        )
    linear = rows[:, :3, :3]
    lengths = np.linalg.norm(linear, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        independent = np.abs(np.linalg.det(linear / lengths[:, None, :])) > 1e-6
    bad = np.flatnonzero(valid)[~independent]
    if bad.size:
        raise GeometryError(
            f"image_to_world of frame {bad[0]} is singular ({bad.size} such frames); "
            "give the third column any length along the image's normal, or mark the frames in valid"
        )


def _as_mask(mask: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    array = np.ascontiguousarray(mask, bool)
    if array.shape != shape[1:]:
        raise ValueError(f"mask has shape {array.shape}, but the frames are {shape[1:]}")
    return array


def _as_labels(labels: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.ascontiguousarray(labels)
    if array.shape != shape:
        raise ValueError(f"labels have shape {array.shape}, but the frames {shape}")
    if array.dtype.kind not in "bui":
        raise TypeError(f"labels must be integers, not {array.dtype}")
    return array


@dataclass(frozen=True, eq=False)
class Sweep:
    """Tracked ultrasound frames and where each of them was.

    Parameters
    ----------
    frames : (N, H, W) array
        B-mode intensities. uint8 and float32 are kept without a copy when C-contiguous; every other real
        dtype becomes float32.
    image_to_world : (N, 4, 4) array
        Takes pixel (u, v, 0, 1) = (column, row, 0, 1), its centre at integer coordinates, to world mm.
    timestamps : (N,) array, optional
        Acquisition time of each frame, s.
    valid : (N,) bool array, optional
        False where the pose is unknown; such poses may be anything, NaN too. Default: all valid.
    mask : (H, W) bool array, optional
        True where a pixel shows tissue (inside the fan). Default: every pixel.
    labels : (N, H, W) integer array, optional
        Label of every pixel, 0 background.
    meta : mapping, optional
        Anything worth keeping about the recording.

    Raises
    ------
    ValueError, TypeError
        If shapes or dtypes do not fit each other.
    GeometryError
        If the pose of a valid frame is not finite, not affine or singular.

    Examples
    --------
    >>> import numpy as np
    >>> poses = np.tile(np.diag([0.2, 0.2, 0.2, 1.0]), (5, 1, 1))
    >>> poses[:, 2, 3] = np.arange(5)  # one frame a millimetre
    >>> sweep = Sweep(np.zeros((5, 40, 30), np.uint8), poses)
    >>> len(sweep[1:4]), sweep.image_size
    (3, (40, 30))
    >>> sweep.path_length
    4.0
    """

    frames: NDArray[Any]
    image_to_world: NDArray[np.float64]
    timestamps: NDArray[np.float64] | None
    valid: NDArray[np.bool_]
    mask: NDArray[np.bool_] | None
    labels: NDArray[Any] | None
    meta: Mapping[str, Any]

    def __init__(
        self,
        frames: ArrayLike,
        image_to_world: ArrayLike,
        timestamps: ArrayLike | None = None,
        valid: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        pixels = _as_frames(frames)
        count = len(pixels)
        poses = _as_poses(image_to_world, count)
        usable = np.ones(count, bool) if valid is None else _per_frame("valid", valid, bool, count)
        _check_valid_poses(poses, usable)
        put = object.__setattr__  # the dataclass is frozen
        put(self, "frames", pixels)
        put(self, "image_to_world", poses)
        put(
            self,
            "timestamps",
            None if timestamps is None else _per_frame("timestamps", timestamps, float, count),
        )
        put(self, "valid", usable)
        put(self, "mask", None if mask is None else _as_mask(mask, pixels.shape))
        put(self, "labels", None if labels is None else _as_labels(labels, pixels.shape))
        put(self, "meta", {} if meta is None else meta)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, which: int | slice | Sequence[int] | NDArray[Any]) -> Sweep:
        """Return the chosen frames (slice, index array or boolean array) as a Sweep."""
        if isinstance(which, (int, np.integer)):
            which = [int(which)]

        def of(values: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if values is None else values[which]

        return Sweep(
            self.frames[which],
            self.image_to_world[which],
            of(self.timestamps),
            self.valid[which],
            self.mask,
            of(self.labels),
            self.meta,
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """Rows and columns (H, W) of a frame."""
        return self.frames.shape[1], self.frames.shape[2]

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """Median distance between neighbouring columns and rows of the valid frames, mm (u, v)."""
        lengths = np.linalg.norm(self._valid_poses()[:, :3, :2], axis=1)
        u, v = np.median(lengths, axis=0)
        return float(u), float(v)

    @property
    def path_length(self) -> float:
        """Length of the path of the image centre over the valid frames, mm."""
        height, width = self.image_size
        centre = np.array([(width - 1) / 2, (height - 1) / 2, 0.0, 1.0])
        path = (self._valid_poses() @ centre)[:, :3]
        return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())

    @property
    def frame_rate(self) -> float | None:
        """Frames per second by the median time step; None without two increasing timestamps."""
        if self.timestamps is None or len(self) < 2:
            return None
        step = float(np.median(np.diff(self.timestamps)))
        return 1.0 / step if step > 0 else None

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lowest and highest world corner (x, y, z) of the pixels in the mask, mm."""
        height, width = self.image_size
        top, bottom, left, right = 0, height - 1, 0, width - 1
        if self.mask is not None:
            rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
            if not rows.size:
                raise GeometryError("the mask excludes every pixel")
            top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
        corners = np.array([[u, v, 0.0, 1.0] for u in (left, right) for v in (top, bottom)]).T
        points = (self._valid_poses() @ corners)[:, :3]
        return points.min(axis=(0, 2)), points.max(axis=(0, 2))

    def _valid_poses(self) -> NDArray[np.float64]:
        if not self.valid.any():
            raise GeometryError(f"none of the {len(self)} frames has a valid pose")
        return self.image_to_world[self.valid]

    @classmethod
    def concatenate(cls, sweeps: Sequence[Sweep]) -> Sweep:
        """Join sweeps of one image size in one world frame, e.g. the overlapping passes over a limb.

        The mask is kept where all sweeps share it; masks that differ are refused. Timestamps and labels are
        kept where every sweep has them; `meta` is the first sweep's.
        """
        if not sweeps:
            raise ValueError("there is no sweep to concatenate")
        first = sweeps[0]
        for sweep in sweeps[1:]:
            if sweep.image_size != first.image_size or sweep.frames.dtype != first.frames.dtype:
                raise ValueError(
                    f"sweeps to concatenate must agree: {first.image_size} {first.frames.dtype} "
                    f"and {sweep.image_size} {sweep.frames.dtype}"
                )
            if not np.array_equal(_mask_or_ones(sweep), _mask_or_ones(first)):
                raise ValueError("sweeps to concatenate must have the same mask")
        stamps = [s.timestamps for s in sweeps if s.timestamps is not None]
        labels = [s.labels for s in sweeps if s.labels is not None]
        return cls(
            np.concatenate([s.frames for s in sweeps]),
            np.concatenate([s.image_to_world for s in sweeps]),
            np.concatenate(stamps) if len(stamps) == len(sweeps) else None,
            np.concatenate([s.valid for s in sweeps]),
            first.mask,
            np.concatenate(labels) if len(labels) == len(sweeps) else None,
            first.meta,
        )


def _mask_or_ones(sweep: Sweep) -> NDArray[np.bool_]:
    return np.ones(sweep.image_size, bool) if sweep.mask is None else sweep.mask
