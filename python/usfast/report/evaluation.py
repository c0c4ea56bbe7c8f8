"""Figures of a study: how metrics spread over cases, and where a segmentation's surface is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast.report.slices import BACKGROUND, FOREGROUND
from usfast.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["surface_error_figure", "violin_figure"]

_PANELS = {
    "dice": "Dice",
    "iou": "IoU",
    "hd95": "HD95 (mm)",
    "assd": "ASSD (mm)",
    "nsd": "normalised surface Dice",
    "volume_error_percent": "volume error (%)",
}
_MOST_FACES = 60_000  # matplotlib draws each by hand


def violin_figure(rows: Sequence[Mapping[str, Any]], names: Mapping[int, str] | None = None) -> Figure:
    """Return one panel a metric with a violin a label; every case is a dot.

    Parameters
    ----------
    rows : sequence of mappings
        As `usfast.metrics.evaluation.CaseResult.row`. Values that are not finite are left out and counted.
    names : mapping of int to str, optional
        What labels are called.
    """
    from matplotlib.figure import Figure

    labels = sorted({row["label"] for row in rows})
    titles = {_column(key, rows): title for key, title in _PANELS.items()}
    panels = {name: title for name, title in titles.items() if name is not None}
    fig = Figure(figsize=(3.6 * min(3, len(panels)), 2.9 * -(-len(panels) // 3)), layout="constrained")
    axes = fig.subplots(-(-len(panels) // 3), min(3, len(panels)), squeeze=False).ravel()
    for ax, (name, title) in zip(axes, panels.items(), strict=False):
        for place, label in enumerate(labels):
            values = np.array([row[name] for row in rows if row["label"] == label], float)
            _draw_violin(ax, place, values[np.isfinite(values)], int((~np.isfinite(values)).sum()))
        ax.set_title(title, fontsize=10)
        ax.set_xticks(range(len(labels)), [(names or {}).get(label, str(label)) for label in labels], fontsize=8)
        ax.set_xlim(-0.6, len(labels) - 0.4)
        ax.grid(axis="y", alpha=0.3)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    return fig


def _column(key: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    return next((name for name in rows[0] if name == key or (key == "nsd" and name.startswith("nsd_"))), None)


def _draw_violin(ax: Axes, place: int, values: NDArray[np.float64], left_out: int) -> None:
    if len(values) > 2 and np.ptp(values) > 0:
        parts = ax.violinplot(values, [place], widths=0.8, showextrema=False)
        for body in parts["bodies"]:  # type: ignore[attr-defined]
            body.set_facecolor(f"C{place % 10}")
    if len(values):
        spread = (np.arange(len(values)) * 0.618 % 1 - 0.5) * 0.3
        ax.scatter(place + spread, values, 10, color=f"C{place % 10}", zorder=3)
        ax.hlines(np.median(values), place - 0.25, place + 0.25, color="k", zorder=4)
    if left_out:
        ax.annotate(
            f"{left_out} not finite", (place, 0.02), xycoords=("data", "axes fraction"), ha="center", fontsize=7
        )


def surface_error_figure(
    pred: Volume,
    ref: Volume,
    labels: Sequence[int],
    names: Mapping[int, str] | None = None,
    title: str | None = None,
    spacing: tuple[float, float, float] | None = None,
) -> Figure:
    """Return the reference's surface, painted with the distance to the segmentation's: one panel a label.

    Parameters
    ----------
    pred, ref : Volume
        Labels on one grid.
    labels : sequence of int
        At most six are drawn; 0 stands for everything that is not 0.
    names : mapping of int to str, optional
    title : str, optional
    spacing : (z, y, x), mm, optional
        Instead of the volumes' own.

    Notes
    -----
    Red: the segmentation reaches beyond the reference; blue: it falls short. Large meshes are drawn from every
    second or third voxel.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    steps = tuple(float(s) for s in (spacing or ref.spacing[::-1]))
    shown = list(labels)[:6]
    meshes = [_painted_mesh(_mask(pred, label), _mask(ref, label), steps) for label in shown]
    reach = max((float(np.percentile(np.abs(error), 98)) for *_, error in meshes if len(error)), default=0.0) or 1.0
    scale = ScalarMappable(Normalize(-reach, reach), "coolwarm")
    fig = Figure(figsize=(4.0 * len(shown) + 0.9, 4.4), facecolor=BACKGROUND, layout="constrained")
    axes = fig.subplots(1, len(shown), squeeze=False, subplot_kw={"projection": "3d"})[0]
    for ax, label, (vertices, faces, error) in zip(axes, shown, meshes, strict=True):
        _draw_mesh(ax, vertices, faces, scale.to_rgba(error))
        ax.set_title((names or {}).get(label, f"label {label}"), color=FOREGROUND, fontsize=10)
    bar = fig.colorbar(scale, ax=list(axes), shrink=0.7, extend="both")
    bar.set_label("segmentation beyond (+) or short of (-) the reference, mm", color=FOREGROUND, fontsize=8)
    bar.ax.tick_params(colors=FOREGROUND, labelsize=8)
    if title:
        fig.suptitle(title, color=FOREGROUND, fontsize=11)
    return fig


