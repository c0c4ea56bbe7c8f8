"""Read PLUS sequences (.igs.mha, .igs.mhd, .igs.nrrd and their kin) as tracked sweeps or bare images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.io.config import PlusConfig
from usfast.io.header import SequenceHeader
from usfast.io.limits import check_memory
from usfast.io.pixels import frame_blocks, memory_dtype, pixel_dtype
from usfast.io.recording import FRAME_FIELDS, Recording
from usfast.io.tracked import Chain, TrackedSequence, read_sequence_header, tracked_sequence

__all__ = ["open_sequence", "read_frames"]


def open_sequence(
    path: Path,
    config: PlusConfig | None = None,
    *,
    image_frame: str | None = None,
    reference_frame: str | None = None,
) -> Recording:
    """Open a PLUS sequence; the pose of a frame is that from the image to the reference.

    A frame is valid where every transform on the way is OK and its ImageStatus is OK. Images come in MF
    orientation (RF lines in FM). ElementSpacing and Offset are not used: PLUS' image frame has pixels.

    Raises
    ------
    FormatError
        If header or pixels cannot be read.
    GeometryError
        If no path of transforms leads from the image to the reference.
    """
    header = read_sequence_header(path)
    if header.is_volume:
        raise FormatError(f"{path}: a volume, not a sequence of frames; io.read_volume reads it")
    dtype = memory_dtype(pixel_dtype(header))
    if not header.frames:
        raise FormatError(f"{path}: the recording has no frames")
    tracked = tracked_sequence(header)
    chain = tracked.chain(config, image_frame=image_frame, reference_frame=reference_frame)
    shown = np.array([status == "OK" for status in tracked.image_status])

    def blocks(chunk: int) -> Iterator[tuple[NDArray[Any], None]]:
        for block in frame_blocks(header, chunk, dtype=dtype):
            yield block, None

    def read(start: int, stop: int) -> tuple[NDArray[Any], None]:
        (block,) = frame_blocks(header, stop - start, dtype=dtype, first=start, stop=stop)
        return block, None

    return Recording(
        path=path,
        frames=header.frames,
        size=(header.size[1], header.size[0]),
        dtype=dtype,
        blocks=blocks,
        image_to_world=chain.matrices,
        timestamps=tracked.timestamps,
        valid=chain.ok & shown,
        meta=_meta(header, tracked, chain, shown),
        read=read if header.encoding == "raw" else None,
    )


def _meta(header: SequenceHeader, tracked: TrackedSequence, chain: Chain, shown: NDArray[np.bool_]) -> dict[str, Any]:
    warnings = []
    if lost := int((~chain.ok).sum()):
        warnings.append(f"{lost} of {header.frames} frames have no usable {chain.name}")
    if blank := int((~shown).sum()):
        warnings.append(f"{blank} of {header.frames} frames have no image (ImageStatus)")
    for name, statuses in tracked.statuses.items():
        if unknown := Counter(statuses)["UNKNOWN"]:
            warnings.append(f"{name} has no status in {unknown} of {header.frames} frames and is not used there")
    if header.orientation.upper() in ("", "XX"):
        warnings.append("the file does not say its image orientation; MF is assumed")
    return {
        "format": header.format,
        "source": str(header.path),
        "image_to_world": chain.name,
        "orientation": header.orientation,
        "image_type": header.image_type,
        "header": dict(header.fields),
        FRAME_FIELDS: _frame_fields(header, tracked),
        "warnings": warnings,
    }


def _frame_fields(header: SequenceHeader, tracked: TrackedSequence) -> dict[str, list[str | None]]:
    """Return the fields of the frames; the timestamp among them finds them again in a part of the sweep."""
    fields = {name: list(values) for name, values in tracked.fields.items()}
    if fields and tracked.timestamps is not None:
        fields["Timestamp"] = [frame.get("Timestamp") for frame in header.frame_fields]
    return fields


def read_frames(path: str | Path, *, oriented: bool = True) -> NDArray[Any]:
    """Read the images of a PLUS sequence alone: recordings without poses, RF lines, calibration videos.

    Parameters
    ----------
    path : str or Path
        .mha, .mhd, .nrrd or .nhdr.
    oriented : bool
        Flip B-mode to MF and RF lines to FM. False leaves the pixels as stored, which is also the way to
        read pre-scan-converted lines.

    Returns
    -------
    (N, H, W) array
        In the dtype of the file, native byte order; colours as luminance.

    Raises
    ------
    FormatError
        If the file cannot be read, holds no images, or they do not fit the memory available.
    """
    header = read_sequence_header(Path(path))
    dtype = pixel_dtype(header)
    shape = (header.frames, header.size[1], header.size[0])
    check_memory(header.path, "the frames", shape, dtype.itemsize)
    frames = np.empty(shape, dtype)
    start = 0
    for block in frame_blocks(header, 64, oriented=oriented):
        frames[start : start + len(block)] = block
        start += len(block)
    return frames
