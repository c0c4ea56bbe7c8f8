"""Decoders by others raise anything at all on damaged files; here it becomes a FormatError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usfast.errors import FormatError, UsfastError

__all__ = ["decoding"]


@contextmanager
def decoding(path: Path, decoder: str) -> Iterator[None]:
    """Turn what `decoder` raises about `path` into a FormatError.

    Errors of the operating system (no such file, no permission, disk full) and usfast's own pass through.

    Examples
    --------
    >>> with decoding(Path("scan.h5"), "HDF5"):
    ...     raise RuntimeError("bad superblock")
    Traceback (most recent call last):
        ...
    usfast.errors.FormatError: scan.h5: HDF5 cannot read it: bad superblock
    """
    try:
        yield
    except UsfastError:
        raise
    except OSError as error:
        # Libraries raise OSError without a number for "not my format"; the system always sets one.
        if error.errno is not None:
            raise
        raise FormatError(f"{path}: {decoder} cannot read it: {error}") from error
    except MemoryError as error:
        raise FormatError(f"{path}: {decoder} runs out of memory: {error}") from error
    except Exception as error:
        text = str(error).strip() or type(error).__name__
        raise FormatError(f"{path}: {decoder} cannot read it: {text}") from error
