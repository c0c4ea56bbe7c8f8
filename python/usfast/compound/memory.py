"""Refuse a grid that would not fit in memory before anything is allocated."""

import numpy as np

from usfast.volume import Grid

__all__ = ["check_memory"]


def check_memory(grid: Grid, bytes_per_voxel: float) -> None:
    """Raise MemoryError, naming a spacing that would fit, where `grid` needs more than the machine has free."""
    import psutil

    available = int(psutil.virtual_memory().available)
    needed = grid.voxels * bytes_per_voxel
    if needed <= available and max(grid.size) < 10**9:
        return
    # Three significant digits, rounded up; a tenth is left free.
    spacing = grid.spacing * max((needed / (0.9 * available)) ** (1 / 3), max(grid.size) / 1e9)
    digits = 10.0 ** (np.floor(np.log10(spacing)) - 2)
    fitting = ", ".join(f"{s:g}" for s in np.ceil(spacing / digits) * digits)
    raise MemoryError(
        f"a grid of {' x '.join(map(str, grid.size))} voxels needs {needed / 1e9:.3g} GB, but only "
        f"{available / 1e9:.3g} GB are available; a spacing of {fitting} mm (x, y, z) would fit"
    )
