"""The way from checked arrays to a method: its options, and what it does not offer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.compound.memory import check_memory
from usfast.compound.methods import METHODS
from usfast.compound.methods.kernel import FloatVolume
from usfast.sweep import Sweep
from usfast.volume import Grid

__all__ = ["interpolate_sweep", "option_names"]

_COMMON = {"spacing", "mask", "importance", "num_threads", "progress"}


def option_names(method: str) -> tuple[str, ...]:
    """Return the names of the options of a method.

    Examples
    --------
    >>> option_names("squared_distance")
    ('radius', 'alpha')
    """
    parameters = inspect.signature(METHODS[method]).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in _COMMON)


def interpolate_sweep(
    method: str,
    sweep: Sweep,
    used: NDArray[np.intp],
    image_to_voxel: NDArray[np.float64],
    grid: Grid,
    importance: NDArray[np.float32] | None,
    options: Mapping[str, Any],
    num_threads: int,
    progress: Callable[[int, int], Any] | None,
) -> tuple[FloatVolume, FloatVolume]:
    """Return (volume, weight) of one of `METHODS`; TypeError where it does not know an option."""
    unknown = set(options) - set(option_names(method))
    if unknown:
        names = ", ".join(option_names(method)) or "none"
        raise TypeError(f"method={method!r} has no option {', '.join(sorted(unknown))}; its options: {names}")
    check_memory(grid, bytes_per_voxel=8)
    return METHODS[method](
        sweep.frames,
        used,
        image_to_voxel,
        grid.size,
        spacing=np.asarray(grid.spacing, np.float64),
        mask=None if sweep.mask is None else np.ascontiguousarray(sweep.mask).view(np.uint8),
        importance=importance,
        num_threads=num_threads,
        progress=progress,
        **options,
    )
