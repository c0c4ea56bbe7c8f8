"""The pixels that a PLUS config leaves: its clip rectangle and fan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usfast.sweep import Sweep

__all__ = ["masked_by_config"]


def masked_by_config(sweep: Sweep, config: Path | None) -> Sweep:
    """Return the sweep with its mask narrowed as compounding with this config would; others leave it as it is."""
    if config is None or config.suffix.lower() != ".xml":
        return sweep
    from usfast.compound.sweeps import masked, reconstruction

    return replace(sweep, mask=masked(sweep, reconstruction(config)))
