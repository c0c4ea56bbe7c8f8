"""Volumes that are written and read a part at a time: uncompressed .mha and .nrrd, .npy, and Zarr."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing, replacing_folder
from usfast.io.tracked import read_sequence_header
from usfast.io.volumes import volume_information
from usfast.volume import Grid, Volume

__all__ = ["PART_SUFFIXES", "VolumeParts", "map_volume", "volume_parts"]

PART_SUFFIXES = (".mha", ".nrrd", ".npy", ".zarr")
_META_TYPES = {
    "u1": "MET_UCHAR", "i1": "MET_CHAR", "u2": "MET_USHORT", "i2": "MET_SHORT", "u4": "MET_UINT", "i4": "MET_INT",
    "u8": "MET_ULONG_LONG", "i8": "MET_LONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip
_NRRD_TYPES = {
    "u1": "uint8", "i1": "int8", "u2": "uint16", "i2": "int16", "u4": "uint32", "i4": "int32",
    "u8": "uint64", "i8": "int64", "f4": "float", "f8": "double",
}  # fmt: skip
_ZARR_CHUNK = (32, 256, 256)


class VolumeParts(Protocol):
    """Where the parts of a volume go."""

    def put(self, begin: tuple[int, int, int], part: NDArray[Any]) -> None:
        """Write `part`, whose first voxel is `begin` (z, y, x). What is never written is 0."""


@contextmanager
def volume_parts(path: str | Path, grid: Grid, dtype: Any) -> Iterator[VolumeParts]:
    """Create a volume to be written in parts; the file appears when the block ends without an error.

    Memory is that of one part. Parts that are never written take no room where the file system knows sparse files.

    Parameters
    ----------
    path : str or Path
        .mha or .nrrd (uncompressed, with the geometry), .npy (values alone) or .zarr (chunked and compressed, with the
        geometry as attributes ``spacing``, ``origin``, ``direction``; needs ``usfast[scale]``).
    grid : Grid
    dtype : numpy dtype

    Raises
    ------
    FormatError
        If the extension is none of these.
    ImportError
        If zarr is needed and not installed.
    OSError
        If the disk has no room, before anything is written; or from the file system.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "volume.nrrd"
    >>> with volume_parts(path, Grid((4, 3, 1000), 0.5), np.float32) as parts:
    ...     parts.put((500, 1, 0), np.full((2, 2, 4), 7, np.float32))
    >>> volume = map_volume(path)
    >>> volume.array.shape, float(volume.array[501, 2, 3]), float(volume.array.sum())
    ((1000, 3, 4), 7.0, 112.0)
    """
    path, dtype = Path(path), np.dtype(dtype)
    form = path.suffix.lower()
    if form not in PART_SUFFIXES:
        raise FormatError(f"{path}: volumes are written in parts as {', '.join(PART_SUFFIXES)}")
    if dtype.str[1:] not in _META_TYPES:
        raise FormatError(f"{path}: {dtype} is not a dtype of volume files")
    if form == ".zarr":
        zarr = _zarr()
        with replacing_folder(path) as draft:
            yield _ZarrParts(zarr, draft, grid, dtype)
        return
    need, free = grid.voxels * dtype.itemsize, shutil.disk_usage(path.absolute().parent).free
    if need > free:
        raise OSError(
            errno.ENOSPC, f"the volume needs {need / 1e9:.3g} GB, but only {free / 1e9:.3g} GB are free", str(path)
        )
    header = {".mha": _metaimage_header, ".nrrd": _nrrd_header, ".npy": _npy_header}[form](grid, dtype)
    with replacing(path) as draft, open(draft, "wb") as stream:
        stream.write(header)
        stream.truncate(len(header) + need)
        yield _RawParts(stream, len(header), grid, dtype)


def map_volume(path: str | Path) -> Volume:
    """Open an uncompressed volume without reading it: voxels come from the disk when they are looked at.

    Parameters
    ----------
    path : str or Path
        .mha, .mhd, .nrrd or .nhdr, not compressed. ``np.load(path, mmap_mode="r")`` does the same for .npy.

    Returns
    -------
    Volume
        Its array is read-only.

    Raises
    ------
    FormatError
        If the file cannot be read, is compressed or no scalar volume.
    """
    path = Path(path)
    header = read_sequence_header(path)
    if header.encoding != "raw":
        raise FormatError(f"{path}: the voxels are compressed; only uncompressed ones can be mapped")
    if header.channels != 1 or header.dtype is None:
        raise FormatError(f"{path}: {header.channels} values a voxel; a volume has one")
    reader = volume_information(path, in_memory=False)
    shape = (header.frames * header.slices, header.size[1], header.size[0])
    array = np.memmap(header.data_path, header.dtype, "r", header.offset, shape)
    dimension = reader.GetDimension()
    if dimension not in (3, 4) or tuple(reader.GetSize()[:3]) != shape[::-1]:
        raise FormatError(f"{path}: sizes {shape[::-1]} in the header, but ITK understands {tuple(reader.GetSize())}")
    axes = np.reshape(reader.GetDirection(), (dimension, dimension))[:3, :3]
    return Volume(array, reader.GetSpacing()[:3], reader.GetOrigin()[:3], axes)


class _RawParts:
    """Parts at their offsets in a file. Written, not mapped: a full disk is then an error and not the end."""

    def __init__(self, stream: BinaryIO, offset: int, grid: Grid, dtype: np.dtype[Any]) -> None:
        self._stream, self._offset, self._shape, self._dtype = stream, offset, grid.shape, dtype

    def put(self, begin: tuple[int, int, int], part: NDArray[Any]) -> None:
        values = np.ascontiguousarray(part, self._dtype)
        (_, rows, columns), (depth, height, width) = self._shape, values.shape
        whole_rows = width == columns
        whole_planes = whole_rows and height == rows
        pieces = values.reshape(1, -1) if whole_planes else values.reshape(depth if whole_rows else depth * height, -1)
        for index, piece in enumerate(pieces):
            z, y = (index, 0) if whole_rows else divmod(index, height)
            voxel = ((begin[0] + z) * rows + begin[1] + y) * columns + begin[2]
            self._stream.seek(self._offset + voxel * self._dtype.itemsize)
            self._stream.write(piece.data)


class _ZarrParts:
    """Parts as regions of a Zarr array; its chunks that were never written do not exist."""

    def __init__(self, zarr: Any, path: Path, grid: Grid, dtype: np.dtype[Any]) -> None:
        chunks = tuple(min(chunk, size) for chunk, size in zip(_ZARR_CHUNK, grid.shape, strict=True))
        self._array = zarr.open(str(path), mode="w", shape=grid.shape, chunks=chunks, dtype=dtype.str, fill_value=0)
        self._array.attrs.update(
            spacing=grid.spacing.tolist(),
            origin=grid.origin.tolist(),
            direction=grid.direction.tolist(),
            axes="array (z, y, x); spacing, origin and the columns of direction (x, y, z), mm",
        )

    def put(self, begin: tuple[int, int, int], part: NDArray[Any]) -> None:
        where = tuple(slice(first, first + size) for first, size in zip(begin, part.shape, strict=True))
        self._array[where] = part


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ImportError('Zarr volumes need the package zarr: pip install "usfast[scale]"') from error
    return zarr


def _numbers(values: NDArray[np.float64]) -> str:
    return " ".join(repr(float(value)) for value in values.ravel())


def _metaimage_header(grid: Grid, dtype: np.dtype[Any]) -> bytes:
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": str(dtype.str[0] == ">"),
        "CompressedData": "False",
        "TransformMatrix": _numbers(grid.direction.T),  # MetaImage lists the axes one after the other
        "Offset": _numbers(grid.origin),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _numbers(grid.spacing),
        "DimSize": " ".join(map(str, grid.size)),
        "ElementType": _META_TYPES[dtype.str[1:]],
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items()).encode()


def _nrrd_header(grid: Grid, dtype: np.dtype[Any]) -> bytes:
    axes = " ".join(f"({','.join(_numbers(axis).split())})" for axis in (grid.direction * grid.spacing).T)
    return (
        "NRRD0004\n"
        f"type: {_NRRD_TYPES[dtype.str[1:]]}\n"
        "dimension: 3\n"
        "space: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, grid.size))}\n"
        f"space directions: {axes}\n"
        "kinds: domain domain domain\n"
        f"endian: {'big' if dtype.str[0] == '>' else 'little'}\n"
        "encoding: raw\n"
        f"space origin: ({','.join(_numbers(grid.origin).split())})\n\n"
    ).encode()


def _npy_header(grid: Grid, dtype: np.dtype[Any]) -> bytes:
    from io import BytesIO

    stream = BytesIO()
    np.lib.format.write_array_header_2_0(stream, {"descr": dtype.str, "fortran_order": False, "shape": grid.shape})
    return stream.getvalue()
