"""`Trajectory`: where the probe truly is at every frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

__all__ = ["FRAME_RATE", "Trajectory"]

FRAME_RATE = 20.0
"""Frames per second where nothing else is said."""

_RIGID = 1e-6  # largest error of an entry of RᵀR


@dataclass(frozen=True, eq=False)
class Trajectory:
    """True poses of the probe, one for each frame.

    Parameters
    ----------
    probe_to_world : (N, 4, 4) array
        Rigid transforms, mm. Probe frame: origin at the middle of the transducer's face, x lateral (image u),
        y along the beam into the tissue (image v), z elevational (out of the plane).
    timestamps : (N,) array
        Times of the frames, s, increasing.
    pass_index : (N,) integer array, optional
        Which pass over the body each frame belongs to: 0, 1, ... in order. Default: all 0.
    meta : mapping, optional
        What made the trajectory: ``kind``, ``seed`` and numbers.

    Raises
    ------
    ValueError
        If shapes do not fit, there is no frame, the times do not increase or the passes go backwards.
    GeometryError
        If a pose is not rigid or not finite.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = (0.0, 0.5, 1.0)
    >>> trajectory = Trajectory(poses, [0.0, 0.05, 0.1])
    >>> len(trajectory), trajectory.path_length
    (3, 1.0)
    """

    probe_to_world: NDArray[np.float64]
    timestamps: NDArray[np.float64]
    pass_index: NDArray[np.int64]
    meta: Mapping[str, Any]

    def __init__(
        self,
        probe_to_world: ArrayLike,
        timestamps: ArrayLike,
        pass_index: ArrayLike | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        poses = _rigid_poses(probe_to_world)
        count = len(poses)
        times = np.ascontiguousarray(timestamps, np.float64)
        if times.shape != (count,):
            raise ValueError(f"timestamps have shape {times.shape}, but there are {count} poses")
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise ValueError("timestamps must be finite and increase from frame to frame")
        passes = np.zeros(count, np.int64) if pass_index is None else np.asarray(pass_index)
        if passes.shape != (count,) or passes.dtype.kind not in "ui":
            raise ValueError(f"pass_index must hold {count} whole numbers, not {passes.dtype} of shape {passes.shape}")
        passes = np.ascontiguousarray(passes, np.int64)
        if passes[0] < 0 or (np.diff(passes) < 0).any():
            raise ValueError("pass_index must not be negative nor decrease")
        put = object.__setattr__  # the dataclass is frozen
        put(self, "probe_to_world", poses)
        put(self, "timestamps", times)
        put(self, "pass_index", passes)
        put(self, "meta", {} if meta is None else dict(meta))

    def __len__(self) -> int:
        return len(self.probe_to_world)

    def passes(self) -> Iterator[slice]:
        """Yield the frames of each pass in order, as slices."""
        edges = np.flatnonzero(np.diff(self.pass_index)) + 1
        starts = [0, *edges.tolist()]
        for start, stop in zip(starts, [*starts[1:], len(self)], strict=True):
            yield slice(start, stop)

    def part(self, frames: slice) -> Trajectory:
        """Return the trajectory of some frames, with their times and passes unchanged."""
        return Trajectory(self.probe_to_world[frames], self.timestamps[frames], self.pass_index[frames], self.meta)

    @property
    def steps(self) -> NDArray[np.float64]:
        """(N - 1, 4, 4) motions ``inv(pose[i]) @ pose[i + 1]`` between frames; those between passes too."""
        from usfast.geometry import absolute_to_relative

        return absolute_to_relative(self.probe_to_world)

    @property
    def path_length(self) -> float:
        """Length of the path of the probe's face over all passes, mm; ways between passes do not count."""
        places = self.probe_to_world[:, :3, 3]
        lengths = np.linalg.norm(np.diff(places, axis=0), axis=1)
        return float(lengths[np.diff(self.pass_index) == 0].sum())


def _rigid_poses(probe_to_world: ArrayLike) -> NDArray[np.float64]:
    poses = np.ascontiguousarray(probe_to_world, np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not len(poses):
        raise ValueError(f"probe_to_world must have shape (N, 4, 4) with N at least 1, not {poses.shape}")
    finite = np.isfinite(poses).all(axis=(1, 2))
    if not finite.all():
        raise GeometryError(f"probe_to_world of frame {int(np.argmin(finite))} is not finite")
    turns = poses[:, :3, :3]
    error = np.abs(np.swapaxes(turns, 1, 2) @ turns - np.eye(3)).max(axis=(1, 2))
    wrong = (error > _RIGID) | (np.linalg.det(turns) < 0) | (poses[:, 3] != (0, 0, 0, 1)).any(axis=1)
    if wrong.any():
        raise GeometryError(
            f"probe_to_world of frame {int(np.argmax(wrong))} is not rigid (a rotation and a shift in mm, "
            "last row 0 0 0 1)"
        )
    return poses
