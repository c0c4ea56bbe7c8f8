"""Tables of poses (CSV): one row a frame."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.sweep import Sweep

__all__ = ["PoseTable", "read_poses", "write_poses"]

_MAX_BYTES = 1 << 30
_MATRIX = [f"m{row}{column}" for row in range(4) for column in range(4)]
_QUATERNION = ["tx", "ty", "tz", "qw", "qx", "qy", "qz"]
_TRUE = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, eq=False)
class PoseTable:
    """What a table of poses holds.

    Attributes
    ----------
    image_to_world : (N, 4, 4) array
        Image pixels to world mm.
    valid : (N,) bool array
        False where the table says so, or a number is not finite.
    timestamps : (N,) array or None
        Seconds.
    filenames : list of str or None
    """

    image_to_world: NDArray[np.float64]
    valid: NDArray[np.bool_]
    timestamps: NDArray[np.float64] | None
    filenames: list[str] | None


def read_poses(path: Path) -> PoseTable:
    """Read a table of poses.

    Without a header line each row is 16 numbers, the matrix image-to-world row by row. With one, the columns
    may come in any order: ``m00`` ... ``m33`` (row, column), or ``tx ty tz qw qx qy qz`` for a rigid pose in
    mm (quaternion scalar first) and then optionally ``spacing_x spacing_y``, the size of a pixel in mm
    (default 1); and optionally ``filename``, ``timestamp`` (s) and ``valid`` (1, 0, true, false). Other
    columns are ignored.

    Raises
    ------
    FormatError
        If a column is missing or a cell makes no sense; names file and line.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: a table of {path.stat().st_size} bytes is not plausible")
    text = path.read_text(encoding="utf-8-sig", errors="replace").replace("\0", "?")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    except csv.Error as error:
        raise FormatError(f"{path}: not a CSV file: {error}") from None
    lines = [(number, row) for number, row in enumerate(rows, 1) if any(row)]
    if not lines:
        raise FormatError(f"{path}: the table of poses is empty")
    header = _MATRIX
    if not _is_number(lines[0][1][0]):
        header = [cell.lower() for cell in lines.pop(0)[1]]
    for number, row in lines:
        if len(row) != len(header):
            raise FormatError(f"{path}: line {number}: {len(row)} cells, not {len(header)}")
    return _table(path, header, lines)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _table(path: Path, header: list[str], lines: list[tuple[int, list[str]]]) -> PoseTable:
    if set(_MATRIX) <= set(header):
        matrices = _columns(path, header, lines, _MATRIX).reshape(-1, 4, 4)
    elif set(_QUATERNION) <= set(header):
        matrices = _rigid(path, header, lines)
    else:
        raise FormatError(f"{path}: columns {', '.join(header)}; needed are m00 ... m33 or {' '.join(_QUATERNION)}")
    valid: NDArray[np.bool_] = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    if "valid" in header:
        column = header.index("valid")
        for index, (number, row) in enumerate(lines):
            if row[column].lower() not in _TRUE:
                raise FormatError(f"{path}: line {number}: valid must be 1 or 0, not {row[column][:20]!r}")
            valid[index] &= _TRUE[row[column].lower()]
    names = [row[header.index("filename")] for _, row in lines] if "filename" in header else None
    stamps = _columns(path, header, lines, ["timestamp"])[:, 0] if "timestamp" in header else None
    return PoseTable(matrices, valid, stamps, names)


def _columns(
    path: Path, header: list[str], lines: list[tuple[int, list[str]]], names: Sequence[str]
) -> NDArray[np.float64]:
    where = [header.index(name) for name in names]
    values = np.empty((len(lines), len(where)))
    for index, (number, row) in enumerate(lines):
        try:
            values[index] = [float(row[column]) if row[column] else math.nan for column in where]
        except ValueError as error:
            raise FormatError(f"{path}: line {number}: {error}") from None
    return values


def _rigid(path: Path, header: list[str], lines: list[tuple[int, list[str]]]) -> NDArray[np.float64]:
    values = _columns(path, header, lines, _QUATERNION)
    with np.errstate(all="ignore"):  # a quaternion of zeros is no rotation: NaN, so not valid
        w, x, y, z = (values[:, 3:] / np.linalg.norm(values[:, 3:], axis=1, keepdims=True)).T
    matrices = np.zeros((len(lines), 4, 4))
    matrices[:, 0, :3] = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=1)
    matrices[:, 1, :3] = np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=1)
    matrices[:, 2, :3] = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1)
    matrices[:, :3, 3] = values[:, :3]
    matrices[:, 3, 3] = 1.0
    if "spacing_x" in header and "spacing_y" in header:
        matrices[:, :3, :2] *= _columns(path, header, lines, ["spacing_x", "spacing_y"])[:, None, :]
    return matrices


def write_poses(sweep: Sweep, filenames: Sequence[str], path: Path) -> None:
    """Write a table with a header that `read_poses` gives back bit for bit."""
    stamps = sweep.timestamps
    with open(path, "w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["filename", *([] if stamps is None else ["timestamp"]), "valid", *_MATRIX])
        for index, name in enumerate(filenames):
            stamp = [] if stamps is None else [repr(float(stamps[index]))]
            pose = [repr(float(number)) for number in sweep.image_to_world[index].ravel()]
            table.writerow([name, *stamp, int(sweep.valid[index]), *pose])
