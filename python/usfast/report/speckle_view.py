"""Figures of speckle: decorrelation curves with the calibrated model, and a trajectory with its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import GeometryError
from usfast.geometry import invert, matrix_to_euler, nearest_rotation
from usfast.report.slices import BACKGROUND, FOREGROUND, PALETTE
from usfast.speckle.calibration import Calibration
from usfast.speckle.curves import DecorrelationCurves
from usfast.speckle.models import correlation
from usfast.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["decorrelation_figure", "pose_errors", "trajectory_figure"]

_Array = NDArray[np.float64]
_AXIS = "#4a525c"
_GRID = "#2a313a"


def decorrelation_figure(
    curves: DecorrelationCurves, calibration: Calibration | None = None, title: str | None = None
) -> Figure:
    """Return one panel for each grid row that holds pairs: measured correlation over distance, and the model.

    Parameters
    ----------
    curves : DecorrelationCurves
        The band is drawn from its first to its last quantile.
    calibration : Calibration, optional
        Of the same grid; rows that could not be calibrated have no model curve.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot.

    Raises
    ------
    ValueError
        If the calibration has another number of rows.
    """
    from matplotlib.figure import Figure

    if calibration is not None and len(calibration.sigma_mm) != len(curves.count):
        raise ValueError(f"the calibration has {len(calibration.sigma_mm)} rows, but the curves {len(curves.count)}")
    rows = np.flatnonzero(curves.count.any(axis=1))
    across = min(4, len(rows))
    down = -(-len(rows) // across)
    fig = Figure(figsize=(2.6 * across + 0.9, 2.1 * down + 1.2), facecolor=BACKGROUND, layout="constrained")
    grid = fig.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(rows) :]:
        axes.set_visible(False)
    for n, row in enumerate(rows):
        axes = grid.flat[n]
        _style(axes)
        axes.label_outer()
        if n + across >= len(rows):
            axes.tick_params(labelbottom=True)
        _draw_row(axes, curves, calibration, int(row))
    grid.flat[0].set(xlim=(0, float(curves.edges[-1])), ylim=(min(0.0, float(np.nanmin(curves.quantiles))), 1.0))
    fig.supxlabel("elevational distance (mm)", color=FOREGROUND, fontsize=9)
    fig.supylabel("correlation of patches", color=FOREGROUND, fontsize=9)
    low, high = f"{curves.levels.min():.0%}", f"{curves.levels.max():.0%}"
    handles, labels = grid.flat[0].get_legend_handles_labels()
    names = [label.replace("band", f"{low} to {high} of the pairs") for label in labels]
    fig.legend(handles, names, loc="outside upper right", ncols=3, frameon=False, fontsize=8, labelcolor=FOREGROUND)
    if title:
        fig.suptitle(title, color=FOREGROUND, fontsize=11, x=0.01, ha="left")
    return fig


def _draw_row(axes: Axes, curves: DecorrelationCurves, calibration: Calibration | None, row: int) -> None:
    known = curves.count[row] > 0
    apart = curves.distance[row, known]
    band = curves.quantiles[row][:, known]
    axes.fill_between(
        apart, band.min(axis=0), band.max(axis=0), color=PALETTE[1], alpha=0.22, linewidth=0, label="band"
    )
    axes.plot(apart, curves.mean[row, known], color=PALETTE[1], linewidth=1.4, marker=".", markersize=4, label="mean")
    note = "no calibration"
    if calibration is not None and np.isfinite(calibration.sigma_mm[row]):
        x = np.linspace(0, curves.edges[-1], 200)
        sigma, nugget = calibration.sigma_mm[row], calibration.nugget_mm2[row]
        shown = correlation(np.sqrt(x**2 + nugget), sigma, calibration.model, k=calibration.k)
        axes.plot(x, shown, color=PALETTE[4], linewidth=1.3, linestyle="--", label=f"model ({calibration.model})")
        note = f"σ {sigma:.2f} mm\nnoise {np.sqrt(nugget):.2f} mm"
    axes.set_title(f"row {row}", color=FOREGROUND, fontsize=8.5, pad=3)
    if calibration is not None:
        axes.text(0.96, 0.94, note, transform=axes.transAxes, ha="right", va="top", color=FOREGROUND, fontsize=8)


def pose_errors(estimated: Sweep, truth: Sweep) -> tuple[_Array, _Array]:
    """Return how far each frame's pose is from the truth, in the true frame's own axes.

    Both sweeps are laid on each other at the first frame that is valid in both.

    Parameters
    ----------
    estimated, truth : Sweep
        Of the same frames.

    Returns
    -------
    translation : (N, 3) float64 array
        Error of the middle of the image along u, v and the elevational axis, mm; NaN where a pose is not valid.
    rotation_deg : (N, 3) float64 array
        Turn from the true to the estimated frame about the same axes, degrees.

    Raises
    ------
    ValueError
        If the sweeps differ in length or image size.
    GeometryError
        If no frame is valid in both.
    """
    if len(estimated) != len(truth) or estimated.image_size != truth.image_size:
        raise ValueError(
            f"{len(estimated)} frames of {estimated.image_size} cannot be compared with "
            f"{len(truth)} of {truth.image_size}"
        )
    both = np.flatnonzero(estimated.valid & truth.valid)
    if not both.size:
        raise GeometryError("no frame has a valid pose in both sweeps")
    height, width = truth.image_size
    found, true = (
        _rigid(estimated, both, (width - 1) / 2, (height - 1) / 2),
        _rigid(truth, both, (width - 1) / 2, (height - 1) / 2),
    )
    difference = invert(invert(true[0]) @ true) @ invert(found[0]) @ found
    translation, rotation = (np.full((len(truth), 3), np.nan) for _ in range(2))
    translation[both] = difference[:, :3, 3]
    rotation[both] = matrix_to_euler(difference[:, :3, :3])
    return translation, rotation


def _rigid(sweep: Sweep, frames: NDArray[np.intp], u: float, v: float) -> _Array:
    """Rigid poses of the plane (mm) with the origin at pixel (u, v)."""
    poses = sweep.image_to_world[frames]
    first, second = (poses[:, :3, n] / np.linalg.norm(poses[:, :3, n], axis=1)[:, None] for n in (0, 1))
    rigid = np.tile(np.eye(4), (len(frames), 1, 1))
    rigid[:, :3, :3] = nearest_rotation(np.stack([first, second, np.cross(first, second)], axis=-1))
    rigid[:, :3, 3] = (poses @ np.array([u, v, 0.0, 1.0]))[:, :3]
    return rigid


def trajectory_figure(tracked: Sweep, truth: Sweep | None = None, title: str | None = None) -> Figure:
    """Return the path of the image's middle in 3D, and beside it the error along each axis or the motion itself.

    Parameters
    ----------
    tracked : Sweep
        For example from `track_frames`.
    truth : Sweep, optional
        The same frames with known poses; laid on the first frame of `tracked`.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot.

    Raises
    ------
    ValueError, GeometryError
        As `pose_errors`.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(11, 4.8), facecolor=BACKGROUND, layout="constrained")
    cells = fig.add_gridspec(2, 2, width_ratios=(1.15, 1))
    if truth is None:
        reference = Sweep(tracked.frames, np.repeat(_first_valid(tracked)[None], len(tracked), axis=0))
        translation, rotation = pose_errors(tracked, reference)
        words = ("position in the first frame (mm)", "turn from the first frame (degrees)")
    else:
        translation, rotation = pose_errors(tracked, truth)
        words = ("error of the position (mm)", "error of the orientation (degrees)")
    _draw_paths(fig.add_subplot(cells[:, 0], projection="3d", computed_zorder=False), tracked, truth)
    names = (("lateral", "axial", "elevational"), ("tilt", "yaw", "in-plane turn"))
    for n, values in enumerate((translation, rotation)):
        axes = fig.add_subplot(cells[n, 1])
        _style(axes)
        for axis in range(3):
            axes.plot(values[:, axis], color=PALETTE[(1, 2, 0)[axis]], linewidth=1.5, label=names[n][axis])
        axes.set_ylabel(words[n], color=FOREGROUND, fontsize=8.5)
        axes.legend(frameon=False, fontsize=8, labelcolor=FOREGROUND, loc="best")
        if n:
            axes.set_xlabel("frame", color=FOREGROUND, fontsize=8.5)
    if title:
        fig.suptitle(title, color=FOREGROUND, fontsize=11, x=0.01, ha="left")
    return fig


