"""`usfast info`: what a sweep or volume holds, and what looks wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from usfast.cli.console import print_lines, print_table

__all__ = ["info"]


def info(
    file: Annotated[Path, typer.Argument(help="Tracked sweep or volume.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="PLUS config or calibration file.")] = None,
    image_frame: Annotated[str | None, typer.Option(help="Name of the image frame, e.g. Image.")] = None,
    reference_frame: Annotated[str | None, typer.Option(help="Name of the frame to measure in.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what a sweep or a volume holds: sizes, transforms, extent, warnings."""
    from usfast.cli.sweep_facts import sweep_facts, sweep_rows
    from usfast.cli.volume_facts import volume_facts, volume_rows
    from usfast.io import describe

    if describe(file, config).kind == "volume":
        facts = volume_facts(file)
        rows = volume_rows(facts)
    else:
        facts = sweep_facts(file, config, image_frame, reference_frame)
        rows = sweep_rows(facts)
    if as_json:
        print_lines([json.dumps(facts, indent=2, allow_nan=False)])
        return
    print_table(str(file), rows, facts["warnings"])
