"""What a command shows people, by parts; plain columns of text, which `terminal` draws where it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Tone(Enum):
    """What a word means to an operator; the words alone say it too."""

    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"
    BUSY = "busy"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Toned:
    """A text with what it means."""

    text: str
    tone: Tone


Cell = str | Toned


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading; `when_empty` is said instead of an empty table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    when_empty: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with values, one a line."""

    pairs: Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A line that must not be overlooked."""

    text: str


Part = Table | Facts | Alarm | str


def text_of(cell: Cell) -> str:
    return cell.text if isinstance(cell, Toned) else cell


def plain(part: Part) -> str:
    """A part as text alone, for pipes and where rich is not installed."""
    match part:
        case Table():
            return _columns(part) if part.rows else part.when_empty
        case Facts():
            return "\n".join(f"{name + ':':<18} {text_of(value)}" for name, value in part.pairs)
        case Alarm():
            return part.text
        case _:
            return part


def _columns(table: Table) -> str:
    """Columns wide enough for their widest cell, two spaces apart."""
    rows = [tuple(name.upper() for name in table.columns), *(tuple(map(text_of, row)) for row in table.rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
