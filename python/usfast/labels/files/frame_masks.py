"""Labels of single frames as PNG files: ``frame_0012.png`` holds the labels of frame 12."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing_folder
from usfast.io.foreign import decoding
from usfast.io.limits import check_memory
from usfast.labels.files.segments import colour_of

__all__ = ["read_frame_masks", "write_frame_masks"]

_NAME = re.compile(r"(?:.*[^0-9])?([0-9]{1,9})\.png", re.IGNORECASE | re.ASCII)
_MODES = ("1", "L", "P", "I;16", "I;16B", "I")


def read_frame_masks(
    folder: str | Path, frames: int, shape: tuple[int, int], *, first: int = 0
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read the annotated frames of a sweep from a folder of PNG files.

    Parameters
    ----------
    folder : str or Path
        The last number in a file's name is the frame's; frames without a file are not annotated. Pixels are labels:
        grey values of 1, 8 or 16 bits, or indices into a palette. Files of other kinds are passed over.
    frames : int
        Frames N of the sweep.
    shape : (int, int)
        Rows and columns (H, W) of a frame.
    first : int
        Number of the sweep's first frame: 1 where files are counted from 1.

    Returns
    -------
    labels : (N, H, W) uint8 or uint16 array
        0 on frames that are not annotated.
    annotated : (N,) bool array
        Frames that have a file, be it empty: an empty one says that nothing is there.

    Raises
    ------
    FormatError
        If a file is no PNG of labels, has another size, two have one number, or a number is no frame's.
    NotADirectoryError

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "masks"
    >>> labels = np.zeros((3, 4, 5), np.uint8)
    >>> labels[1, 2, 2:] = 7
    >>> write_frame_masks(labels, folder, annotated=[False, True, False])
    >>> read, annotated = read_frame_masks(folder, 3, (4, 5))
    >>> sorted(file.name for file in folder.iterdir()), annotated.tolist(), bool((read == labels).all())
    (['frame_0001.png'], [False, True, False], True)
    """
    folder = Path(folder)
    count, size = _count(frames, shape)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder of masks")
    files = _numbered(folder, count, first)
    if not files:
        raise FormatError(f"{folder}: there is no PNG file whose name ends in a number")
    check_memory(folder, "the labels", (count, *size), 2)
    labels: NDArray[Any] = np.zeros((count, *size), np.uint8)
    annotated = np.zeros(count, bool)
    for frame, file in sorted(files.items()):
        image = _read(file, size)
        if image.dtype.itemsize > labels.dtype.itemsize:
            labels = labels.astype(np.uint16)
        labels[frame], annotated[frame] = image, True
    return labels, annotated


def write_frame_masks(
    labels: ArrayLike, folder: str | Path, *, annotated: ArrayLike | None = None, first: int = 0
) -> None:
    """Write the labels of frames as PNG files, ``frame_0000.png`` and so on.

    Parameters
    ----------
    labels : (N, H, W) integer array
        0 to 65535. Up to 255 they are written with a palette, so that any viewer shows structures in colour, and
        above as 16 bit grey values.
    folder : str or Path
        Made; must be empty if it exists. It appears complete or not at all.
    annotated : (N,) bool array, optional
        Frames to write. Default: those with a label.
    first : int
        Number of the first frame.

    Raises
    ------
    ValueError, TypeError
        If the arrays do not fit each other or hold no labels.
    FileExistsError
        If the folder holds anything.
    """
    from PIL import Image

    array = np.asarray(labels)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"labels must be a non-empty array (N, H, W), not shape {array.shape}")
    if array.dtype.kind not in "bui":
        raise TypeError(f"labels must be integers, not {array.dtype}")
    if array.dtype.kind != "b" and (array.min() < 0 or array.max() > 65535):
        raise ValueError(f"labels from {array.min()} to {array.max()}; PNG files hold 0 to 65535")
    chosen = array.any(axis=(1, 2)) if annotated is None else np.asarray(annotated, bool)
    if chosen.shape != (len(array),):
        raise ValueError(f"annotated must have one entry for each of the {len(array)} frames, not {chosen.shape}")
    width = max(4, len(str(len(array) - 1 + first)))
    palette = [0, 0, 0, *(round(255 * part) for label in range(1, 256) for part in colour_of(label))]
    deep = int(array.max()) > 255
    with replacing_folder(Path(folder)) as draft:
        for frame in np.flatnonzero(chosen):
            image = Image.fromarray(np.ascontiguousarray(array[frame], np.uint16 if deep else np.uint8))
            if not deep:
                image.putpalette(palette)
            image.save(draft / f"frame_{frame + first:0{width}d}.png", format="PNG", optimize=False)


def _count(frames: int, shape: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    sizes = np.asarray([frames, *np.ravel(shape)])
    if sizes.shape != (3,) or sizes.dtype.kind not in "iu" or (sizes < 1).any():
        raise ValueError(f"frames and shape must be positive whole numbers N and (H, W), not {frames!r} and {shape!r}")
    return int(sizes[0]), (int(sizes[1]), int(sizes[2]))


def _numbered(folder: Path, count: int, first: int) -> dict[int, Path]:
    files: dict[int, Path] = {}
    for file in sorted(folder.iterdir()):
        match = _NAME.fullmatch(file.name)
        if match is None or not file.is_file():
            continue
        frame = int(match[1]) - first
        if not 0 <= frame < count:
            raise FormatError(f"{file}: number {match[1]}, but the frames are {first} to {first + count - 1}")
        if frame in files:
            raise FormatError(f"{file}: {files[frame].name} has the same number")
        files[frame] = file
    return files


def _read(file: Path, size: tuple[int, int]) -> NDArray[Any]:
    """Return the labels of one file; its size and kind are looked at before anything is decoded."""
    from PIL import Image

    with decoding(file, "Pillow"), Image.open(file, formats=("PNG",)) as image:
        if image.size != size[::-1]:
            raise FormatError(f"{file}: {image.size[0]} x {image.size[1]} pixels, but frames {size[1]} x {size[0]}")
        if image.mode not in _MODES:
            raise FormatError(f"{file}: an image of kind {image.mode}: colours are no labels; save grey or a palette")
        array = np.asarray(image)
    return array.astype(np.uint8 if array.dtype.itemsize == 1 else np.uint16)
