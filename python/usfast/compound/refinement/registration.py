"""The alternation of registration: sweeps are matched with what the others show, moved, and compounded anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from usfast.compound.refinement.motions import correction_matrices, rotation_jacobian
from usfast.compound.refinement.overlap import Matches, Splat, match, others, splat
from usfast.compound.refinement.pyramid import CoarseFrames
from usfast.compound.refinement.splines import PenalisedSpline
from usfast.volume import Grid

__all__ = ["Belief", "Level", "Limits", "Path", "align", "frame_matches"]

_Array = NDArray[np.float64]
_FEWEST = 24  # pixels that a frame must share with the others to have a say
_INNER = 3  # steps of one sweep between two compoundings
_DAMPING = (1e-3, 1e-2, 1e-1, 1.0)  # shares of the hessian's mean diagonal, tried in turn
_DONE_MM = 0.005
_RIDGE = 1e-3  # of the smoothness: ends a sweep that nothing holds


@dataclass(frozen=True)
class Limits:
    """Farthest that a sweep or a frame may be moved."""

    shift_mm: float
    angle: float  # rad


@dataclass(frozen=True)
class Belief:
    """What is held against the images: weights of a bend, and of leaving the plane that the tracker saw."""

    smoothness: float
    out_of_plane: float


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution: the grid, the frames of every sweep, and what stays where it is."""

    grid: Grid
    frames: list[CoarseFrames]
    fixed: list[Splat]


@dataclass(eq=False)
class Path:
    """The valid frames of one sweep: where the tracker saw them and how they are corrected.

    A frame's correction turns it about its centre by a rotation vector and shifts it; both follow a spline in time.
    Turns are counted in mm at `lever` mm from the centre, the root-mean-square distance of the pixels.
    """

    tracked: _Array  # (M, 4, 4) image_to_world
    middle: _Array  # (4,) homogeneous pixel at the centre of the image
    lever: float
    spline: PenalisedSpline
    rigid: _Array = field(default_factory=lambda: np.eye(4))
    controls: _Array = field(init=False)

    def __post_init__(self) -> None:
        self.controls = np.zeros((self.spline.controls, 6))

    def centres(self) -> _Array:
        """(M, 3) centres of the frames before the smooth correction, mm."""
        return np.asarray((self.rigid @ self.tracked @ self.middle)[:, :3])

    def across(self) -> _Array:
        """(M, 6, 6) quadratic forms of a correction's part out of the image plane, mm^2 at the lever."""
        normal = np.cross(self.tracked[:, :3, 0], self.tracked[:, :3, 1])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        outer = normal[:, :, None] * normal[:, None, :]
        forms = np.zeros((len(normal), 6, 6))
        forms[:, :3, :3], forms[:, 3:, 3:] = outer, np.eye(3) - outer
        return forms

    def moved_as_a_whole(self, rigid: _Array) -> _Array:
        """(M, 6) shifts of the frames' centres and rotation vector at the lever, mm, by a rigid correction."""
        centres = self.tracked @ self.middle
        shift = (centres @ rigid.T - centres)[:, :3]
        turn = (rigid[:3, :3] - rigid[:3, :3].T) / 2
        vector = self.lever * np.array([turn[2, 1], turn[0, 2], turn[1, 0]])
        return np.concatenate([shift, np.tile(vector, (len(shift), 1))], axis=1)

    def values(self, controls: _Array) -> _Array:
        """(M, 6) shifts (mm) and rotation vectors (rad) of the frames."""
        return self.spline.at_frames(controls) / [1, 1, 1, self.lever, self.lever, self.lever]

    def corrections(self, controls: _Array | None = None) -> _Array:
        """(M, 4, 4) world-side corrections, the rigid one included."""
        values = self.values(self.controls if controls is None else controls)
        return np.asarray(correction_matrices(values, self.centres()) @ self.rigid)

    def poses(self) -> _Array:
        return np.asarray(self.corrections() @ self.tracked)


def align(
    paths: list[Path],
    movable: list[int],
    level: Level,
    *,
    rigid: bool,
    iterations: int,
    belief: Belief,
    limits: Limits,
    threads: int,
    tick: Callable[[int], None],
) -> None:
    """Move the movable sweeps, one after the other, `iterations` times over; `tick` counts the steps done."""
    splats = [splat(f, p.poses(), level.grid, threads) for f, p in zip(level.frames, paths, strict=True)]
    for turn in range(iterations):
        farthest = 0.0
        for s in movable:
            volume = others([*splats, *level.fixed], s)
            search = _Search(paths[s], volume, level, s, belief, limits, threads)
            moved = search.rigid() if rigid else search.smooth()
            if moved > 0:
                splats[s] = splat(level.frames[s], paths[s].poses(), level.grid, threads)
            farthest = max(farthest, moved)
            tick(1)
        if farthest < _DONE_MM:
            tick((iterations - turn - 1) * len(movable))
            return


def frame_matches(paths: list[Path], level: Level, which: list[int], threads: int) -> list[Matches]:
    """Match the frames of sweeps, where they are now, with the other ones."""
    splats = [splat(f, p.poses(), level.grid, threads) for f, p in zip(level.frames, paths, strict=True)]

    def of_sweep(s: int) -> Matches:
        volume = others([*splats, *level.fixed], s)
        return match(volume, level.grid, level.frames[s], paths[s].poses(), paths[s].centres(), threads)

    return [of_sweep(s) for s in which]


