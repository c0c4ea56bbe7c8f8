"""What "surface distance" means: the choices in which packages differ, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["PRESETS", "Definition", "definition_of"]

_CHOICES = {
    "definition": ("voxel", "surfel", "mesh"),
    "connectivity": (1, 2, 3),
    "edge": ("surface", "open"),
    "hd_percentile": ("max", "pooled"),
    "interpolation": ("linear", "weighted"),
    "assd": ("pooled", "mean"),
    "nsd": ("pooled", "mean"),
    "empty": ("inf", "nan", "worst", "reloaded", "raise"),
}


@dataclass(frozen=True)
class Definition:
    """How surfaces are defined and what is made of their distances.

    Parameters
    ----------
    definition : {"voxel", "surfel", "mesh"}
        The surface is the border voxels' centres, each counting 1; or the corners of the voxel grid between
        inside and outside, each with the area that marching cubes puts there; or the triangles of a marching-cubes
        mesh, with exact point-to-triangle distances.
    connectivity : {1, 2, 3}
        A border voxel has a neighbour outside: through faces (1), edges too (2), corners too (3).
    edge : {"surface", "open"}
        Whether a structure cut off by the image's edge has its surface there.
    hd_percentile : {"max", "pooled"}
        The larger percentile of the two directions, or the percentile of both together.
    interpolation : {"linear", "weighted"}
        Percentiles as `numpy.quantile` of the single distances, or the smallest distance that the share of the
        weight does not exceed. Default: "linear" for "voxel", "weighted" otherwise.
    assd : {"pooled", "mean"}
        Mean of the distances of both directions, or mean of the two directed means (which is MASD).
    nsd : {"pooled", "mean"}
        Share of both surfaces together, or mean of the two shares.
    empty : {"inf", "nan", "worst", "reloaded", "raise"}
        Where one structure is empty: distances inf and NSD 0; NaN; the image's diagonal and 0; as "inf"; ValueError.
        Where both are: NaN, but 0 and NSD 1 for "reloaded".

    Examples
    --------
    >>> Definition(definition="surfel").interpolation
    'weighted'
    """

    definition: str = "voxel"
    connectivity: int = 1
    edge: str = "surface"
    hd_percentile: str = "max"
    interpolation: str = ""
    assd: str = "pooled"
    nsd: str = "pooled"
    empty: str = "inf"

    def __post_init__(self) -> None:
        if self.interpolation == "":
            object.__setattr__(self, "interpolation", "linear" if self.definition == "voxel" else "weighted")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, not {value!r}")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "monai": {},
    "monai_subvoxel": {"definition": "surfel"},
    "medpy": {"hd_percentile": "pooled"},
    "deepmind": {"definition": "surfel"},
    "metrics_reloaded": {"empty": "reloaded"},
    "panoptica": {"hd_percentile": "pooled", "assd": "mean", "nsd": "mean"},
}


def definition_of(preset: str | None, changes: Mapping[str, Any]) -> Definition:
    """Return the definition of `preset` (default: usfast's own) with `changes`."""
    names = [field.name for field in fields(Definition)]
    for name in changes:
        if name not in names:
            raise TypeError(f"surface() has no option {name!r}; a definition has {', '.join(names)}")
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, not {preset!r}")
    return Definition(**{**(PRESETS[preset] if preset else {}), **changes})
