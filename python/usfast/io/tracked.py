"""`TrackedSequence`: the named transforms of a recording, frame by frame, with or without images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError, GeometryError
from usfast.geometry import TransformGraph, split_name
from usfast.io.config import PlusConfig
from usfast.io.header import SequenceHeader
from usfast.io.limits import check_memory
from usfast.io.metaimage import read_metaimage_header
from usfast.io.nrrd import read_nrrd_header

__all__ = ["Chain", "TrackedSequence", "read_sequence_header", "read_transforms", "tracked_sequence"]

_REFERENCES = ("Reference", "Tracker", "World")  # tried in this order where nothing is asked for


@dataclass(frozen=True, eq=False)
class Chain:
    """Where the image was in each frame.

    Attributes
    ----------
    name : str
        For example ``"ImageToReference"``.
    matrices : (N, 4, 4) array
        Image pixels to reference mm; NaN where not `ok`.
    ok : (N,) bool array
        True where every transform on the way is OK, finite and invertible.
    """

    name: str
    matrices: NDArray[np.float64]
    ok: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrackedSequence:
    """Header, fields and named transforms of a PLUS sequence; the images are not read.

    Attributes
    ----------
    path : Path
    frames : int
        Number of frames N.
    header : mapping of str to str
        Fields of the recording as a whole, e.g. written by the recorder.
    fields : mapping of str to sequence of (str or None)
        Other fields of each frame, e.g. ``fields["FrameNumber"]``; None where a frame lacks it.
    transforms : mapping of str to (N, 4, 4) array
        ``transforms["ProbeToTracker"]``, mm. NaN where a frame lacks it.
    statuses : mapping of str to sequence of str
        As in the file (OK, INVALID, OUT_OF_VIEW, ...); MISSING where a frame lacks the transform and UNKNOWN
        where it lacks only the status. As in PLUS a transform counts only where its status is OK.
    image_status : sequence of str
        OK where the file says nothing.
    timestamps : (N,) array or None
        Seconds; NaN where a frame has none, None where no frame has one.
    """

    path: Path
    frames: int
    header: Mapping[str, str]
    fields: Mapping[str, Sequence[str | None]]
    transforms: Mapping[str, NDArray[np.float64]]
    statuses: Mapping[str, Sequence[str]]
    image_status: Sequence[str]
    timestamps: NDArray[np.float64] | None

    def status_counts(self) -> dict[str, dict[str, int]]:
        """Return for each transform how many frames have which status."""
        return {name: dict(Counter(statuses)) for name, statuses in self.statuses.items()}

    def graph(self, config: PlusConfig | None = None) -> TransformGraph:
        """Return the transforms of the file, and those of `config` between frames that the file leaves open.

        Raises
        ------
        FormatError
            If there are no frames.
        GeometryError
            If they connect two frames in more than one way, or one is not affine.
        """
        if not self.frames:
            raise FormatError(f"{self.path}: the recording has no frames")
        graph = TransformGraph()
        known = set()
        for name, matrices in self.transforms.items():
            source, target = split_name(name)
            if source == target:
                continue
            ok = np.array([status == "OK" for status in self.statuses[name]])
            self._set(graph, source, target, matrices, ok)
            known.add(frozenset((source, target)))
        for (source, target), matrix in (config.transforms if config else {}).items():
            if frozenset((source, target)) not in known:
                self._set(graph, source, target, matrix, None)
        return graph

    def _set(
        self,
        graph: TransformGraph,
        source: str,
        target: str,
        matrix: NDArray[np.float64],
        ok: NDArray[np.bool_] | None,
    ) -> None:
        try:
            with np.errstate(all="ignore"):  # entries of frames that are not OK may be anything
                graph.set(source, target, matrix, ok)
        except GeometryError as error:
            where = "" if ok is not None else " (from the configuration)"
            raise GeometryError(f"{self.path}: {source}To{target}{where}: {error}") from None

    def chain(
        self,
        config: PlusConfig | None = None,
        *,
        image_frame: str | None = None,
        reference_frame: str | None = None,
    ) -> Chain:
        """Return the transform from the image to the reference in every frame.

        Parameters
        ----------
        config : PlusConfig, optional
            Calibration; a transform in the file counts before the same one here.
        image_frame : str, optional
            Default: the configuration's ImageCoordinateFrame, else "Image".
        reference_frame : str, optional
            Default: the configuration's ReferenceCoordinateFrame, else the first of Reference, Tracker and
            World that a path leads to.

        Raises
        ------
        GeometryError
            If no path leads from the one to the other; lists the frames that are known.
        """
        wanted = config.reconstruction if config else None
        source = image_frame or (wanted and wanted.image_frame) or "Image"
        target = reference_frame or (wanted and wanted.reference_frame)
        graph = self.graph(config)
        candidates = (target,) if target else _REFERENCES
        for candidate in candidates:
            try:
                with np.errstate(all="ignore"):
                    matrices, ok = graph.get(source, candidate)
            except GeometryError:
                continue
            if not graph.frames or source == candidate:
                continue
            finite = np.isfinite(matrices).all(axis=(-2, -1))
            matrices = np.broadcast_to(matrices, (self.frames, 4, 4)).copy()
            return Chain(f"{source}To{candidate}", matrices, np.broadcast_to(ok & finite, self.frames).copy())
        hint = "" if config else "; the transform from the image to the probe usually comes from config="
        raise GeometryError(
            f"{self.path}: no path of transforms from {source!r} to {' or '.join(map(repr, candidates))}. "
            f"Known frames: {', '.join(sorted(graph.frames)) or 'none'}{hint}; "
            "image_frame= and reference_frame= choose others"
        )


def read_transforms(path: str | Path) -> TrackedSequence:
    """Read the named transforms, statuses and fields of a PLUS sequence without its images.

    Parameters
    ----------
    path : str or Path
        .mha, .mhd, .nrrd or .nhdr; a recording of poses alone is fine.

    Raises
    ------
    FormatError
        If the header cannot be read, or a transform is not 16 numbers; names file and key.
    """
    return tracked_sequence(read_sequence_header(Path(path)))


def read_sequence_header(path: Path) -> SequenceHeader:
    """Read the header of a MetaImage or NRRD file, as its first bytes say."""
    with open(path, "rb") as stream:
        start = stream.read(4)
    if not start:
        raise FormatError(f"{path}: the file is empty")
    return read_nrrd_header(path) if start == b"NRRD" else read_metaimage_header(path)


def tracked_sequence(header: SequenceHeader) -> TrackedSequence:
    """Return the transforms and fields that a header holds."""
    names: dict[str, None] = {}
    for fields in header.frame_fields:
        names.update(dict.fromkeys(fields))
    poses = [name for name in names if name.endswith("Transform")]
    taken = {*poses, *(f"{name}Status" for name in poses), "Timestamp", _image_key(header)}
    check_memory(header.path, "the transforms", (len(poses), header.frames, 4, 4), 8)
    return TrackedSequence(
        path=header.path,
        frames=header.frames,
        header=header.fields,
        fields={name: [fields.get(name) for fields in header.frame_fields] for name in names if name not in taken},
        transforms={_pair(header.path, name): _matrices(header, name) for name in poses},
        statuses={_pair(header.path, name): _statuses(header, name) for name in poses},
        image_status=[fields.get(_image_key(header), "OK").upper() for fields in header.frame_fields],
        timestamps=_timestamps(header) if "Timestamp" in names else None,
    )


def _image_key(header: SequenceHeader) -> str:
    return "Status" if header.format == "NRRD" else "ImageStatus"


def _pair(path: Path, name: str) -> str:
    try:
        return "{}To{}".format(*split_name(name))
    except GeometryError as error:
        raise FormatError(f"{path}: {error}") from None


def _matrices(header: SequenceHeader, name: str) -> NDArray[np.float64]:
    matrices = np.full((header.frames, 16), np.nan)
    for index, fields in enumerate(header.frame_fields):
        text = fields.get(name)
        if text is None:
            continue
        try:
            numbers = [float(word) for word in text.split()]
        except ValueError:
            numbers = []
        if len(numbers) != 16:
            raise FormatError(f"{header.path}: Seq_Frame{index:04d}_{name} must be 16 numbers, not {text[:60]!r}")
        matrices[index] = numbers
    return matrices.reshape(-1, 4, 4)


def _statuses(header: SequenceHeader, name: str) -> list[str]:
    key = f"{name}Status"
    return [
        fields.get(key, "UNKNOWN").strip().upper() if name in fields else "MISSING" for fields in header.frame_fields
    ]


def _timestamps(header: SequenceHeader) -> NDArray[np.float64]:
    stamps = np.full(header.frames, math.nan)
    for index, fields in enumerate(header.frame_fields):
        text = fields.get("Timestamp")
        try:
            stamps[index] = math.nan if text is None else float(text)
        except ValueError:
            raise FormatError(
                f"{header.path}: Seq_Frame{index:04d}_Timestamp must be a number, not {text!r:.40}"
            ) from None
    return stamps
