"""What a simulation knows and a recording does not: true poses and labels, shadow and border maps; one HDF5 a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing
from usfast.io.foreign import decoding
from usfast.io.limits import check_memory
from usfast.io.tusrec import own_dataset

__all__ = ["Truth", "read_truth", "write_truth"]

_MAPS = ("labels", "border", "shadow")


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth behind a simulated sweep.

    Attributes
    ----------
    image_to_world : (N, 4, 4) float64 array
        True poses of the frames, pixels to mm.
    probe_to_world : (N, 4, 4) float64 array
        The same of the probe, mm.
    timestamps : (N,) float64 array
        s.
    annotated : (K,) int64 array
        The frames that the maps belong to.
    labels : (K, H, W) uint8 array
        Exact labels.
    border : (K, H, W) uint8 array
        0 none, 1 a border that cannot be seen, 2 one that can.
    shadow : (K, H, W) bool array
        Where the echo is lost behind bone or gas.
    """

    image_to_world: NDArray[np.float64]
    probe_to_world: NDArray[np.float64]
    timestamps: NDArray[np.float64]
    annotated: NDArray[np.int64]
    labels: NDArray[np.uint8]
    border: NDArray[np.uint8]
    shadow: NDArray[np.bool_]


def write_truth(truth: Truth, path: str | Path) -> None:
    """Write the truth of a sweep as HDF5, one dataset for each attribute; the same truth gives the same bytes.

    Raises
    ------
    OSError
        If the file system refuses; what was at `path` before is untouched.
    """
    import h5py

    path = Path(path)
    # Built in memory: the HDF5 library does not survive a full disk, and the file is small.
    image = BytesIO()
    with h5py.File(image, "w") as file:
        for name in ("image_to_world", "probe_to_world", "timestamps", "annotated"):
            file[name] = getattr(truth, name)
        for name in _MAPS:
            maps = getattr(truth, name).astype(np.uint8)
            packed = {"chunks": (1, *maps.shape[1:]), "compression": "gzip"} if len(maps) else {}
            file.create_dataset(name, data=maps, **packed)
    with replacing(path) as draft, open(draft, "wb") as stream:
        stream.write(image.getbuffer())


def read_truth(path: str | Path) -> Truth:
    """Read what `write_truth` wrote.

    Raises
    ------
    FormatError
        If it is no such file, or its arrays do not fit each other or the memory available.
    FileNotFoundError
    """
    import h5py

    path = Path(path)
    with open(path, "rb"), decoding(path, "HDF5"), h5py.File(path, "r") as file:
        count = _shape(path, file, "timestamps", 1)[0]
        images, height, width = _shape(path, file, "labels", 3)
        wanted = {
            "image_to_world": ((count, 4, 4), np.float64),
            "probe_to_world": ((count, 4, 4), np.float64),
            "timestamps": ((count,), np.float64),
            "annotated": ((images,), np.int64),
            "labels": ((images, height, width), np.uint8),
            "border": ((images, height, width), np.uint8),
            "shadow": ((images, height, width), np.bool_),
        }
        arrays = {name: _array(path, file, name, *form) for name, form in wanted.items()}
    if ((arrays["annotated"] < 0) | (arrays["annotated"] >= count)).any():
        raise FormatError(f"{path}: annotated names frames that are not there; there are {count}")
    return Truth(**arrays)


def _shape(path: Path, file: Any, name: str, axes: int) -> tuple[int, ...]:
    shape = tuple(int(size) for size in own_dataset(path, file, name).shape)
    if len(shape) != axes:
        raise FormatError(f"{path}: {name} has shape {shape}, not {axes} axes")
    return shape


def _array(path: Path, file: Any, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    data = own_dataset(path, file, name)
    if data.shape != shape or data.dtype.kind not in "buif":
        raise FormatError(f"{path}: {name} has shape {data.shape} of {data.dtype}, not {shape} of numbers")
    check_memory(path, name, shape, data.dtype.itemsize + np.dtype(dtype).itemsize)
    return np.asarray(data[()]).astype(dtype)
