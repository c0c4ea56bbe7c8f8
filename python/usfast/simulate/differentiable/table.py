"""The acoustic numbers of each tissue: where a differentiable rendering starts from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["PRESENCE_WIDTH", "TissueTable"]

PRESENCE_WIDTH = 0.1  # a sample with draw q holds a scatterer to the degree sigmoid((mu1 - q) / PRESENCE_WIDTH)
_DENSITY = 0.9  # of tissues that come with a brightness only
_SPREAD = 0.5  # sigma0 / mu0 of the same

# Typical values at body temperature, rounded. Cortical bone; blood stands for every vessel.
_CALF = (
    # name, echo dB, dB/cm/MHz, MRayl
    ("gel", -np.inf, 0.02, 1.50),
    ("skin", -8.0, 1.20, 1.70),
    ("fat", -18.0, 0.60, 1.38),
    ("fascia", 0.0, 1.30, 1.80),
    ("muscle", -22.0, 0.70, 1.65),
    ("blood", -45.0, 0.18, 1.61),
    ("bone", -30.0, 6.90, 7.00),
)


class _Tissue(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def echo_db(self) -> float: ...
    @property
    def attenuation(self) -> float: ...
    @property
    def impedance(self) -> float: ...


@dataclass(frozen=True, eq=False)
class TissueTable:
    """Acoustic parameters of C tissues; row c belongs to the pixels with label c.

    Parameters
    ----------
    names : C names
    attenuation : (C,) array
        dB/cm/MHz, one way, >= 0.
    impedance : (C,) array
        MRayl, > 0.
    mu0 : (C,) array
        Mean amplitude of a scatterer, >= 0; 1 is the 0 dB of the image.
    mu1 : (C,) array
        Share of the samples that hold a scatterer, in [0, 1].
    sigma0 : (C,) array
        Standard deviation of a scatterer's amplitude, >= 0.

    Raises
    ------
    ValueError
        If a column has not C finite values in its range.

    Notes
    -----
    Columns as in Velikova et al., "LOTUS: Learning to Optimize Task-based US representations", MICCAI 2023.

    Examples
    --------
    >>> table = TissueTable.calf()
    >>> table.names
    ('gel', 'skin', 'fat', 'fascia', 'muscle', 'blood', 'bone')
    >>> float(table.impedance[6])
    7.0
    """

    names: tuple[str, ...]
    attenuation: NDArray[np.float64]
    impedance: NDArray[np.float64]
    mu0: NDArray[np.float64]
    mu1: NDArray[np.float64]
    sigma0: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        if not self.names:
            raise ValueError("a tissue table needs at least one tissue")
        for column in ("attenuation", "impedance", "mu0", "mu1", "sigma0"):
            object.__setattr__(self, column, self._checked(column, getattr(self, column)))
        if (self.impedance == 0).any():
            raise ValueError(f"impedance must be positive, but that of {self.names[int(self.impedance.argmin())]} is 0")
        if (self.mu1 > 1).any():
            raise ValueError("mu1 is the share of samples with a scatterer: it must not exceed 1")

    def _checked(self, column: str, values: ArrayLike) -> NDArray[np.float64]:
        array = np.array(values, np.float64)
        if array.shape != (len(self.names),):
            raise ValueError(f"{column} has shape {array.shape}, but there are {len(self.names)} tissues")
        wrong = ~(np.isfinite(array) & (array >= 0))
        if wrong.any():
            at = int(wrong.argmax())
            raise ValueError(f"{column} of {self.names[at]} must be finite and not negative, not {array[at]}")
        array.setflags(write=False)
        return array

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of(cls, tissues: Iterable[_Tissue]) -> TissueTable:
        """Return the table of a phantom's tissues.

        Parameters
        ----------
        tissues : iterable of objects with name, echo_db, attenuation and impedance
            As `phantom.tissues`; labels of the renderer are then indices into it, as `phantom.tissue` gives them.
            `echo_db` is the mean envelope in dB; -inf is anechoic.

        Returns
        -------
        TissueTable
            Scatterers fill 0.9 of the samples, with sigma0 = mu0 / 2 and mu0 such that the Rayleigh envelope has
            the mean that `echo_db` says.

        Raises
        ------
        TypeError
            If something in `tissues` lacks one of the numbers.
        ValueError
            If a number is out of its range.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> liver = SimpleNamespace(name="liver", echo_db=-20.0, attenuation=0.5, impedance=1.65)
        >>> round(float(TissueTable.of([liver]).mu0[0]), 4)
        0.1132
        """
        rows: list[tuple[Any, ...]] = []
        for tissue in tissues:
            try:
                rows.append((tissue.name, tissue.echo_db, tissue.attenuation, tissue.impedance))
            except AttributeError as error:
                raise TypeError(f"{tissue!r} is no tissue: {error}") from None
        if not rows:
            raise ValueError("a tissue table needs at least one tissue")
        names, echo_db, attenuation, impedance = zip(*rows, strict=True)
        power = 10 ** (np.asarray(echo_db, np.float64) / 10) * 4 / np.pi  # of the envelope with that mean
        mu0 = np.sqrt(power / (_presence_power(_DENSITY) * (1 + _SPREAD**2)))
        density = np.full(len(names), _DENSITY)
        return cls(names, np.asarray(attenuation), np.asarray(impedance), mu0, density, _SPREAD * mu0)

    @classmethod
    def calf(cls) -> TissueTable:
        """Return typical values of gel, skin, fat, fascia, muscle, blood and bone, in this order."""
        return cls.of(_Row(*row) for row in _CALF)

    @classmethod
    def neutral(cls, count: int) -> TissueTable:
        """Return `count` tissues that are all the same soft tissue: a start for learning from images alone.

        Raises
        ------
        ValueError
            If `count` is not a positive whole number.
        """
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"the number of tissues must be a positive whole number, not {count!r}")
        return cls.of(_Row(f"tissue {label}", -20.0, 0.5, 1.6) for label in range(count))


def _presence_power(mu1: float) -> float:
    """Mean of sigmoid((mu1 - q) / PRESENCE_WIDTH) ** 2 over q from 0 to 1."""
    lower, upper = (mu1 - 1) / PRESENCE_WIDTH, mu1 / PRESENCE_WIDTH
    mean = np.logaddexp(0, upper) - np.logaddexp(0, lower)
    return float(PRESENCE_WIDTH * (mean - 1 / (1 + np.exp(-upper)) + 1 / (1 + np.exp(-lower))))


@dataclass(frozen=True)
class _Row:
    name: str
    echo_db: float
    attenuation: float
    impedance: float
