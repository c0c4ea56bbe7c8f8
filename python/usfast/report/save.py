"""Figures to files, all or nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure_format", "save_figure"]


def figure_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a figure's name asks for ("png"), or raise ValueError where there is none."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    kind = Path(path).suffix.lower().lstrip(".")
    known = FigureCanvasAgg.get_supported_filetypes()
    if kind not in known:
        raise ValueError(f"{Path(path).name}: a figure's name must end in .{', .'.join(sorted(known))}")
    return kind


def save_figure(fig: Figure, path: str | os.PathLike[str], dpi: float = 150) -> None:
    """Write a figure in the format that the name's ending says; an interrupted run leaves the old file.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    path : path
        ``.png``, ``.pdf``, ``.svg`` or another ending that matplotlib knows.
    dpi : float
        Pixels per inch.

    Raises
    ------
    ValueError
        If the ending is none that matplotlib can write.
    OSError
        If the folder cannot be written to.
    """
    target, kind = Path(path), figure_format(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target.parent}: no such folder")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
    os.close(handle)
    try:
        fig.savefig(name, dpi=dpi, facecolor=fig.get_facecolor(), format=kind)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's file is for its owner only
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
