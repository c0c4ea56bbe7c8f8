"""Contours of Stradwin and StradView ``.sw`` files, as far as their text form is publicly known.

The authors' manual says that an ``.sw`` file is plain text of one keyword a line, and public programs that read such
files agree on these lines, which is all that is used here::

    RES_BUF_FRAMES 83        RES_BUF_WIDTH 640        RES_BUF_HEIGHT 480
    OBJECT number solid red green blue ... name
    CONT object frame closed x1 y1 x2 y2 ...

What they do not say is left to the caller: whether frames count from 0 or 1, and where in the first pixel (0, 0) lies.
"""

from __future__ import annotations

import math
from pathlib import Path

from usfast.errors import FormatError
from usfast.io.header import header_lines
from usfast.labels.files.contours import Contour, ContourSet

__all__ = ["read_stradwin_contours"]

_SIZES = ("RES_BUF_FRAMES", "RES_BUF_WIDTH", "RES_BUF_HEIGHT")


def read_stradwin_contours(
    path: str | Path, *, first_frame: int, origin: tuple[float, float] = (0.0, 0.0)
) -> ContourSet:
    """Read the closed contours of a Stradwin or StradView file.

    Objects become labels 1, 2, ... in the order of their numbers. Open contours enclose nothing and are left out.

    Parameters
    ----------
    path : str or Path
        The ``.sw`` file; images are not touched.
    first_frame : int
        Number by which the file calls the first frame, 0 or 1: compare a contour with its image in the program.
    origin : (float, float)
        Where the file's (0, 0) lies, in pixels with centres at integers: (-0.5, -0.5) if it is the upper left corner
        of the first pixel.

    Returns
    -------
    ContourSet

    Raises
    ------
    FormatError
        If a line that is used is not as above, a size is missing, or a frame is none of the file's; names the line.
    ValueError
        If `first_frame` is neither 0 nor 1.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "leg.sw"
    >>> lines = ["RES_BUF_FRAMES 9", "RES_BUF_WIDTH 8", "RES_BUF_HEIGHT 6", "OBJECT 1 1 255 0 0 1 0.3 0 Soleus left"]
    >>> _ = path.write_text("\\n".join([*lines, "CONT 1 3 1 1 1 4 1 2 3"]))
    >>> read = read_stradwin_contours(path, first_frame=1)
    >>> read.names, read.contours[0].frame, read.contours[0].points.tolist()
    ({1: 'Soleus left'}, 2, [[1.0, 1.0], [4.0, 1.0], [2.0, 3.0]])
    """
    path = Path(path)
    if first_frame not in (0, 1):
        raise ValueError(f"first_frame must be 0 or 1, not {first_frame!r}")
    sizes: dict[str, int] = {}
    names: dict[int, str] = {}
    drawn: list[tuple[int, int, int, list[tuple[float, float]]]] = []
    with open(path, "rb") as stream:
        for number, line in header_lines(path, stream):
            words = line.split()
            keyword = words[0] if words else ""
            if keyword in _SIZES and len(words) > 1:
                sizes[keyword] = _whole(path, number, words[1])
            elif keyword == "OBJECT" and len(words) > 1:
                names[_whole(path, number, words[1])] = _name(words[2:])
            elif keyword == "CONT":
                drawn += _contour(path, number, words[1:], origin)
    if missing := [key for key in _SIZES if sizes.get(key, 0) < 1]:
        raise FormatError(f"{path}: there is no {missing[0]}; not a Stradwin file with images")
    every = sorted({*names, *(number for _, number, _, _ in drawn)})
    label = {number: place + 1 for place, number in enumerate(every)}
    contours = []
    for line_number, number, frame, points in drawn:
        place = frame - first_frame
        if not 0 <= place < sizes["RES_BUF_FRAMES"]:
            raise FormatError(
                f"{path}: line {line_number}: frame {frame}, but the file has {sizes['RES_BUF_FRAMES']} frames "
                f"counted from {first_frame}"
            )
        try:
            contours.append(Contour(points, label[number], place))
        except ValueError as error:
            raise FormatError(f"{path}: line {line_number}: {error}") from None
    texts = {label[number]: names.get(number) or f"object {number}" for number in every}
    shape = sizes["RES_BUF_HEIGHT"], sizes["RES_BUF_WIDTH"]
    return ContourSet(tuple(contours), sizes["RES_BUF_FRAMES"], shape, texts)


def _whole(path: Path, number: int, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 7):
        raise FormatError(f"{path}: line {number}: {word[:40]!r} should be a whole number")
    return int(word)


def _name(words: list[str]) -> str:
    """Return what follows the numbers; versions of the program differ in how many there are."""
    for place, word in enumerate(words):
        try:
            float(word)
        except ValueError:
            return " ".join(words[place:])[:200]
    return ""


def _contour(
    path: Path, number: int, words: list[str], origin: tuple[float, float]
) -> list[tuple[int, int, int, list[tuple[float, float]]]]:
    """Return [(line, object, frame, points)] of a closed contour, [] for an open one."""
    if len(words) < 3 or words[2] not in ("0", "1"):
        raise FormatError(f"{path}: line {number}: CONT must go on with object, frame, closed (0 or 1) and points")
    owner, frame = _whole(path, number, words[0]), _whole(path, number, words[1])
    try:
        values = [float(word) for word in words[3:]]
    except ValueError:
        values = [math.nan]
    if len(values) % 2 or not all(math.isfinite(value) for value in values):
        raise FormatError(f"{path}: line {number}: the points of a contour must be pairs of numbers")
    points = [(u + origin[0], v + origin[1]) for u, v in zip(values[::2], values[1::2], strict=True)]
    return [(number, owner, frame, points)] if words[2] == "1" else []
