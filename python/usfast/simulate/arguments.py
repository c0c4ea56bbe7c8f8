"""Checks of what the user passes to the simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError
from usfast.simulate.probe import ConvexProbe, LinearProbe, Probe
from usfast.simulate.settings import BModeSettings

__all__ = ["as_pose", "as_poses", "as_probe", "as_scene", "as_seed", "as_settings"]

_FARTHEST = 1e6  # mm; float32 positions are good to 0.1 mm there, which is the least that an image needs


def as_poses(probe_to_world: ArrayLike) -> NDArray[np.float64]:
    """Return poses (N, 4, 4), N >= 1, finite and rigid."""
    poses = np.ascontiguousarray(probe_to_world, np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not len(poses):
        raise ValueError(f"probe_to_world must have shape (N, 4, 4) with a frame or more, not {poses.shape}")
    _check_rigid(poses)
    return poses


def as_pose(probe_to_world: ArrayLike) -> NDArray[np.float64]:
    """Return one pose (4, 4), finite and rigid."""
    pose = np.ascontiguousarray(probe_to_world, np.float64)
    if pose.shape != (4, 4):
        raise ValueError(f"probe_to_world of one frame must have shape (4, 4), not {pose.shape}")
    _check_rigid(pose[None])
    return pose


def _check_rigid(poses: NDArray[np.float64]) -> None:
    def refuse(bad: Any, why: str) -> None:
        if np.any(bad):
            raise GeometryError(f"probe_to_world of frame {int(np.argmax(bad))} {why}")

    refuse(~np.isfinite(poses).all(axis=(1, 2)), "is not finite")
    refuse((poses[:, 3] != (0, 0, 0, 1)).any(axis=1), "must end in the row 0 0 0 1")
    refuse(np.abs(poses[:, :3, 3]).max(axis=1) > _FARTHEST, f"lies more than {_FARTHEST:g} mm from the origin")
    turn = poses[:, :3, :3]
    refuse(np.abs(turn).max(axis=(1, 2)) > 2, "is not rigid: it scales or shears")
    skewed = np.abs(turn.swapaxes(1, 2) @ turn - np.eye(3)).max(axis=(1, 2)) > 1e-4
    refuse(skewed, "is not rigid: it scales or shears")
    refuse(np.linalg.det(turn) < 0, "mirrors: its rotation has determinant -1")


def as_probe(probe: object) -> Probe:
    """Return `probe` where it is one."""
    if not isinstance(probe, (LinearProbe, ConvexProbe)):
        raise TypeError(f"probe must be a LinearProbe or a ConvexProbe, not {type(probe).__name__}")
    return probe


def as_settings(settings: BModeSettings | None) -> BModeSettings:
    """Return `settings`, or the default ones for None."""
    if settings is None:
        return BModeSettings()
    if not isinstance(settings, BModeSettings):
        raise TypeError(f"settings must be BModeSettings, not {type(settings).__name__}")
    return settings


def as_seed(seed: object) -> int:
    """Return `seed` where it is a whole number from 0 to 2**63 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f"seed must be a whole number from 0 to 2**63 - 1, not {seed!r}")
    return int(seed)


def as_scene(phantom: Any) -> Any:
    """Return `phantom` where it has what the simulator asks for."""
    missing = [name for name in ("tissues", "tissue", "echo_db", "normal", "labels") if not hasattr(phantom, name)]
    if missing:
        raise TypeError(f"phantom must be a phantom; {type(phantom).__name__} has no {', '.join(missing)}")
    return phantom
