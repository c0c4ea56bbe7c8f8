"""From frames to poses: calibrate on a tracked sweep, then track frames of the same probe without a tracker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError
from usfast.geometry import euler_to_matrix, nearest_rotation, relative_to_absolute
from usfast.speckle.aligned import correlate_aligned, fit_in_plane
from usfast.speckle.calibration import Calibration, calibrate
from usfast.speckle.correlation import correlate_pairs
from usfast.speckle.curves import check_window, patch_displacements
from usfast.speckle.detection import drop_unusable
from usfast.speckle.inplane import track_patches
from usfast.speckle.outofplane import estimate_motion
from usfast.speckle.patches import PatchGrid
from usfast.speckle.steps import ElevationalMotion
from usfast.sweep import Sweep

__all__ = ["SpeckleTrack", "calibrate_sweep", "patch_positions", "track_frames"]

_Array = NDArray[np.float64]
_GUESS = 0.1  # median correlation of neighbours below which a step is little more than a guess


@dataclass(frozen=True, eq=False)
class SpeckleTrack:
    """Frames with the poses that their speckle tells.

    Attributes
    ----------
    sweep : Sweep
        ``image_to_world`` accumulated from the first pose; ``meta["warnings"]`` says what is doubtful.
    motion : ElevationalMotion
        Out-of-plane part of each step.
    in_plane : (N - 1, 3) float64 array
        Shift of the image's content along u and v (mm, at the middle of the image) and its turn (degrees); zeros where
        it was not asked for.
    """

    sweep: Sweep
    motion: ElevationalMotion
    in_plane: _Array


def calibrate_sweep(
    sweep: Sweep,
    patches: PatchGrid,
    window: int = 20,
    *,
    model: str = "log",
    k: float = 0.0,
    in_plane_limit: float | None = None,
    usable: ArrayLike | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Calibration:
    """Calibrate the elevational width of every row of patches on a tracked sweep.

    Parameters
    ----------
    sweep : Sweep
        uint8 frames, at least two with valid poses; frames without one are left out. The probe should move slowly
        across its own plane, in tissue or a phantom full of speckle.
    patches : PatchGrid
    window : int
        Largest distance between two frames of a pair, frames.
    model, k
        As for `correlation`.
    in_plane_limit : float, optional
        Leave out pairs of patches that moved farther than this in the plane, mm.
    usable : (N, P) bool array, optional
        From `detect_speckle`. Default: every patch.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError, TypeError
        If patches reach beyond the frames, or arguments do not fit each other.
    GeometryError
        If fewer than two frames have valid poses, or no row can be calibrated.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> echo = rng.normal(size=(2, 40, 64, 64))
    >>> slices = np.stack([np.exp(-((np.arange(40) - z) ** 2) / 18) for z in np.linspace(8, 30, 45)])
    >>> amplitude = np.hypot(*np.einsum("nz,czhw->cnhw", slices, echo))
    >>> poses = np.tile(np.diag([0.1, 0.1, 0.1, 1.0]), (45, 1, 1))
    >>> poses[:, 2, 3] = np.linspace(8, 30, 45) / 10
    >>> sweep = Sweep(np.clip(100 + 70 * np.log10(amplitude), 0, 255).astype(np.uint8), poses)
    >>> calibrate_sweep(sweep, PatchGrid.regular((64, 64), (64, 64))).sigma_mm.round(2).tolist()
    [0.3]
    """
    poses = np.where(sweep.valid[:, None, None], sweep.image_to_world, np.nan)
    if np.count_nonzero(sweep.valid) < 2:
        raise GeometryError(
            f"{np.count_nonzero(sweep.valid)} of {len(sweep)} frames have a valid pose: calibration needs at least two"
        )
    elevational, in_plane = patch_displacements(poses, patches, window)
    rho: NDArray[Any] = correlate_pairs(sweep.frames, patches, window, num_threads=num_threads, progress=progress)
    if usable is not None:
        rho = drop_unusable(rho, usable)
    return calibrate(
        rho,
        elevational,
        patches,
        sweep.image_size,
        sweep.pixel_spacing,
        model=model,
        k=k,
        in_plane=in_plane,
        in_plane_limit=in_plane_limit,
    )


def patch_positions(patches: PatchGrid, image_size: tuple[int, int], pixel_spacing: tuple[float, float]) -> _Array:
    """Return (P, 2): x and y of the middle of each patch from the middle of the image, mm.

    Examples
    --------
    >>> patch_positions(PatchGrid.regular((8, 16), (8, 8)), (8, 16), (0.5, 0.5)).tolist()
    [[-2.0, 0.0], [2.0, 0.0]]
    """
    middle = (np.array(image_size) - 1) / 2
    return np.asarray((patches.centres - middle)[:, ::-1] * pixel_spacing)


def track_frames(
    frames: ArrayLike,
    calibration: Calibration,
    patches: PatchGrid,
    *,
    start: ArrayLike | None = None,
    window: int = 20,
    motion: str = "plane",
    lags: str | Sequence[int] = "all",
    signs: ArrayLike = 1,
    in_plane: bool = False,
    search: int = 8,
    usable: ArrayLike | None = None,
    timestamps: ArrayLike | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> SpeckleTrack:
    """Track frames by their speckle.

    Parameters
    ----------
    frames : (N, H, W) uint8 array
        B-mode as the model of the calibration has it; at least two frames.
    calibration : Calibration
        Of the same probe, setting and patches.
    patches : PatchGrid
    start : (4, 4) array, optional
        image_to_world of the first frame; its first two columns give the directions of u and v, their lengths are
        replaced by the calibration's pixel spacing. Default: world = frame 0 in mm.
    window : int
        Largest distance between two frames of a pair; cut to the length of the sweep.
    motion, lags, signs
        As for `estimate_motion`.
    in_plane : bool
        Also measure the motion in the plane, between neighbouring frames (`track_patches`), and take it out before
        correlating (`correlate_aligned`). Without it the probe is taken to move across its plane only: in-plane motion
        within the window then decorrelates and is taken for elevational motion.
    search : int
        Largest in-plane displacement between neighbouring frames, pixels.
    usable : (N, P) bool array, optional
        From `detect_speckle`. Default: every patch.
    timestamps : (N,) array, optional
        For the resulting sweep.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)``, for one stage after the other.

    Returns
    -------
    SpeckleTrack

    Raises
    ------
    ValueError, TypeError
        If there is one frame only, the calibration is for other patches, or arguments do not fit each other.
    GeometryError
        If no pair of frames spans some step, e.g. where frames are constant.

    Notes
    -----
    Poses are ``image_to_world[i + 1] = image_to_world[i] @ step[i]`` with each step's elevational translation and turns
    about the middle of the image, then the in-plane motion. Errors add up along the sweep. The direction of motion
    cannot be seen in the speckle: `signs` gives it.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> echo = rng.normal(size=(2, 40, 64, 64))
    >>> slices = np.stack([np.exp(-((np.arange(40) - z) ** 2) / 18) for z in np.linspace(8, 30, 45)])
    >>> amplitude = np.hypot(*np.einsum("nz,czhw->cnhw", slices, echo))
    >>> frames = np.clip(100 + 70 * np.log10(amplitude), 0, 255).astype(np.uint8)
    >>> patches = PatchGrid.regular((64, 64), (32, 32))
    >>> known = Calibration([0.3, 0.3], [0, 0], [0.1, 0.1], (2, 2), (32, 32), (64, 64), (0.1, 0.1))
    >>> track = track_frames(frames, known, patches)  # of 2.2 mm
    >>> round(track.sweep.path_length, 1)
    2.2
    """
    sequence = np.asarray(frames)
    if sequence.ndim != 3 or 0 in sequence.shape:
        raise ValueError(f"frames must be a non-empty array (N, H, W), not shape {sequence.shape}")
    if len(sequence) < 2:
        raise ValueError("there is one frame only: motion needs at least two")
    check_window(window)
    size = (sequence.shape[1], sequence.shape[2])
    calibration.check_fits(patches, size)
    first = _first_pose(start, calibration.pixel_spacing)
    places = patch_positions(patches, size, calibration.pixel_spacing)
    reach = min(window, len(sequence) - 1)
    steps, lost = np.zeros((len(sequence) - 1, 3)), 0
    rho: NDArray[Any]
    if in_plane:
        found = track_patches(sequence, patches, lag=1, search=search, num_threads=num_threads, progress=progress)
        steps, measured = fit_in_plane(found.shift * np.array(calibration.pixel_spacing), places, found.correlation)
        lost = int(np.count_nonzero(~measured))
        path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:, :2], axis=0)]) / calibration.pixel_spacing
        rho = correlate_aligned(sequence, patches, path, reach, num_threads=num_threads, progress=progress)
    else:
        rho = correlate_pairs(sequence, patches, reach, num_threads=num_threads, progress=progress)
    if usable is not None:
        rho = drop_unusable(rho, usable)
    away = estimate_motion(
        rho,
        places,
        calibration.sigma_of_patches,
        rows=np.repeat(np.arange(patches.grid[0]), patches.grid[1]),
        nugget=np.nan_to_num(calibration.nugget_mm2),
        model=calibration.model,
        k=calibration.k,
        motion=motion,
        lags=lags,
        signs=signs,
        progress=progress,
    )
    poses = _poses(away, steps, first, size, calibration.pixel_spacing)
    sweep = Sweep(sequence, poses, timestamps, meta={"warnings": _warnings(away, lost)})
    return SpeckleTrack(sweep, away, steps * [1.0, 1.0, np.degrees(1.0)])


def _first_pose(start: ArrayLike | None, spacing: tuple[float, float]) -> _Array:
    """Return the rigid pose of the first frame's plane (mm) in the world, from its image_to_world."""
    if start is None:
        return np.eye(4)
    pose = np.asarray(start, dtype=np.float64)
    if pose.shape != (4, 4):
        raise ValueError(f"start must have shape (4, 4), not {pose.shape}")
    lengths = np.linalg.norm(pose[:3, :2], axis=0)
    if not (np.isfinite(pose).all() and (lengths > 0).all()):
        raise GeometryError("start must be finite, with axes longer than 0")
    if (np.abs(lengths / spacing - 1) > 0.02).any():
        raise GeometryError(
            f"start has pixels of {lengths[0]:.4g} x {lengths[1]:.4g} mm, but the calibration {spacing[0]:.4g} x "
            f"{spacing[1]:.4g} mm"
        )
    across, down = (pose[:3, :2] / lengths).T
    rigid = np.eye(4)
    rigid[:3, :3] = nearest_rotation(np.column_stack([across, down, np.cross(across, down)]))
    rigid[:3, 3] = pose[:3, 3]
    return rigid


