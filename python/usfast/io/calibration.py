"""TUS-REC calibration files (calib_matrix.csv): from image pixels to the tracking tool."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError

__all__ = ["Calibration", "read_calibration"]

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class Calibration:
    """Both steps of a TUS-REC calibration.

    Attributes
    ----------
    pixel_to_mm : (4, 4) array
        Image pixels to image mm (a scaling).
    image_mm_to_tool : (4, 4) array
        Image mm to the frame of the tracking tool, mm.
    """

    pixel_to_mm: NDArray[np.float64]
    image_mm_to_tool: NDArray[np.float64]

    @property
    def image_to_tool(self) -> NDArray[np.float64]:
        """(4, 4) transform from image pixels to tool mm."""
        return self.image_mm_to_tool @ self.pixel_to_mm


def read_calibration(path: str | Path) -> Calibration:
    """Read a calib_matrix.csv in either layout.

    TUS-REC 2024 and 2025 label the blocks: a line ``scaling_from_pixel_to_mm``, four rows of four numbers, a
    line ``spatial_calibration_from_image_coordinate_system_to_tracking_tool_coordinate_system``, four rows.
    Earlier files hold the same eight rows without labels.

    Raises
    ------
    FormatError
        If there are no two 4x4 matrices of finite numbers, or their labels say something else.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "calib_matrix.csv"
    >>> rows = ["0.2,0,0,0", "0,0.2,0,0", "0,0,1,0", "0,0,0,1", "1,0,0,5", "0,1,0,0", "0,0,1,0", "0,0,0,1"]
    >>> _ = file.write_text("\\n".join(rows))
    >>> read_calibration(file).image_to_tool[0].tolist()
    [0.2, 0.0, 0.0, 5.0]
    """
    path = Path(path)
    blocks = _blocks(path)
    rows = [row for _, block in blocks for row in block]
    if len(rows) != 8:
        raise FormatError(f"{path}: {len(rows)} rows of four numbers, but a calibration has two times four")
    scaling, spatial = np.array(rows[:4]), np.array(rows[4:])
    labels = [label for label, block in blocks if block and label]
    if labels and (len(labels) != 2 or any(len(block) not in (0, 4) for _, block in blocks)):
        raise FormatError(f"{path}: expected two labelled 4x4 blocks, found labels {labels}")
    if labels and "scaling" not in labels[0] and "scaling" in labels[1]:
        scaling, spatial = spatial, scaling
    elif labels and ("scaling" not in labels[0] or "calibration" not in labels[1]):
        raise FormatError(f"{path}: the blocks {labels} are not a scaling and a spatial calibration")
    for name, matrix in (("the scaling", scaling), ("the spatial calibration", spatial)):
        if not np.isfinite(matrix).all() or (matrix[3] != (0, 0, 0, 1)).any():
            raise FormatError(f"{path}: {name} must be finite and end in 0 0 0 1, not {matrix.tolist()}")
    return Calibration(scaling, spatial)


def _blocks(path: Path) -> list[tuple[str, list[list[float]]]]:
    """Return the labels and the rows of numbers that follow each; the first label may be empty."""
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: a calibration of {path.stat().st_size} bytes is not plausible")
    blocks: list[tuple[str, list[list[float]]]] = [("", [])]
    text = path.read_text(encoding="utf-8-sig", errors="replace").replace("\0", "?")
    try:
        lines = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise FormatError(f"{path}: not a CSV file: {error}") from None
    for number, cells in enumerate(lines, 1):
        words = [cell.strip() for cell in cells if cell.strip()]
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            blocks.append((" ".join(words).lower(), []))
            continue
        if len(row) != 4:
            raise FormatError(f"{path}: line {number}: {len(row)} numbers in a row, not 4")
        blocks[-1][1].append(row)
    return blocks
