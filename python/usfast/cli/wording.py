"""Errors of the library in the words of the command line."""

from __future__ import annotations

import re

__all__ = ["in_words"]

_OPTIONS = {"config": "-c", "image_frame": "--image-frame", "reference_frame": "--reference-frame"}
_KEYWORD = re.compile(rf"\b({'|'.join(_OPTIONS)})=")
_DRAFT_FOLDER = re.compile(r"\.usfast-[^/\\\s]+[/\\]")


def in_words(error: BaseException) -> str:
    """Return one line about an error; the library's keywords become the options that set them.

    Drafts (see `outputs`) go by the names of the files that they would have become.
    """
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError) and not str(error):
        text = "not enough memory"
    else:
        text = " ".join(str(error).split()) or type(error).__name__
    return _KEYWORD.sub(lambda match: _OPTIONS[match[1]], _DRAFT_FOLDER.sub("", text))
