"""Where in the image speckle is looked at: patches of one size, as a rule on a regular grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["PatchGrid"]

MAX_PIXELS = 2**15  # 255**2 of them still add up in 32 bits, so that correlations are exact
SMALLEST = 2


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """Patches of one size in an image.

    Parameters
    ----------
    corners : (P, 2) integer array
        (row, column) of each patch's first pixel, >= 0, in any order; patches may overlap.
    size : (int, int)
        Rows and columns of a patch, at least 2 each and at most 2**15 pixels together.
    grid : (int, int), optional
        Rows and columns of patches, where patch ``p`` stands in row ``p // columns``: what is calibrated per depth is
        calibrated per row. Default ``(1, P)``.

    Raises
    ------
    ValueError, TypeError
        If the corners are no whole numbers, or number, size and grid do not fit each other.

    See Also
    --------
    PatchGrid.regular : patches spread evenly over the image.

    Examples
    --------
    >>> patches = PatchGrid([[0, 0], [10, 40]], (8, 16))
    >>> len(patches), patches.grid, patches.centres.tolist()
    (2, (1, 2), [[3.5, 7.5], [13.5, 47.5]])
    """

    corners: NDArray[np.int64]
    size: tuple[int, int]
    grid: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        size = _pair("size", self.size, SMALLEST)
        if size[0] * size[1] > MAX_PIXELS:
            raise ValueError(f"a patch may have at most {MAX_PIXELS} pixels, not {size[0]} x {size[1]}")
        corners = _corners(self.corners)
        grid = (1, len(corners)) if tuple(self.grid) == (0, 0) else _pair("grid", self.grid, 1)
        if grid[0] * grid[1] != len(corners):
            raise ValueError(f"a grid of {grid[0]} x {grid[1]} does not hold {len(corners)} patches")
        corners.flags.writeable = False
        for name, value in (("corners", corners), ("size", size), ("grid", grid)):
            object.__setattr__(self, name, value)

    @classmethod
    def regular(
        cls,
        shape: tuple[int, int],
        size: tuple[int, int] = (32, 32),
        grid: tuple[int, int] | None = None,
        *,
        step: int | tuple[int, int] | None = None,
    ) -> PatchGrid:
        """Spread patches evenly over an image.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns (H, W) of the image.
        size : (int, int)
            Rows and columns of a patch.
        grid : (int, int), optional
            Rows and columns of patches: the outer ones touch the border of the image, the others lie evenly between
            (to the nearest pixel). A single row or column lies in the middle.
        step : int or (int, int), optional
            Instead of `grid`: pixels from one patch to the next, down and across; as many patches as fit, in the
            middle of the image. Default: the size, so that patches tile the image.

        Returns
        -------
        PatchGrid
            Row by row.

        Raises
        ------
        ValueError, TypeError
            If a patch does not fit the image, or both `grid` and `step` are given.

        Examples
        --------
        >>> PatchGrid.regular((480, 640), (32, 32), (12, 12)).corners[[0, 1, 12, 143]].tolist()
        [[0, 0], [0, 55], [41, 0], [448, 608]]
        >>> PatchGrid.regular((100, 64), (32, 32)).corners.tolist()
        [[2, 0], [2, 32], [34, 0], [34, 32], [66, 0], [66, 32]]
        """
        height, width = _pair("shape", shape, 1)
        rows, columns = _pair("size", size, SMALLEST)
        if rows > height or columns > width:
            raise ValueError(f"a patch of {rows} x {columns} does not fit an image of {height} x {width}")
        if grid is not None and step is not None:
            raise ValueError("give grid or step, not both")
        room = (height - rows, width - columns)
        if grid is not None:
            starts = [_spread(r, n) for r, n in zip(room, _pair("grid", grid, 1), strict=True)]
        else:
            steps = (rows, columns) if step is None else _pair("step", (step, step) if np.ndim(step) == 0 else step, 1)
            starts = [_stepped(r, by) for r, by in zip(room, steps, strict=True)]
        corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
        return cls(corners, (rows, columns), (len(starts[0]), len(starts[1])))

    def __len__(self) -> int:
        """Return the number of patches."""
        return len(self.corners)

    @property
    def centres(self) -> NDArray[np.float64]:
        """(P, 2) float64: (row, column) of the middle of each patch, pixel centres at whole numbers."""
        return self.corners + (np.array(self.size) - 1) / 2

    def check_inside(self, shape: tuple[int, int]) -> None:
        """Raise ValueError where a patch reaches beyond an image of (H, W) pixels."""
        outside = (self.corners + self.size > shape).any(axis=1)
        if outside.any():
            row, column = self.corners[outside][0]
            raise ValueError(
                f"the patch at row {row}, column {column} of {self.size[0]} x {self.size[1]} pixels reaches beyond "
                f"frames of {shape[0]} x {shape[1]}"
            )


def _pair(name: str, value: Any, smallest: int) -> tuple[int, int]:
    """Return `value` as two whole numbers of at least `smallest`."""
    numbers = np.asarray(value)
    if numbers.shape != (2,) or not np.issubdtype(numbers.dtype, np.integer) or (numbers < smallest).any():
        raise ValueError(f"{name} must be two whole numbers of at least {smallest} (rows, columns), not {value!r}")
    return int(numbers[0]), int(numbers[1])


def _corners(value: ArrayLike) -> NDArray[np.int64]:
    corners = np.asarray(value)
    if corners.ndim != 2 or corners.shape[1] != 2 or not len(corners):
        raise ValueError(f"corners must be (P, 2) with at least one patch, not {corners.shape}")
    if not np.issubdtype(corners.dtype, np.integer):
        raise TypeError(f"corners must be whole numbers, not {corners.dtype}")
    if (corners < 0).any() or (corners > 2**31).any():
        raise ValueError("corners must not be negative nor beyond any image")
    return corners.astype(np.int64)


def _spread(room: int, count: int) -> NDArray[np.int64]:
    """`count` starts from 0 to `room`, or the one in the middle."""
    if count == 1:
        return np.array([room // 2], np.int64)
    return np.round(np.linspace(0, room, count)).astype(np.int64)


def _stepped(room: int, step: int) -> NDArray[np.int64]:
    """Starts `step` apart, as many as fit in [0, `room`], in the middle of it."""
    return room % step // 2 + np.arange(0, room + 1, step)