def _first_valid(sweep: Sweep) -> _Array:
    numbers = np.flatnonzero(sweep.valid)
    if not numbers.size:
        raise GeometryError(f"none of the {len(sweep)} frames has a valid pose")
    return np.asarray(sweep.image_to_world[numbers[0]])


def _draw_paths(axes: Any, tracked: Sweep, truth: Sweep | None) -> None:
    """Draw the paths in the first frame's own axes: elevational to the right, lateral into the page, axial upright."""
    height, width = tracked.image_size
    middle = (width - 1) / 2, (height - 1) / 2
    paths = []
    for sweep, name, colour, style in ((tracked, "speckle", PALETTE[0], "-"), (truth, "tracker", PALETTE[4], "--")):
        if sweep is None:
            continue
        rigid = _rigid(sweep, np.flatnonzero(sweep.valid), *middle)
        path = (invert(rigid[0]) @ rigid)[:, :3, 3][:, [2, 0, 1]]
        paths.append(path)
        length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
        axes.plot(*path.T, color=colour, linestyle=style, linewidth=1.8, label=f"{name}: {length:.1f} mm")
        axes.scatter(*path[-1], color=colour, s=18)
    points = np.concatenate(paths)
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.maximum(high - low, max(0.25 * float((high - low).max()), 1e-3))
    low, high = (low + high - span) / 2, (low + high + span) / 2
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(high[2], low[2]))
    axes.set_box_aspect(span, zoom=0.95)
    axes.view_init(elev=24, azim=-62)
    axes.set_facecolor(BACKGROUND)
    for axis, name in ((axes.xaxis, "elevational"), (axes.yaxis, "lateral"), (axes.zaxis, "axial")):
        axis.set_pane_color((0, 0, 0, 0))
        axis.line.set_color(_AXIS)
        axis._axinfo["grid"].update(color=_GRID, linewidth=0.5)
        axis.set_label_text(f"{name} (mm)", color=FOREGROUND, fontsize=8)
    axes.xaxis.labelpad = 12
    axes.locator_params(axis="x", nbins=6)
    axes.locator_params(axis="y", nbins=3)
    axes.locator_params(axis="z", nbins=3)
    axes.tick_params(colors=FOREGROUND, labelsize=7, pad=0)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=FOREGROUND, loc="upper left")


def _style(axes: Axes) -> None:
    axes.set_facecolor(BACKGROUND)
    axes.grid(color=_GRID, linewidth=0.5)
    axes.tick_params(colors=FOREGROUND, labelsize=7, length=2)
    for spine in axes.spines.values():
        spine.set_color(_AXIS)
