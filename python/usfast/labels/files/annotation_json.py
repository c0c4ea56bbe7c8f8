"""Contours of a sweep as JSON text: the form that usfast itself keeps them in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from usfast.errors import FormatError
from usfast.io.atomic import replacing
from usfast.labels.files.contours import Contour, ContourSet

__all__ = ["read_contours", "write_contours"]

_FORMAT = "usfast annotations"
_VERSION = 1
_MOST_BYTES = 256 << 20


def read_contours(path: str | Path) -> ContourSet:
    """Read contours from ``annotations.json``.

    ::

        {"format": "usfast annotations", "version": 1,
         "frames": 300, "rows": 480, "columns": 640,
         "names": {"1": "gastrocnemius medialis"},
         "annotated": [0, 15],
         "contours": [{"frame": 15, "label": 1, "points": [[312.5, 80], [350, 91.25], [330, 120]]}]}

    Points are pixels (column, row), centres at integers; frames count from 0. ``names`` and ``annotated`` may be
    missing; ``annotated`` lists frames that were looked at, so that one without a contour is known to hold nothing.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    ContourSet

    Raises
    ------
    FormatError
        If the file is no such JSON; names the key or the contour.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "annotations.json"
    >>> drawn = ContourSet((Contour([[1, 1], [4, 1], [2, 3]], 1, 2),), 5, (6, 8), {1: "soleus"})
    >>> write_contours(drawn, path)
    >>> read = read_contours(path)
    >>> read.contours[0].points.tolist(), read.shape, read.names, sorted(read.annotated)
    ([[1.0, 1.0], [4.0, 1.0], [2.0, 3.0]], (6, 8), {1: 'soleus'}, [2])
    """
    path = Path(path)
    if path.stat().st_size > _MOST_BYTES:
        raise FormatError(f"{path}: {path.stat().st_size} bytes; contours are read up to {_MOST_BYTES}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: it is not JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise FormatError(f'{path}: there is no "format": "{_FORMAT}"')
    if content.get("version") != _VERSION:
        raise FormatError(f"{path}: version {content.get('version')!r}; this usfast reads version {_VERSION}")
    try:
        return _contour_set(content)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{path}: {error}") from None


def write_contours(contours: ContourSet, path: str | Path) -> None:
    """Write contours as ``annotations.json``; an interrupted run leaves the old file.

    Parameters
    ----------
    contours : ContourSet
    path : str or Path

    Raises
    ------
    TypeError
        If it is no ContourSet.
    OSError
    """
    if not isinstance(contours, ContourSet):
        raise TypeError(f"contours must be a ContourSet, not {type(contours).__name__}")
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "frames": int(contours.frames),
        "rows": int(contours.shape[0]),
        "columns": int(contours.shape[1]),
        "names": {str(label): name for label, name in contours.names.items()},
        "annotated": sorted(contours.annotated),
        "contours": [{"frame": c.frame, "label": c.label, "points": c.points.tolist()} for c in contours.contours],
    }
    with replacing(Path(path)) as draft:
        draft.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no number of a contour")


def _whole(name: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**31:
        raise ValueError(f"{name} must be a whole number from {least}, not {str(value)[:40]!r}")
    return value


def _contour_set(content: Mapping[str, Any]) -> ContourSet:
    frames, rows, columns = (_whole(key, content.get(key), 1) for key in ("frames", "rows", "columns"))
    names, annotated, listed = content.get("names", {}), content.get("annotated", []), content.get("contours")
    if not isinstance(names, dict) or not isinstance(annotated, list) or not isinstance(listed, list):
        raise ValueError("names must be an object, annotated and contours lists")
    if not all(key.isascii() and key.isdigit() and len(key) <= 5 and isinstance(names[key], str) for key in names):
        raise ValueError("names must give labels (numbers) their names (texts)")
    contours = []
    for number, entry in enumerate(listed):
        if not isinstance(entry, dict):
            raise ValueError(f"contour {number} must be an object with frame, label and points")
        try:
            frame, label = _whole("frame", entry.get("frame"), 0), _whole("label", entry.get("label"), 1)
            contours.append(Contour(entry.get("points", []), label, frame))
        except (ValueError, TypeError) as error:
            raise ValueError(f"contour {number}: {error}") from None
    looked = frozenset(_whole("annotated", frame, 0) for frame in annotated)
    return ContourSet(tuple(contours), frames, (rows, columns), {int(k): v for k, v in names.items()}, looked)
