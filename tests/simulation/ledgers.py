"""Lists that are only appended to give their own order: such a history is judged in one pass.

What is checked: the list in the end has every acknowledged append, no refused one, and none twice; every read
saw a beginning of it; and no call sees less than a call that had ended before it began. Together with unique
values that is linearizability.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from proxy.core.version import RING
from tests.simulation.history import Call, Fate, Verb


def complaints_about(calls: Sequence[Call], final: Sequence[int]) -> Iterator[str]:
    """Everything that one list ending as `final` cannot have answered."""
    places = {value: place for place, value in reversed(list(enumerate(final)))}
    yield from _repeated(final)
    yield from _wrongly_there(calls, places)
    yield from _no_beginnings(calls, final)
    yield from _out_of_order(calls, places)


def _repeated(final: Sequence[int]) -> Iterator[str]:
    """A document remembers its last few request ids; a repeat that comes later is a new write."""
    last: dict[int, int] = {}
    for place, value in enumerate(final):
        if value in last and place - last[value] < RING:
            yield f"{value} was applied twice, as item {last[value]} and {place}"
        last[value] = place


def _wrongly_there(calls: Sequence[Call], places: dict[int, int]) -> Iterator[str]:
    appends = {call.value: call for call in calls if call.verb is Verb.APPEND}
    for value, call in appends.items():
        if call.fate is Fate.OK and value not in places:
            yield f"{value} was acknowledged at {call.returned:.4f} and is lost"
        if call.fate is Fate.REFUSED and value in places:
            yield f"{value} was refused as not applied and is there"
    for value in places.keys() - appends.keys():
        yield f"{value} was never appended"


def _no_beginnings(calls: Sequence[Call], final: Sequence[int]) -> Iterator[str]:
    for call in _answered(calls, Verb.LIST):
        if tuple(final[: len(call.items)]) != call.items:
            yield f"the read at {call.called:.4f} saw what is no beginning of the list: {list(call.items)}"


def _out_of_order(calls: Sequence[Call], places: dict[int, int]) -> Iterator[str]:
    """`length` is how long the list is once a call has had its moment."""
    ended: list[tuple[float, int]] = []
    longest = 0
    for call in sorted(calls, key=lambda call: call.called):
        length = _length_after(call, places)
        if length is None:
            continue
        while ended and ended[0][0] < call.called:
            longest = max(longest, heapq.heappop(ended)[1])
        if length < longest + (call.verb is Verb.APPEND):
            yield f"the {call.verb.value} at {call.called:.4f} came after {longest} items and saw {length}"
        if call.fate is Fate.OK:
            heapq.heappush(ended, (call.returned, length))


def _length_after(call: Call, places: dict[int, int]) -> int | None:
    if call.verb is Verb.LIST:
        return len(call.items) if call.fate is Fate.OK else None
    place = places.get(call.value or 0)
    return None if place is None or call.fate is Fate.REFUSED else place + 1


def _answered(calls: Sequence[Call], verb: Verb) -> Iterator[Call]:
    return (call for call in calls if call.verb is verb and call.fate is Fate.OK)
