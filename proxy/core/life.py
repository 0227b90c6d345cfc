"""The life of a divergence: from the first sight to the proof that it is gone, a step at a time.

    OPEN --look--> RECHECKING --mend--> REPAIRED --agree--> CLOSED --see--> OPEN

Invariants: only the sight of both stores agreeing closes one; whoever sees the difference again opens it
again, whatever state it is in; whoever dies in between leaves a state from which the next one can go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class State(StrEnum):
    """What has become of a divergence. All but CLOSED stand in the way of promotion."""

    OPEN = "open"
    RECHECKING = "rechecking"  # somebody looks at it again, to mend it
    REPAIRED = "repaired"  # the mirror took the primary's state; not yet compared again
    CLOSED = "closed"  # both stores were seen to agree


class Event(Enum):
    """What happens to a divergence."""

    SEE = "see"  # a comparison found the difference (again)
    LOOK = "look"  # a repair begins
    MEND = "mend"  # the repair changed a store
    AGREE = "agree"  # both stores were compared, and agree
    DIFFER = "differ"  # both stores were compared after all that was done, and differ still


@dataclass(frozen=True, slots=True)
class Step:
    """One change of state: when (milliseconds since 1970), to what, by whom, and with which evidence."""

    at: int
    state: State
    who: str
    evidence: str


MOST_STEPS = 20
"""Steps that a divergence remembers: the latest."""

UNCLOSED = (State.OPEN, State.RECHECKING, State.REPAIRED)

_SOURCES: dict[Event, frozenset[State]] = {
    Event.SEE: frozenset(State),
    Event.LOOK: frozenset(UNCLOSED),  # one that a repair left behind when it died is taken up again
    Event.MEND: frozenset((State.OPEN, State.RECHECKING)),  # it may have been seen meanwhile
    Event.AGREE: frozenset(UNCLOSED),
    Event.DIFFER: frozenset(UNCLOSED),
}
_TARGETS: dict[Event, State] = {
    Event.SEE: State.OPEN,
    Event.LOOK: State.RECHECKING,
    Event.MEND: State.REPAIRED,
    Event.AGREE: State.CLOSED,
    Event.DIFFER: State.OPEN,
}


def follow(state: State, event: Event) -> State | None:
    """The state after an event; None where the event has no place in the state."""
    return _TARGETS[event] if state in _SOURCES[event] else None


def target_of(event: Event) -> State:
    """Where an event leads, from wherever it may come."""
    return _TARGETS[event]


def sources_of(event: Event) -> frozenset[State]:
    """The states in which an event has a place."""
    return _SOURCES[event]
