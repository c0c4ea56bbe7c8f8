"""What a phantom answers: tissues, structures with exact volumes, and the questions a simulator asks of a point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["TISSUE", "Phantom", "Tissue", "check_points", "in_blocks"]

Floats = NDArray[Any]
BLOCK = 16384  # points: some tens of float32 arrays of this length stay in the second-level cache


@dataclass(frozen=True)
class Tissue:
    """How one tissue scatters, attenuates and reflects sound.

    Parameters
    ----------
    name : str
        In lower case.
    label : int
        Of the structure that it belongs to; 0 where it belongs to none.
    echo_db : float
        Mean backscattered amplitude, dB relative to bright fascia; ``-inf`` where nothing scatters.
    attenuation : float
        One way, dB/cm/MHz.
    impedance : float
        Acoustic impedance, MRayl.

    Raises
    ------
    ValueError
        If the label is not in 0 .. 255, attenuation is negative or not finite, impedance not positive, or the echo
        not a number below infinity.

    Examples
    --------
    >>> Tissue("liver", 1, -20.0, 0.5, 1.65).impedance
    1.65
    """

    name: str
    label: int
    echo_db: float
    attenuation: float
    impedance: float

    def __post_init__(self) -> None:
        if not 0 <= self.label <= 255:
            raise ValueError(f"label must be from 0 to 255, not {self.label}")
        if not self.echo_db < np.inf:
            raise ValueError(f"echo_db must be a number or -inf, not {self.echo_db}")
        if not 0 <= self.attenuation < np.inf:
            raise ValueError(f"attenuation must be zero or positive (dB/cm/MHz), not {self.attenuation}")
        if not 0 < self.impedance < np.inf:
            raise ValueError(f"impedance must be positive (MRayl), not {self.impedance}")


TISSUE: dict[str, Tissue] = {
    tissue.name: tissue
    for tissue in (
        Tissue("gel", 0, -np.inf, 0.002, 1.48),
        Tissue("skin", 0, -7.0, 0.6, 1.76),
        Tissue("fat", 0, -18.0, 0.48, 1.40),
        Tissue("fascia", 0, 0.0, 1.57, 1.81),
        Tissue("tendon", 0, -8.0, 1.57, 1.84),
        Tissue("muscle", 0, -22.0, 0.7, 1.65),
        Tissue("blood", 0, -45.0, 0.2, 1.68),
        Tissue("bone", 0, -12.0, 15.0, 7.0),
        Tissue("soft tissue", 0, -20.0, 0.54, 1.63),
    )
}
"""Typical constants by name (label 0), chosen within the spread of published tables: attenuation as in *Diagnostics*
2023, 13(5), 855, table 4 (1 MHz: blood 0.15, skin 0.35, adipose tissue 0.63, muscle across its fibres 0.96, connective
tissue 1.57, bone 15), impedance as in *Sensors* 2023, 23, 5942, table A2 (fat 1.39, muscle 1.68, skin 1.99, bone 6.5).
Echo levels are set by eye against B-mode images of the calf; they have no source."""


@runtime_checkable
class Phantom(Protocol):
    """A body whose tissue is known at every point of the world frame (mm).

    Calls are pure: they may come from several threads at once, and the same seed gives the same bytes.
    """

    @property
    def name(self) -> str:
        """What the phantom is, in lower case."""
        ...

    @property
    def seed(self) -> int:
        """The number that the subject and the texture were drawn from."""
        ...

    @property
    def tissues(self) -> tuple[Tissue, ...]:
        """Every tissue; index 0 is the coupling gel outside the body."""
        ...

    @property
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) smallest and largest x, y, z of the body, mm."""
        ...

    @property
    def structures(self) -> tuple[Any, ...]:
        """The labelled structures, each with `.label`, `.name` and the exact `.volume_ml`."""
        ...

    def tissue(self, points: ArrayLike) -> NDArray[np.uint8]:
        """Return the index into `tissues` at each of `points` (..., 3), mm."""
        ...

    def echo_db(self, points: ArrayLike, tissue: ArrayLike) -> NDArray[np.float32]:
        """Return the mean backscattered amplitude (...), dB, texture included; -inf where nothing scatters."""
        ...

    def normal(self, points: ArrayLike) -> Floats:
        """Return the unit normal (..., 3) of the tissue boundary nearest to each point."""
        ...

    def labels(self, points: ArrayLike) -> NDArray[np.uint8]:
        """Return the true label (...) of each point."""
        ...

    def signed_distance(self, structure: int | str, points: ArrayLike) -> NDArray[np.float64]:
        """Return the distance (...) to the structure's boundary, mm; negative inside."""
        ...

    def skin(self, along_mm: ArrayLike, around_deg: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points on the skin (..., 3) and outward unit normals (..., 3) there."""
        ...


def check_points(points: ArrayLike) -> Floats:
    """Return `points` as an array of float32 or float64.

    Raises
    ------
    ValueError
        If the last axis does not hold three coordinates, or a coordinate is not finite.

    Examples
    --------
    >>> check_points([[1, 2, 3]]).dtype
    dtype('float64')
    """
    array = np.asarray(points)
    if array.dtype != np.float32:
        array = array.astype(np.float64, copy=False)
    if array.ndim < 1 or array.shape[-1] != 3:
        raise ValueError(f"points must have shape (..., 3), not {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("points must be finite; some coordinates are NaN or infinite")
    return array


def in_blocks(
    function: Callable[..., Any], points: Floats, out: NDArray[Any], *others: NDArray[Any], block: int = BLOCK
) -> NDArray[Any]:
    """Fill `out` with ``function(x, y, z, *others)`` a block of points at a time, and return it.

    `points` is (..., 3); `out` and `others` have its leading shape (`out` may have a last axis more).
    """
    flat = points.reshape(-1, 3)
    result = out.reshape((len(flat), *out.shape[points.ndim - 1 :]))
    rest = [other.reshape(-1) for other in others]
    for start in range(0, len(flat), block):
        part = slice(start, start + block)
        # Contiguous columns: every later operation on them is a full-width vector load.
        x, y, z = np.ascontiguousarray(flat[part].T)
        result[part] = function(x, y, z, *(other[part] for other in rest))
    return result.reshape(out.shape)
