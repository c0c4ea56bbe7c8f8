"""A synthetic tracked sweep over a calf whose truth is known everywhere: data for demos and tests."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfast._threads import get_num_threads
from usfast.phantom.anatomy import MUSCLES, Muscle, limb_labels
from usfast.phantom.bmode import image_limb
from usfast.phantom.scan import LinearProbe, scan_poses, shaken
from usfast.phantom.speckle import SpeckleField
from usfast.sweep import Sweep

__all__ = ["LimbMeta", "limb_labels", "simulate_limb_sweep"]

_FRAME_RATE = 20.0  # Hz
_PAUSE = 3.0  # between two passes, s


@dataclass(frozen=True)
class LimbMeta:
    """The truth behind a simulated sweep.

    Attributes
    ----------
    seed : int
    muscles : tuple of Muscle
        Labels, names, shapes and exact volumes.
    angles_deg : (passes,) array
        Where each pass lies around the limb; 0 is the middle of the calf.
    image_to_world : (N, 4, 4) array
        True poses; the sweep carries what the tracker reported.
    """

    seed: int
    muscles: tuple[Muscle, ...]
    angles_deg: NDArray[np.float64]
    image_to_world: NDArray[np.float64]


def simulate_limb_sweep(
    seed: int = 0,
    passes: int = 5,
    frames_per_pass: int = 60,
    *,
    step_deg: float = 18.0,
    probe: LinearProbe | None = None,
    jitter: float = 1.0,
    tracker_mm: float = 0.1,
    tracker_deg: float = 0.05,
    num_threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Sweep, LimbMeta]:
    """Simulate a freehand sweep over a calf: overlapping longitudinal passes of a linear probe.

    Speckle is a property of the tissue, so that passes from different angles see the same structure. The same
    seed gives the same bytes.

    Parameters
    ----------
    seed : int
    passes, frames_per_pass : int
        Passes around the limb and frames in each; every pass runs the limb's whole length of 100 mm.
    step_deg : float
        Angle between neighbouring passes, seen from the limb's axis.
    probe : LinearProbe, optional
        Default: 50 mm wide, 60 mm deep, 256 x 320 pixels.
    jitter : float
        Sway of the hand: 1 means about 0.5 mm and 0.7 degrees, 0 none.
    tracker_mm, tracker_deg : float
        Standard deviation of the tracker's error in the poses that the sweep carries.
    num_threads : int, optional
        Does not change the result.
    progress : callable, optional
        Called with (frames done, frames in all).

    Returns
    -------
    sweep : Sweep
        uint8 frames (N, H, W) with labels (N, H, W): 1 gastrocnemius medialis, 2 gastrocnemius lateralis,
        3 soleus.
    meta : LimbMeta

    Raises
    ------
    ValueError
        If there is no pass or no frame.

    Examples
    --------
    >>> sweep, meta = simulate_limb_sweep(passes=2, frames_per_pass=3)
    >>> len(sweep), sweep.image_size, meta.angles_deg.tolist()
    (6, (320, 256), [-9.0, 9.0])
    """
    if passes < 1 or frames_per_pass < 1:
        raise ValueError(f"a sweep needs a pass and a frame, not {passes} passes of {frames_per_pass} frames")
    probe = LinearProbe() if probe is None else probe
    anatomy_rng, path_rng, tracker_rng = (np.random.default_rng([seed, part]) for part in range(3))
    speckle = SpeckleField(anatomy_rng)
    poses, angles = scan_poses(path_rng, passes, frames_per_pass, step_deg, jitter)
    frames, labels = _images(poses @ probe.image_to_probe, probe, speckle, seed, num_threads, progress)
    reported = shaken(tracker_rng, poses, tracker_mm, tracker_deg) @ probe.image_to_probe
    stamps = np.arange(len(poses)) / _FRAME_RATE + _PAUSE * (np.arange(len(poses)) // frames_per_pass)
    source = {"source": "usfast limb phantom", "seed": seed, "passes": passes}
    sweep = Sweep(frames, reported, timestamps=stamps, labels=labels, meta=source)
    return sweep, LimbMeta(seed, MUSCLES, angles, poses @ probe.image_to_probe)


def _images(
    image_to_world: NDArray[np.float64],
    probe: LinearProbe,
    speckle: SpeckleField,
    seed: int,
    num_threads: int | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return frames and labels (N, H, W); each frame has its own random stream, so threads change nothing."""
    count = len(image_to_world)
    frames = np.empty((count, *probe.shape), np.uint8)
    labels = np.empty_like(frames)
    row_mm = probe.depth / probe.shape[0]

    def work(index: int) -> None:
        rng = np.random.default_rng([seed, 3, index])
        frames[index], labels[index] = image_limb(image_to_world[index], probe.shape, row_mm, speckle, rng)

    with ThreadPoolExecutor(get_num_threads(num_threads)) as pool:
        try:
            for done, _ in enumerate(pool.map(work, range(count)), start=1):
                if progress is not None:
                    progress(done, count)
        except BaseException:  # Ctrl-C too: do not make the user wait for the frames still queued
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return frames, labels
