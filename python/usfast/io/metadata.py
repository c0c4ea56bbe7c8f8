"""`Sweep.meta` as JSON text, for the formats that have no fields of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from usfast.errors import FormatError

__all__ = ["meta_from_json", "meta_to_json"]


def meta_to_json(path: Path, meta: Mapping[str, Any]) -> str:
    """Return `meta` as JSON; NumPy arrays and scalars become lists and numbers, tuples lists, paths text.

    Raises
    ------
    FormatError
        If an entry is none of those and no JSON either.
    """
    try:
        return json.dumps(dict(meta), default=_plain)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path}: the sweep's meta cannot be written: {error}") from None


def meta_from_json(path: Path, text: str) -> dict[str, Any]:
    """Return the metadata that `text` holds.

    Raises
    ------
    FormatError
        If it is no JSON object.
    """
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: meta is not JSON: {error}") from None
    if not isinstance(meta, dict):
        raise FormatError(f"{path}: meta must be a JSON object, not {type(meta).__name__}")
    return meta


def _plain(value: object) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
