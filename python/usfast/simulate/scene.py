"""What the simulator asks of a phantom, asked in pieces that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Acoustics", "Scene", "in_chunks"]

_CHUNK = 1 << 15


class Acoustics(Protocol):
    """A tissue's constants along the beam."""

    @property
    def attenuation(self) -> float:
        """One way, dB/cm/MHz."""

    @property
    def impedance(self) -> float:
        """MRayl."""


class Scene(Protocol):
    """The part of a phantom that an image depends on; points are (..., 3) world mm."""

    @property
    def tissues(self) -> Sequence[Acoustics]:
        """Everything that `tissue` may answer."""

    def tissue(self, points: NDArray[Any]) -> NDArray[np.uint8]:
        """Index into `tissues` at points."""

    def echo_db(self, points: NDArray[Any], tissue: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Mean backscattered amplitude at points of known tissue, dB; -inf for none."""

    def normal(self, points: NDArray[Any]) -> NDArray[Any]:
        """Unit normal of the tissue boundary nearest to points."""

    def labels(self, points: NDArray[Any]) -> NDArray[np.uint8]:
        """Ground truth label at points."""


def in_chunks(
    function: Callable[[NDArray[np.float32]], NDArray[Any]], points: NDArray[np.float32], out: NDArray[Any]
) -> NDArray[Any]:
    """Fill `out` (M, ...) with `function` of points (M, 3), a part at a time, and return it."""
    for first in range(0, len(points), _CHUNK):
        part = slice(first, first + _CHUNK)
        out[part] = function(points[part])
    return out
