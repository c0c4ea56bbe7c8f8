"""A scale bar of a length that people read at a glance."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["add_scale_bar", "bar_length"]


def bar_length(extent: float) -> float:
    """Return the longest of ..., 1, 2, 5, 10, 20, 50, ... that is at most a third of `extent`.

    Parameters
    ----------
    extent : float
        Width of the picture, mm.

    Raises
    ------
    ValueError
        If `extent` is not a positive number.

    Examples
    --------
    >>> bar_length(100.0), bar_length(7.0)
    (20.0, 2.0)
    """
    if not (isfinite(extent) and extent > 0):
        raise ValueError(f"the picture's width must be positive (mm), not {extent}")
    limit = extent / 3
    decade = 10.0 ** floor(log10(limit))
    return max(step * decade for step in (1, 2, 5) if step * decade <= limit * (1 + 1e-9))


def add_scale_bar(axes: Axes, width: float, height: float, colour: str = "white") -> None:
    """Draw the bar and its length into the lower left corner of `axes`, whose data units are mm.

    `width` and `height` are the axes' extent in mm; y must run downwards.
    """
    length = bar_length(width)
    x0, x1 = axes.get_xlim()
    bottom = max(axes.get_ylim())
    left = min(x0, x1) + 0.05 * width
    y = bottom - 0.06 * height
    axes.plot([left, left + length], [y, y], color=colour, linewidth=2.5, solid_capstyle="butt")
    axes.annotate(
        f"{length:g} mm",
        (left, y),
        (0, 4),
        textcoords="offset points",
        color=colour,
        fontsize=8,
        va="bottom",
        bbox={"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 1},  # legible on bright tissue
    )
