"""The manifest of a data set: one JSON file, trusted in nothing when it is read."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from usfast.errors import FormatError
from usfast.io.atomic import replacing

__all__ = [
    "MANIFEST",
    "check_files",
    "fingerprint",
    "header",
    "inside",
    "is_subject_name",
    "read_json",
    "read_manifest",
    "software",
    "write_json",
]

MANIFEST = "manifest.json"
_FORMAT, _VERSION = "usfast data set", 1
_MOST_BYTES = 256 << 20
_SUBJECT = re.compile(r"subject_[0-9]{3,9}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")


def software() -> dict[str, str]:
    """Return the versions of all that decides the bytes of a data set."""
    from importlib.metadata import version

    import usfast

    known = {name: version(name) for name in ("h5py", "numpy", "scipy", "SimpleITK")}
    return {"usfast": usfast.__version__, **known, "zlib": zlib.ZLIB_RUNTIME_VERSION}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that replaces `path` in one step; equal contents give equal bytes."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of bounded size.

    Raises
    ------
    FormatError
        If it is too large or no JSON object.
    FileNotFoundError
    """
    if path.stat().st_size > _MOST_BYTES:
        raise FormatError(f"{path}: {path.stat().st_size} bytes are too many for a manifest")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise FormatError(f"{path}: must hold a JSON object, not {type(content).__name__}")
    return content


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a data set and check its shape; the subjects' entries are checked where used.

    Raises
    ------
    FormatError
        If it is none of a data set of this version.
    FileNotFoundError
    """
    path = folder / MANIFEST
    content = read_json(path)
    if content.get("format") != _FORMAT:
        raise FormatError(f"{path}: not the manifest of a usfast data set")
    if content.get("version") != _VERSION:
        raise FormatError(f"{path}: a data set of version {content.get('version')!r}; this usfast knows {_VERSION}")
    for name, kind in (("options", dict), ("software", dict), ("label_names", dict), ("subjects", list)):
        if not isinstance(content.get(name), kind):
            raise FormatError(f"{path}: {name!r} is missing or no {'list' if kind is list else 'object'}")
    for number, entry in enumerate(content["subjects"]):
        if not isinstance(entry, dict) or not is_subject_name(entry.get("id")):
            raise FormatError(f"{path}: subject {number} has no name of the form subject_000")
    return content


def header() -> dict[str, Any]:
    """Return what every manifest begins with."""
    return {"format": _FORMAT, "version": _VERSION}


def is_subject_name(name: object) -> bool:
    """Return whether `name` can be a subject's folder: never a path that leads elsewhere."""
    return isinstance(name, str) and _SUBJECT.fullmatch(name) is not None


def inside(folder: Path, name: object) -> Path:
    """Return the path of a file in `folder`.

    Raises
    ------
    FormatError
        If `name` is no plain file name, or a link leads out of the folder.
    """
    if not isinstance(name, str) or not _FILE.fullmatch(name):
        raise FormatError(f"{folder}: the manifest names {str(name)[:80]!r}, which is no file of a data set")
    path = folder / name
    if path.resolve().parent != folder.resolve():
        raise FormatError(f"{path}: leads out of its folder")
    return path


def fingerprint(path: Path) -> dict[str, Any]:
    """Return size and SHA-256 of a file."""
    with open(path, "rb") as stream:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def check_files(folder: Path, entry: Mapping[str, Any]) -> str | None:
    """Return in words what is wrong with the first file that is not as its subject's entry says; None if all are."""
    files = entry.get("files")
    if not isinstance(files, Mapping) or not files:
        return f"{folder}: no files are listed"
    for name, known in files.items():
        path = inside(folder, name)
        if not path.is_file():
            return f"{path}: missing"
        size = path.stat().st_size
        if not isinstance(known, Mapping) or size != known.get("bytes"):
            return f"{path}: {size} bytes, not as listed"
        if fingerprint(path) != dict(known):
            return f"{path}: its SHA-256 is not the one listed"
    return None
