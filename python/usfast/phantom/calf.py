"""A procedural calf: skin, fat, fascia, three muscle bellies, two bones and six vessels, all in closed form.

Notation: ``t = z / length`` runs from the knee (0) to the ankle (1); theta = 0 points backwards (-y), positive towards
+x (lateral). Mean radius ``R(t)``: a line from knee to ankle plus a Gaussian belly. Skin: ``r = R * shape(theta)``.
The muscles lie between the crural fascia, two sheets ``y = h(x, z)`` and the plane of the median septum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.body import Body
from usfast.phantom.calf_shape import CalfShape
from usfast.phantom.quadrature import sheet_volume, tube_volume
from usfast.phantom.structure import Part, Structure
from usfast.phantom.texture import Texture
from usfast.phantom.tissue import TISSUE, Tissue

__all__ = ["CalfPhantom"]

Floats = NDArray[Any]

_SKIN, _FASCIA, _FAT_LEAST = 1.8, 0.8, 2.2  # mm
_GAP = 0.6  # half an aponeurosis, mm
_RIM = 0.7  # how far beyond a muscle's face connective tissue is bright, mm
_FOLLOW = 0.72  # part of the push of the gastrocnemii that the front of soleus follows
_LENS = 0.007  # curvature of the sheet that ends a gastrocnemius, 1/mm: flatter than the fascia
_TENDON = 3.0  # between fascia and soleus where the gastrocnemii have ended, mm


class _At(NamedTuple):
    """What several faces share at some points."""

    t: Floats
    mean: Floats  # mean radius of the limb
    skin: Floats  # r - skin
    fascia: Floats  # r - inner side of the crural fascia
    back: Floats  # depth reference of the sheets: y of the fascia's inner side in the middle of the back is -back
    sheet: Floats  # y of the back of soleus


class CalfPhantom(Body):
    """One leg from knee to ankle.

    Structures: 1 gastrocnemius medialis, 2 gastrocnemius lateralis, 3 soleus, 4 tibia, 5 fibula, 6 vessels.

    Parameters
    ----------
    seed : int
        Draws the subject (`CalfShape.drawn`) and the texture.
    shape : CalfShape, optional
        Take this shape instead of the drawn one; the seed then sets only the texture.

    Examples
    --------
    >>> calf = CalfPhantom(seed=3)
    >>> calf.structures[2].name, bool(300 < calf.structures[2].volume_ml < 500)
    ('soleus', True)
    >>> calf.labels([[0.0, -15.0, 0.45 * calf.shape.length]]).tolist()
    [3]

    Notes
    -----
    Muscle volumes follow what MRI finds in adults: soleus 358 +- 62 ml, gastrocnemius medialis 180 +- 33 ml, lateralis
    90 +- 16 ml in 21 older women (*Front. Physiol.* 2019, 10:1299, abstract); younger and male legs are larger.
    """

    name = "calf"

    def __init__(self, seed: int = 0, *, shape: CalfShape | None = None) -> None:
        super().__init__(seed)
        if shape is not None and not isinstance(shape, CalfShape):
            raise TypeError(f"shape must be a CalfShape, not {type(shape).__name__}")
        self.shape = CalfShape.drawn(self.seed) if shape is None else shape
        self._texture = Texture(self.seed)
        s = self.shape
        self._skin_shape = _harmonics(s.oval, s.oval_deg, s.triangle, s.triangle_deg)
        self._back_skin, self._back_fat = self._along(0.0)

    def _arguments(self) -> dict[str, Any]:
        return {"seed": self.seed, "shape": self.shape}

    tissues: tuple[Tissue, ...] = (
        TISSUE["gel"],
        TISSUE["skin"],
        TISSUE["fat"],
        TISSUE["fascia"],
        replace(TISSUE["muscle"], name="gastrocnemius medialis", label=1),
        replace(TISSUE["muscle"], name="gastrocnemius lateralis", label=2),
        replace(TISSUE["muscle"], name="soleus", label=3),
        replace(TISSUE["muscle"], name="other muscle", echo_db=-21.0),
        replace(TISSUE["bone"], name="tibia", label=4),
        replace(TISSUE["bone"], name="fibula", label=5),
        replace(TISSUE["blood"], name="vessels", label=6),
        TISSUE["tendon"],
    )

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) box around the limb, mm."""
        s = self.shape
        widest = (s.girth_knee + s.girth_belly) / (2 * np.pi) * (1 + abs(s.oval) + abs(s.triangle))
        return np.array([[-widest, -widest, 0.0], [widest, widest, s.length]])

    # ------------------------------------------------------------------ geometry shared by the faces

    def _along(self, angle: float) -> tuple[float, float]:
        """Return skin and fat as parts of the mean radius in the direction `angle` (radians)."""
        s, sin, cos = self.shape, float(np.sin(angle)), float(np.cos(angle))
        return float(self._skin_shape(sin, cos)), s.fat * (1 + s.fat_back * cos - s.fat_medial * sin)

    def _mean_radius(self, t: Floats) -> Floats:
        s = self.shape
        u = (t - s.belly) * (1 / s.belly_width)
        line = s.girth_knee + (s.girth_ankle - s.girth_knee) * t
        return np.asarray((line + s.girth_belly * np.exp(-u * u)) * (1 / (2 * np.pi)))

    def _inner(self, mean: Floats, angle_deg: float) -> Floats:
        """Distance of the fascia's inner side from the axis in one direction."""
        skin, fat = self._along(float(np.deg2rad(angle_deg)))
        return mean * (skin - fat) - (_SKIN + _FAT_LEAST + _FASCIA)

    def _at(self, x: Floats, y: Floats, z: Floats) -> _At:
        s = self.shape
        t = np.clip(z * (1 / s.length), -0.2, 1.2)
        mean = self._mean_radius(t)
        r = np.maximum(np.sqrt(x * x + y * y), 1e-3)
        inverse = 1 / r
        sin, cos = x * inverse, -y * inverse
        contour = self._skin_shape(sin, cos)
        fat = s.fat * (1 + s.fat_back * cos - s.fat_medial * sin)
        back = mean * (self._back_skin - self._back_fat) - (_SKIN + _FAT_LEAST + _FASCIA)
        u = (t + (s.sheet_shift * x - s.sheet_t)) * (1 / s.sheet_width)
        sheet = (_TENDON - back) + s.sheet * np.exp(-u * u) + s.bend * x * x
        fascia = r - mean * (contour - fat) + (_SKIN + _FAT_LEAST + _FASCIA)
        return _At(t, mean, r - mean * contour, fascia, back, sheet)

    def _gastrocnemius(self, at: _At, x: Floats, y: Floats, values: tuple[float, ...], side: float) -> list[Floats]:
        s = self.shape
        thick, middle, half, centre = values
        u = (at.t - middle) * (1 / half)
        u = u * u
        dx = x - centre
        end = y + at.back - thick * (1 - u * u) - _LENS * (dx * dx)
        septum = side * (x - s.septum - s.septum_slope * at.t) + _GAP
        return [at.fascia + _GAP, y - at.sheet + _GAP, end, septum]

    def _soleus(self, at: _At, x: Floats, y: Floats) -> list[Floats]:
        thick, middle, half, centre = self.shape.soleus
        u = (at.t - middle) * (1 / half)
        u = u * u
        dx = x - centre
        front = y - (_TENDON - at.back) - thick * (1 - u * u) - _FOLLOW * self._bump(at.t) + 0.004 * (dx * dx)
        return [at.fascia + _GAP, at.sheet - y + _GAP, front]

    def _bump(self, t: Floats) -> Floats:
        s = self.shape
        u = (t - s.sheet_t) * (1 / s.sheet_width)
        return np.asarray(s.sheet * np.exp(-u * u))

    def _bone_axis(self, t: Floats, mean: Floats, which: str) -> tuple[Floats, Floats, Floats]:
        """Return centre x, y and mean radius of a bone."""
        radius, knee, ankle, angle = self.shape.tibia if which == "tibia" else self.shape.fibula
        up, down = 1 - t, t
        for _ in range(4):  # 16th powers: flares of a few centimetres at the ends
            up, down = up * up, down * down
        size = radius + knee * up + ankle * down
        inner = self._inner(mean, angle)
        reach = inner - 1.1 * size - 1.2 if which == "tibia" else 0.85 * inner - size
        a = np.deg2rad(angle)
        return reach * float(np.sin(a)), -reach * float(np.cos(a)), size

    def _bone(self, at: _At, x: Floats, y: Floats, which: str) -> Floats:
        cx, cy, size = self._bone_axis(at.t, at.mean, which)
        dx, dy = x - cx, y - cy
        square = dx * dx + dy * dy
        rho = np.sqrt(np.maximum(square, 1e-6))
        sin3 = dx * (3 * dy * dy - dx * dx) / (rho * np.maximum(square, 1e-6))
        return np.asarray(rho - size * (1 + _TRIANGLE * sin3))

    def _vessel_axes(self, t: Floats, mean: Floats) -> list[tuple[Floats, Floats, float]]:
        """Return centre x, y and radius of each vessel: tibial and peroneal pairs, great and small saphenous."""
        t2 = t * t
        up = (1 - t) * (1 - t)
        up = up * up
        up = up * up
        y = 0.04 * mean + 7.2 - 16.0 * (t2 * t) - 13.0 * (up * up)
        narrow = 1 - 0.35 * t
        deep = [(x * narrow, y, radius) for x, radius in ((2.5, 1.3), (-2.5, 1.6), (10.0, 1.2), (15.0, 1.5))]
        for angle, radius in ((-1.75, 1.3), (0.1, 1.1)):
            skin, fat = self._along(angle)
            rho = mean * (skin - 0.5 * fat) - (_SKIN + 0.5 * _FAT_LEAST)
            deep.append((rho * float(np.sin(angle)), -rho * float(np.cos(angle)), radius))
        return deep

    def _vessels(self, at: _At, x: Floats, y: Floats, chosen: Iterable[int] = range(6)) -> list[Floats]:
        levels, axes = [], self._vessel_axes(at.t, at.mean)
        for number in chosen:
            cx, cy, radius = axes[number]
            dx, dy = x - cx, y - cy
            levels.append(np.sqrt(dx * dx + dy * dy) - radius)
        return levels

    # ------------------------------------------------------------------ answers

    def _tissue(self, x: Floats, y: Floats, z: Floats) -> NDArray[np.uint8]:
        at = self._at(x, y, z)
        s = self.shape
        tissue = np.full(x.shape, 7, np.uint8)
        np.copyto(tissue, 11, where=y < at.sheet)
        levels = (
            _largest(self._gastrocnemius(at, x, y, s.medialis, 1.0)),
            _largest(self._gastrocnemius(at, x, y, s.lateralis, -1.0)),
            _largest(self._soleus(at, x, y)),
        )
        nearest = np.minimum(np.minimum(levels[0], levels[1]), levels[2])
        np.copyto(tissue, 3, where=nearest < _RIM)
        for number, level in enumerate(levels):
            np.copyto(tissue, 4 + number, where=level < 0)
        tibia, fibula, vessels = self.structures[3:]
        if _meets(tibia.parts[0].box, x, y):
            np.copyto(tissue, 8, where=self._bone(at, x, y, "tibia") < 0)
        if _meets(fibula.parts[0].box, x, y):
            np.copyto(tissue, 9, where=self._bone(at, x, y, "fibula") < 0)
        fat = (at.fascia > _FASCIA) & (at.skin <= -_SKIN)
        np.copyto(tissue, 3, where=at.fascia > 0)
        np.copyto(tissue, 2, where=fat)
        near = [number for number, part in enumerate(vessels.parts) if _meets(part.box, x, y)]
        if near:
            np.copyto(tissue, 10, where=_smallest(self._vessels(at, x, y, near)) < 0)
        np.copyto(tissue, 1, where=at.skin > -_SKIN)
        np.copyto(tissue, 0, where=(at.skin > 0) | (z < 0) | (z > s.length))
        return tissue

    def _boundaries(self, x: Floats, y: Floats, z: Floats) -> list[Floats]:
        at = self._at(x, y, z)
        s = self.shape
        return [
            at.skin,
            at.skin + _SKIN,
            at.fascia - _FASCIA,
            at.fascia,
            _largest(self._gastrocnemius(at, x, y, s.medialis, 1.0)),
            _largest(self._gastrocnemius(at, x, y, s.lateralis, -1.0)),
            _largest(self._soleus(at, x, y)),
            self._bone(at, x, y, "tibia"),
            self._bone(at, x, y, "fibula"),
            _smallest(self._vessels(at, x, y)),
        ]

    def _echo(self, x: Floats, y: Floats, z: Floats, tissue: NDArray[np.uint8]) -> Floats:
        echo = self._echo_table[tissue].astype(x.dtype)
        muscle = (tissue >= 4) & (tissue <= 7)
        # The fascicles of soleus run the other way than those of the gastrocnemii: up to its back.
        lean = np.where(tissue == 6, x.dtype.type(-1), x.dtype.type(1))
        echo += np.where(muscle, self._texture.fascicles(x, y, z, lean), 0)
        layered = (tissue == 2) | (tissue == 11)
        if layered.any():
            echo += np.where(layered, self._texture.septa(np.sqrt(x * x + y * y), x, z), 0)
        return echo

    def _skin_level(self, x: Floats, y: Floats, z: Floats) -> Floats:
        return self._at(x, y, z).skin

    def _skin_point(self, along: Floats, around: Floats) -> Floats:
        s = self.shape
        if ((along < 0) | (along > s.length)).any():
            raise ValueError(f"along_mm must be from 0 to {s.length:.1f} mm, the limb's length")
        sin, cos = np.sin(around), np.cos(around)
        radius = self._mean_radius(along / s.length) * self._skin_shape(sin, cos)
        return np.stack([radius * sin, -radius * cos, along], axis=-1)

    # ------------------------------------------------------------------ structures

    @cached_property
    def structures(self) -> tuple[Structure, ...]:
        """The six labelled structures."""
        s, box = self.shape, self.bounds
        muscles = [
            Part(lambda x, y, z: self._gastrocnemius(self._at(x, y, z), x, y, s.medialis, 1.0), box),
            Part(lambda x, y, z: self._gastrocnemius(self._at(x, y, z), x, y, s.lateralis, -1.0), box),
            Part(lambda x, y, z: self._soleus(self._at(x, y, z), x, y), box),
        ]
        reach = float(box[1, 0])

        def septum(z: Floats) -> Floats:
            return s.septum + s.septum_slope * (z / s.length)

        def limits(side: float) -> Callable[[Floats], tuple[Floats, Floats]]:
            if side > 0:
                return lambda z: (np.full_like(z, -reach), septum(z) - _GAP)
            if side < 0:
                return lambda z: (septum(z) + _GAP, np.full_like(z, reach))
            return lambda z: (np.full_like(z, -reach), np.full_like(z, reach))

        made: list[Structure] = []
        rows = (
            ("gastrocnemius medialis", s.medialis, (1, 1), 1.0),
            ("gastrocnemius lateralis", s.lateralis, (1, 1), -1.0),
            ("soleus", s.soleus, (-1, 1), 0.0),
        )
        for part, (name, values, sides, side) in zip(muscles, rows, strict=True):
            ends = [s.length * (values[1] + sign * values[2]) for sign in (-1.0, 1.0)]

            def volume(
                part: Part = part, sides: tuple[int, int] = sides, side: float = side, ends: list[float] = ends
            ) -> float:
                return sheet_volume(part, sides, limits(side), ends[0] - 2.0, ends[1] + 2.0)

            made.append(Structure(len(made) + 1, name, (part,), volume))
        return (*made, self._bone_structure(4, "tibia"), self._bone_structure(5, "fibula"), self._vessel_structure())

    def _bone_structure(self, label: int, which: str) -> Structure:
        length = self.shape.length

        def faces(x: Floats, y: Floats, z: Floats) -> list[Floats]:
            return [self._bone(self._at(x, y, z), x, y, which), -z, z - length]

        def axis(z: Floats) -> tuple[Floats, Floats, Floats]:
            t = z / length
            return self._bone_axis(t, self._mean_radius(t), which)

        def area(z: Floats) -> Floats:
            return np.pi * axis(z)[2] ** 2 * (1 + _TRIANGLE**2 / 2)

        return Structure(label, which, (Part(faces, _tube_box(axis, length)),), lambda: tube_volume(area, 0.0, length))

    def _vessel_structure(self) -> Structure:
        length = self.shape.length
        parts, radii = [], []
        for number in range(6):

            def faces(x: Floats, y: Floats, z: Floats, number: int = number) -> list[Floats]:
                at = self._at(x, y, z)
                return [*self._vessels(at, x, y, [number]), -z, z - length]

            def axis(z: Floats, number: int = number) -> tuple[Floats, Floats, Floats]:
                t = z / length
                cx, cy, radius = self._vessel_axes(t, self._mean_radius(t))[number]
                return cx, cy, np.full_like(z, radius)

            parts.append(Part(faces, _tube_box(axis, length)))
            radii.append(float(axis(np.zeros(1))[2][0]))
        return Structure(6, "vessels", tuple(parts), lambda: float(np.pi * length * np.sum(np.square(radii))))


