"""An image and how far it can be trusted, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast.report.slices import BACKGROUND, FOREGROUND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confidence_figure"]

_COLOURS = "viridis"
_SHARE = 0.55  # of the colour; the rest is the image


def confidence_figure(
    image: NDArray[Any],
    maps: NDArray[Any] | Mapping[str, NDArray[Any]],
    title: str | None = None,
    *,
    pixel_size: tuple[float, float] = (1.0, 1.0),
) -> Figure:
    """Return an image beside confidence maps laid over it, with a colour bar from 0 to 1.

    Parameters
    ----------
    image : (H, W) array
        Any real values.
    maps : (H, W) array or mapping from name to (H, W) array
        Values from 0 to 1; where a map is NaN the image stays grey.
    title : str, optional
    pixel_size : (float, float)
        Width and height of a pixel, in any one unit: only their ratio counts.

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot: it goes when the last reference goes.

    Raises
    ------
    ValueError
        If there is no map, or one does not have the image's shape.

    Examples
    --------
    >>> import numpy as np
    >>> len(confidence_figure(np.zeros((20, 30)), np.ones((20, 30))).axes)
    3
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    named = maps if isinstance(maps, Mapping) else {"confidence": maps}
    if not named:
        raise ValueError("there is no map to draw")
    for name, values in named.items():
        if image.ndim != 2 or values.shape != image.shape:
            raise ValueError(f"{name} has shape {values.shape}, but the image {image.shape} (H, W)")
    ratio = (image.shape[0] * pixel_size[1]) / (image.shape[1] * pixel_size[0])
    height = float(np.clip(3.6 * ratio, 1.5, 9.0))
    fig = Figure(figsize=(3.6 * (1 + len(named)) + 1.0, height + 0.8), facecolor=BACKGROUND, layout="constrained")
    panels = fig.subplots(1, 1 + len(named), squeeze=False)[0]
    grey = _grey(image)
    aspect = pixel_size[1] / pixel_size[0]
    _draw(panels[0], np.repeat(grey[..., None], 3, axis=-1), "image", aspect)
    for axes, (name, values) in zip(panels[1:], named.items(), strict=True):
        _draw(axes, _overlaid(grey, values), name, aspect)
    bar = fig.colorbar(ScalarMappable(Normalize(0, 1), _COLOURS), ax=panels.tolist(), fraction=0.05, pad=0.01)
    bar.set_label("confidence", color=FOREGROUND, fontsize=8)
    bar.ax.tick_params(colors=FOREGROUND, labelsize=7)
    if title:
        fig.suptitle(title, color=FOREGROUND, fontsize=12)
    return fig


def _grey(image: NDArray[Any]) -> NDArray[np.float64]:
    """Return the image from 0 to 1; its brightest half percent is white."""
    values = np.nan_to_num(np.asarray(image, np.float64))
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    high = high if high > low else float(values.max())
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)


def _overlaid(grey: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
    from matplotlib import colormaps

    known = np.isfinite(values)
    colours = colormaps[_COLOURS](np.where(known, values, 0.0))[..., :3]
    share = np.where(known, _SHARE, 0.0)[..., None]
    mixed: NDArray[np.float64] = share * colours + (1 - share) * grey[..., None]
    return mixed


def _draw(axes: Axes, picture: NDArray[np.float64], name: str, aspect: float) -> None:
    axes.imshow(picture, aspect=aspect, interpolation="nearest")
    axes.set_title(name, color=FOREGROUND, fontsize=9)
    axes.set_axis_off()
