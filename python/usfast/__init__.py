"""Freehand 3D ultrasound at native speed: from a tracked sweep to a measured volume."""

from importlib import import_module
from typing import Any

from usfast._threads import get_num_threads, set_num_threads
from usfast.errors import FormatError, GeometryError, UsfastError
from usfast.sweep import Sweep
from usfast.volume import Grid, Volume

__all__ = [
    "FormatError",
    "GeometryError",
    "Grid",
    "Sweep",
    "UsfastError",
    "Volume",
    "get_num_threads",
    "set_num_threads",
    "show_config",
]

_STAGES = (
    "beamform",
    "borders",
    "cli",
    "compound",
    "confidence",
    "geometry",
    "io",
    "metrics",
    "phantom",
    "report",
    "simulate",
    "speckle",
    "tracking",
    "transforms",
)


def __getattr__(name: str) -> Any:
    """Load a stage of the pipeline, or the version, on first use, so that `import usfast` stays light."""
    if name in _STAGES:
        return import_module(f"usfast.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("usfast")
    raise AttributeError(f"module 'usfast' has no attribute {name!r}")


def show_config() -> dict[str, str]:
    """Return how the native core was built and which instruction set it runs on.

    Examples
    --------
    >>> sorted(show_config())
    ['compiler', 'eigen', 'isa', 'version']
    """
    from usfast import _core

    return dict(_core.config())
