"""Where the frames of a sweep lie in the world, and the figure that shows sweep and volume together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import GeometryError
from usfast.report.scale_bar import add_scale_bar
from usfast.report.slices import BACKGROUND, FOREGROUND, draw_slices
from usfast.sweep import Sweep
from usfast.volume import Volume

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["sweep_figure"]


def sweep_figure(
    sweep: Sweep,
    volume: Volume,
    coverage: NDArray[Any] | None = None,
    labels: Volume | NDArray[Any] | None = None,
    title: str | None = None,
    *,
    label_names: Mapping[int, str] | None = None,
    covered: str = "covered",
) -> Figure:
    """Return the sweep's frames in 3D, one of its frames, and three slices of the volume made from it.

    Parameters
    ----------
    sweep : Sweep
    volume, coverage, labels, title, label_names, covered
        As in `slices_figure`.

    Raises
    ------
    GeometryError
        If no frame of the sweep has a valid pose.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(11.5, 6.4), facecolor=BACKGROUND)
    left, right = fig.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.5))[0]
    above, below = left.subfigures(2, 1, squeeze=False, height_ratios=(1.45, 1))[:, 0]
    for part in (left, right, above, below):
        part.set_facecolor(BACKGROUND)
    _draw_path(above, sweep)
    _draw_frame(below, sweep)
    draw_slices(right, volume, coverage, labels, label_names=label_names, covered=covered)
    right.subplots_adjust(left=0.08, right=0.985, top=0.915, bottom=0.08, wspace=0.18, hspace=0.19)
    if title:
        fig.suptitle(title, color=FOREGROUND, fontsize=12, x=0.015, y=0.98, ha="left")
    return fig


def _draw_path(fig: SubFigure, sweep: Sweep, outlines: int = 90) -> None:
    """Draw frame outlines, coloured by time, with the probe's edge (row 0) emphasised."""
    from matplotlib import colormaps
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    corners, edge = _outlines(sweep, outlines)
    colours = colormaps["plasma"](np.linspace(0.12, 0.95, len(corners)))
    axes: Any = fig.add_subplot(projection="3d", computed_zorder=False)
    axes.set_facecolor(BACKGROUND)
    axes.add_collection3d(Line3DCollection(corners, colors=colours, linewidths=0.6, alpha=0.55))
    axes.add_collection3d(Line3DCollection(edge, colors=colours, linewidths=1.6))
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    span = np.maximum(high - low, 0.1 * (high - low).max())  # a flat sweep still needs a box
    low, high = (low + high - span) / 2, (low + high + span) / 2
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(high[2], low[2]))
    axes.set_box_aspect(span, zoom=1.12)
    axes.view_init(elev=28, azim=-58)
    for axis, name in ((axes.xaxis, "x"), (axes.yaxis, "z"), (axes.zaxis, "y")):
        axis.set_pane_color((0, 0, 0, 0))
        axis.line.set_color("#4a525c")
        axis._axinfo["grid"].update(color="#2a313a", linewidth=0.5)
        axis.set_label_text(f"{name} (mm)", color=FOREGROUND, fontsize=8)
        axis.labelpad = -1
    axes.tick_params(colors=FOREGROUND, labelsize=7, pad=0)
    valid = np.count_nonzero(sweep.valid)
    fig.suptitle(
        f"{valid} tracked frames, {sweep.path_length:.0f} mm of path (early: violet, late: yellow)",
        color=FOREGROUND,
        fontsize=9,
        x=0.04,
        y=0.9,
        ha="left",
    )


def _outlines(sweep: Sweep, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return closed outlines (M, 5, 3) and top edges (M, 2, 3) of at most `count` valid frames, as (x, z, y).

    A sweep mostly runs along z, so y is the axis that stands upright on the page.
    """
    numbers = np.flatnonzero(sweep.valid)
    if not numbers.size:
        raise GeometryError(f"none of the {len(sweep)} frames has a valid pose")
    chosen = numbers[np.unique(np.linspace(0, numbers.size - 1, min(count, numbers.size)).astype(int))]
    height, width = sweep.image_size
    u, v = [0, width - 1, width - 1, 0, 0], [0, 0, height - 1, height - 1, 0]
    pixels = np.stack([u, v, np.zeros(5), np.ones(5)])
    corners = np.swapaxes(sweep.image_to_world[chosen] @ pixels, 1, 2)[..., [0, 2, 1]]
    return corners, corners[:, :2]


def _draw_frame(fig: SubFigure, sweep: Sweep) -> None:
    numbers = np.flatnonzero(sweep.valid)
    number = int(numbers[numbers.size // 2])
    du, dv = sweep.pixel_spacing
    height, width = sweep.image_size
    axes = fig.add_axes((0.04, 0.04, 0.92, 0.84))
    axes.imshow(sweep.frames[number], cmap="gray", extent=(0, du * width, dv * height, 0), aspect="equal")
    axes.set_title(f"frame {number}, as the probe saw it", color=FOREGROUND, fontsize=9)
    add_scale_bar(axes, du * width, dv * height)
    axes.set_axis_off()
