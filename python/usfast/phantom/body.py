"""What every phantom does alike: check the points, work in blocks, and answer from a handful of level functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.phantom.structure import Structure
from usfast.phantom.tissue import Tissue, check_points, in_blocks

__all__ = ["Body"]

Floats = NDArray[Any]


class Body(ABC):
    """A phantom made of level functions; see `usfast.phantom.Phantom` for what each method answers.

    Parameters
    ----------
    seed : int
        Zero or positive.

    Raises
    ------
    ValueError
        If the seed is negative or not whole.
    """

    name: str
    tissues: tuple[Tissue, ...]

    def __init__(self, seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ValueError(f"seed must be a whole number, zero or positive, not {seed!r}")
        self.seed = int(seed)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seed={self.seed})"

    def _arguments(self) -> dict[str, Any]:
        """What the phantom was made from."""
        return {"seed": self.seed}

    def __reduce__(self) -> tuple[Any, ...]:
        # Level functions cannot be pickled; the few numbers they come from can.
        return _made, (type(self), self._arguments())

    @cached_property
    @abstractmethod
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) smallest and largest x, y, z of the body, mm."""

    @cached_property
    @abstractmethod
    def structures(self) -> tuple[Structure, ...]:
        """The labelled structures."""

    @abstractmethod
    def _tissue(self, x: Floats, y: Floats, z: Floats) -> NDArray[np.uint8]: ...

    @abstractmethod
    def _echo(self, x: Floats, y: Floats, z: Floats, tissue: NDArray[np.uint8]) -> Floats: ...

    @abstractmethod
    def _boundaries(self, x: Floats, y: Floats, z: Floats) -> list[Floats]:
        """Return a level for each boundary between tissues: zero on it, about 1 per mm."""

    @abstractmethod
    def _skin_level(self, x: Floats, y: Floats, z: Floats) -> Floats: ...

    @abstractmethod
    def _skin_point(self, along: Floats, around: Floats) -> Floats: ...

    @cached_property
    def _echo_table(self) -> NDArray[np.float32]:
        return np.array([tissue.echo_db for tissue in self.tissues], np.float32)

    @cached_property
    def _label_table(self) -> NDArray[np.uint8]:
        return np.array([tissue.label for tissue in self.tissues], np.uint8)

    def tissue(self, points: ArrayLike) -> NDArray[np.uint8]:
        """Return the index into `tissues` at world points.

        Parameters
        ----------
        points : (..., 3) float32 or float64 array
            World positions, mm; computed in their own precision.

        Returns
        -------
        (...) uint8 array

        Raises
        ------
        ValueError
            If the shape is wrong or a coordinate is not finite.
        """
        array = check_points(points)
        return in_blocks(self._tissue, array, np.empty(array.shape[:-1], np.uint8))

    def labels(self, points: ArrayLike) -> NDArray[np.uint8]:
        """Return the true label at world points (..., 3), mm: (...) uint8, 0 outside every structure."""
        return np.asarray(self._label_table[self.tissue(points)])

    def echo_db(self, points: ArrayLike, tissue: ArrayLike) -> NDArray[np.float32]:
        """Return the mean backscattered amplitude at world points, texture included.

        Parameters
        ----------
        points : (..., 3) array
            World positions, mm.
        tissue : (...) uint8 array
            What `tissue` returned for them.

        Returns
        -------
        (...) float32 array
            dB relative to bright fascia; -inf where nothing scatters.

        Raises
        ------
        ValueError
            If the shapes disagree or an index names no tissue.
        """
        array = check_points(points)
        index = np.asarray(tissue)
        if index.shape != array.shape[:-1]:
            raise ValueError(f"tissue has shape {index.shape}, but points have {array.shape[:-1]}")
        if index.dtype.kind not in "iu" or (index.size and not 0 <= index.min() <= index.max() < len(self.tissues)):
            raise ValueError(f"tissue must hold whole numbers from 0 to {len(self.tissues) - 1}")
        out = np.empty(index.shape, np.float32)
        return in_blocks(self._echo, array, out, index.astype(np.uint8, copy=False))

    def normal(self, points: ArrayLike) -> Floats:
        """Return the unit normal of the tissue boundary nearest to each point.

        Parameters
        ----------
        points : (..., 3) float32 or float64 array
            World positions, mm.

        Returns
        -------
        (..., 3) array of the same precision
            Gradient of the boundary's level at the point, scaled to length 1; it points out of the structure.
        """
        array = check_points(points)
        return in_blocks(self._normal, array, np.empty(array.shape, array.dtype))

    def _normal(self, x: Floats, y: Floats, z: Floats) -> Floats:
        step = 0.125 if x.dtype == np.float32 else 1e-5  # mm; float32 needs a step far above its rounding (8e-6 mm)
        levels = np.stack(self._boundaries(x, y, z))
        nearest = np.argmin(np.abs(levels), axis=0)[None]
        here = np.take_along_axis(levels, nearest, axis=0)[0]
        gradient = np.empty((len(x), 3), x.dtype)
        for axis in range(3):
            moved = [x, y, z]
            moved[axis] = moved[axis] + step
            ahead = np.stack(self._boundaries(*moved))
            gradient[:, axis] = np.take_along_axis(ahead, nearest, axis=0)[0] - here
        length = np.sqrt(np.einsum("ij,ij->i", gradient, gradient))
        return np.asarray(gradient / np.maximum(length, 1e-12)[:, None])

    def structure(self, structure: int | str) -> Structure:
        """Return the structure with this label or name.

        Raises
        ------
        ValueError
            If there is none; the message lists those there are.
        """
        for each in self.structures:
            if structure in (each.label, each.name):
                return each
        known = ", ".join(f"{each.label} {each.name}" for each in self.structures) or "none"
        raise ValueError(f"the {self.name} phantom has no structure {structure!r}; it has {known}")

    def signed_distance(self, structure: int | str, points: ArrayLike) -> NDArray[np.float64]:
        """Return the Euclidean distance of world points to a structure's boundary.

        Parameters
        ----------
        structure : int or str
            Label or name.
        points : (..., 3) array
            World positions, mm.

        Returns
        -------
        (...) float64 array
            mm; negative inside.

        Raises
        ------
        ValueError
            If there is no such structure, or the points are malformed.
        """
        array = check_points(points).astype(np.float64)
        chosen = self.structure(structure)
        return chosen.signed_distance(array.reshape(-1, 3)).reshape(array.shape[:-1])

    def skin(self, along_mm: ArrayLike, around_deg: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where a probe may stand.

        Parameters
        ----------
        along_mm, around_deg : arrays that broadcast
            World z, mm, and the angle around the body, degrees.

        Returns
        -------
        points : (..., 3) float64 array
            On the skin, mm.
        normals : (..., 3) float64 array
            Outward unit normals there.

        Raises
        ------
        ValueError
            If a value is not finite or lies beyond the body.
        """
        along, around = np.broadcast_arrays(np.asarray(along_mm, np.float64), np.asarray(around_deg, np.float64))
        if not (np.isfinite(along).all() and np.isfinite(around).all()):
            raise ValueError("along_mm and around_deg must be finite")
        points = np.asarray(self._skin_point(along, np.deg2rad(around)), np.float64)
        normals = gradient(self._skin_level, points)
        return points, normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def gradient(level: Any, points: NDArray[np.float64], step: float = 1e-4) -> NDArray[np.float64]:
    """Return the central-difference gradient (..., 3) of ``level(x, y, z)`` at points (..., 3), float64."""
    result = np.empty(points.shape)
    for axis in range(3):
        ends = []
        for sign in (step, -step):
            moved = [points[..., 0], points[..., 1], points[..., 2]]
            moved[axis] = moved[axis] + sign
            ends.append(level(*moved))
        result[..., axis] = (ends[0] - ends[1]) / (2 * step)
    return result


def _made(kind: type[Body], arguments: dict[str, Any]) -> Body:
    return kind(**arguments)
