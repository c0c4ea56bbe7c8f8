"""TUS-REC scans: HDF5 with ``frames`` (N, H, W) and ``tforms`` (N, 4, 4), tracking tool to optical camera."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing
from usfast.io.calibration import Calibration, read_calibration
from usfast.io.foreign import decoding
from usfast.io.limits import check_memory
from usfast.io.metadata import meta_from_json, meta_to_json
from usfast.io.pixels import memory_dtype
from usfast.io.recording import Recording
from usfast.sweep import Sweep

__all__ = ["open_hdf5", "write_hdf5"]

_MEANING = "tforms_are"  # attribute of the file: what its tforms lead from and to
_IMAGE_TO_WORLD = "image_to_world"
_TOOL_TO_WORLD = "tool_to_world"


def open_hdf5(path: Path, calibration: str | Path | None = None) -> Recording:
    """Open a TUS-REC scan or an .h5 file of this package.

    ``image_to_world = tforms @ image_mm_to_tool @ pixel_to_mm``.

    Parameters
    ----------
    path : Path
    calibration : str or Path, optional
        calib_matrix.csv; needed for TUS-REC scans. Files written here carry what they need.

    Raises
    ------
    FormatError
        If it is no HDF5 file, a dataset is missing or misshapen, or no calibration is known.
    """
    import h5py

    with open(path, "rb"), decoding(path, "HDF5"), h5py.File(path, "r") as file:
        frames = own_dataset(path, file, "frames")
        if frames.ndim != 3 or 0 in frames.shape or frames.dtype.kind not in "buif":
            raise FormatError(f"{path}: frames has shape {frames.shape} of {frames.dtype}, not (N, H, W) reals")
        count, height, width = (int(size) for size in frames.shape)
        dtype = memory_dtype(frames.dtype)
        tforms = _array(path, file, "tforms", (count, 4, 4), "f8")
        stored = _stored_calibration(path, file)
        meaning = file.attrs.get(_MEANING)
        known = read_calibration(calibration) if calibration is not None else stored
        valid = _array(path, file, "valid", (count,), "?") if "valid" in file else np.ones(count, bool)
        timestamps = _array(path, file, "timestamps", (count,), "f8") if "timestamps" in file else None
        mask = _array(path, file, "mask", (height, width), "?") if "mask" in file else None
        meta = _meta(path, file)
    if meaning == _IMAGE_TO_WORLD:
        poses = tforms
    elif known is None:
        raise FormatError(f"{path}: tforms lead from the tracking tool; give its calib_matrix.csv as config=")
    else:
        with np.errstate(all="ignore"):
            poses = tforms @ known.image_to_tool
        meta["calibration"] = {
            "pixel_to_mm": known.pixel_to_mm.tolist(),
            "image_mm_to_tool": known.image_mm_to_tool.tolist(),
        }
    return Recording(
        path=path,
        frames=count,
        size=(height, width),
        dtype=dtype,
        blocks=lambda chunk: _blocks(path, 0, count, chunk, dtype),
        image_to_world=poses,
        timestamps=timestamps,
        valid=valid & np.isfinite(poses).all(axis=(1, 2)),
        mask=mask,
        meta={**meta, "format": "HDF5", "source": str(path)},
        read=lambda start, stop: next(_blocks(path, start, stop, stop - start, dtype)),
    )


def own_dataset(path: Path, file: Any, name: str) -> Any:
    """Return a dataset whose data lie in this file: links and external storage could read any other."""
    import h5py

    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
        raise FormatError(f"{path}: no dataset {name!r} in it; there are {', '.join(sorted(file)) or 'none'}")
    data = file[name]
    if data.external or data.is_virtual:
        raise FormatError(f"{path}: dataset {name!r} keeps its data in other files")
    if data.size and not data.id.get_storage_size():
        raise FormatError(f"{path}: dataset {name!r} of shape {data.shape} holds no data")
    return data


def _array(path: Path, file: Any, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    data = own_dataset(path, file, name)
    if data.shape != shape or data.dtype.kind not in "buif":
        raise FormatError(f"{path}: {name} has shape {data.shape} of {data.dtype}, not {shape} of numbers")
    check_memory(path, name, shape, data.dtype.itemsize)
    array: NDArray[Any] = np.asarray(data[()]).astype(dtype)
    return array


def _stored_calibration(path: Path, file: Any) -> Calibration | None:
    if "pixel_to_mm" not in file or "image_mm_to_tool" not in file:
        return None
    return Calibration(
        _array(path, file, "pixel_to_mm", (4, 4), "f8"), _array(path, file, "image_mm_to_tool", (4, 4), "f8")
    )


def _meta(path: Path, file: Any) -> dict[str, Any]:
    if "meta" not in file:
        return {}
    data = own_dataset(path, file, "meta")
    if data.ndim != 1 or data.dtype != np.uint8:
        raise FormatError(f"{path}: meta must be UTF-8 text as bytes, not {data.dtype} of shape {data.shape}")
    check_memory(path, "meta", data.shape, 1)
    return meta_from_json(path, bytes(data[()]).decode("utf-8", "replace"))


def _blocks(
    path: Path, first: int, end: int, chunk: int, dtype: np.dtype[Any]
) -> Iterator[tuple[NDArray[Any], NDArray[Any] | None]]:
    import h5py

    with decoding(path, "HDF5"), h5py.File(path, "r") as file:
        frames = own_dataset(path, file, "frames")
        labels = own_dataset(path, file, "labels") if "labels" in file else None
        if labels is not None and (labels.shape != frames.shape or labels.dtype.kind not in "bui"):
            raise FormatError(f"{path}: labels are {labels.dtype} of {labels.shape}, frames of {frames.shape}")
        for start in range(first, end, chunk):
            part = slice(start, min(start + chunk, end))
            shape = (part.stop - start, *frames.shape[1:])
            check_memory(path, "a block of frames", shape, frames.dtype.itemsize + dtype.itemsize)
            yield frames[part].astype(dtype, copy=False), None if labels is None else labels[part]


def write_hdf5(sweep: Sweep, path: Path, *, compress: bool = True) -> None:
    """Write `sweep` as HDF5 in the layout of TUS-REC: ``frames``, ``tforms`` and what else it holds.

    With ``meta["calibration"]`` (as reading sets it) ``tforms`` lead from the tracking tool and the
    calibration is stored beside them; without, they are image_to_world and the attribute ``tforms_are``
    of the file says so.

    Raises
    ------
    FormatError
        If an entry of meta is not JSON, or the calibration there incomplete.
    OSError
        If the file system refuses; what was at `path` before is untouched.
    """
    import h5py

    meta = dict(sweep.meta)
    calibration = meta.pop("calibration", None)
    text = meta_to_json(path, meta)
    if calibration is not None and not {"pixel_to_mm", "image_mm_to_tool"} <= set(calibration):
        raise FormatError(f"{path}: meta['calibration'] must hold pixel_to_mm and image_mm_to_tool")
    with replacing(path) as draft, open(draft, "wb+", buffering=0) as stream:
        patient = _PatientFile(stream)
        with h5py.File(patient, "w") as file:
            _write_poses(file, sweep, calibration)
            for name in ("timestamps", "valid", "mask"):
                if getattr(sweep, name) is not None:
                    file[name] = getattr(sweep, name)
            file["meta"] = np.frombuffer(text.encode(), np.uint8)
            for name in ("frames", "labels"):
                if getattr(sweep, name) is not None:
                    _write_images(file, name, getattr(sweep, name), compress, patient)
        if patient.error is not None:
            raise patient.error


def _write_poses(file: Any, sweep: Sweep, calibration: Any) -> None:
    if calibration is None:
        file["tforms"] = sweep.image_to_world
        file.attrs[_MEANING] = _IMAGE_TO_WORLD
        return
    known = Calibration(*(np.array(calibration[key]) for key in ("pixel_to_mm", "image_mm_to_tool")))
    file["tforms"] = sweep.image_to_world @ np.linalg.inv(known.image_to_tool)
    file["pixel_to_mm"], file["image_mm_to_tool"] = known.pixel_to_mm, known.image_mm_to_tool
    file.attrs[_MEANING] = _TOOL_TO_WORLD


def _write_images(file: Any, name: str, images: NDArray[Any], compress: bool, patient: _PatientFile) -> None:
    packed = {"chunks": (1, *images.shape[1:]), "compression": "gzip"} if compress else {}
    data = file.create_dataset(name, images.shape, images.dtype, **packed)
    for start in range(0, len(images), 64):
        data[start : start + 64] = images[start : start + 64]
        if patient.error is not None:
            return


class _PatientFile:
    """A file that keeps its first write error instead of raising it.

    The HDF5 library does not survive a full disk: closing a file it cannot write ends the interpreter. So it
    is let believe that all is well, and the error is raised once it has closed the file.
    """

    def __init__(self, stream: FileIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while self.error is None and rest:
                rest = rest[self._stream.write(rest) or 0 :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> None:
        try:
            self._stream.truncate(size)
        except OSError as error:
            self.error = self.error or error

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size) or b""

    def readinto(self, target: Any) -> int:
        return self._stream.readinto(target) or 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def flush(self) -> None:
        """Nothing waits: the stream has no buffer."""