@dataclass(frozen=True, eq=False)
class _Search:
    """Levenberg-Marquardt steps of one sweep against a volume that stays as it is."""

    path: Path
    volume: NDArray[np.float32]
    level: Level
    number: int
    belief: Belief
    limits: Limits
    threads: int

    def _match(self, poses: _Array, pivots: _Array) -> Matches:
        frames = self.level.frames[self.number]
        return match(self.volume, self.level.grid, frames, poses, pivots, self.threads)

    def _shares(self, found: Matches) -> _Array:
        """Weight of each frame: the share of its pixels that the others show."""
        pixels = self.level.frames[self.number].pixels[0].size
        counts = (found.used >= _FEWEST) & np.isfinite(found.ncc)
        return np.where(counts, found.used / pixels, 0.0)

    def rigid(self) -> float:
        """Move the whole sweep; return how far in all, mm."""
        return self._repeat(self._rigid_step)

    def _rigid_step(self) -> float:
        path = self.path
        poses = path.rigid @ path.tracked
        pivot = path.centres().mean(axis=0)
        pivots = np.tile(pivot, (len(poses), 1))
        found = self._match(poses, pivots)
        share = self._shares(found)
        scale = np.array([1, 1, 1, *[1 / path.lever] * 3])
        hessian = np.einsum("n,nij->ij", share, found.hessian) * np.outer(scale, scale)
        gradient = (share @ found.gradient) * scale
        forms = self.belief.out_of_plane * share[:, None, None] * path.across()
        before = path.moved_as_a_whole(path.rigid)
        hessian += forms.sum(axis=0)
        gradient -= np.einsum("nij,nj->i", forms, before)
        for damping in _DAMPING:
            step = np.linalg.solve(hessian + (damping * np.trace(hessian) / 6 + 1e-12) * np.eye(6), gradient)
            step *= min(1.0, 2 * float(self.level.grid.spacing[0]) / max(float(np.linalg.norm(step)), 1e-12))
            rigid = correction_matrices((step * scale)[None], pivot[None])[0] @ path.rigid
            if self._too_far(rigid):
                continue
            after = self._match(rigid @ path.tracked, pivots)
            gain = share @ (np.nan_to_num(after.ncc) - np.nan_to_num(found.ncc))
            if gain > 0.5 * (_quadratic(forms, path.moved_as_a_whole(rigid)) - _quadratic(forms, before)):
                path.rigid = rigid
                return float(np.abs(step).max())
        return 0.0

    def _too_far(self, rigid: _Array) -> bool:
        middle = (self.path.tracked @ self.path.middle).mean(axis=0)
        shift = np.linalg.norm((rigid @ middle - middle)[:3])
        angle = np.arccos(np.clip((np.trace(rigid[:3, :3]) - 1) / 2, -1, 1))
        return bool(shift > self.limits.shift_mm or angle > self.limits.angle)

    def smooth(self) -> float:
        """Bend the sweep; return how far its control points moved in all, mm."""
        return self._repeat(self._smooth_step)

    @staticmethod
    def _repeat(step: Callable[[], float]) -> float:
        total = 0.0
        for _ in range(_INNER):
            moved = step()
            total += moved
            if moved < _DONE_MM:
                break
        return total

    def _smooth_step(self) -> float:
        path, spline, smoothness = self.path, self.path.spline, self.belief.smoothness
        values = path.values(path.controls)
        pivots = path.centres() + values[:, :3]
        found = self._match(path.poses(), pivots)
        share = self._shares(found)
        chain = np.zeros((len(values), 6, 6))
        chain[:, :3, :3] = np.eye(3)
        chain[:, 3:, 3:] = rotation_jacobian(values[:, 3:]) / path.lever
        gradient = np.einsum("n,nji,nj->ni", share, chain, found.gradient)
        hessian = np.einsum("n,nki,nkl,nlj->nij", share, chain, found.hessian, chain)
        forms = self.belief.out_of_plane * share[:, None, None] * path.across()
        gradient -= np.einsum("nij,nj->ni", forms, spline.at_frames(path.controls))
        hessian += forms
        level = float(np.trace(hessian.sum(axis=0))) / (6 * spline.controls)
        before = self._gain(share, forms, found, path.controls)
        for damping in _DAMPING:
            step = spline.step(
                gradient, hessian, path.controls, smoothness, _RIDGE * smoothness, damping * level + 1e-12
            )
            step *= min(1.0, 2 * float(self.level.grid.spacing[0]) / max(float(np.abs(step).max()), 1e-12))
            controls = self._within(path.controls + step)
            poses = path.corrections(controls) @ path.tracked
            if self._gain(share, forms, self._match(poses, pivots), controls) > before:
                moved = float(np.abs(controls - path.controls).max())
                path.controls = controls
                return moved
        return 0.0

    def _gain(self, share: _Array, forms: _Array, found: Matches, controls: _Array) -> float:
        rough = self.path.spline.roughness(controls) + _RIDGE * float((controls**2).sum())
        across = _quadratic(forms, self.path.spline.at_frames(controls))
        return float(share @ np.nan_to_num(found.ncc)) - 0.5 * (self.belief.smoothness * rough + across)

    def _within(self, controls: _Array) -> _Array:
        """Bring control points back into the limits; a spline stays in their convex hull, so the frames are too."""
        bounded = controls.copy()
        for part, most in ((np.s_[:, :3], self.limits.shift_mm), (np.s_[:, 3:], self.limits.angle * self.path.lever)):
            length = np.linalg.norm(controls[part], axis=1, keepdims=True)
            bounded[part] *= np.minimum(1.0, most / np.maximum(length, 1e-12))
        return bounded


def _quadratic(forms: _Array, values: _Array) -> float:
    return float(np.einsum("ni,nij,nj->", values, forms, values))
