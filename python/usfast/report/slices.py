"""Three orthogonal slices through a volume: the first look at any result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast.report.scale_bar import add_scale_bar
from usfast.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["draw_slices", "slices_figure"]

BACKGROUND = "#14181d"
FOREGROUND = "#e8eaed"
_UNCOVERED = np.array([0.10, 0.16, 0.24])  # a dim blue: never mistaken for dark tissue
_CROSSHAIR = "#f2c14e"
PALETTE = ("#e4572e", "#2ea6e4", "#6cc24a", "#c77dff", "#f2c14e", "#ff8fa3", "#26c6a9", "#b08968")


@dataclass(frozen=True)
class _Plane:
    """One slice: which array axis it cuts, and which voxel axes run right and down on the page."""

    name: str
    axis: int  # of the array (Z, Y, X)
    right: int  # of the voxel (x, y, z)
    down: int

    def cut(self, array: NDArray[Any], at: Sequence[int]) -> NDArray[Any]:
        """Return the slice through voxel `at` (x, y, z) with rows running down the page."""
        plane: NDArray[Any] = np.take(array, at[2 - self.axis], axis=self.axis)
        # What is left of (Z, Y, X) has its later voxel axis first.
        return plane if self.down > self.right else plane.T


_XY = _Plane("xy", 0, 0, 1)
_ZY = _Plane("zy", 2, 2, 1)
_XZ = _Plane("xz", 1, 0, 2)


def slices_figure(
    volume: Volume,
    coverage: NDArray[Any] | None = None,
    labels: Volume | NDArray[Any] | None = None,
    at: Sequence[int] | None = None,
    title: str | None = None,
    *,
    label_names: Mapping[int, str] | None = None,
    covered: str = "covered",
) -> Figure:
    """Return three orthogonal slices through a volume, all at one scale.

    Parameters
    ----------
    volume : Volume
        Any spacing; pixels are drawn with their size in mm.
    coverage : (Z, Y, X) array, optional
        True (or a weight > 0) where the volume holds data; other voxels are tinted and the share is written
        into the figure.
    labels : Volume or (Z, Y, X) integer array, optional
        Drawn over the grey values, with a legend; 0 is background.
    at : (x, y, z) voxel, optional
        Where the planes cross. Default: the middle of the labels, else of what is covered, else of all.
    title : str, optional
    label_names : mapping from label to name, optional
    covered : str
        What `coverage` means: "37.2 % of voxels covered".

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot: it goes when the last reference goes.

    Raises
    ------
    ValueError
        If `coverage` or `labels` do not have the volume's shape, or `at` lies outside of it.

    Examples
    --------
    >>> import numpy as np
    >>> volume = Volume(np.random.default_rng(0).random((20, 30, 40)), spacing=(0.5, 0.5, 1.0))
    >>> len(slices_figure(volume, at=(20, 15, 10)).axes)
    4
    """
    from matplotlib.figure import Figure

    width, height, depth = _extent(volume)
    scale = 9.5 / max(width + depth, 1.25 * (height + depth))
    size = (max(scale * (width + depth), 5.0) + 1.0, max(scale * (height + depth), 3.5) + 1.2)
    fig = Figure(figsize=size, facecolor=BACKGROUND, layout="constrained")
    draw_slices(fig, volume, coverage, labels, at, label_names=label_names, covered=covered)
    if title:
        fig.suptitle(title, color=FOREGROUND, fontsize=12)
    return fig


def draw_slices(
    fig: Figure | SubFigure,
    volume: Volume,
    coverage: NDArray[Any] | None = None,
    labels: Volume | NDArray[Any] | None = None,
    at: Sequence[int] | None = None,
    *,
    label_names: Mapping[int, str] | None = None,
    covered: str = "covered",
) -> None:
    """Draw what `slices_figure` shows into an empty figure or subfigure; parameters as there."""
    label_array = labels.array if isinstance(labels, Volume) else labels
    for name, array in (("coverage", coverage), ("labels", label_array)):
        if array is not None and array.shape != volume.array.shape:
            raise ValueError(f"{name} has shape {array.shape}, but the volume {volume.array.shape} (Z, Y, X)")
    if label_array is not None and label_array.dtype.kind not in "bui":
        raise ValueError(f"labels must be integers, not {label_array.dtype}")
    where = _crossing(volume, coverage, label_array, at)
    width, height, depth = _shown_extent(volume)
    cells = fig.add_gridspec(2, 2, width_ratios=(width, depth), height_ratios=(height, depth))
    window = _grey_window(volume.array, coverage, where)
    colours = _label_colours(label_array)
    for plane, row, column in ((_XY, 0, 0), (_ZY, 0, 1), (_XZ, 1, 0)):
        axes = fig.add_subplot(cells[row, column])
        picture = _picture(plane, volume, coverage, label_array, where, window, colours)
        _draw_plane(axes, plane, volume, picture, where)
    corner = fig.add_subplot(cells[1, 1])
    _describe(corner, volume, coverage, where, colours, label_names or {}, covered)


def _extent(volume: Volume) -> tuple[float, float, float]:
    """Return the width of the volume along x, y, z, half a voxel beyond the outer centres, mm."""
    x, y, z = (volume.spacing * volume.array.shape[::-1]).tolist()
    return x, y, z


def _shown_extent(volume: Volume) -> list[float]:
    """Return the extents to share the page by; a very thin axis still gets a legible strip."""
    extent = _extent(volume)
    return [max(length, 0.25 * max(extent)) for length in extent]


def _crossing(
    volume: Volume, coverage: NDArray[Any] | None, labels: NDArray[Any] | None, at: Sequence[int] | None
) -> tuple[int, int, int]:
    size = volume.grid.size
    if at is not None:
        if len(at) != 3 or any(not 0 <= place < count for place, count in zip(at, size, strict=True)):
            raise ValueError(f"at must be a voxel (x, y, z) inside {size}, not {tuple(at)}")
        return int(at[0]), int(at[1]), int(at[2])
    for array in (labels, coverage):
        if array is not None:
            centre = _centre(array)
            if centre is not None:
                return centre
    return size[0] // 2, size[1] // 2, size[2] // 2


def _centre(array: NDArray[Any]) -> tuple[int, int, int] | None:
    """Return the voxel (x, y, z) in the middle of what is above 0, or None; one slice in memory at a time."""
    per_slice = np.array([np.count_nonzero(plane > 0) for plane in array])
    if not per_slice.any():
        return None
    z = int(np.searchsorted(np.cumsum(per_slice), per_slice.sum() / 2))
    rows, columns = np.nonzero(array[z] > 0)
    return int(columns.mean()), int(rows.mean()), z


def _grey_window(
    array: NDArray[Any], coverage: NDArray[Any] | None, where: tuple[int, int, int]
) -> tuple[float, float]:
    """Return the values shown black and white, from the three slices alone: a volume may be large."""
    shown = []
    for plane in (_XY, _ZY, _XZ):
        values = plane.cut(array, where).astype(np.float32)
        keep = np.isfinite(values)
        if coverage is not None:
            keep &= plane.cut(coverage, where) > 0
        shown.append(values[keep])
    values = np.concatenate(shown)
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (0.5, 99.7))
    low = min(low, 0.0) if low < 0.2 * high else low
    return float(low), float(high if high > low else low + 1)


def _label_colours(labels: NDArray[Any] | None) -> dict[int, str]:
    if labels is None:
        return {}
    present: set[int] = set()
    for plane in labels:  # np.unique of a whole volume would sort a copy of it
        present.update(np.unique(plane).tolist())
    return {label: PALETTE[n % len(PALETTE)] for n, label in enumerate(sorted(present - {0}))}


def _picture(
    plane: _Plane,
    volume: Volume,
    coverage: NDArray[Any] | None,
    labels: NDArray[Any] | None,
    where: tuple[int, int, int],
    window: tuple[float, float],
    colours: Mapping[int, str],
) -> NDArray[np.float32]:
    """Return one slice as RGB (rows, columns, 3): grey, uncovered tint, labels on top."""
    from matplotlib.colors import to_rgb

    values = plane.cut(volume.array, where).astype(np.float32)
    grey = np.clip((np.nan_to_num(values) - window[0]) / (window[1] - window[0]), 0, 1)
    rgb = np.repeat(grey[..., None], 3, axis=-1)
    if coverage is not None:
        rgb[~(plane.cut(coverage, where) > 0)] = _UNCOVERED
    if labels is not None:
        drawn = plane.cut(labels, where)
        for label, colour in colours.items():
            inside = drawn == label
            # A clear rim and a light fill: the tissue below stays visible.
            share = np.where(_rim(inside), 0.9, 0.28)[inside, None]
            rgb[inside] = (1 - share) * rgb[inside] + share * np.array(to_rgb(colour))
    return rgb.astype(np.float32)


def _rim(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a region that touch its outside along a row or column."""
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~core


