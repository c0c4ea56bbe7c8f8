"""The limb phantom's anatomy: analytic shapes that answer "what is at this point?" anywhere in the world.

World frame, mm: x towards the limb's lateral side, y from back (calf, negative) to front (shin, positive),
z along the limb; the limb's axis is x = y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LENGTH", "MUSCLES", "Muscle", "Tissue", "limb_labels", "limb_radius", "limb_tissue"]

Floats = NDArray[np.floating]

LENGTH = 100.0  # of the limb, mm
_SKIN, _FAT, _FASCIA = 1.8, 6.0, 7.0  # depth of the lower face of each layer, mm
_ECHO_DB = {"skin": -9.0, "fat": -31.0, "fascia": -5.0, "muscle": -33.0, "between": -27.0, "bone": -60.0}


@dataclass(frozen=True)
class Muscle:
    """A muscle belly: an ellipse bent around an axis along the limb, tapering to both ends as ``1 - t**4``.

    Parameters
    ----------
    label : int
    name : str
    axis : (x, y), mm
        What the belly is bent around.
    radius : float
        Distance of the belly's middle from `axis`, mm.
    angle_deg : float
        Direction of the belly's middle seen from `axis`: 0 backwards (-y), positive towards +x.
    half_angle_deg, half_thickness : float
        Half axes of the ellipse, around and away from `axis`; mm.
    middle, half_length : float
        Place along the limb, mm.
    """

    label: int
    name: str
    axis: tuple[float, float]
    radius: float
    angle_deg: float
    half_angle_deg: float
    half_thickness: float
    middle: float
    half_length: float

    @property
    def volume_ml(self) -> float:
        """The belly's exact volume, ml."""
        # The area element r dr dphi integrates to the radius times the ellipse's area, by symmetry.
        half_width = self.radius * np.deg2rad(self.half_angle_deg)
        return float(pi * half_width * self.half_thickness * self.half_length * (2 - 2 / 5) / 1000.0)

    def level(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Return < 1 inside, 1 on the surface and > 1 outside."""
        dx, dy = x - self.axis[0], self.axis[1] - y
        turn = np.arctan2(dx, dy) - np.float32(np.deg2rad(self.angle_deg))
        around = turn / np.float32(np.deg2rad(self.half_angle_deg))
        away = (np.hypot(dx, dy) - self.radius) / self.half_thickness
        along = (z - self.middle) / self.half_length
        return np.asarray(around * around + away * away + (along * along) ** 2)


MUSCLES = (
    Muscle(1, "gastrocnemius medialis", (0.0, 0.0), 31.5, -32.0, 28.5, 8.6, 48.0, 44.0),
    Muscle(2, "gastrocnemius lateralis", (0.0, 0.0), 32.0, 31.0, 26.0, 7.8, 44.0, 39.0),
    Muscle(3, "soleus", (0.0, 14.0), 26.0, 0.0, 60.0, 7.4, 52.0, 46.0),
)
_BONES = (("tibia", -9.0, 15.5, 10.5), ("fibula", 20.0, 9.0, 4.5))  # name, x, y, radius, mm


@dataclass(frozen=True)
class Tissue:
    """What the points are made of: echogenicity (dB), label, inside the limb, inside bone, inside muscle."""

    echo_db: NDArray[np.float32]
    labels: NDArray[np.uint8]
    inside: NDArray[np.bool_]
    bone: NDArray[np.bool_]
    muscle: NDArray[np.bool_]


def limb_radius(z: ArrayLike) -> Floats:
    """Return the limb's radius at height `z`, mm: widest in the upper half, tapering to the ankle."""
    t = np.asarray(z) / LENGTH
    return 46.0 + 4.0 * np.cos(2.2 * (t - 0.35)) - 3.0 * t


def limb_labels(points: ArrayLike) -> NDArray[np.uint8]:
    """Return the true label of world points.

    Parameters
    ----------
    points : (..., 3) array
        World positions (x, y, z), mm.

    Returns
    -------
    (...) uint8 array
        1 gastrocnemius medialis, 2 gastrocnemius lateralis, 3 soleus, 0 anything else.

    Raises
    ------
    ValueError
        If the last axis of `points` does not hold three coordinates.

    Examples
    --------
    >>> limb_labels([[-16.0, -26.0, 47.0], [0.0, -12.0, 53.0], [200.0, 0.0, 0.0]]).tolist()
    [1, 3, 0]
    """
    array = np.asarray(points)
    if array.ndim < 1 or array.shape[-1] != 3:
        raise ValueError(f"points must have shape (..., 3), not {array.shape}")
    x, y, z = np.moveaxis(array, -1, 0)
    labels = np.zeros(array.shape[:-1], np.uint8)
    for muscle in MUSCLES:
        labels[muscle.level(x, y, z) < 1] = muscle.label
    return labels


def limb_tissue(x: Floats, y: Floats, z: Floats) -> Tissue:
    """Return the tissue at world points given as three arrays of one shape, mm."""
    depth = limb_radius(z) - np.hypot(x, y)
    echo = np.full(x.shape, _ECHO_DB["between"], np.float32)
    # copyto: several times faster than assigning to a boolean index.
    for layer, floor in (("fascia", _FASCIA), ("fat", _FAT), ("skin", _SKIN)):
        np.copyto(echo, _ECHO_DB[layer], where=depth < floor)
    labels = np.zeros(x.shape, np.uint8)
    for muscle in MUSCLES:
        level = muscle.level(x, y, z)
        # The aponeurosis: a bright sheet about half a millimetre thick around each belly.
        rim = 0.5 / muscle.half_thickness
        np.copyto(echo, _ECHO_DB["fascia"] - 6.0, where=level < 1 + rim)
        np.copyto(echo, _ECHO_DB["muscle"], where=level < 1 - rim)
        np.copyto(labels, muscle.label, where=level < 1)
    bone = np.zeros(x.shape, bool)
    for _, bx, by, radius in _BONES:
        bone |= (x - bx) ** 2 + (y - by) ** 2 < radius**2
    np.copyto(echo, _ECHO_DB["bone"], where=bone)
    return Tissue(echo, labels, depth > 0, bone, (labels > 0) & (echo == np.float32(_ECHO_DB["muscle"])))
