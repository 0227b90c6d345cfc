"""Tables on a terminal: by rich if it is installed, else plain columns; always plain when piped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading; `when_empty` is said instead of an empty table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    when_empty: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """A line that must not be overlooked."""

    text: str


Part = Table | Alarm | str


def show(part: Part) -> None:
    """Print to standard output."""
    if isinstance(part, Alarm):
        print(f"\x1b[1;31m{part.text}\x1b[0m" if sys.stdout.isatty() else part.text)
    elif isinstance(part, str) or not part.rows:
        print(part if isinstance(part, str) else part.when_empty)
    elif not (sys.stdout.isatty() and _show_rich(part)):
        print(plain(part))


def plain(table: Table) -> str:
    """Columns wide enough for their widest cell, two spaces apart."""
    rows = [tuple(name.upper() for name in table.columns), *table.rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _show_rich(table: Table) -> bool:
    """Print with rich; False if it is not installed."""
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ImportError:
        return False
    pretty = RichTable(*table.columns, box=box.SIMPLE_HEAD)
    for row in table.rows:
        pretty.add_row(*(Text(cell) for cell in row))
    Console().print(pretty)
    return True
