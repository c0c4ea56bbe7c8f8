"""Single images and stacks of them: .png, .tif, .npy and the like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PICTURES_IN", "PICTURES_OUT", "read_pictures", "write_maps"]

PICTURES_IN = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".npy")
PICTURES_OUT = (".npy", ".tif", ".tiff", ".png")


def read_pictures(path: Path) -> NDArray[Any]:
    """Return an image, the pages of a .tif or an array (N, H, W) in .npy, as grey values (N, H, W).

    Raises
    ------
    FormatError
        If the file cannot be read or holds no image.
    FileNotFoundError
    """
    import numpy as np

    from usfast.errors import FormatError
    from usfast.io.foreign import decoding

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    suffix = path.suffix.lower()
    array: NDArray[Any]
    if suffix == ".npy":
        with decoding(path, "NumPy"):
            array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise FormatError(f"{path}: an archive of arrays, not one array")
    elif suffix in (".tif", ".tiff"):
        import tifffile

        with decoding(path, "tifffile"):
            array = _grey(tifffile.imread(path))
    else:
        import imageio.v3 as iio

        with decoding(path, "Pillow"):
            array = _grey(np.asarray(iio.imread(path, plugin="pillow")))
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind not in "buif":
        raise FormatError(f"{path}: {array.dtype} of shape {array.shape}, not an image (H, W) or a stack (N, H, W)")
    grey = array.view(np.uint8) if array.dtype == bool else array
    return grey if grey.ndim == 3 else grey[None]


def _grey(picture: NDArray[Any]) -> NDArray[Any]:
    """Return colours as luminance; an alpha channel says nothing."""
    from usfast.io.pixels import gray

    if picture.ndim < 3 or picture.shape[-1] not in (2, 3, 4):
        return picture
    values: NDArray[Any] = picture[..., 0] if picture.shape[-1] == 2 else gray(picture[..., :3])
    return values


def write_maps(maps: NDArray[Any], path: Path) -> None:
    """Write maps (N, H, W) of 0..1; one map without its first axis.

    ``.npy`` and ``.tif`` hold float32; ``.png`` holds 16 bits, 65535 for 1.

    Raises
    ------
    ValueError
        If there are several maps for one ``.png``.
    """
    import numpy as np

    suffix = path.suffix.lower()
    values = np.ascontiguousarray(maps[0] if len(maps) == 1 else maps, np.float32)
    if suffix == ".npy":
        np.save(path, values, allow_pickle=False)
    elif suffix in (".tif", ".tiff"):
        import tifffile

        tifffile.imwrite(path, values, photometric="minisblack")
    else:
        import imageio.v3 as iio

        if values.ndim == 3:
            raise ValueError(f"{path.name}: {len(values)} maps do not fit into one .png; choose .tif or .npy")
        iio.imwrite(path, np.rint(values * 65535).astype(np.uint16), plugin="pillow")
