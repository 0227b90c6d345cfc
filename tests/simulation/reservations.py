"""A job is a register that holds its owner: a reservation changes nobody to somebody, a release the reverse.

So no job is ever two workers' at once, and no acknowledged reservation or release is lost, exactly when every
job's history is linearizable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.simulation.history import Call, Fate, Verb

NOBODY = 0


def as_register_calls(calls: Sequence[Call], job: str) -> Iterator[Call]:
    """The calls that may have touched one job. A reservation of unknown fate may have been of any job."""
    for call in calls:
        if call.fate is Fate.REFUSED:
            continue
        if call.verb is Verb.RELEASE and call.key == job:
            yield replace(call, verb=Verb.CHANGE, expected=call.value, value=NOBODY)
        if call.verb is Verb.TAKE and _may_be_of(call, job):
            yield replace(call, verb=Verb.CHANGE, expected=NOBODY)


def _may_be_of(call: Call, job: str) -> bool:
    if call.fate is Fate.UNKNOWN:
        return call.key in ("", job)
    return call.key == job and bool(call.matched)
