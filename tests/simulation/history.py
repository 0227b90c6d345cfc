"""What the clients of a simulation saw, and whether one register per key could have done it.

A history is linearizable when every operation can be given a moment between its call and its return so that
all results are those of one register that does one thing at a time. A failed call is "maybe applied": its
moment may be any time after its call, or never. The search is Wing and Gong's with memory (Lowe), per key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


class Verb(Enum):
    READ = "read"
    PUT = "put"  # replace or insert: the value becomes `value`
    CHANGE = "change"  # conditional: only over `expected`
    DELETE = "delete"


class Fate(Enum):
    """How a call ended."""

    OK = "ok"
    REFUSED = "refused"  # certainly not applied: leaves no trace
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Call:
    """One call on one key. `value` is what was written, or what a read returned (None: no document).

    `matched` is what a conditional write or delete reported. Times are virtual seconds.
    """

    client: str
    verb: Verb
    key: str
    called: float
    value: int | None = None
    expected: int | None = None
    returned: float = float("inf")
    fate: Fate = Fate.UNKNOWN
    matched: bool | None = None


@dataclass(slots=True)
class History:
    """All calls of one simulation."""

    calls: list[Call] = field(default_factory=list)

    def begin(self, call: Call) -> Call:
        self.calls.append(call)
        return call

    def keys(self) -> list[str]:
        return sorted({call.key for call in self.calls})

    def of(self, key: str) -> list[Call]:
        return [call for call in self.calls if call.key == key and call.fate is not Fate.REFUSED]


def step(call: Call, state: int | None) -> tuple[bool, int | None]:
    """Whether the register in `state` may answer this call as it was answered, and its state afterwards."""
    certain = call.fate is Fate.OK
    match call.verb:
        case Verb.READ:
            return (not certain or state == call.value), state
        case Verb.PUT:
            return True, call.value
        case Verb.CHANGE:
            applies = state == call.expected
            return (not certain or call.matched == applies), call.value if applies else state
        case Verb.DELETE:
            exists = state is not None
            return (not certain or call.matched == exists), None


def is_linearizable(calls: Sequence[Call], initial: int | None, final: int | None) -> bool:
    """True when one register, starting at `initial` and ending at `final`, explains every result.

    Calls of unknown fate may take effect at any time after their call, or not at all.
    """
    relevant = [c for c in calls if not (c.verb is Verb.READ and c.fate is not Fate.OK)]
    ordered = sorted(relevant, key=lambda call: call.called)
    must = sum(1 << i for i, call in enumerate(ordered) if call.fate is Fate.OK)
    seen: set[tuple[int, int | None]] = set()
    stack: list[tuple[int, int | None]] = [(0, initial)]
    while stack:
        done, state = stack.pop()
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if done & must == must and state == final:
            return True
        earliest_return = min(
            (c.returned for i, c in enumerate(ordered) if not done >> i & 1 and c.fate is Fate.OK),
            default=float("inf"),
        )
        for i, call in enumerate(ordered):
            if done >> i & 1 or call.called > earliest_return:
                continue
            allowed, after = step(call, state)
            if allowed:
                stack.append((done | 1 << i, after))
    return False