_TRIANGLE = 0.09  # third harmonic of a bone's contour; below 0.1 it is convex


def _tube_box(axis: Callable[[Floats], tuple[Floats, Floats, Floats]], length: float) -> NDArray[np.float64]:
    x, y, radius = axis(np.linspace(0.0, length, 400))
    reach = 1.2 * radius + 0.1
    return np.array(
        [[(x - reach).min(), (y - reach).min(), 0.0], [(x + reach).max(), (y + reach).max(), length]], np.float64
    )


def _harmonics(oval: float, oval_deg: float, triangle: float, triangle_deg: float) -> Callable[[Any, Any], Any]:
    """Return shape(sin, cos): one plus the second and third harmonic of the angle, without trigonometry."""
    c2, s2 = oval * float(np.cos(2 * np.deg2rad(oval_deg))), oval * float(np.sin(2 * np.deg2rad(oval_deg)))
    turn = 3 * np.deg2rad(triangle_deg)
    c3, s3 = triangle * float(np.cos(turn)), triangle * float(np.sin(turn))

    def shape(sin: Any, cos: Any) -> Any:
        ss = sin * sin
        even = (1 + c2) + ss * (-2 * c2) + (2 * s2) * (sin * cos)
        return even + cos * (c3 - 4 * c3 * ss) + sin * (3 * s3 - 4 * s3 * ss)

    return shape


def _largest(levels: list[Floats]) -> Floats:
    level = levels[0]
    for other in levels[1:]:
        level = np.maximum(level, other)
    return level


def _smallest(levels: list[Floats]) -> Floats:
    level = levels[0]
    for other in levels[1:]:
        level = np.minimum(level, other)
    return level


def _meets(box: NDArray[np.float64], x: Floats, y: Floats) -> bool:
    """Whether a block of points can reach into a box: a row of pixels meets few of the small structures."""
    (x0, y0, _), (x1, y1, _) = box.tolist()
    return bool(x.max() > x0 and x.min() < x1 and y.max() > y0 and y.min() < y1)
