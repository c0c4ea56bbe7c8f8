"""How the hand moves the probe over the limb: overlapping longitudinal passes that face its axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.anatomy import LENGTH, limb_radius

__all__ = ["LinearProbe", "scan_poses", "shaken"]

Poses = NDArray[np.float64]


@dataclass(frozen=True)
class LinearProbe:
    """A linear probe's image: `width` by `depth` mm in `shape` (H, W) pixels; row 0 lies on its face."""

    width: float = 50.0
    depth: float = 60.0
    shape: tuple[int, int] = (320, 256)

    @property
    def image_to_probe(self) -> Poses:
        """(4, 4) transform from pixels to probe mm, origin at the middle of the face, y along the beam."""
        height, columns = self.shape
        du, dv = self.width / columns, self.depth / height
        matrix = np.diag([du, dv, du, 1.0])
        matrix[0, 3] = -du * (columns - 1) / 2
        return matrix


def scan_poses(
    rng: np.random.Generator, passes: int, frames_per_pass: int, step_deg: float, jitter: float
) -> tuple[Poses, NDArray[np.float64]]:
    """Return probe-to-world (N, 4, 4) and the angle of each pass around the limb in degrees (passes,).

    The passes go up and down in turn, `step_deg` apart, each from end to end of the limb. `jitter` scales the
    slow sway of the hand: 1 means about 0.5 mm and 0.7 degrees.
    """
    angles = np.asarray((np.arange(passes) - (passes - 1) / 2) * step_deg, np.float64)
    # A part of a frame step apart, so that the planes of neighbouring passes interleave.
    places = (np.arange(frames_per_pass) + 0.5) / frames_per_pass
    poses = []
    for number, angle in enumerate(angles):
        z = LENGTH * (places + ((number * 2) % passes / passes - 0.5) / frames_per_pass)
        straight = _facing_axis(z[::-1] if number % 2 else z, angle)
        sway = _slow_noise(rng, frames_per_pass, 6) * jitter
        poses.append(straight @ _small_motion(0.5 * sway[:, :3], 0.7 * sway[:, 3:]))
    return np.concatenate(poses), angles


def shaken(rng: np.random.Generator, poses: Poses, sigma_mm: float, sigma_deg: float) -> Poses:
    """Return what a tracker reports of `poses`: white noise of `sigma_mm` and `sigma_deg` on each frame."""
    noise = rng.standard_normal((len(poses), 6))
    return np.asarray(poses @ _small_motion(sigma_mm * noise[:, :3], sigma_deg * noise[:, 3:]))


def _facing_axis(z: NDArray[np.float64], angle_deg: float) -> Poses:
    angle = np.deg2rad(angle_deg)
    outwards = np.array([np.sin(angle), -np.cos(angle), 0.0])
    poses = np.tile(np.eye(4), (len(z), 1, 1))
    poses[:, :3, 0] = np.cos(angle), np.sin(angle), 0.0
    poses[:, :3, 1] = -outwards
    # The probe presses 2 mm into the skin; gel fills the wedges beside it.
    poses[:, :3, 3] = (limb_radius(z) - 2.0)[:, None] * outwards
    poses[:, 2, 3] = z
    return poses


def _slow_noise(rng: np.random.Generator, count: int, channels: int) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    noise = gaussian_filter1d(rng.standard_normal((count + 80, channels)), 6.0, axis=0)[40:-40]
    return np.asarray(noise * np.sqrt(2 * np.sqrt(np.pi) * 6.0))  # back to unit variance


def _small_motion(shift_mm: NDArray[np.float64], turn_deg: NDArray[np.float64]) -> Poses:
    from scipy.spatial.transform import Rotation

    motion = np.tile(np.eye(4), (len(shift_mm), 1, 1))
    motion[:, :3, :3] = Rotation.from_rotvec(turn_deg, degrees=True).as_matrix()
    motion[:, :3, 3] = shift_mm
    return motion
