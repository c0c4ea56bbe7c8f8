"""A block of one tissue: for speckle statistics and resolution."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.phantom.body import Body
from usfast.phantom.structure import Structure
from usfast.phantom.tissue import TISSUE, Tissue

__all__ = ["HomogeneousPhantom"]

Floats = NDArray[Any]


class HomogeneousPhantom(Body):
    """One tissue without texture in the half space y > 0; its surface y = 0 faces -y.

    Parameters
    ----------
    tissue : Tissue
        Its label is kept: 0 unless it is set.
    seed : int
        Only named; nothing is drawn.
    size : float
        Edge of `bounds`, mm: x and z are centred, y starts at 0. The tissue itself has no end.

    Raises
    ------
    TypeError
        If `tissue` is not a Tissue.
    ValueError
        If `size` is not positive or the seed malformed.

    Examples
    --------
    >>> block = HomogeneousPhantom()
    >>> block.tissue([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]).tolist()
    [0, 1]
    """

    name = "homogeneous"

    def __init__(self, tissue: Tissue = TISSUE["soft tissue"], *, seed: int = 0, size: float = 100.0) -> None:
        super().__init__(seed)
        if not isinstance(tissue, Tissue):
            raise TypeError(f"tissue must be a Tissue, not {type(tissue).__name__}")
        if not 0 < size < np.inf:
            raise ValueError(f"size must be positive (mm), not {size!r}")
        self.tissues = (TISSUE["gel"], tissue)
        self.size = float(size)

    def _arguments(self) -> dict[str, Any]:
        return {"tissue": self.tissues[1], "seed": self.seed, "size": self.size}

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) box, mm."""
        half = self.size / 2
        return np.array([[-half, 0.0, -half], [half, self.size, half]])

    @cached_property
    def structures(self) -> tuple[Structure, ...]:
        """None: the block has no end."""
        return ()

    def _tissue(self, x: Floats, y: Floats, z: Floats) -> NDArray[np.uint8]:
        return (y > 0).astype(np.uint8)

    def _echo(self, x: Floats, y: Floats, z: Floats, tissue: NDArray[np.uint8]) -> Floats:
        return np.asarray(self._echo_table[tissue])

    def _boundaries(self, x: Floats, y: Floats, z: Floats) -> list[Floats]:
        return [-y]

    def _skin_level(self, x: Floats, y: Floats, z: Floats) -> Floats:
        return -y

    def _skin_point(self, along: Floats, around: Floats) -> Floats:
        if (np.abs(around) > 1e-9).any():
            raise ValueError("around_deg must be 0: the block has one flat side")
        return np.stack([np.zeros_like(along), np.zeros_like(along), along], axis=-1)
