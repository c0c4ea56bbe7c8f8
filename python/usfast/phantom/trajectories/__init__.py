"""How a probe moves: the thesis' simulated sweeps, scans of a body by hand, and the tracker's errors.

Everything is seeded: the same arguments give the same poses. A sweep is built in steps::

    path   = scan_passes(phantom, passes=5)          # or linear_sweep, fast_slow_sweep, sector_sweep, loop_sweep
    shaken = HandMotion().shake(path)                # scan_passes does this itself
    told   = TrackerModel(noise_mm=0.2).report(path) # what the tracker says of it
"""

from usfast.phantom.trajectories.hand import HandMotion
from usfast.phantom.trajectories.passes import pass_angles, scan_passes
from usfast.phantom.trajectories.rigid import rigid_motion
from usfast.phantom.trajectories.sweeps import fan_sweep, fast_slow_sweep, linear_sweep, loop_sweep, sector_sweep
from usfast.phantom.trajectories.tracker import TrackedPoses, TrackerModel
from usfast.phantom.trajectories.trajectory import FRAME_RATE, Trajectory

__all__ = [
    "FRAME_RATE",
    "HandMotion",
    "TrackedPoses",
    "TrackerModel",
    "Trajectory",
    "fan_sweep",
    "fast_slow_sweep",
    "linear_sweep",
    "loop_sweep",
    "pass_angles",
    "rigid_motion",
    "scan_passes",
    "sector_sweep",
]