def _draw_plane(
    axes: Axes, plane: _Plane, volume: Volume, picture: NDArray[np.float32], where: tuple[int, int, int]
) -> None:
    right, down = volume.spacing[plane.right], volume.spacing[plane.down]
    # World positions where the axes are the world's; along the volume's own axes otherwise.
    start = volume.origin if np.array_equal(volume.direction, np.eye(3)) else np.zeros(3)
    left, top = start[plane.right] - right / 2, start[plane.down] - down / 2
    width, height = right * picture.shape[1], down * picture.shape[0]
    axes.imshow(picture, extent=(left, left + width, top + height, top), aspect="equal", interpolation="nearest")
    for draw, axis in ((axes.axvline, plane.right), (axes.axhline, plane.down)):
        draw(start[axis] + where[axis] * volume.spacing[axis], color=_CROSSHAIR, linewidth=0.6, alpha=0.6)
    axes.set_xlabel(f"{'xyz'[plane.right]} (mm)", color=FOREGROUND, fontsize=8, labelpad=1)
    axes.set_ylabel(f"{'xyz'[plane.down]} (mm)", color=FOREGROUND, fontsize=8, labelpad=1)
    axes.tick_params(colors=FOREGROUND, labelsize=7, length=2)
    for spine in axes.spines.values():
        spine.set_color("#4a525c")
    if plane is _XY:
        add_scale_bar(axes, float(width), float(height))


