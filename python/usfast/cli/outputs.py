"""Output files of a command: checked before the long work, and all of them appear or none does."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_volume_name", "outputs"]


def check_volume_name(path: Path) -> None:
    """Raise ValueError where no volume format has this ending: better now than after the long work."""
    from usfast.io.volumes import VOLUME_SUFFIXES

    if not path.name.lower().endswith(VOLUME_SUFFIXES):
        raise ValueError(f"{path}: a volume's name must end in {', '.join(VOLUME_SUFFIXES)}")


@contextmanager
def outputs(*targets: Path | None, inputs: Iterable[Path] = ()) -> Iterator[list[Path]]:
    """Give a draft path for each target; the drafts replace the targets when the block ends without an error.

    A draft has its target's name in a fresh folder beside it: one file system, so each rename is atomic, and
    a header that names its data file (``.mhd``, ``.raw``) stays true. Targets that are None get no draft.

    Parameters
    ----------
    *targets : Path or None
    inputs : iterable of Path
        Files that the command reads and must not replace.

    Raises
    ------
    OSError
        If a target is a folder, or its folder does not exist or cannot be written to.
    ValueError
        If two targets are one file, or a target is an input.
    """
    wanted = [target for target in targets if target is not None]
    _check(wanted, list(inputs))
    drafts: list[Path] = []
    try:
        for target in wanted:
            drafts.append(_draft_folder(target) / target.name)
        yield drafts
        for target, draft in zip(wanted, drafts, strict=True):
            _publish(draft, target)
    finally:
        for draft in drafts:
            shutil.rmtree(draft.parent, ignore_errors=True)


def _check(targets: list[Path], inputs: list[Path]) -> None:
    read = {path.resolve() for path in inputs}
    seen: set[Path] = set()
    for target in targets:
        place = target.resolve()
        if place in seen:
            raise ValueError(f"{target}: two outputs cannot be the same file")
        if place in read:
            raise ValueError(f"{target}: this output would overwrite an input; choose another name")
        seen.add(place)
        if target.is_dir():
            raise IsADirectoryError(f"{target} is a folder; give the name of a file in it")
        if not target.parent.is_dir():
            raise NotADirectoryError(f"{target.parent}: there is no such folder to write {target.name} into")


def _draft_folder(target: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=".usfast-", dir=target.parent))
    except OSError as error:
        raise OSError(f"{target.parent}: cannot write into this folder ({error.strerror})") from error


def _publish(draft: Path, target: Path) -> None:
    """Move what lies in the draft's folder to the target's; data files first: no header lacks them."""
    beside = sorted(file for file in draft.parent.iterdir() if file != draft)
    for file in (*beside, draft):
        os.replace(file, target.parent / file.name)
