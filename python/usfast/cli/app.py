"""The `usfast` command: its options, its commands, and what becomes of their errors."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from usfast import __version__
from usfast.cli.compound import compound
from usfast.cli.confidence import confidence
from usfast.cli.console import error_line
from usfast.cli.convert import convert
from usfast.cli.demo import demo
from usfast.cli.evaluate import evaluate
from usfast.cli.info import info
from usfast.cli.labels import labels
from usfast.cli.show import show
from usfast.cli.simulate import simulate
from usfast.cli.speckle import speckle
from usfast.cli.wording import in_words
from usfast.errors import UsfastError

__all__ = ["app", "run"]

_BAD_INPUT = (UsfastError, ValueError, TypeError, OSError, MemoryError)


class _OneLineErrors(TyperGroup):
    """Turns what a command raises about its input into one line and a status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `usfast info ... | head`: click ends quietly
        except KeyboardInterrupt:
            status = _said("interrupted; nothing was written", 130)
        except _BAD_INPUT as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            status = _said(in_words(error), 2)
        raise typer.Exit(status)


def _said(message: str, status: int) -> int:
    error_line(message)
    return status


app = typer.Typer(
    cls=_OneLineErrors,
    help="Freehand 3D ultrasound: from a tracked sweep to a volume.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"usfast {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    pass


for _command in (info, compound, confidence, show, convert, evaluate, simulate, demo):
    app.command()(_command)
app.add_typer(speckle, name="speckle")
app.add_typer(labels, name="labels")


def run() -> None:
    """Run the command line; an error that is our own fault is told as such, and in one line too."""
    try:
        app()
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        error_line(
            f"internal error, please report it: {type(error).__name__}: {in_words(error)} "
            "(usfast --debug ... shows where)"
        )
        raise SystemExit(1) from None
