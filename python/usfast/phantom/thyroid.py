"""A procedural neck: the thyroid around the trachea, with the great vessels and the strap muscles."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.body import Body
from usfast.phantom.ellipsoids import Ellipsoid
from usfast.phantom.quadrature import column_volume
from usfast.phantom.structure import Part, Structure
from usfast.phantom.texture import Texture
from usfast.phantom.tissue import TISSUE, Tissue

__all__ = ["ThyroidPhantom"]

Floats = NDArray[Any]
_SKIN, _FASCIA = 1.6, 0.7  # mm
_CAPSULE, _GAP = 0.5, 0.5  # bright sheet around the gland; between gland and trachea; mm
_WALL = 1.6  # cartilage of the trachea, mm
_BLEND = 0.8  # over what length the isthmus runs into the lobes, mm


class ThyroidPhantom(Body):
    """A piece of neck with a thyroid gland.

    World frame: x to the patient's left, y from the front (negative) backwards, z towards the feet, the neck's axis at
    x = y = 0. Structures: 1 thyroid (two lobes and the isthmus, one smooth surface, cut by the trachea), 2 trachea
    (cartilage and air), 3 carotid arteries, 4 jugular veins. `skin`: 0 degrees is the middle of the front.

    Parameters
    ----------
    seed : int
        Draws sizes (lobes 8 % an axis) and texture.

    Examples
    --------
    >>> neck = ThyroidPhantom(seed=1)
    >>> neck.structures[0].name, bool(6 < neck.structures[0].volume_ml < 30)
    ('thyroid', True)
    """

    name = "thyroid"
    tissues: tuple[Tissue, ...] = (
        TISSUE["gel"],
        TISSUE["skin"],
        TISSUE["fat"],
        TISSUE["fascia"],
        replace(TISSUE["muscle"], name="strap muscle", echo_db=-25.0),
        TISSUE["soft tissue"],
        replace(TISSUE["soft tissue"], name="thyroid", label=1, echo_db=-14.0),
        replace(TISSUE["fascia"], name="tracheal wall", label=2, echo_db=-4.0, attenuation=5.0),
        Tissue("air", 2, -np.inf, 12.0, 0.0004),
        replace(TISSUE["blood"], name="carotid arteries", label=3),
        replace(TISSUE["blood"], name="jugular veins", label=4),
    )

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        rng = np.random.default_rng([0x7470, self.seed])

        def about(value: float, spread: float) -> float:
            return float(value * (1 + spread * np.clip(rng.standard_normal(), -2, 2)))

        self.length, self.radius = 110.0, about(57.0, 0.03)
        self.fat = about(3.0, 0.2)
        self.windpipe = about(9.5, 0.06)  # outer radius of the trachea
        front = -self.radius + _SKIN + self.fat + _FASCIA + 9.0
        self.windpipe_y = front + self.windpipe + 4.0
        middle, lobes = self.length / 2, []
        for side in (-1.0, 1.0):
            a, b, c = about(8.0, 0.08), about(9.0, 0.08), about(23.0, 0.08)
            lobes.append(Ellipsoid((side * (self.windpipe + 0.72 * a), self.windpipe_y - 1.0, middle), (a, b, c)))
        bridge = Ellipsoid((0.0, self.windpipe_y - self.windpipe - 1.8, middle + 4.0), (13.0, about(2.6, 0.1), 8.0))
        self.gland = (*lobes, bridge)
        self.carotid, self.jugular = about(3.2, 0.06), about(4.6, 0.1)
        widest = max(lobe.semi_axes[0] for lobe in lobes)
        self._reach = self.windpipe + 1.72 * widest + self.carotid + 1.0
        self._texture = Texture(self.seed)

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) box of the neck, mm."""
        r = self.radius
        return np.array([[-r, -r, 0.0], [r, r, self.length]])

    def _thyroid(self, x: Floats, y: Floats, z: Floats) -> list[Floats]:
        """Smooth union of the three ellipsoids (log-sum-exp), and the trachea that cuts it."""
        levels = [part.level(x, y, z) for part in self.gland]
        least = np.minimum(np.minimum(levels[0], levels[1]), levels[2])
        total = np.exp((least - levels[0]) * (1 / _BLEND))
        for level in levels[1:]:
            total = total + np.exp((least - level) * (1 / _BLEND))
        return [least - _BLEND * np.log(total), _GAP - self._trachea(x, y)]

    def _trachea(self, x: Floats, y: Floats) -> Floats:
        dy = y - self.windpipe_y
        return np.asarray(np.sqrt(x * x + dy * dy) - self.windpipe)

    def _vessel(self, x: Floats, y: Floats, which: str, side: float) -> Floats:
        cx, cy, radius = self._vessel_place(which)
        dx, dy = x - side * cx, y - cy
        return np.asarray(np.sqrt(dx * dx + dy * dy) - radius)

    def _vessel_place(self, which: str) -> tuple[float, float, float]:
        if which == "carotid":
            return self._reach, self.windpipe_y + 6.0, self.carotid
        # Beside and a little behind the carotid: clear of it for all sizes that are drawn, and of the fascia.
        return self._reach + self.carotid + 0.8 * self.jugular + 0.5, self.windpipe_y + 10.0, self.jugular

    def _tissue(self, x: Floats, y: Floats, z: Floats) -> NDArray[np.uint8]:
        tissue = np.full(x.shape, 5, np.uint8)
        depth = self.radius - np.sqrt(x * x + y * y)
        floor = _SKIN + self.fat + _FASCIA
        np.copyto(tissue, 4, where=(depth < floor + 5.5) & (y < -0.5 * self.radius))
        gland, cut = self._thyroid(x, y, z)
        level = np.maximum(gland, cut)
        np.copyto(tissue, 3, where=level < _CAPSULE)
        np.copyto(tissue, 6, where=level < 0)
        trachea = self._trachea(x, y)
        np.copyto(tissue, 7, where=trachea < 0)
        np.copyto(tissue, 8, where=trachea < -_WALL)
        for number, which in ((9, "carotid"), (10, "jugular")):
            for side in (-1.0, 1.0):
                np.copyto(tissue, number, where=self._vessel(x, y, which, side) < 0)
        np.copyto(tissue, 3, where=depth < floor)
        np.copyto(tissue, 2, where=depth < _SKIN + self.fat)
        np.copyto(tissue, 1, where=depth < _SKIN)
        np.copyto(tissue, 0, where=(depth < 0) | (z < 0) | (z > self.length))
        return tissue

    def _echo(self, x: Floats, y: Floats, z: Floats, tissue: NDArray[np.uint8]) -> Floats:
        echo = self._echo_table[tissue].astype(x.dtype)
        echo += np.where(tissue == 4, self._texture.fascicles(x, y, z, np.ones_like(x)), 0)
        echo += np.where((tissue == 2) | (tissue == 5), self._texture.septa(y, x, z), 0)
        return echo

    def _boundaries(self, x: Floats, y: Floats, z: Floats) -> list[Floats]:
        skin = np.sqrt(x * x + y * y) - self.radius
        trachea = self._trachea(x, y)
        floor = _SKIN + self.fat
        vessels = [self._vessel(x, y, which, side) for which in ("carotid", "jugular") for side in (-1.0, 1.0)]
        layers = [skin, skin + _SKIN, skin + floor, skin + (floor + _FASCIA)]
        return [*layers, np.maximum(*self._thyroid(x, y, z)), trachea, trachea + _WALL, *vessels]

    def _skin_level(self, x: Floats, y: Floats, z: Floats) -> Floats:
        return np.asarray(np.sqrt(x * x + y * y) - self.radius)

    def _skin_point(self, along: Floats, around: Floats) -> Floats:
        if ((along < 0) | (along > self.length)).any():
            raise ValueError(f"along_mm must be from 0 to {self.length:.1f} mm")
        return np.stack([self.radius * np.sin(around), -self.radius * np.cos(around), along], axis=-1)

    @cached_property
    def structures(self) -> tuple[Structure, ...]:
        """The four labelled structures."""
        boxes = [ellipsoid.box for ellipsoid in self.gland]
        # The smooth union lies outside its members by at most the blend times log 3.
        margin = 1.2 * _BLEND
        low, high = np.min(boxes, axis=0)[0] - margin, np.max(boxes, axis=0)[1] + margin
        gland = Part(self._thyroid, np.array([low, high]))

        def gland_volume() -> float:
            return column_volume(gland, across=600, along=160, probe=0.6)

        windpipe = self._tube(0.0, self.windpipe_y, self.windpipe)
        trachea = Structure(2, "trachea", (windpipe,), lambda: float(np.pi * self.windpipe**2 * self.length))
        return (
            Structure(1, "thyroid", (gland,), gland_volume),
            trachea,
            self._pair(3, "carotid arteries", "carotid"),
            self._pair(4, "jugular veins", "jugular"),
        )

    def _tube(self, cx: float, cy: float, radius: float) -> Part:
        length = self.length

        def faces(x: Floats, y: Floats, z: Floats) -> list[Floats]:
            dx, dy = x - cx, y - cy
            return [np.sqrt(dx * dx + dy * dy) - radius, -z, z - length]

        return Part(faces, np.array([[cx - radius, cy - radius, 0.0], [cx + radius, cy + radius, length]]))

    def _pair(self, label: int, name: str, which: str) -> Structure:
        cx, cy, radius = self._vessel_place(which)
        parts = tuple(self._tube(side * cx, cy, radius) for side in (-1.0, 1.0))
        return Structure(label, name, parts, lambda: float(2 * np.pi * radius**2 * self.length))
