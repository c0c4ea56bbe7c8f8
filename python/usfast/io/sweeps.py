"""`read_sweep`, `iter_sweep` and `write_sweep`: the format follows from the path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from usfast.errors import FormatError
from usfast.io.config import PlusConfig, read_config
from usfast.io.dicom import is_dicom, open_dicom
from usfast.io.folder import open_folder, write_folder
from usfast.io.npz import open_npz, write_npz
from usfast.io.recording import Progress, Recording
from usfast.io.sequence import open_sequence
from usfast.io.sequence_writer import write_sequence
from usfast.io.tusrec import open_hdf5, write_hdf5
from usfast.sweep import Sweep

__all__ = ["Config", "iter_sweep", "open_sweep", "read_sweep", "sweep_format", "write_sweep"]

Config = str | Path | PlusConfig
"""A PLUS configuration (XML) or, beside TUS-REC scans, a calib_matrix.csv."""

_FORMATS = {
    ".mha": "sequence",
    ".mhd": "sequence",
    ".nrrd": "sequence",
    ".nhdr": "sequence",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".npz": "npz",
    ".dcm": "dicom",
}


def read_sweep(
    path: str | Path,
    config: Config | None = None,
    *,
    image_frame: str | None = None,
    reference_frame: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Read a tracked sweep.

    Parameters
    ----------
    path : str or Path
        A PLUS sequence (.igs.mha, .igs.mhd, .igs.nrrd, .nhdr), a TUS-REC scan (.h5), arrays (.npz), a folder
        of images with poses.csv, or ultrasound DICOM (which has no poses).
    config : str, Path or PlusConfig, optional
        For PLUS sequences the configuration with the calibration; a transform in the file counts before the
        same one there. For TUS-REC scans calib_matrix.csv. The other formats need none and ignore it. Clip
        rectangle and fan are not applied here.
    image_frame, reference_frame : str, optional
        Names of the frames in a PLUS sequence. Default: as the configuration says, else Image and the first
        of Reference, Tracker and World that can be reached.
    progress : callable, optional
        Called with (frames read, frames in all) after every block.

    Returns
    -------
    Sweep
        ``frames (N, H, W)``, ``image_to_world (N, 4, 4)`` in mm. Frames without a usable pose or image have
        ``valid`` False; ``meta["warnings"]`` says how many and why. None may be valid.

    Raises
    ------
    FormatError
        If the file cannot be read; names file and key, line or byte.
    GeometryError
        If no transforms lead from the image to the reference, or they are unusable.
    FileNotFoundError

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "sweep.igs.mha"
    >>> write_sweep(Sweep(np.zeros((3, 20, 10), np.uint8), np.tile(np.eye(4), (3, 1, 1))), path)
    >>> sweep = read_sweep(path)
    >>> len(sweep), sweep.image_size, sweep.meta["image_to_world"]
    (3, (20, 10), 'ImageToReference')
    """
    return open_sweep(path, config, image_frame=image_frame, reference_frame=reference_frame).sweep(progress)


def iter_sweep(
    path: str | Path,
    config: Config | None = None,
    chunk: int = 64,
    *,
    image_frame: str | None = None,
    reference_frame: str | None = None,
    progress: Progress | None = None,
) -> Iterator[Sweep]:
    """Read a sweep a part at a time: memory is that of `chunk` frames, however long the sweep.

    Parameters
    ----------
    path, config, image_frame, reference_frame, progress
        As for `read_sweep`.
    chunk : int
        Frames a part; the last may have fewer.

    Yields
    ------
    Sweep
        In order; ``meta["first_frame"]`` says where it begins.

    Raises
    ------
    ValueError
        If `chunk` is not positive.
    FormatError, GeometryError, FileNotFoundError
        As `read_sweep`; damaged pixels show only when they are reached.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1 frame, not {chunk}")
    recording = open_sweep(path, config, image_frame=image_frame, reference_frame=reference_frame)
    return recording.parts(chunk, progress)


def open_sweep(
    path: str | Path,
    config: Config | None = None,
    *,
    image_frame: str | None = None,
    reference_frame: str | None = None,
) -> Recording:
    """Open a sweep without reading its pixels; arguments and errors as for `read_sweep`."""
    path = Path(path)
    form = sweep_format(path)
    if form == "folder":
        return open_folder(path)
    if form == "hdf5":
        if isinstance(config, PlusConfig) or (config and Path(config).suffix.lower() == ".xml"):
            config = None
        return open_hdf5(path, config)
    if form == "npz":
        return open_npz(path)
    if form == "dicom":
        return open_dicom(path)
    settings = config if config is None or isinstance(config, PlusConfig) else read_config(config)
    return open_sequence(path, settings, image_frame=image_frame, reference_frame=reference_frame)


def sweep_format(path: Path) -> str:
    """Return "sequence", "hdf5", "npz", "folder" or "dicom" by the path, or by the file's mark.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    FormatError
        If it is none of them.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if path.is_dir():
        return "folder"
    form = _FORMATS.get(path.suffix.lower())
    if form is None and is_dicom(path):
        form = "dicom"
    if form is None:
        raise FormatError(f"{path}: not a known kind of sweep; {', '.join(_FORMATS)} or a folder of images")
    return form


def write_sweep(sweep: Sweep, path: str | Path, *, compress: bool = True) -> None:
    """Write a sweep; the extension chooses the format, none means a folder.

    Parameters
    ----------
    sweep : Sweep
    path : str or Path
        .mha, .mhd, .nrrd, .nhdr (PLUS sequences), .h5, .npz, or a folder that does not exist or is empty.
    compress : bool
        Losslessly; folders are always compressed.

    Raises
    ------
    FormatError
        If the extension is unknown or the format has no place for a part of the sweep: nothing is dropped
        silently.
    OSError
        If the file system refuses; what was at `path` before is untouched.
    """
    path = Path(path)
    form = _FORMATS.get(path.suffix.lower(), "folder" if path.suffix == "" or path.is_dir() else "unknown")
    if form == "folder":
        write_folder(sweep, path)
    elif form == "hdf5":
        write_hdf5(sweep, path, compress=compress)
    elif form == "npz":
        write_npz(sweep, path, compress=compress)
    elif form == "sequence":
        write_sequence(sweep, path, compress=compress)
    else:
        writable = [suffix for suffix, kind in _FORMATS.items() if kind != "dicom"]
        raise FormatError(f"{path}: sweeps are written as {', '.join(writable)} or a folder")
