"""Ultrasound DICOM: a cine loop as a sweep. DICOM knows no poses, only the size of a pixel."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.foreign import decoding
from usfast.io.limits import check_memory, check_size
from usfast.io.pixels import gray, memory_dtype
from usfast.io.recording import Recording

__all__ = ["is_dicom", "open_dicom"]

_CENTIMETRES = 3  # Physical Units X/Y Direction of a region (0018,6024)


def is_dicom(path: Path) -> bool:
    """Return whether a file carries DICOM's mark."""
    with open(path, "rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def open_dicom(path: Path) -> Recording:
    """Open an ultrasound DICOM file; colour and palette frames come as luminance.

    DICOM has no poses: `image_to_world` scales pixels to mm, the same in every frame, and ``meta["tracked"]``
    is False. ``meta["pixel_spacing_mm"]`` is (x, y), or None where the file tells no size; poses are then
    pixels. FrameTime or FrameTimeVector gives the timestamps.

    Raises
    ------
    FormatError
        If it is no DICOM file, has no usable images, or a decoder for its compression is not installed.
    """
    import pydicom

    with open(path, "rb"), decoding(path, "pydicom"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values out of their range are common and harmless here
        data = pydicom.dcmread(path, stop_before_pixels=True)
        count = int(data.get("NumberOfFrames") or 1)
        height, width = int(data.get("Rows") or 0), int(data.get("Columns") or 0)
        samples, bits = int(data.get("SamplesPerPixel") or 1), int(data.get("BitsAllocated") or 8)
        if min(count, height, width) < 1 or samples not in (1, 3) or bits not in (8, 16, 32):
            raise FormatError(
                f"{path}: {count} frames of {height} x {width}, {samples} samples of {bits} bits: not images"
            )
        syntax = data.file_meta.TransferSyntaxUID
        if not syntax.is_compressed:
            need = count * height * width * bits // 8  # at least: some colour models have fewer samples
            check_size(path, "the pixel data", need, path.stat().st_size, compressed=False)
        check_memory(path, "the poses", (count, 4, 4), 8)
        spacing = _spacing(data)
        timestamps = _timestamps(data, count)
        kind = str(data.get("PhotometricInterpretation", ""))
        signed = bool(data.get("PixelRepresentation")) and samples == 1
    dtype = memory_dtype(np.dtype(f"{'i' if signed else 'u'}{bits // 8}"))
    scale = np.diag([*(spacing or (1.0, 1.0)), 1.0, 1.0])
    return Recording(
        path=path,
        frames=count,
        size=(height, width),
        dtype=dtype,
        blocks=lambda chunk: _blocks(path, (count, height, width), chunk, dtype),
        image_to_world=np.tile(scale, (count, 1, 1)),
        timestamps=timestamps,
        meta={
            "format": "DICOM",
            "source": str(path),
            "tracked": False,
            "pixel_spacing_mm": list(spacing) if spacing else None,
            "photometric_interpretation": kind,
            "warnings": ["DICOM has no poses: every frame lies in the same place"],
        },
    )


def _spacing(data: Any) -> tuple[float, float] | None:
    """Return the size of a pixel (x, y), mm, by the first region measured in cm, else PixelSpacing."""
    pairs = [
        (float(region.PhysicalDeltaX) * 10, float(region.PhysicalDeltaY) * 10)
        for region in data.get("SequenceOfUltrasoundRegions") or []
        if region.get("PhysicalUnitsXDirection") == region.get("PhysicalUnitsYDirection") == _CENTIMETRES
    ]
    if data.get("PixelSpacing"):
        rows, columns = data.PixelSpacing
        pairs.append((float(columns), float(rows)))
    # A region may run against the pixels; the size of a pixel has no sign.
    sizes = [(abs(x), abs(y)) for x, y in pairs if math.isfinite(x) and math.isfinite(y) and x and y]
    return sizes[0] if sizes else None


def _timestamps(data: Any, count: int) -> NDArray[np.float64] | None:
    """Return the time of each frame since the first, s."""
    steps = data.get("FrameTimeVector")
    if steps is not None and len(np.atleast_1d(steps)) == count:
        return np.cumsum(np.asarray(steps, np.float64)) / 1000
    if data.get("FrameTime"):
        return np.arange(count) * float(data.FrameTime) / 1000
    return None


def _blocks(
    path: Path, shape: tuple[int, int, int], chunk: int, dtype: np.dtype[Any]
) -> Iterator[tuple[NDArray[Any], None]]:
    count, height, width = shape
    frames = _frames(path)
    done = 0
    while done < count:
        check_memory(path, "a block of frames", (min(chunk, count - done), height, width), dtype.itemsize)
        block = np.empty((min(chunk, count - done), height, width), dtype)
        for index in range(len(block)):
            frame = next(frames, None)
            if frame is None:
                raise FormatError(f"{path}: {done + index} frames, but NumberOfFrames is {count}")
            if frame.shape != (height, width):
                raise FormatError(f"{path}: frame {done + index} is {frame.shape}, not {(height, width)}")
            block[index] = frame
        done += len(block)
        yield block, None


def _frames(path: Path) -> Iterator[NDArray[Any]]:
    """Yield grey frames (H, W) one by one."""
    import pydicom
    from pydicom.pixels import apply_color_lut, iter_pixels

    with decoding(path, "pydicom"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True)
        palette = header.get("PhotometricInterpretation") == "PALETTE COLOR"
        images = iter_pixels(path)
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    image = next(images, None)
                except (RuntimeError, NotImplementedError, AttributeError) as error:
                    raise FormatError(_no_decoder(path, header, error)) from error
            if image is None:
                return
            if palette:
                image = apply_color_lut(image, header)
                if image.dtype == np.uint16:  # tables of 16 bits hold 8-bit colours in their high byte
                    image = (image >> 8).astype(np.uint8)
            if header.get("PhotometricInterpretation") == "MONOCHROME1":  # 0 is white
                image = (1 << int(header.BitsStored)) - 1 - image
            yield gray(image) if image.ndim == 3 else image


def _no_decoder(path: Path, header: Any, error: Exception) -> str:
    name = header.file_meta.TransferSyntaxUID.name
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"{path}: cannot decode its frames ({name}): {first}. For compressed DICOM install pylibjpeg with "
        "pylibjpeg-libjpeg and pylibjpeg-openjpeg, or python-gdcm"
    )
