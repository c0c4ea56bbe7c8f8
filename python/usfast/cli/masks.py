"""The pixels that count: clip rectangle, fan, mask picture and weights, as the options give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.sweep import Sweep

__all__ = ["masked", "read_weights"]

AUTO_THRESHOLD = 3  # grey levels; lossy compression smears the sector's edge up to about this


def masked(sweep: Sweep, clip: tuple[float, ...] | None, fan: tuple[float, ...] | None, mask: str | None) -> Sweep:
    """Return the sweep with its mask narrowed by what was given.

    Parameters
    ----------
    sweep : Sweep
    clip : (x, y, width, height), optional
        Pixels.
    fan : (angle0, angle1, origin x, origin y, radius0, radius1), optional
        Degrees from straight down, and pixels.
    mask : str, optional
        A picture of the frames' size (above 0 counts), or "auto": found from the frames.
    """
    import numpy as np

    from usfast import geometry

    shape = sweep.image_size
    keep = np.ones(shape, bool) if sweep.mask is None else sweep.mask
    if clip is not None:
        keep = keep & geometry.rectangle_mask(shape, (clip[0], clip[1]), (clip[2], clip[3]))
    if fan is not None:
        keep = keep & geometry.fan_mask(shape, (fan[2], fan[3]), (fan[0], fan[1]), (fan[4], fan[5]))
    if mask == "auto":
        keep = keep & geometry.sector_mask(sweep.frames, threshold=AUTO_THRESHOLD)
    elif mask is not None:
        keep = keep & (_read_picture(Path(mask), shape) > 0)
    if not keep.any():
        raise ValueError("clip rectangle, fan and mask together leave no pixel")
    return replace(sweep, mask=None if keep.all() else keep)


def read_weights(path: Path, shape: tuple[int, int]) -> NDArray[Any]:
    """Return a picture's grey values (H, W) as float32 weights; only their ratios matter."""
    import numpy as np

    return _read_picture(path, shape).astype(np.float32)


def _read_picture(path: Path, shape: tuple[int, int]) -> NDArray[Any]:
    import imageio.v3 as iio
    import numpy as np

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        picture = np.asarray(iio.imread(path, plugin="pillow"))
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueError(f"{path}: not a picture ({error})") from error
    if picture.ndim == 3:
        picture = picture[..., :3].max(axis=-1)  # grey stored as colour; an alpha channel says nothing
    if picture.shape != shape:
        raise ValueError(f"{path}: the picture has {picture.shape} pixels (rows, columns), the frames {shape}")
    return picture
