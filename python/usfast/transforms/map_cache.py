"""Maps on disk, found again by what they were made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.io.atomic import replacing

__all__ = ["MapCache"]

_METHOD = "confidence map 1"  # raise the number when the same pixels and parameters give another map


class MapCache:
    """A folder of float32 maps as ``.npy``, named by the hash of image and parameters. Nothing is unpickled.

    Parameters
    ----------
    folder : path
        Created, with its parents, when the first map is written.

    Notes
    -----
    A file appears whole or not at all, so processes may share the folder. A file that is damaged or of another
    shape is made anew.

    Examples
    --------
    >>> import tempfile
    >>> cache = MapCache(tempfile.mkdtemp())
    >>> image = np.zeros((2, 3), np.uint8)
    >>> first = cache.get(image, (2.0,), lambda: np.ones((2, 3), np.float32))
    >>> cache.get(image, (2.0,), lambda: np.zeros((2, 3), np.float32)).min()  # not called
    np.float32(1.0)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def path(self, image: NDArray[Any], parameters: tuple[Any, ...]) -> Path:
        """Return where the map of this image with these parameters lies, whether or not it is there."""
        pixels = np.ascontiguousarray(image)
        digest = hashlib.blake2b(digest_size=20)
        digest.update(repr((_METHOD, pixels.shape, pixels.dtype.str, parameters)).encode())
        digest.update(pixels.data if pixels.size else b"")
        return self.folder / f"{digest.hexdigest()}.npy"

    def get(
        self, image: NDArray[Any], parameters: tuple[Any, ...], compute: Callable[[], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Return the map kept for `image` and `parameters`, or compute and keep it.

        Raises
        ------
        OSError
            If the folder cannot be created or written to.
        """
        path = self.path(image, parameters)
        kept = _read(path, image.shape)
        if kept is not None:
            return kept
        found = compute()
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft, open(draft, "wb") as stream:
            np.save(stream, found, allow_pickle=False)
        return found


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, cut off, or something else
        return None
    usable = isinstance(array, np.ndarray) and array.shape == shape and array.dtype == np.float32
    return array if usable else None
