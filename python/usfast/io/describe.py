"""`describe`: what a file holds, from its header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usfast.errors import UsfastError
from usfast.io.config import PlusConfig, read_config
from usfast.io.header import SequenceHeader
from usfast.io.sweeps import Config, open_sweep, sweep_format
from usfast.io.tracked import read_sequence_header, tracked_sequence
from usfast.io.volumes import volume_information

__all__ = ["Description", "describe"]


@dataclass(frozen=True)
class Description:
    """What a file holds; None stands for what it does not say.

    Attributes
    ----------
    path, format : str
    kind : {"sweep", "poses", "volume"}
        "poses" is a recording without images.
    frames : int or None
        Number of frames; None for volumes.
    size : tuple of int
        Columns and rows (W, H) of a frame, or voxels along x, y, z; () without images.
    dtype : str or None
        Of a value in the file; of a sweep in memory for formats other than sequences and volumes.
    channels : int
    compressed : bool or None
    orientation, image_type : str or None
        Of a PLUS sequence.
    time : (float, float) or None
        First and last timestamp, s.
    frame_rate : float or None
        By the median time step, 1/s.
    transforms : mapping of str to mapping of str to int
        Named transform to status to number of frames, e.g. ``{"ProbeToTracker": {"OK": 21}}``.
    fields : tuple of str
        Other fields of the frames.
    image_to_world : str or None
        The transform that gives poses, if there is one.
    valid : int or None
        Frames with a usable pose and image.
    problem : str or None
        Why there are no poses.
    spacing, origin : (float, float, float) or None
        Of a volume, mm.
    """

    path: str
    format: str
    kind: str
    frames: int | None = None
    size: tuple[int, ...] = ()
    dtype: str | None = None
    channels: int = 1
    compressed: bool | None = None
    orientation: str | None = None
    image_type: str | None = None
    time: tuple[float, float] | None = None
    frame_rate: float | None = None
    transforms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    image_to_world: str | None = None
    valid: int | None = None
    problem: str | None = None
    spacing: tuple[float, ...] | None = None
    origin: tuple[float, ...] | None = None


def describe(path: str | Path, config: Config | None = None) -> Description:
    """Say what a sweep, pose stream or volume holds, without decoding pixels (but a folder's first image).

    Parameters
    ----------
    path : str or Path
        Whatever `read_sweep`, `read_transforms` or `read_volume` reads.
    config : str, Path or PlusConfig, optional
        As for `read_sweep`.

    Raises
    ------
    FormatError
        If the header cannot be read.
    FileNotFoundError

    Examples
    --------
    >>> import tempfile
    >>> from usfast import Sweep, io
    >>> path = Path(tempfile.mkdtemp()) / "sweep.igs.mha"
    >>> io.write_sweep(Sweep(np.zeros((3, 20, 10), np.uint8), np.tile(np.eye(4), (3, 1, 1))), path)
    >>> describe(path).transforms
    {'ImageToReference': {'OK': 3}}
    """
    path = Path(path)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return _volume(path)
    if sweep_format(path) != "sequence":
        return _sweep(path, config)
    header = read_sequence_header(path)
    if header.is_volume or (header.frames and header.frame_bytes and not any(header.frame_fields)):
        return _volume(path)
    return _sequence(header, config)


def _volume(path: Path) -> Description:
    reader = volume_information(path)
    import SimpleITK as sitk

    return Description(
        path=str(path),
        format="".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lstrip("."),
        kind="volume",
        size=tuple(reader.GetSize())[:3],
        dtype=sitk.GetPixelIDValueAsString(reader.GetPixelID()),
        channels=reader.GetNumberOfComponents(),
        spacing=tuple(reader.GetSpacing())[:3],
        origin=tuple(reader.GetOrigin())[:3],
    )


def _sequence(header: SequenceHeader, config: Config | None) -> Description:
    tracked = tracked_sequence(header)
    settings = config if config is None or isinstance(config, PlusConfig) else read_config(config)
    name, valid, problem = None, None, None
    try:
        chain = tracked.chain(settings)
        shown = np.array([status == "OK" for status in tracked.image_status])
        name, valid = chain.name, int((chain.ok & shown).sum())
    except UsfastError as error:
        problem = str(error)
    return Description(
        path=str(header.path),
        format=header.format,
        kind="sweep" if header.frame_bytes else "poses",
        frames=header.frames,
        size=header.size if header.frame_bytes else (),
        dtype=None if header.dtype is None else header.dtype.name,
        channels=header.channels,
        compressed=header.encoding != "raw" if header.frame_bytes else None,
        orientation=header.orientation or None,
        image_type=header.image_type or None,
        time=_span(tracked.timestamps),
        frame_rate=_rate(tracked.timestamps),
        transforms=tracked.status_counts(),
        fields=tuple(tracked.fields),
        image_to_world=name,
        valid=valid,
        problem=problem,
    )


def _sweep(path: Path, config: Config | None) -> Description:
    recording = open_sweep(path, config)
    valid = recording.frames if recording.valid is None else int(recording.valid.sum())
    tracked = recording.meta.get("tracked", True)
    return Description(
        path=str(path),
        format=str(recording.meta["format"]),
        kind="sweep",
        frames=recording.frames,
        size=recording.size[::-1],
        dtype=recording.dtype.name,
        time=_span(recording.timestamps),
        frame_rate=_rate(recording.timestamps),
        image_to_world="ImageToWorld" if tracked else None,
        valid=valid if tracked else 0,
        problem=None if tracked else "the file holds no poses",
    )


def _span(timestamps: NDArray[np.float64] | None) -> tuple[float, float] | None:
    if timestamps is None or not np.isfinite(timestamps).any():
        return None
    known = timestamps[np.isfinite(timestamps)]
    return float(known[0]), float(known[-1])


def _rate(timestamps: NDArray[np.float64] | None) -> float | None:
    if timestamps is None or len(timestamps) < 2:
        return None
    steps = np.diff(timestamps[np.isfinite(timestamps)])
    step = float(np.median(steps)) if len(steps) else 0.0
    return 1.0 / step if step > 0 else None
