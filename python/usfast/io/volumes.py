"""Volumes as .mha, .mhd, .nrrd, .nhdr, .nii and .nii.gz, through SimpleITK."""

from __future__ import annotations

import errno
import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from usfast.errors import FormatError, GeometryError
from usfast.io.atomic import replacing
from usfast.io.foreign import decoding
from usfast.io.header import SequenceHeader
from usfast.io.limits import check_memory, check_size
from usfast.io.pixels import voxels
from usfast.io.tracked import read_sequence_header
from usfast.volume import Volume

__all__ = ["VOLUME_SUFFIXES", "read_volume", "volume_information", "write_volume"]

VOLUME_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz")
_HEADERS = VOLUME_SUFFIXES[:4]  # MetaImage and NRRD
_NIFTI_HEADER = 352  # bytes before the voxels, at least


def read_volume(path: str | Path) -> Volume:
    """Read a 3D volume with its geometry.

    A fourth axis of size one, as PLUS writes, is dropped. From NIfTI, ITK gives values that are not finite
    as 0.

    Parameters
    ----------
    path : str or Path
        .mha, .mhd, .nrrd, .nhdr, .nii or .nii.gz.

    Raises
    ------
    FormatError
        If the file cannot be read, promises more than it holds or memory does, or is no scalar volume.
    GeometryError
        If spacing, origin or direction are unusable.
    FileNotFoundError
    """
    path = Path(path)
    reader = volume_information(path)
    shape, kind = tuple(reader.GetSize()), reader.GetNumberOfComponents()
    if kind != 1:
        raise FormatError(f"{path}: {kind} values a voxel (colour or vector); a volume has one")
    if not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 1)):
        raise FormatError(f"{path}: {len(shape)} axes of sizes {shape}; a volume has three")
    if _suffix(path) in _HEADERS:
        # ITK takes damaged compressed pixels without an error, so these are read here.
        array = voxels(read_sequence_header(path))
        if array.shape != shape[2::-1]:
            raise FormatError(f"{path}: sizes {array.shape[::-1]} in the header, but ITK understands {shape}")
    else:
        import SimpleITK as sitk

        if _suffix(path) == ".nii.gz":
            _check_gzip(path, _NIFTI_HEADER + math.prod(shape) * _itemsize(reader))
        with decoding(path, "SimpleITK"):
            array = sitk.GetArrayFromImage(reader.Execute())
    axes = np.reshape(reader.GetDirection(), (len(shape), len(shape)))[:3, :3]
    try:
        return Volume(array.reshape(shape[2::-1]), reader.GetSpacing()[:3], reader.GetOrigin()[:3], axes)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from None


def volume_information(path: Path, *, in_memory: bool = True) -> Any:
    """Return a SimpleITK reader that knows size and type of a volume; nothing large is allocated.

    A volume that is to be read whole (`in_memory`) must fit.

    Raises
    ------
    FormatError
        If the header makes no sense, or promises more than the file holds or memory does.
    """
    if path.stat().st_size == 0:
        raise FormatError(f"{path}: the file is empty")
    present = path.stat().st_size
    if _suffix(path) in _HEADERS:
        header: SequenceHeader = read_sequence_header(path)  # checks sizes, and where the data file lies
        present = header.data_path.stat().st_size
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with decoding(path, "SimpleITK"):
        reader.ReadImageInformation()
        size = tuple(reader.GetSize())
        itemsize = _itemsize(reader)
    if min(size) < 1:
        raise FormatError(f"{path}: sizes {size}: no voxels")
    need = math.prod(size) * itemsize
    if _suffix(path) in (".nii", ".nii.gz"):
        need += _NIFTI_HEADER
    check_size(path, "the voxels", need, present, compressed=_suffix(path) != ".nii")
    if in_memory:
        check_memory(path, "the volume", size, 2 * itemsize)  # SimpleITK's copy and ours
    return reader


def _check_gzip(path: Path, need: int) -> None:
    """Inflate a file without keeping it: ITK does not notice that one is damaged or ends early."""
    present = 0
    with gzip.open(path) as stream:
        try:
            while part := stream.read(1 << 20):
                present += len(part)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormatError(f"{path}: the gzip stream is damaged after {present} bytes: {error}") from error
    check_size(path, "the inflated file", need, present, compressed=False)


def _itemsize(reader: Any) -> int:
    import SimpleITK as sitk

    pixel = sitk.Image([1, 1], reader.GetPixelID(), reader.GetNumberOfComponents())
    return int(pixel.GetSizeOfPixelComponent() * reader.GetNumberOfComponents())


def _suffix(path: Path) -> str:
    name = path.name.lower()
    found = [suffix for suffix in VOLUME_SUFFIXES if name.endswith(suffix)]
    if not found:
        raise FormatError(f"{path}: a volume is one of {', '.join(VOLUME_SUFFIXES)}")
    return max(found, key=len)


def write_volume(volume: Volume, path: str | Path, *, compress: bool = True) -> None:
    """Write a volume with its geometry; bool becomes uint8.

    The file is read back before it replaces what was there: ITK does not report a full disk in every format.

    Parameters
    ----------
    volume : Volume
    path : str or Path
        The extension chooses the format: .mha, .mhd, .nrrd, .nhdr, .nii, .nii.gz.
    compress : bool
        Where the format leaves the choice.

    Raises
    ------
    FormatError
        If the extension is unknown, or the format cannot hold the dtype or (NIfTI) values not finite.
    OSError
        If the file system refuses; what was at `path` before is untouched.
    """
    import SimpleITK as sitk

    path = Path(path)
    _suffix(path)
    if volume.array.dtype == np.float16:
        raise FormatError(f"{path}: float16 is not a dtype of volume files; convert it to float32")
    if _suffix(path) not in _HEADERS and not np.isfinite(volume.array).all():
        raise FormatError(f"{path}: ITK reads values that are not finite from NIfTI as 0; use .mha or .nrrd")
    with decoding(path, "SimpleITK"):
        image = volume.to_sitk()
    with replacing(path) as draft:
        try:
            sitk.WriteImage(image, str(draft), useCompression=compress)
            written = read_volume(draft).array
        except (RuntimeError, FormatError) as error:
            # ITK has no error for a full disk or a limit on file size, it only fails to write.
            text = (str(error).strip().splitlines() or [""])[-1]
            raise OSError(errno.EIO, f"{os.strerror(errno.EIO)}; {text}", str(path)) from error
        same = written.shape == volume.array.shape and np.array_equal(
            written, volume.array, equal_nan=volume.array.dtype.kind == "f"
        )
        if not same:
            raise OSError(errno.EIO, "the volume did not reach the disk unchanged", str(path))
