"""What `usfast info` tells about a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["volume_facts", "volume_rows"]

Facts = dict[str, Any]


def volume_facts(path: Path) -> Facts:
    """Return size, geometry and values of a volume, as JSON knows it.

    Raises
    ------
    FormatError, GeometryError
        If the file cannot be read or its geometry is unusable.
    """
    from usfast.io import describe, read_volume

    header = describe(path)
    volume = read_volume(path)
    low, high, filled, broken = np.inf, -np.inf, 0, 0
    for plane in volume.array:  # one slice at a time: a mask of the whole is another volume
        finite = plane[np.isfinite(plane)]
        broken += plane.size - finite.size
        filled += int(np.count_nonzero(finite))
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    warnings = [f"{broken} voxels are not finite numbers"] if broken else []
    if not filled:
        warnings.append("every voxel is 0")
    if (volume.spacing == 1).all() and (volume.origin == 0).all():
        warnings.append("spacing 1 mm and origin 0: the geometry may be missing")
    return {
        "file": str(path),
        "kind": "volume",
        "format": header.format,
        "size": list(volume.grid.size),
        "dtype": str(volume.array.dtype),
        "megabytes": volume.array.nbytes / 1e6,
        "spacing_mm": volume.spacing.tolist(),
        "origin_mm": volume.origin.tolist(),
        "direction": volume.direction.tolist(),
        "extent_mm": (volume.spacing * volume.grid.size).tolist(),
        "range": [low, high] if low <= high else None,
        "nonzero": filled / volume.array.size,
        "warnings": warnings,
    }


def volume_rows(facts: Facts) -> list[tuple[str, str]]:
    """Return the facts in words, name and value."""
    rows = [
        ("format", f"{facts['format']} (volume)"),
        ("size", f"{_by(facts['size'])} voxels (x, y, z), {facts['dtype']}, {facts['megabytes']:.3g} MB"),
        ("spacing", f"{_by(facts['spacing_mm'])} mm"),
        ("origin", f"{', '.join(f'{place:.6g}' for place in facts['origin_mm'])} mm"),
        ("extent", f"{_by(facts['extent_mm'])} mm"),
    ]
    if not np.array_equal(facts["direction"], np.eye(3)):
        axes = (", ".join(f"{value:.4g}" for value in axis) for axis in np.transpose(facts["direction"]))
        rows.append(("axes", " ".join(f"({axis})" for axis in axes)))
    if facts["range"] is not None:
        rows.append(("values", "{:.6g} to {:.6g}".format(*facts["range"])))
    rows.append(("not 0", f"{facts['nonzero']:.1%} of the voxels"))
    return rows


def _by(values: list[float]) -> str:
    return " x ".join(f"{value:.6g}" for value in values)
