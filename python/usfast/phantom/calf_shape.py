"""The numbers that make one calf, and how they vary from person to person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["CalfShape"]


@dataclass(frozen=True)
class CalfShape:
    """The numbers that make one calf; lengths in mm, `t`-values as parts of the length, angles in degrees.

    Parameters
    ----------
    length : float
        Knee to ankle.
    girth_knee, girth_belly, girth_ankle : float
        Girth of the line from knee to ankle at its ends, and how much the belly adds to it.
    belly, belly_width : float
        Where the belly is widest (t) and the width of its Gaussian (t).
    oval, oval_deg, triangle, triangle_deg : float
        Amplitude and direction of the second and third harmonic of the skin's contour.
    fat, fat_back, fat_medial : float
        Fat as a part of the mean radius (2.2 mm is added), its excess behind and on the medial side.
    sheet, sheet_t, sheet_width, sheet_shift : float
        How far the gastrocnemii push the back of soleus forwards, where (t), over what width (t), and how much
        sooner they end on the lateral side (t per mm).
    bend : float
        Curvature of the back of soleus, 1/mm.
    medialis, lateralis, soleus : (thickness, middle, half length, x)
        Thickness in mm, place in t, and where across the limb (x, mm) a belly is thickest.
    septum, septum_slope : float
        x of the median septum at the knee, mm, and its change to the ankle.
    tibia, fibula : (radius, knee flare, ankle flare, direction in degrees)
    """

    length: float = 345.0
    girth_knee: float = 345.0
    girth_belly: float = 72.0
    girth_ankle: float = 220.0
    belly: float = 0.30
    belly_width: float = 0.20
    oval: float = 0.02
    oval_deg: float = 0.0
    triangle: float = 0.012
    triangle_deg: float = 0.0
    fat: float = 0.047
    fat_back: float = 0.15
    fat_medial: float = 0.2
    sheet: float = 31.5
    sheet_t: float = 0.28
    sheet_width: float = 0.22
    sheet_shift: float = 0.0012
    bend: float = 0.0078
    medialis: tuple[float, float, float, float] = (44.0, 0.305, 0.285, -22.0)
    lateralis: tuple[float, float, float, float] = (37.0, 0.262, 0.238, 24.0)
    soleus: tuple[float, float, float, float] = (30.8, 0.47, 0.445, 0.0)
    septum: float = 7.5
    septum_slope: float = 2.0
    tibia: tuple[float, float, float, float] = (11.7, 7.0, 0.5, 208.0)
    fibula: tuple[float, float, float, float] = (5.5, 1.5, 0.5, 112.0)

    @classmethod
    def drawn(cls, seed: int) -> CalfShape:
        """Return the calf of subject `seed`.

        Spread: length 4 %, girth 5 %, fat 25 %, muscle thickness 5 %; bones turn by 4 degrees.

        Examples
        --------
        >>> CalfShape.drawn(1) == CalfShape.drawn(1), CalfShape.drawn(1) == CalfShape.drawn(2)
        (True, False)
        """
        rng = np.random.default_rng([0xCA1F, seed])

        def about(value: float, spread: float) -> float:
            # Bounded: a rare far-out normal draw would make a calf that no one has.
            return float(value + spread * np.clip(rng.standard_normal(), -2.0, 2.0))

        mean, size, long = cls(), about(1.0, 0.04), about(1.0, 0.04)

        def belly(values: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
            thick, middle, half, x = values
            return size * about(thick, 0.03 * thick), about(middle, 0.004), about(half, 0.005), about(x, 1.5)

        return replace(
            mean,
            length=mean.length * long,
            girth_knee=size * about(mean.girth_knee, 8.0),
            girth_belly=size * about(mean.girth_belly, 6.0),
            girth_ankle=size * about(mean.girth_ankle, 6.0),
            belly=about(mean.belly, 0.01),
            belly_width=about(mean.belly_width, 0.01),
            oval=about(mean.oval, 0.008),
            oval_deg=about(0.0, 20.0),
            triangle=about(mean.triangle, 0.004),
            triangle_deg=about(0.0, 15.0),
            fat=about(mean.fat, 0.012),
            fat_back=about(mean.fat_back, 0.05),
            fat_medial=about(mean.fat_medial, 0.05),
            sheet=size * about(mean.sheet, 0.8),
            sheet_t=about(mean.sheet_t, 0.006),
            sheet_width=about(mean.sheet_width, 0.006),
            sheet_shift=about(mean.sheet_shift, 0.0002),
            bend=about(mean.bend, 0.0005) / size,
            medialis=belly(mean.medialis),
            lateralis=belly(mean.lateralis),
            soleus=belly(mean.soleus),
            septum=about(mean.septum, 1.5),
            septum_slope=about(mean.septum_slope, 1.0),
            tibia=(size * about(11.7, 0.4), 7.0 * size, 0.5 * size, about(208.0, 4.0)),
            fibula=(size * about(5.5, 0.25), 1.5 * size, 0.5 * size, about(112.0, 4.0)),
        )