def _poses(
    away: ElevationalMotion, steps: _Array, first: _Array, size: tuple[int, int], spacing: tuple[float, float]
) -> _Array:
    """image_to_world (N, 4, 4): steps chained, then scaled to pixels."""
    middle = np.eye(4)
    middle[:2, 3] = (np.array(size[::-1]) - 1) / 2 * spacing
    out = np.tile(np.eye(4), (len(steps), 1, 1))
    turns = np.column_stack([away.tilt_deg, away.yaw_deg, np.zeros(len(steps))])
    out[:, :3, :3] = euler_to_matrix(turns)
    out[:, 2, 3] = away.translation_mm
    within = np.tile(np.eye(4), (len(steps), 1, 1))
    cos, sin = np.cos(steps[:, 2]), np.sin(steps[:, 2])
    # The content turns and shifts by q -> R q + t from one frame to the next; the step takes the later frame back.
    within[:, 0, 0], within[:, 0, 1], within[:, 1, 0], within[:, 1, 1] = cos, sin, -sin, cos
    within[:, :2, 3] = -np.einsum("nij,nj->ni", within[:, :2, :2], steps[:, :2])
    relative = middle @ out @ within @ np.linalg.inv(middle)
    scale = np.diag([spacing[0], spacing[1], np.sqrt(spacing[0] * spacing[1]), 1.0])
    return np.asarray(relative_to_absolute(relative, first) @ scale)


def _warnings(away: ElevationalMotion, lost: int) -> list[str]:
    found = []
    guesses = np.count_nonzero(~(away.neighbours >= _GUESS))
    if guesses:
        found.append(f"{guesses} of {len(away.neighbours)} steps are guesses: neighbouring frames hardly correlate")
    if not away.converged:
        found.append(f"the fit of the motion did not settle in {away.iterations} iterations")
    if lost:
        found.append(f"the in-plane motion of {lost} steps could not be measured and counts as none")
    return found
