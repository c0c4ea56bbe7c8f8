"""Segmentations of 3D Slicer: ``.seg.nrrd``, a NRRD label volume whose header names the segments."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import choice
from usfast.errors import FormatError, GeometryError
from usfast.io.atomic import replacing
from usfast.io.header import SequenceHeader, header_lines
from usfast.io.limits import parse_sizes
from usfast.io.pixels import voxels
from usfast.labels.files.segments import OVERLAPS, Segment, Segmentation, colour_of, merged
from usfast.volume import Grid, Volume

__all__ = ["read_seg_nrrd", "write_seg_nrrd"]

_SEGMENT = re.compile(r"Segment(\d{1,6})_(\w+)", re.ASCII)
_VECTOR = re.compile(r"none|\(([^()]*)\)")
_SPACES = {  # what turns the axes of a space to ITK's: left, posterior, superior
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
_TYPES = {"char": 1, "short": 2, "int": 4, "int8": 1, "int16": 2, "int32": 4, "int8_t": 1, "int16_t": 2, "int32_t": 4}
_ESCAPE = re.compile(r"\\([n\\])")
_MOST_LABELS = 65_535


def read_seg_nrrd(path: str | Path, *, overlap: str = "refuse") -> Segmentation:
    """Read a segmentation of 3D Slicer.

    Segments in several layers (a fourth axis, first in the file) become one label volume. A label value that two
    layers share is given to the first segment that has it; the others get the next free numbers. Label values that
    no segment of the file has are kept and named after their number.

    Parameters
    ----------
    path : str or Path
    overlap : {"refuse", "first", "last"}
        Where two segments claim one voxel: refuse the file, or give it to the first or the last in the file.

    Returns
    -------
    Segmentation
        Label volume of uint8 or uint16 in ITK's frame (left, posterior, superior).

    Raises
    ------
    FormatError
        If the file cannot be read, promises more than it holds or memory does, or segments overlap.
    GeometryError
        If its axes are not perpendicular.
    FileNotFoundError

    Notes
    -----
    Format: 3D Slicer's developer guide, "Segmentations". A file of a single voxel means a segmentation without
    voxels there; it is refused here.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "leg.seg.nrrd"
    >>> labels = Volume(np.uint8([[[0, 1, 2]]]), spacing=(0.5, 1.0, 2.0))
    >>> write_seg_nrrd(Segmentation.of(labels, {1: "soleus", 2: "tibia"}), path)
    >>> read = read_seg_nrrd(path)
    >>> read.names, read.labels.grid == labels.grid
    ({1: 'soleus', 2: 'tibia'}, True)
    """
    path = Path(path)
    choice("overlap", overlap, OVERLAPS)
    keys, fields, offset = _parsed(path)
    layers, size = _sizes(path, keys)
    grid = _grid(path, keys, size)
    data = _pixels(path, keys, layers, size, offset)
    if data.dtype.kind == "i" and data.min() < 0:
        raise FormatError(f"{path}: label {data.min()}; labels are not negative")
    if data.max() > _MOST_LABELS:
        raise FormatError(f"{path}: label {data.max()}; labels up to {_MOST_LABELS} are supported")
    found = _segments(path, fields, layers)
    places = _renumbered(data, found)
    out = np.zeros(grid.shape, np.uint8 if max([*(s.label for _, _, s in places), 0]) < 256 else np.uint16)
    masks = ((s.label, s.name, data[..., layer] == value) for layer, value, s in places)
    merged(masks, out, overlap, str(path))
    return Segmentation(Volume.on(grid, out), [segment for _, _, segment in places])


def write_seg_nrrd(segmentation: Segmentation, path: str | Path) -> None:
    """Write a segmentation for 3D Slicer: names, colours, label values, extents and tags.

    Parameters
    ----------
    segmentation : Segmentation
    path : str or Path
        Its name must end in ``.seg.nrrd``: by that Slicer knows it.

    Raises
    ------
    FormatError
        If the name ends otherwise or a label exceeds 65535.
    OSError
        From the file system; what was at `path` before is untouched.
    """
    path = Path(path)
    if not isinstance(segmentation, Segmentation):
        raise TypeError(f"segmentation must be a Segmentation, not {type(segmentation).__name__}")
    if not path.name.lower().endswith(".seg.nrrd"):
        raise FormatError(f"{path}: a segmentation for 3D Slicer must be named *.seg.nrrd")
    largest = max([segment.label for segment in segmentation.segments], default=0)
    if largest > _MOST_LABELS:
        raise FormatError(f"{path}: label {largest}; labels up to {_MOST_LABELS} are supported")
    array = segmentation.labels.array.astype("u1" if largest < 256 else "<u2", copy=False)
    header = _header(segmentation, array)
    with replacing(path) as draft, open(draft, "wb") as stream:
        stream.write(header.encode("utf-8"))
        with gzip.GzipFile(fileobj=stream, mode="wb", filename="", mtime=0, compresslevel=6) as packed:
            for plane in array:
                packed.write(plane.tobytes())


def _parsed(path: Path) -> tuple[dict[str, str], dict[int, dict[str, str]], int]:
    """Return the NRRD fields, the fields of each segment, and where the data start."""
    keys: dict[str, str] = {}
    fields: dict[int, dict[str, str]] = {}
    with open(path, "rb") as stream:
        lines = header_lines(path, stream)
        if not next(lines, (0, ""))[1].startswith("NRRD"):
            raise FormatError(f"{path}: line 1 is not NRRD000x; not an NRRD file")
        for number, line in lines:
            if not line:
                return keys, fields, stream.tell()
            if line.startswith("#"):
                continue
            key, separator, value = line.partition(":")
            if not separator:
                raise FormatError(f"{path}: line {number}: {line[:80]!r} is not key: value")
            if not value.startswith("="):
                keys[key.strip().lower()] = value.strip()
            elif match := _SEGMENT.fullmatch(key.strip()):
                text = _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else "\\", value[1:])
                fields.setdefault(int(match[1]), {})[match[2]] = text
    raise FormatError(f"{path}: the header has no end; a .seg.nrrd holds its voxels itself")


def _sizes(path: Path, keys: dict[str, str]) -> tuple[int, tuple[int, int, int]]:
    """Return the number of layers and the size (x, y, z)."""
    if "sizes" not in keys:
        raise FormatError(f"{path}: the header lacks sizes")
    sizes = parse_sizes(path, "sizes", keys["sizes"])
    if len(sizes) not in (3, 4) or min(sizes) < 1:
        raise FormatError(f"{path}: sizes {sizes}; a segmentation has three axes, or a list of layers before them")
    kinds = keys.get("kinds", "").lower().split()
    if len(sizes) == 4 and kinds and kinds[0] not in ("list", "vector"):
        raise FormatError(f"{path}: kinds {' '.join(kinds)[:60]!r}; layers must be the first axis, of kind list")
    layers = sizes[0] if len(sizes) == 4 else 1
    size = (sizes[-3], sizes[-2], sizes[-1])
    if size == (1, 1, 1):
        raise FormatError(f"{path}: a single voxel: that is how 3D Slicer writes a segmentation without voxels")
    if layers > 1000:
        raise FormatError(f"{path}: {layers} layers; up to 1000 are supported")
    return layers, size


def _grid(path: Path, keys: dict[str, str], size: tuple[int, int, int]) -> Grid:
    """Return the grid in ITK's frame from the header's space, directions and origin."""
    space = keys.get("space", "").lower()
    if space not in _SPACES:
        raise FormatError(f"{path}: space {space[:40]!r} is not one of {', '.join(_SPACES)}")
    flip = np.array(_SPACES[space], np.float64)
    axes = [vector for vector in _vectors(path, "space directions", keys) if vector is not None]
    origins = _vectors(path, "space origin", keys)
    if len(axes) != 3 or len(origins) != 1 or origins[0] is None:
        raise FormatError(f"{path}: space directions and space origin must be three vectors and one")
    matrix = np.stack(axes, axis=1) * flip[:, None]
    spacing = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(matrix).all() or not (spacing > 0).all():
        raise FormatError(f"{path}: space directions {keys['space directions'][:80]!r} span no volume")
    try:
        return Grid(size, spacing, flip * origins[0], matrix / spacing)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from None


def _vectors(path: Path, key: str, keys: dict[str, str]) -> list[NDArray[np.float64] | None]:
    out: list[NDArray[np.float64] | None] = []
    for match in _VECTOR.finditer(keys.get(key, "")):
        if match[1] is None:
            out.append(None)
            continue
        try:
            vector = np.array([float(word) for word in match[1].split(",")])
        except ValueError:
            vector = np.empty(0)
        if vector.shape != (3,):
            raise FormatError(f"{path}: {key} must hold vectors (x,y,z), not {match[0][:60]!r}")
        out.append(vector)
    return out


def _pixels(
    path: Path, keys: dict[str, str], layers: int, size: tuple[int, int, int], offset: int
) -> NDArray[np.integer[Any]]:
    """Return the voxels (Z, Y, X, layers); the file is checked to be able to hold them before they are allocated."""
    words = [word for word in keys.get("type", "").lower().split() if word not in ("signed", "unsigned")]
    name = "char" if words == ["uchar"] else " ".join(words).removesuffix(" int")
    unsigned = name.startswith("u") or "unsigned" in keys.get("type", "").lower()
    width = _TYPES.get(name.removeprefix("u"))
    if width is None:
        raise FormatError(f"{path}: type {keys.get('type', '')[:40]!r}; labels are integers of 8, 16 or 32 bits")
    endian = keys.get("endian", "little" if width == 1 else "").lower()
    if endian not in ("little", "big"):
        raise FormatError(f"{path}: endian must be little or big, not {endian[:20]!r}")
    encoding = keys.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise FormatError(f"{path}: encoding {encoding[:20]!r} is not supported, only raw and gzip")
    for key in ("data file", "datafile", "line skip", "lineskip", "byte skip", "byteskip"):
        if keys.get(key, "0") != "0":
            raise FormatError(f"{path}: {key!r} is not supported: a .seg.nrrd holds its voxels itself")
    header = SequenceHeader(
        path=path,
        format="NRRD",
        size=(layers * size[0], size[1]),  # the layers of a voxel lie side by side
        frames=1,
        slices=size[2],
        is_volume=True,
        channels=1,
        dtype=np.dtype((">" if endian == "big" else "<") + ("u" if unsigned else "i") + str(width)),
        encoding="raw" if encoding == "raw" else "gzip",
        data_path=path,
        offset=offset,
        orientation="",
        image_type="",
        fields={},
        frame_fields=(),
    )
    header.check_data()
    return voxels(header).reshape(size[2], size[1], size[0], layers)


def _segments(path: Path, fields: dict[int, dict[str, str]], layers: int) -> list[tuple[int, int, Segment]]:
    """Return (layer, value in the file, segment) of each segment that the header names."""
    found = []
    for number in sorted(fields):
        keys = fields[number]
        # Slicer 4 wrote one layer a segment and neither key.
        layer = _whole(path, number, "Layer", keys.get("Layer", str(number) if layers > 1 else "0"))
        value = _whole(path, number, "LabelValue", keys.get("LabelValue", "1"))
        if layer >= layers:
            raise FormatError(f"{path}: Segment{number}_Layer is {layer}, but the file has {layers} layers")
        if not 1 <= value <= _MOST_LABELS:
            raise FormatError(f"{path}: Segment{number}_LabelValue must be from 1 to {_MOST_LABELS}, not {value}")
        name = keys.get("Name") or keys.get("ID") or f"label {value}"
        tags = dict(entry.split(":", 1) for entry in keys.get("Tags", "").split("|") if ":" in entry)
        found.append((layer, value, Segment(value, name, _colour(keys.get("Color", ""), value), tags)))
    return found


def _whole(path: Path, number: int, key: str, text: str) -> int:
    word = text.strip()
    if not (word.isascii() and word.isdigit() and len(word) <= 9):
        raise FormatError(f"{path}: Segment{number}_{key} must be a whole number, not {text[:40]!r}")
    return int(word)


def _colour(text: str, label: int) -> tuple[float, float, float]:
    try:
        red, green, blue = (min(1.0, max(0.0, float(word))) for word in text.split())
    except ValueError:
        return colour_of(label)
    return (red, green, blue) if red == red and green == green and blue == blue else colour_of(label)


def _renumbered(
    data: NDArray[np.integer[Any]], found: list[tuple[int, int, Segment]]
) -> list[tuple[int, int, Segment]]:
    """Give each segment a label of its own, and one to each value in the data that has none."""
    named = {(layer, value) for layer, value, _ in found}
    for layer in range(data.shape[3]):
        for value in np.unique(data[..., layer]):
            if value and (layer, int(value)) not in named:
                label = int(value)
                found.append((layer, label, Segment(label, f"label {label}", colour_of(label))))
    taken = {value for _, value, _ in found}
    used: set[int] = set()
    out = []
    for layer, value, segment in found:
        label = value
        if label in used:
            label = next(n for n in range(1, len(found) + len(taken) + 2) if n not in used and n not in taken)
        used.add(label)
        out.append((layer, value, Segment(label, segment.name, segment.colour, segment.tags)))
    return out


def _header(segmentation: Segmentation, array: NDArray[Any]) -> str:
    volume = segmentation.labels
    vectors = " ".join(_vector(volume.direction[:, axis] * volume.spacing[axis]) for axis in range(3))
    lines = [
        "NRRD0004",
        f"type: {'uint8' if array.dtype.itemsize == 1 else 'uint16'}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {array.shape[2]} {array.shape[1]} {array.shape[0]}",
        f"space directions: {vectors}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(volume.origin)}",
    ]
    for number, segment in enumerate(segmentation.segments):
        entries = {
            "ID": f"Segment_{segment.label}",
            "Name": segment.name,
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{part:.6g}" for part in segment.colour),
            "ColorAutoGenerated": "0",
            "LabelValue": str(segment.label),
            "Layer": "0",
            "Extent": _extent(array == segment.label),
            "Tags": "".join(f"{key}:{value}|" for key, value in segment.tags.items()),
        }
        lines += [f"Segment{number}_{key}:={_escaped(value)}" for key, value in entries.items()]
    lines += [
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|",
        "Segmentation_MasterRepresentation:=Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
    ]
    return "\n".join(lines) + "\n\n"


def _vector(values: NDArray[np.float64]) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\r", " ").replace("\n", "\\n")


def _extent(mask: NDArray[np.bool_]) -> str:
    """Return the first and last voxel along x, y, z; 0 -1 where there is none, as in VTK."""
    if not mask.any():
        return "0 -1 0 -1 0 -1"
    ends = []
    for axis in (2, 1, 0):
        where = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        ends += [str(int(where[0])), str(int(where[-1]))]
    return " ".join(ends)
