"""How echoes become an image: everything that is the machine's and not the tissue's."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FILTERS", "BModeSettings"]

FILTERS = (None, "median", "lee")


@dataclass(frozen=True)
class BModeSettings:
    """Settings of the simulated machine.

    Parameters
    ----------
    dynamic_range_db : float
        Range of the image: black lies that far below white.
    white_db : float
        Amplitude that becomes 255, dB; 0 dB is what a tissue of ``echo_db = 0`` returns on average at no loss.
    scatterers_per_cell : float
        Scatterers in the smallest resolution cell of the image, ``(2 pi)**1.5`` times the product of the three
        sigmas of the point-spread function; deeper cells hold more. Speckle counts as fully developed from about
        10 (Wagner et al., IEEE Trans. Sonics Ultrason. 30 (1983)); time grows with it.
    cutoff : float
        Sigmas of the point-spread function after which it ends.
    attenuation, speculars : bool
        Whether tissue weakens the beam, and whether interfaces reflect.
    beam_mm : float
        Half width of the beam on its way (standard deviation), mm: a line loses what the tissue around it costs, so
        that a thin sheet along the beam casts no shadow. 0: the line alone.
    tgc : float or sequence of (depth mm, gain dB)
        Time-gain compensation: a mean attenuation to make good, dB/cm/MHz one way, or a table of gains, linear in
        between and constant beyond its ends.
    tgc_limit_db : float
        Largest gain of the compensation.
    specular_db : float
        Echo of a perfect mirror at normal incidence, dB; an interface of reflection coefficient R returns |R| of it.
    specular_angle_deg : float
        Angle of incidence theta0 at which a specular echo has fallen to 1/e: ``exp(-(theta / theta0)**2)``.
    reverberation : float
        Part of an echo's amplitude that the probe's face sends back into the tissue, 0 to 1; an interface of
        coefficient R at depth z appears again at 2 z, 3 z, ... weaker by ``reverberation * |R|`` each time.
    noise_db : float
        Mean square of the electronic noise before time gain, dB; -inf for none.
    shadow_db : float
        A pixel is in shadow where the beam has lost that much more than the compensation made good.
    filter : {None, "median", "lee"}
        Speckle reduction of the finished image.
    filter_size : int
        Width of the filter's window, pixels (odd).
    border_contrast_db : float
        Difference across a label border, or height of a bright line on it, from which the border counts as distinct.
    border_distance : float
        Where beside the border the image is compared, mm.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> BModeSettings(tgc=((0, 0), (50, 40))).tgc_gain_db([25, 100], frequency=7.5).tolist()
    [20.0, 40.0]
    """

    dynamic_range_db: float = 60.0
    white_db: float = 20.0
    scatterers_per_cell: float = 10.0
    cutoff: float = 2.8
    attenuation: bool = True
    speculars: bool = True
    beam_mm: float = 1.5
    tgc: float | tuple[tuple[float, float], ...] = 0.7
    tgc_limit_db: float = 80.0
    specular_db: float = 26.0
    specular_angle_deg: float = 18.0
    reverberation: float = 0.5
    noise_db: float = -100.0
    shadow_db: float = 20.0
    filter: str | None = None
    filter_size: int = 5
    border_contrast_db: float = 6.0
    border_distance: float = 1.2

    def __post_init__(self) -> None:
        for name in ("dynamic_range_db", "scatterers_per_cell", "specular_angle_deg", "border_distance"):
            self._check_range(name, above=0.0)
        for name in ("white_db", "tgc_limit_db", "specular_db", "shadow_db", "border_contrast_db"):
            self._check_range(name)
        self._check_range("cutoff", above=0.999, at_most=6.0)
        self._check_range("reverberation", above=-1e-300, at_most=1.0)
        self._check_range("beam_mm", above=-1e-300, at_most=100.0)
        if not (self.noise_db < 1e3):
            raise ValueError(f"noise_db must be a number of dB, or -inf for none, not {self.noise_db!r}")
        if self.scatterers_per_cell > 1000:
            raise ValueError(f"scatterers_per_cell must be at most 1000, not {self.scatterers_per_cell!r}")
        if self.filter not in FILTERS:
            raise ValueError(f"filter must be None, 'median' or 'lee', not {self.filter!r}")
        if (
            not isinstance(self.filter_size, (int, np.integer))
            or self.filter_size % 2 != 1
            or not 1 < self.filter_size < 50
        ):
            raise ValueError(f"filter_size must be odd, from 3 to 49 pixels, not {self.filter_size!r}")
        if not isinstance(self.tgc, (int, float, np.number)):
            object.__setattr__(self, "tgc", _checked_table(self.tgc))
        elif not 0 <= self.tgc <= 100:
            raise ValueError(f"tgc must be an attenuation from 0 to 100 dB/cm/MHz or a table, not {self.tgc!r}")

    def _check_range(self, name: str, above: float = -1e4, at_most: float = 1e4) -> None:
        value = getattr(self, name)
        if not (isinstance(value, (int, float, np.number)) and isfinite(value) and above < value <= at_most):
            raise ValueError(f"{name} must be a number above {max(above, -1e4):g}, at most {at_most:g}, not {value!r}")

    def tgc_gain_db(self, depth_mm: ArrayLike, frequency: float) -> NDArray[np.float64]:
        """Return the gain of the time-gain compensation at depths (mm) for a probe of `frequency` (MHz), dB."""
        depth = np.asarray(depth_mm, np.float64)
        if isinstance(self.tgc, tuple):
            table = np.asarray(self.tgc, np.float64)
            gain = np.interp(depth, table[:, 0], table[:, 1])
        else:
            gain = 2 * self.tgc * frequency * np.maximum(depth, 0) / 10
        return np.asarray(np.minimum(gain, self.tgc_limit_db))


def _checked_table(table: object) -> tuple[tuple[float, float], ...]:
    try:
        rows = np.asarray(table, np.float64)
    except (TypeError, ValueError):
        rows = np.empty(0)
    if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows) or not np.isfinite(rows).all():
        raise ValueError(f"tgc must be an attenuation or a table of (depth mm, gain dB), not {table!r}")
    if (np.diff(rows[:, 0]) <= 0).any():
        raise ValueError("depths in the tgc table must increase")
    return tuple((float(depth), float(gain)) for depth, gain in rows)
