"""The hand that holds the probe: it sways slowly and trembles fast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.phantom.trajectories.noise import band_noise
from usfast.phantom.trajectories.rigid import rigid_motion
from usfast.phantom.trajectories.streams import stream
from usfast.phantom.trajectories.trajectory import Trajectory

__all__ = ["HandMotion"]

_SLOWEST = 0.05  # Hz; slower sway would be a change of path
_Axes = tuple[float, float, float]


@dataclass(frozen=True)
class HandMotion:
    """Involuntary motion of a hand, in the probe's own axes (x lateral, y along the beam, z elevational).

    Sway fills the band from 0.05 Hz to `sway_hz`. Physiological tremor is narrow-band at 8 to 12 Hz (McAuley
    and Marsden, Brain 123, 2000). The amplitudes are root mean squares; the defaults stand for a hand that
    rests on the body: skin holds the probe along the beam, so it moves less there.

    Parameters
    ----------
    sway_mm, sway_deg : (float, float, float)
        Slow motion along and about x, y, z.
    sway_hz : float
        Highest frequency of the sway, above 0.05.
    tremor_mm, tremor_deg : (float, float, float)
        Fast motion along and about x, y, z.
    tremor_hz : (float, float)
        Band of the tremor.

    Raises
    ------
    ValueError
        If an amplitude is negative or not finite, or a band is empty.

    Examples
    --------
    >>> hand = HandMotion()
    >>> hand.motion([0.0, 0.05, 0.1], seed=3).shape
    (3, 4, 4)
    >>> bool((hand.scaled(0).motion([0.0, 0.05]) == np.eye(4)).all())
    True
    """

    sway_mm: _Axes = (0.5, 0.15, 0.5)
    sway_deg: _Axes = (0.7, 0.7, 0.7)
    sway_hz: float = 0.5
    tremor_mm: _Axes = (0.05, 0.02, 0.05)
    tremor_deg: _Axes = (0.05, 0.05, 0.05)
    tremor_hz: tuple[float, float] = (8.0, 12.0)

    def __post_init__(self) -> None:
        for name in ("sway_mm", "sway_deg", "tremor_mm", "tremor_deg"):
            value = np.asarray(getattr(self, name), np.float64)
            if value.shape != (3,) or not np.isfinite(value).all() or (value < 0).any():
                raise ValueError(f"{name} must be three numbers (x, y, z), none negative, not {getattr(self, name)!r}")
        if not _SLOWEST < self.sway_hz < np.inf:
            raise ValueError(f"sway_hz must be above {_SLOWEST} Hz, not {self.sway_hz!r}")
        if len(self.tremor_hz) != 2 or not 0 < self.tremor_hz[0] < self.tremor_hz[1] < np.inf:
            raise ValueError(f"tremor_hz must be a lower and a higher frequency, not {self.tremor_hz!r}")

    def scaled(self, factor: float) -> HandMotion:
        """Return a hand whose amplitudes are `factor` times these; 0 holds still.

        Raises
        ------
        ValueError
            If `factor` is negative or not finite.
        """
        if not 0 <= factor < np.inf:
            raise ValueError(f"the factor of the hand's motion must not be negative, not {factor!r}")

        def times(axes: _Axes) -> _Axes:
            return axes[0] * factor, axes[1] * factor, axes[2] * factor

        return replace(
            self,
            sway_mm=times(self.sway_mm),
            sway_deg=times(self.sway_deg),
            tremor_mm=times(self.tremor_mm),
            tremor_deg=times(self.tremor_deg),
        )

    def motion(self, times: ArrayLike, *, seed: int = 0) -> NDArray[np.float64]:
        """Return the rigid motion away from the intended pose at each time.

        Parameters
        ----------
        times : (N,) array
            s; any, also not in order: the motion is a function of time.
        seed : int

        Returns
        -------
        (N, 4, 4) float64 array
            To be applied on the right: ``probe_to_world @ motion``.

        Raises
        ------
        ValueError
            If `times` is not a list of finite numbers.
        """
        moments = np.asarray(times, np.float64)
        if moments.ndim != 1 or not np.isfinite(moments).all():
            raise ValueError(f"times must be finite numbers of shape (N,), not of shape {moments.shape}")
        sway = band_noise(stream(seed, 1), moments, 6, (_SLOWEST, self.sway_hz))
        tremor = band_noise(stream(seed, 2), moments, 6, self.tremor_hz)
        moved = sway * (*self.sway_mm, *self.sway_deg) + tremor * (*self.tremor_mm, *self.tremor_deg)
        return rigid_motion(moved[:, :3], moved[:, 3:])

    def shake(self, trajectory: Trajectory, *, seed: int = 0) -> Trajectory:
        """Return `trajectory` as this hand would really move along it."""
        poses = trajectory.probe_to_world @ self.motion(trajectory.timestamps, seed=seed)
        return Trajectory(poses, trajectory.timestamps, trajectory.pass_index, trajectory.meta)