def _describe(
    axes: Axes,
    volume: Volume,
    coverage: NDArray[Any] | None,
    where: tuple[int, int, int],
    colours: Mapping[int, str],
    names: Mapping[int, str],
    covered: str,
) -> None:
    """Write size, spacing, coverage and the legend into the free corner."""
    from matplotlib.patches import Patch

    axes.set_axis_off()
    axes.set_facecolor(BACKGROUND)
    size = " × ".join(str(count) for count in volume.grid.size)
    spacing = " × ".join(f"{step:.4g}" for step in volume.spacing)
    place = ", ".join(map(str, where))
    lines = [f"{size} voxels (x, y, z)", f"{spacing} mm", f"planes through voxel {place}"]
    patches = []
    if coverage is not None:
        lines.append(f"{100 * np.count_nonzero(coverage) / coverage.size:.1f} % of voxels {covered}")
        patches.append(Patch(facecolor=_UNCOVERED, edgecolor="#4a525c", label="no data"))
    axes.text(0.02, 0.98, "\n".join(lines), color=FOREGROUND, fontsize=8.5, va="top", linespacing=1.5)
    for label, colour in list(colours.items())[:8]:
        patches.append(Patch(color=colour, label=names.get(label, f"label {label}")))
    if len(colours) > 8:
        patches.append(Patch(facecolor="none", edgecolor="none", label=f"and {len(colours) - 8} more"))
    if patches:
        axes.legend(
            handles=patches,
            loc="lower left",
            frameon=False,
            fontsize=8.5,
            labelcolor=FOREGROUND,
            borderpad=0,
            labelspacing=0.7,
        )
