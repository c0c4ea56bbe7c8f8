"""Ultrasound image orientations as PLUS names them, and the flips that lead to the one used in memory.

The first letter says where the memory's x axis points, the second its y axis: M and U towards the marked and
the unmarked side of the probe, F and N to the far field and the near. B-mode is kept as MF (row 0 near the
probe, column 0 at the unmarked side), radio-frequency lines as FM (a line is a row). A third letter A or D is
the order of slices and says nothing about a single frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from usfast.errors import FormatError

__all__ = ["Flips", "flips_to_memory"]


@dataclass(frozen=True)
class Flips:
    """Axes of a frame (H, W) to reverse."""

    rows: bool
    columns: bool

    def __call__(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Return a view of frames (N, H, W, ...) with the axes reversed."""
        return frames[:, :: -1 if self.rows else 1, :: -1 if self.columns else 1]


def flips_to_memory(code: str, image_type: str = "BRIGHTNESS") -> Flips:
    """Return the flips from an orientation in a file to that in memory: MF for B-mode, FM for RF lines.

    A third letter and the leading A of ``AMF`` concern slices, of which a frame has one. An orientation that
    is missing (empty or ``XX``) counts as that of the memory, as in IGSIO.

    Parameters
    ----------
    code : str
        ``UltrasoundImageOrientation`` of the file.
    image_type : str
        ``UltrasoundImageType``; one that starts with ``RF`` means lines.

    Raises
    ------
    FormatError
        If the code is unknown, or would take a transpose: lines that call themselves B-mode are not yet scan
        converted, and their pixels are not where a B-mode calibration expects them.

    Examples
    --------
    >>> import numpy as np
    >>> flips_to_memory("UN")(np.array([[[1, 2], [3, 4]]])).tolist()
    [[[4, 3], [2, 1]]]
    """
    word = code.strip().upper()
    if word in ("", "XX"):
        return Flips(rows=False, columns=False)
    pair = word[1:] if len(word) == 3 and word[0] in "AD" else word[:2]
    lines = image_type.upper().startswith("RF")
    if len(word) not in (2, 3) or (word[2:] and pair == word[:2] and word[2] not in "AD"):
        raise FormatError(f"unknown ultrasound image orientation {code!r}")
    across, along = ("MU", "FN") if not lines else ("FN", "MU")
    if pair[0] in across and pair[1] in along:
        return Flips(rows=pair[1] in "NU", columns=pair[0] in "NU")
    if pair[0] in along and pair[1] in across:
        raise FormatError(
            f"ultrasound image orientation {code!r} with image type {image_type!r} would need a transpose; "
            + ("RF lines run along rows (FM, FU, NM, NU)" if lines else "scan-convert the lines to MF first")
        )
    raise FormatError(f"unknown ultrasound image orientation {code!r}")
