"""What the commands print: plain lines and tables on stdout, errors and progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["error_line", "print_columns", "print_lines", "print_table", "progress_bar"]

Callback = Callable[[int, int], None]


def _console(*, stderr: bool = False) -> Console:
    """Return a console on today's stdout or stderr: no markup, since file names may hold brackets."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 200  # a pipe has no width: leave lines whole
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


def error_line(message: str) -> None:
    """Print one line about what went wrong to stderr."""
    console = _console(stderr=True)
    console.print("usfast:", style="bold red", end=" ")
    console.print(message, soft_wrap=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, never wrapped: they may be copied."""
    console = _console()
    for line in lines:
        console.print(line, soft_wrap=True)


def print_table(title: str, rows: Iterable[tuple[str, str]], warnings: Iterable[str] = ()) -> None:
    """Print names and values in two columns below a title, then the warnings."""
    console = _console()
    console.print(title, style="bold", soft_wrap=True)
    pairs = list(rows)
    if console.is_terminal:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs:
            table.add_row(name, value)
        console.print(table)
    else:  # a table fills its lines up with blanks
        width = max((len(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            console.print(f"{name:<{width}}  {value}", soft_wrap=True)
    for warning in warnings:
        console.print("warning:", style="yellow", end=" ")
        console.print(warning, soft_wrap=True)


def print_columns(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows of texts below the names that they share; numbers stand on the right."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(columns))]
    left = [all(not line[k][:1].isdigit() for line in cells[1:]) and k < 2 for k in range(len(columns))]
    console = _console()
    for number, line in enumerate(cells):
        texts = [
            text.ljust(width) if flush else text.rjust(width)
            for text, width, flush in zip(line, widths, left, strict=True)
        ]
        console.print("  ".join(texts).rstrip(), style="bold" if number == 0 else None, soft_wrap=True)


@contextmanager
def progress_bar(what: str) -> Iterator[Callback | None]:
    """Give a callback (done, total) that drives a bar on stderr; None where stderr is not a terminal."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