def _mask(volume: Volume, label: int) -> NDArray[np.bool_]:
    return np.asarray(volume.array == label if label else volume.array != 0)


def _painted_mesh(
    pred: NDArray[np.bool_], ref: NDArray[np.bool_], spacing: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return vertices (V, 3) in mm (z, y, x), faces (F, 3) and the signed error of each face."""
    from scipy.ndimage import gaussian_filter, map_coordinates
    from skimage.measure import marching_cubes

    from usfast.metrics import distance_transform

    box = _box(pred | ref)
    pred, ref = np.pad(pred[box], 3), np.pad(ref[box], 3)
    if not ref.any() or not pred.any():
        return np.empty((0, 3)), np.empty((0, 3), np.int64), np.empty(0)
    soft = gaussian_filter(ref.astype(np.float32), 0.7)  # takes the stairs off the picture
    level = min(0.5, float(soft.max()) / 2)
    step = 1
    while True:
        vertices, faces, *_ = marching_cubes(soft, level, step_size=step)
        if len(faces) <= _MOST_FACES or step == 8:
            break
        step += 1
    # Between the centres of an inner and an outer voxel lies the surface: half a voxel off either value.
    signed = distance_transform(pred, spacing, signed=True)
    signed -= np.sign(signed) * 0.5 * min(spacing)
    error = -map_coordinates(signed, vertices.T, order=1, mode="nearest")
    return vertices * spacing, faces, error[faces].mean(axis=1)


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    if not mask.any():
        return (slice(0, 1),) * 3
    ranges = []
    for axis in range(3):
        found = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
        ranges.append(slice(found[0], found[-1] + 1))
    return tuple(ranges)


def _draw_mesh(ax: Any, vertices: NDArray[np.float64], faces: NDArray[np.int64], colours: NDArray[np.float64]) -> None:
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    ax.set_axis_off()
    ax.set_facecolor(BACKGROUND)
    ax.patch.set_visible(False)
    if not len(faces):
        ax.text2D(0.5, 0.5, "empty", transform=ax.transAxes, ha="center", color=FOREGROUND)
        return
    corners = vertices[faces][..., ::-1]  # x, y, z
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    lit = np.abs(normal / np.where(length > 0, length, 1) @ np.array([0.4, -0.75, 0.53]))
    shaded = np.hstack([colours[:, :3] * (0.45 + 0.55 * lit[:, None]), colours[:, 3:]])
    ax.add_collection3d(Poly3DCollection(corners, facecolors=shaded, edgecolors="none"))
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    ax.set_box_aspect(high - low, zoom=0.95)
    ax.view_init(elev=18, azim=-55)
