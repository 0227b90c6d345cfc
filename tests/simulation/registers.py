"""Could one register that does one thing at a time have given these answers?

A history is linearizable when every call can be given a moment between its call and its return so that all
results are those of one register. A failed call is "maybe applied": its moment may be any time after its
call, or never. The search is Wing and Gong's with memory (Lowe), per key, with three savings: the calls that
are done are a prefix and a small window; unknown calls are tried only after the certain ones; and of unknown
calls that nobody could tell apart, the earliest is taken first. It decides or raises: a history that is too
hard to decide is never taken for a good one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.simulation.history import Call, Fate, Verb

LIMIT = 400_000
"""States that one search may visit."""

UNTOLD = -2
"""Stands for every value that was written and never seen."""

State = tuple[int, int, int, int | None]
"""How many certain calls are done without a gap, which beyond, which unknown ones happened, the value."""


class Undecided(Exception):
    """The history is too hard for the limit: fewer calls per key are needed."""


def step(call: Call, state: int | None) -> tuple[bool, int | None]:
    """Whether the register in `state` may answer this call as it was answered, and its state afterwards."""
    certain = call.fate is Fate.OK
    match call.verb:
        case Verb.READ:
            return state == call.value, state
        case Verb.PUT:
            return True, call.value
        case Verb.CHANGE:
            applies = state is not None and state == call.expected
            return (not certain or call.matched == applies), call.value if applies else state
        case Verb.DELETE:
            return (not certain or call.matched == (state is not None)), None
        case _:
            raise ValueError(f"{call.verb} is no call on a register")


def is_linearizable(
    calls: Sequence[Call], initial: int | None, *final: int | None, limit: int = LIMIT
) -> bool:
    """True when one register, from `initial` to `final` (if given), explains every result.

    Refused calls leave no trace. Raises Undecided.
    """
    return _Search(calls, final, limit).run(initial)


def first_contradiction(calls: Sequence[Call], initial: int | None) -> Call | None:
    """The call by whose return it was certain that no register answers so; None when only the end does not
    fit, or the reason is too hard to find."""
    ended = sorted((call for call in calls if call.fate is Fate.OK), key=lambda call: call.returned)
    try:
        fitting = bisect_left(
            range(1, len(ended) + 1),
            True,
            key=lambda n: not is_linearizable(_until(calls, ended[n - 1]), initial, limit=LIMIT // 20),
        )
    except Undecided:
        return None
    return ended[fitting] if fitting < len(ended) else None


def _until(calls: Sequence[Call], last: Call) -> list[Call]:
    """The history when `last` returned: calls on their way then may have had their moment, or not."""
    begun = [call for call in calls if call.called <= last.returned]
    return [call if call.returned <= last.returned else replace(call, fate=_pending(call)) for call in begun]


def _pending(call: Call) -> Fate:
    return Fate.REFUSED if call.fate is Fate.REFUSED else Fate.UNKNOWN


def _simplified(calls: Sequence[Call], final: tuple[int | None, ...]) -> list[Call]:
    """In the order of their calls; values by which nobody could tell who wrote them are all the same."""
    telling = {call.value for call in calls if call.verb is Verb.READ} | set(final)
    telling |= {call.expected for call in calls if call.verb is Verb.CHANGE}
    ordered = sorted(calls, key=lambda call: call.called)
    return [call if call.value in telling else replace(call, value=UNTOLD) for call in ordered]


def _masks_of_earlier(unknown: Sequence[Call]) -> Iterator[int]:
    """For each unknown call the bit of the one before it that does exactly the same; 0 for the first."""
    last: dict[tuple[Verb, int | None, int | None], int] = {}
    for number, call in enumerate(unknown):
        effect = (call.verb, call.expected, call.value)
        yield 1 << last[effect] if effect in last else 0
        last[effect] = number


class _Search:
    def __init__(self, calls: Sequence[Call], final: tuple[int | None, ...], limit: int) -> None:
        ordered = _simplified(calls, final)
        self._certain = [call for call in ordered if call.fate is Fate.OK]
        self._unknown = [c for c in ordered if c.fate is Fate.UNKNOWN and c.verb is not Verb.READ]
        self._unknown_called = [call.called for call in self._unknown]
        self._earlier = list(_masks_of_earlier(self._unknown))
        self._final = final
        self._limit = limit

    def run(self, initial: int | None) -> bool:
        start: State = (0, 0, 0, initial)
        seen, stack = {start}, [start]
        while stack:
            state = stack.pop()
            if state[0] == len(self._certain) and (not self._final or state[3] in self._final):
                return True
            for after in self._next(state):
                if after not in seen:
                    seen.add(after)
                    stack.append(after)
            if len(seen) > self._limit:
                raise Undecided(f"{len(self._certain)} certain and {len(self._unknown)} unknown calls")
        return False

    def _next(self, state: State) -> Iterator[State]:
        """Unknown calls come first, so that a stack tries them last."""
        done, window, used, value = state
        until, candidates = self._open(done, window)
        for number in range(bisect_right(self._unknown_called, until)):
            earlier = self._earlier[number]
            if not used >> number & 1 and used & earlier == earlier:
                _, after = step(self._unknown[number], value)
                if after != value:  # what changes nothing may as well never have happened
                    yield done, window, used | 1 << number, after
        for number in candidates:
            allowed, after = step(self._certain[number], value)
            if allowed:
                yield *_mark(done, window, number), used, after

    def _open(self, done: int, window: int) -> tuple[float, list[int]]:
        """Until when the next moment may be, and which certain calls may have it."""
        until, candidates, number = float("inf"), list[int](), done
        while number < len(self._certain) and self._certain[number].called <= until:
            if not window >> (number - done) & 1:
                until = min(until, self._certain[number].returned)
                candidates.append(number)
            number += 1
        return until, [number for number in candidates if self._certain[number].called <= until]


def _mark(done: int, window: int, number: int) -> tuple[int, int]:
    window |= 1 << (number - done)
    while window & 1:
        window >>= 1
        done += 1
    return done, window
