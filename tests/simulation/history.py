"""What the clients of a simulation saw: every call with its key, its times and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

NEVER = float("inf")


class Verb(Enum):
    READ = "read"  # of a register
    PUT = "put"  # upsert: the value becomes `value`
    CHANGE = "change"  # conditional: only over `expected`
    DELETE = "delete"
    APPEND = "append"  # `value` goes to the end of the list
    LIST = "list"  # reads a list
    TAKE = "take"  # reserves whichever job is first: `key` is empty until the reply names it
    RELEASE = "release"


class Fate(Enum):
    """How a call ended."""

    OK = "ok"
    REFUSED = "refused"  # certainly not applied
    UNKNOWN = "unknown"  # maybe applied, now, later or never


@dataclass(slots=True)
class Call:
    """One call on one key. `value` is what was written, or what a read returned (None: no document).

    `matched` is what a conditional write or delete reported; `items` what a list was read as. Times are
    virtual seconds since the start.
    """

    client: str
    verb: Verb
    key: str
    called: float
    value: int | None = None
    expected: int | None = None
    returned: float = NEVER
    fate: Fate = Fate.UNKNOWN
    matched: bool | None = None
    items: tuple[int, ...] = ()
    note: str = ""  # replica and attempts, for whoever reads the history

    def __str__(self) -> str:
        seen = f" {list(self.items)}" if self.verb is Verb.LIST else f" {self.value}"
        over = f" over {self.expected}" if self.verb is Verb.CHANGE else ""
        matched = "" if self.matched is None else f" matched={self.matched}"
        span, fate = f"{self.called:9.4f} {self.returned:9.4f}", self.fate.value
        return f"{span} {self.client} {self.verb.value} {self.key}{seen}{over}{matched} {fate} {self.note}"


@dataclass(slots=True)
class History:
    """All calls of one simulation, in the order in which they were begun."""

    calls: list[Call] = field(default_factory=list)

    def begin(self, call: Call) -> Call:
        self.calls.append(call)
        return call

    def of(self, key: str) -> Sequence[Call]:
        return [call for call in self.calls if call.key == key]

    def __str__(self) -> str:
        return "\n".join(map(str, self.calls))
