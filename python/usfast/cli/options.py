"""Values that options carry as text: lists of numbers, and the choices of a setting."""

from __future__ import annotations

from enum import StrEnum
from math import isfinite

__all__ = ["Compat", "DType", "Fill", "Method", "Mode", "Weight", "numbers", "spacing"]


class Method(StrEnum):
    """How a pixel reaches voxels."""

    nearest = "nearest"
    linear = "linear"
    gaussian = "gaussian"
    voxel_nearest = "voxel_nearest"
    inverse_distance = "inverse_distance"
    trajectory = "trajectory"
    squared_distance = "squared_distance"
    adaptive = "adaptive"
    median = "median"
    radial_basis = "radial_basis"
    rayleigh = "rayleigh"
    bspline = "bspline"


class Mode(StrEnum):
    """What becomes of several pixels in one voxel."""

    mean = "mean"
    maximum = "maximum"
    latest = "latest"
    weighted = "weighted"
    vote = "vote"


class Weight(StrEnum):
    """What tells how much a pixel counts."""

    confidence = "confidence"


class Fill(StrEnum):
    """How holes between frames are filled."""

    nearest = "nearest"
    mean = "mean"
    sticks = "sticks"
    gaussian = "gaussian"
    inverse_distance = "inverse_distance"
    normalized_convolution = "normalized_convolution"
    diffusion = "diffusion"


class DType(StrEnum):
    """Type of the voxels in the file."""

    float32 = "float32"
    uint8 = "uint8"


class Compat(StrEnum):
    """Whose results to reproduce."""

    plus = "plus"


def numbers(text: str, option: str, names: str) -> tuple[float, ...]:
    """Return the numbers of ``"1,2.5,3"``.

    Parameters
    ----------
    text : str
    option : str
        The option's name, for the message.
    names : str
        What the numbers are, separated by commas: their count is checked against it.

    Raises
    ------
    ValueError
        If the count is wrong or one is not a finite number.
    """
    parts = text.replace(" ", "").split(",")
    try:
        values = tuple(float(part) for part in parts)
    except ValueError:
        values = ()
    if len(values) != names.count(",") + 1 or not all(isfinite(value) for value in values):
        raise ValueError(f"{option} must be {names} (numbers separated by commas), not {text!r}")
    return values


def spacing(text: str) -> tuple[float, float, float]:
    """Return the voxel spacing (x, y, z) of ``"0.3"`` or ``"0.3,0.3,0.5"``, mm."""
    values = numbers(text, "--spacing", "x,y,z" if "," in text else "one number")
    if min(values) <= 0:
        raise ValueError(f"--spacing must be positive (mm), not {text}")
    x, y, z = values if len(values) == 3 else values * 3
    return x, y, z
