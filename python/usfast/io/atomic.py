"""Write files so that an interrupted run leaves the old file or the new one, never half of one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "replacing_folder"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to; what was written there replaces `path` when the block ends without an error.

    The path given has the same name, so the same extension, in a fresh folder beside `path` (one file system,
    so the rename is atomic). Files written next to it, such as the ``.raw`` of an ``.mhd``, move along first.

    Parameters
    ----------
    path : Path
        The file to write.

    Raises
    ------
    OSError
        From the file system; the temporary folder is gone and `path` untouched.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "poses.csv"
    >>> with replacing(target) as draft:
    ...     _ = draft.write_text("1,2,3")
    >>> target.read_text(), [file.name for file in target.parent.iterdir()]
    ('1,2,3', ['poses.csv'])
    """
    folder = Path(tempfile.mkdtemp(prefix=".usfast-", dir=path.parent))
    try:
        draft = folder / path.name
        yield draft
        beside = sorted(file for file in folder.iterdir() if file != draft)
        for file in (*beside, draft):  # the header last: until then readers see the old one
            _to_disk(file)
            os.replace(file, path.parent / file.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill; it becomes `path` when the block ends without an error.

    Raises
    ------
    FileExistsError
        If `path` is a file or a folder that holds anything: nothing of the user's is deleted.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} already exists and is not an empty folder")
    folder = Path(tempfile.mkdtemp(prefix=".usfast-", dir=path.parent))
    try:
        draft = folder / path.name
        draft.mkdir()
        yield draft
        os.replace(draft, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _to_disk(file: Path) -> None:
    # Some file systems report a full disk only when the data really go to it.
    with open(file, "rb+") as stream:
        os.fsync(stream.fileno())
