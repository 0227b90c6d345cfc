"""Draws on a terminal with rich, where both are there: tables, a picture that is kept up to date, a bar of
progress. Rich is an extra of this package (`cli`); without it, or through a pipe, the same is plain text.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from crossfade.cli.tables import Alarm, Cell, Facts, Part, Table, Tone, Toned, plain, text_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.progress import Progress as Bars
    from rich.text import Text

_STYLES = {
    Tone.GOOD: "green",
    Tone.WAIT: "yellow",
    Tone.BAD: "bold red",
    Tone.BUSY: "cyan",
    Tone.QUIET: "dim",
}


def console_on(stream: TextIO) -> Console | None:
    """A console of rich on a stream that is a terminal; None where either is missing."""
    if not stream.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=stream, highlight=False, markup=False)


def show(parts: Sequence[Part]) -> None:
    """Print to standard output."""
    console = console_on(sys.stdout)
    for part in parts:
        if console is not None:
            console.print(_drawn(part))
        elif isinstance(part, Alarm) and sys.stdout.isatty():
            print(f"\x1b[1;31m{part.text}\x1b[0m")
        else:
            print(plain(part))


def picture(parts: Sequence[Part]) -> RenderableType:
    """All parts, to be drawn at once."""
    from rich.console import Group

    return Group(*(_drawn(part) for part in parts))


def live_on(console: Console) -> Live:
    """A place on the terminal whose picture is replaced; what does not fit is cut off at the bottom."""
    from rich.live import Live

    return Live(console=console, auto_refresh=False, vertical_overflow="crop")


def bars_on(console: Console) -> Bars:
    """A bar with share, pace and time left, gone at the end. Its tasks have the fields `told` and `left`."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}", style="cyan"),
        TextColumn("{task.fields[told]}", style="dim"),
    )
    return Progress(*columns, console=console, transient=True)


def _drawn(part: Part) -> RenderableType:
    match part:
        case Table():
            return _table(part) if part.rows else _text(part.when_empty)
        case Facts():
            return _grid(part)
        case Alarm():
            return _text(Toned(part.text, Tone.BAD))
        case _:
            return _text(part)


def _table(table: Table) -> RenderableType:
    """Columns where they fit this terminal without breaking a word; else every row as names with values."""
    from rich.console import Group
    from rich.table import Table as RichTable

    columns = [[text_of(cell) for cell in column] for column in zip(table.columns, *table.rows, strict=True)]
    room = shutil.get_terminal_size().columns - len(columns) + 1
    widths = fit(columns, room)
    if widths is None:
        records = [Facts(list(zip(table.columns, row, strict=True))) for row in table.rows]
        return Group(*(part for record in records for part in (_grid(record), "")))
    gap = 2 if sum(widths) + len(widths) - 1 <= room else 1
    drawn = RichTable(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold dim")
    for name, width in zip(table.columns, widths, strict=True):
        drawn.add_column(name, width=width)
    for row in table.rows:
        drawn.add_row(*(_text(cell) for cell in row))
    return drawn


def fit(columns: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Widths of columns of cells, in all at most `room`, broken between words where they must be, those with
    the most to spare first; None where words would have to be broken."""
    least = [max(len(word) for cell in column for word in cell.split()) for column in columns]
    widths = [max(map(len, column)) for column in columns]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        spare = [width - word for width, word in zip(widths, least, strict=True)]
        widths[spare.index(max(spare))] -= 1
    return widths


def _grid(facts: Facts) -> RenderableType:
    from rich.table import Table as RichTable

    drawn = RichTable.grid(padding=(0, 2))
    drawn.add_column(style="dim", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in facts.pairs:
        drawn.add_row(name, _text(value))
    return drawn


def _text(cell: Cell) -> Text:
    """Its words as they are: what looks like markup is none."""
    from rich.text import Text

    return Text(cell.text, style=_STYLES[cell.tone]) if isinstance(cell, Toned) else Text(cell)
