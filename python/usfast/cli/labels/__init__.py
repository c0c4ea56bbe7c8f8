"""`usfast labels ...`: full 3D labels from sparse annotations, and what is done with them."""

from __future__ import annotations

import typer

from usfast.cli.labels.fuse import fuse
from usfast.cli.labels.image import gfs, ws
from usfast.cli.labels.mesh import mesh
from usfast.cli.labels.slices import fbs
from usfast.cli.labels.transfer import transfer
from usfast.cli.labels.zoi import zoi

__all__ = ["labels"]

labels = typer.Typer(
    help="Full 3D labels from sparse annotations: propagate, fill, grow, transfer, fuse, mesh.", no_args_is_help=True
)
for _command in (zoi, fbs, gfs, ws, transfer, fuse, mesh):
    labels.command()(_command)
