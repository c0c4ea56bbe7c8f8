"""Synthetic sweeps with known truth."""

from usfast.phantom.anatomy import MUSCLES, Muscle, limb_labels
from usfast.phantom.limb import LimbMeta, simulate_limb_sweep
from usfast.phantom.scan import LinearProbe
from usfast.phantom.score import MuscleScore, score_labels

__all__ = [
    "MUSCLES",
    "LimbMeta",
    "LinearProbe",
    "Muscle",
    "MuscleScore",
    "limb_labels",
    "score_labels",
    "simulate_limb_sweep",
]
