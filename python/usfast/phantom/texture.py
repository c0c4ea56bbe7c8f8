"""Texture inside a tissue: smooth deterministic functions of world position, drawn from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Texture"]

Floats = NDArray[Any]


class Texture:
    """Fascicles of muscle and septa of fat.

    Parameters
    ----------
    seed : int

    Examples
    --------
    >>> x = np.linspace(0, 30, 301)
    >>> value = Texture(0).septa(x, 0 * x, 0 * x)
    >>> bool(value.min() < -1 and value.max() > 3)
    True
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([0x7E47, seed])
        self._phase = [float(v) for v in rng.uniform(0, 2 * np.pi, 8)]
        self._pennation = float(np.deg2rad(rng.uniform(16.0, 23.0)))
        self._spacing = float(rng.uniform(1.3, 1.7))

    def fascicles(self, x: Floats, y: Floats, z: Floats, lean: Floats) -> Floats:
        """Return dB to add inside muscle: bright sheets between fascicles, leaning by the pennation angle.

        `lean` is +1 or -1: whether the fascicles run forwards or backwards towards the ankle.
        """
        p = self._phase
        sin, cos = float(np.sin(self._pennation)), float(np.cos(self._pennation))
        wave = 2 * np.pi / self._spacing
        across = y * cos - (lean * z) * sin
        # Slow warps keep the sheets from being a grating and let them branch and end.
        warp = np.sin(0.19 * x + 0.043 * z + p[0]) + np.sin(0.23 * y - 0.051 * z + p[1])
        first = np.sin(wave * across + 1.7 * warp + p[2])
        second = np.sin(0.83 * wave * x + 0.31 * wave * across - 1.9 * warp + p[3])
        patch = np.sin(0.31 * x + 0.13 * z + 0.9 * warp + p[4])
        streak = np.maximum(first, 0.9 * second)
        streak = np.maximum(streak, 0)
        streak = streak * streak
        return np.asarray(streak * streak * (9.0 + 4.0 * patch) - 3.0)

    def septa(self, radius: Floats, x: Floats, z: Floats) -> Floats:
        """Return dB to add inside fat: thin wavy sheets roughly parallel to the skin."""
        p = self._phase
        warp = np.sin(0.21 * x + 0.07 * z + p[5]) + np.sin(0.11 * z - 0.05 * x + p[6])
        sheet = np.sin((2 * np.pi / 2.6) * radius + 1.6 * warp + p[7])
        sheet = np.maximum(sheet, 0)
        sheet = sheet * sheet
        sheet = sheet * sheet
        return np.asarray(sheet * sheet * 10.0 - 2.0)
