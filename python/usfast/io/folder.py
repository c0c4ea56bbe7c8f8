"""Sweeps as folders: an image file for each frame and ``poses.csv``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing_folder
from usfast.io.foreign import decoding
from usfast.io.limits import check_memory
from usfast.io.metadata import meta_from_json, meta_to_json
from usfast.io.pixels import gray, memory_dtype
from usfast.io.poses import PoseTable, read_poses, write_poses
from usfast.io.recording import Recording
from usfast.sweep import Sweep

__all__ = ["open_folder", "write_folder"]

_IMAGES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_TIFF = (".tif", ".tiff")


def open_folder(path: Path) -> Recording:
    """Open a folder with one image a frame and ``poses.csv`` (see `read_poses`).

    Images are taken in natural order of their names (``f2`` before ``f10``) unless the table names them.
    ``mask.png`` (not zero inside), ``meta.json`` and ``labels/`` (one image a frame) are optional.

    Raises
    ------
    FormatError
        If the images do not match the table in number or each other in size.
    FileNotFoundError
        If there is no poses.csv or an image that it names is missing.
    """
    if not (path / "poses.csv").is_file():
        raise FileNotFoundError(f"{path / 'poses.csv'}: no such file; a folder of frames needs its poses")
    table = read_poses(path / "poses.csv")
    files = _files(path, table)
    first = _read_image(files[0])
    labels = _natural(path / "labels") if (path / "labels").is_dir() else None
    if labels is not None and len(labels) != len(files):
        raise FormatError(f"{path}: {len(labels)} label images in labels/, but {len(files)} frames")
    dtype = memory_dtype(first.dtype)
    mask = path / "mask.png"
    text = path / "meta.json"
    meta = meta_from_json(text, text.read_text(encoding="utf-8", errors="replace")) if text.is_file() else {}

    def read(start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
        images = _stack(files[start:stop], first.shape).astype(dtype, copy=False)
        return images, None if labels is None else _stack(labels[start:stop], first.shape)

    def blocks(chunk: int) -> Iterator[tuple[NDArray[Any], NDArray[Any] | None]]:
        for start in range(0, len(files), chunk):
            yield read(start, start + chunk)

    return Recording(
        path=path,
        frames=len(files),
        size=(first.shape[0], first.shape[1]),
        dtype=dtype,
        blocks=blocks,
        image_to_world=table.image_to_world,
        timestamps=table.timestamps,
        valid=table.valid,
        mask=_read_image(mask) != 0 if mask.is_file() else None,
        meta={**meta, "format": "folder", "source": str(path)},
        read=read,
    )


def _files(path: Path, table: PoseTable) -> list[Path]:
    count = len(table.valid)
    if table.filenames is None:
        files = [file for file in _natural(path) if file.name != "mask.png"]
        if len(files) != count:
            raise FormatError(f"{path}: {len(files)} images, but {count} poses in poses.csv")
        return files
    for name in table.filenames:
        if not name or Path(name).name != name or "\\" in name:
            raise FormatError(f"{path / 'poses.csv'}: filename {name[:60]!r} must be a plain file name")
        if not (path / name).is_file():
            raise FileNotFoundError(f"{path / name}: no such file; poses.csv names it")
    if not count:
        raise FormatError(f"{path / 'poses.csv'}: there is a header, but no pose")
    return [path / name for name in table.filenames]


def _natural(path: Path) -> list[Path]:
    """Return the images of a folder, numbers in their names compared as numbers."""

    def key(file: Path) -> list[tuple[int, str]]:
        return [
            (int(part), "") if part.isdecimal() and len(part) < 19 else (-1, part)
            for part in re.split(r"(\d+)", file.name.lower())
        ]

    return sorted((file for file in path.iterdir() if file.suffix.lower() in _IMAGES), key=key)


def _stack(files: list[Path], shape: tuple[int, ...]) -> NDArray[Any]:
    images = []
    for file in files:
        images.append(_read_image(file))
        if images[-1].shape != shape or images[-1].dtype != images[0].dtype:
            raise FormatError(
                f"{file}: {images[-1].dtype} image of shape {images[-1].shape}; "
                f"the first of the sweep is {images[0].dtype} of {shape}"
            )
    return np.stack(images)


def _read_image(file: Path) -> NDArray[Any]:
    """Return one image (H, W); colours as luminance."""
    with decoding(file, "imageio"), warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow only warns of a decompression bomb
        if file.suffix.lower() in _TIFF:
            image = _read_tiff(file)
        else:
            import imageio.v3

            image = imageio.v3.imread(file, plugin="pillow")
    if image.ndim == 3 and image.shape[2] in (3, 4):
        image = gray(image[..., :3])
    if image.ndim != 2 or 0 in image.shape or image.dtype.kind not in "buif":
        raise FormatError(f"{file}: {image.dtype} of shape {image.shape} is not one grey or RGB image")
    return image


def _read_tiff(file: Path) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        if len(tiff.pages) != 1:
            raise FormatError(f"{file}: {len(tiff.pages)} pages; a frame is one image")
        page = tiff.pages[0]
        check_memory(file, "the image", tuple(page.shape), 8)
        image: NDArray[Any] = np.asarray(tiff.asarray())
    return image


def write_folder(sweep: Sweep, path: Path) -> None:
    """Write `sweep` as a folder: PNG frames (TIFF for float32), poses.csv, mask.png, meta.json, labels/.

    Raises
    ------
    FileExistsError
        If `path` is a file or a folder that holds anything.
    FormatError
        If an entry of meta is not JSON.
    """
    import imageio.v3
    import tifffile

    whole = sweep.frames.dtype == np.uint8
    width = max(6, len(str(len(sweep))))
    names = [f"frame_{index:0{width}d}.{'png' if whole else 'tif'}" for index in range(len(sweep))]
    with replacing_folder(path) as draft:
        for name, image in zip(names, sweep.frames, strict=True):
            if whole:
                imageio.v3.imwrite(draft / name, image, plugin="pillow")
            else:
                tifffile.imwrite(draft / name, image)
        write_poses(sweep, names, draft / "poses.csv")
        if sweep.mask is not None:
            imageio.v3.imwrite(draft / "mask.png", sweep.mask.astype(np.uint8) * 255, plugin="pillow")
        if sweep.meta:
            (draft / "meta.json").write_text(meta_to_json(path, sweep.meta), encoding="utf-8")
        if sweep.labels is not None:
            (draft / "labels").mkdir()
            marked = sweep.labels.astype(np.uint8) if sweep.labels.dtype == bool else sweep.labels
            for index, image in enumerate(marked):
                tifffile.imwrite(draft / "labels" / f"label_{index:0{width}d}.tif", image)
