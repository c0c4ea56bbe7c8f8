"""Speckle: how frames decorrelate as the probe moves, and how it moved, judged by that.

`PatchGrid` says where to look, `correlate_pairs` correlates patches between frames, `track_patches` follows them in the
plane. `calibrate_sweep` learns the beam's elevational width at every depth from a tracked sweep; `track_frames` gives
frames without tracking their poses. `decorrelation_curves` shows what there is to learn from. Formulas: `models`.
"""

from usfast.speckle.aligned import correlate_aligned, fit_in_plane
from usfast.speckle.calibration import Calibration, calibrate, read_calibration, write_calibration
from usfast.speckle.correlation import correlate_pairs
from usfast.speckle.curves import DecorrelationCurves, decorrelation_curves, patch_displacements
from usfast.speckle.detection import (
    SpeckleStatistics,
    coherent_ratio_from_decorrelation,
    coherent_ratio_from_moments,
    detect_speckle,
    drop_unusable,
    speckle_statistics,
)
from usfast.speckle.inplane import InPlaneMotion, track_patches
from usfast.speckle.models import MODELS, coherence, correlation_slope, from_coherence
from usfast.speckle.outofplane import estimate_motion
from usfast.speckle.patches import PatchGrid
from usfast.speckle.plane import fit_plane
from usfast.speckle.steps import ElevationalMotion
from usfast.speckle.track import SpeckleTrack, calibrate_sweep, patch_positions, track_frames

__all__ = [
    "MODELS",
    "Calibration",
    "DecorrelationCurves",
    "ElevationalMotion",
    "InPlaneMotion",
    "PatchGrid",
    "SpeckleStatistics",
    "SpeckleTrack",
    "calibrate",
    "calibrate_sweep",
    "coherence",
    "coherent_ratio_from_decorrelation",
    "coherent_ratio_from_moments",
    "correlate_aligned",
    "correlate_pairs",
    "correlation_slope",
    "decorrelation_curves",
    "detect_speckle",
    "drop_unusable",
    "estimate_motion",
    "fit_in_plane",
    "fit_plane",
    "from_coherence",
    "patch_displacements",
    "patch_positions",
    "read_calibration",
    "speckle_statistics",
    "track_frames",
    "track_patches",
    "write_calibration",
]
