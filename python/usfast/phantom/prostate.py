"""A procedural prostate as transrectal ultrasound sees it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.body import Body
from usfast.phantom.ellipsoids import Ellipsoid
from usfast.phantom.structure import Part, Structure
from usfast.phantom.texture import Texture
from usfast.phantom.tissue import TISSUE, Tissue

__all__ = ["ProstatePhantom"]

Floats = NDArray[Any]
_RECTUM = (-42.0, 13.0, 2.5)  # y of its axis, radius of the lumen, thickness of its wall, mm
_CAPSULE = 0.6  # bright sheet around the gland, mm
_HALF_LENGTH, _HALF_WIDTH, _FRONT = 60.0, 55.0, 60.0  # of the tissue around it, mm


class ProstatePhantom(Body):
    """A prostate with its zones, the bladder and the rectum that the probe stands in.

    World frame: origin in the gland's middle, x to the patient's left, y from the rectum forwards, z towards the feet.
    Structures: 1 peripheral zone, 2 transition zone, 3 urethra (the part inside the transition zone), 4 bladder.
    All are sheared ellipsoids, one inside another, so their volumes are closed-form numbers. `skin` is the wall of
    the rectum: 0 degrees faces the gland.

    Parameters
    ----------
    seed : int
        Draws the gland's axes (each 8 % spread), the zones and the texture.

    Examples
    --------
    >>> prostate = ProstatePhantom(seed=1)
    >>> [structure.name for structure in prostate.structures]
    ['peripheral zone', 'transition zone', 'urethra', 'bladder']
    """

    name = "prostate"
    tissues: tuple[Tissue, ...] = (
        TISSUE["gel"],
        replace(TISSUE["skin"], name="rectal wall", echo_db=-10.0),
        replace(TISSUE["fat"], name="surrounding fat"),
        replace(TISSUE["fascia"], name="capsule"),
        replace(TISSUE["soft tissue"], name="peripheral zone", label=1, echo_db=-17.0),
        replace(TISSUE["soft tissue"], name="transition zone", label=2, echo_db=-22.0),
        replace(TISSUE["soft tissue"], name="urethra", label=3, echo_db=-32.0),
        replace(TISSUE["gel"], name="bladder", label=4),
    )

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        rng = np.random.default_rng([0x9205, self.seed])
        spread = [float(v) for v in 1 + 0.08 * np.clip(rng.standard_normal(6), -2, 2)]
        a, b, c = 24.0 * spread[0], 14.5 * spread[1], 21.0 * spread[2]
        zone = 0.62 * (0.5 + 0.5 * spread[3])
        self.gland = Ellipsoid((0.0, 0.0, 0.0), (a, b, c), -0.004)
        self.transition = Ellipsoid((0.0, 0.18 * b, -0.1 * c), (zone * a, zone * b, zone * c), -0.004)
        self.urethra = Ellipsoid((0.0, 0.18 * b, -0.1 * c), (2.2, 2.2, 0.8 * zone * c))
        bladder = (30.0 * spread[4], 20.0 * spread[5], 18.0)
        self.bladder = Ellipsoid((0.0, 14.0, -c - bladder[2] - 5.0), bladder)
        self._texture = Texture(self.seed)

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) box of the tissue, mm: the bladder's end limits it towards the head."""
        head = float(self.bladder.box[0, 2]) - 5.0
        return np.array([[-_HALF_WIDTH, -_FRONT, head], [_HALF_WIDTH, _FRONT, _HALF_LENGTH]])

    @cached_property
    def structures(self) -> tuple[Structure, ...]:
        """The four labelled structures."""
        gland, inner, urethra, bladder = self.gland, self.transition, self.urethra, self.bladder

        def shell(outer: Ellipsoid, hole: Ellipsoid) -> tuple[Part, ...]:
            return (Part(lambda x, y, z: [outer.level(x, y, z), -hole.level(x, y, z)], outer.box),)

        def solid(whole: Ellipsoid) -> tuple[Part, ...]:
            return (Part(lambda x, y, z: [whole.level(x, y, z)], whole.box),)

        return (
            Structure(1, "peripheral zone", shell(gland, inner), lambda: gland.volume - inner.volume),
            Structure(2, "transition zone", shell(inner, urethra), lambda: inner.volume - urethra.volume),
            Structure(3, "urethra", solid(urethra), lambda: urethra.volume),
            Structure(4, "bladder", solid(bladder), lambda: bladder.volume),
        )

    def _rectum(self, x: Floats, y: Floats) -> Floats:
        dy = y - _RECTUM[0]
        return np.asarray(np.sqrt(x * x + dy * dy) - _RECTUM[1])

    def _tissue(self, x: Floats, y: Floats, z: Floats) -> NDArray[np.uint8]:
        tissue = np.full(x.shape, 2, np.uint8)
        gland, rectum = self.gland.level(x, y, z), self._rectum(x, y)
        np.copyto(tissue, 3, where=gland < _CAPSULE)
        np.copyto(tissue, 4, where=gland < 0)
        np.copyto(tissue, 5, where=self.transition.level(x, y, z) < 0)
        np.copyto(tissue, 6, where=self.urethra.level(x, y, z) < 0)
        np.copyto(tissue, 7, where=self.bladder.level(x, y, z) < 0)
        np.copyto(tissue, 1, where=rectum < _RECTUM[2])
        (x0, y0, z0), (x1, y1, z1) = self.bounds.tolist()
        outside = (rectum < 0) | (x < x0) | (x > x1) | (y < y0) | (y > y1) | (z < z0) | (z > z1)
        np.copyto(tissue, 0, where=outside)
        return tissue

    def _echo(self, x: Floats, y: Floats, z: Floats, tissue: NDArray[np.uint8]) -> Floats:
        echo = self._echo_table[tissue].astype(x.dtype)
        echo += np.where(tissue == 2, self._texture.septa(y, x, z), 0)
        echo += np.where(tissue == 5, 0.4 * self._texture.septa(2.0 * z, y, x), 0)
        return echo

    def _boundaries(self, x: Floats, y: Floats, z: Floats) -> list[Floats]:
        solids = (self.gland, self.transition, self.urethra, self.bladder)
        rectum = self._rectum(x, y)
        # Outwards of the body is into the rectum.
        return [-rectum, _RECTUM[2] - rectum, *(solid.level(x, y, z) for solid in solids)]

    def _skin_level(self, x: Floats, y: Floats, z: Floats) -> Floats:
        return -self._rectum(x, y)

    def _skin_point(self, along: Floats, around: Floats) -> Floats:
        low, high = float(self.bounds[0, 2]), float(self.bounds[1, 2])
        if ((along < low) | (along > high)).any():
            raise ValueError(f"along_mm must be from {low:.1f} to {high:.1f} mm")
        radius = _RECTUM[1]
        return np.stack([radius * np.sin(around), _RECTUM[0] + radius * np.cos(around), along], axis=-1)
