"""Every promise that a client or an operator can hold us to, checked on what is left of a simulated world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from proxy.core.flag import Flag
from proxy.core.stage import StoreName
from proxy.core.version import Record
from tests.simulation import ledgers
from tests.simulation.documents import JOBS, LISTS, OLD, REGISTERS, items_of, key, owner_of, value_of
from tests.simulation.history import Call, History
from tests.simulation.promises import Complaint, Promise
from tests.simulation.registers import Undecided, first_contradiction, is_linearizable
from tests.simulation.reservations import NOBODY, as_register_calls
from tests.simulation.shared import Tables, show


@dataclass(frozen=True, slots=True)
class Remains:
    """What a world leaves behind. `foreign`: what was last written past the proxy, by key."""

    history: History
    flag: Flag
    tables: Tables
    foreign: Mapping[str, int | None]

    def held(self, name: str) -> Record | None:
        """What the primary holds."""
        return self.tables[self.flag.stage.primary].records.get(key(name))


Judge = Callable[[Remains], Iterable[str]]


def judge(remains: Remains) -> Iterator[Complaint]:
    """Everything that is wrong."""
    for promise, complaints in JUDGES.items():
        yield from (Complaint(promise, sentence) for sentence in complaints(remains))


def _rest(remains: Remains) -> Iterator[str]:
    if remains.flag.change is not None:
        yield "a change of stage never ended"


def _registers(remains: Remains) -> Iterator[str]:
    for name in REGISTERS:
        yield from _judge_register(name, remains.history.of(name), None, value_of(remains.held(name)))


def _lists(remains: Remains) -> Iterator[str]:
    for name in LISTS:
        for complaint in ledgers.complaints_about(remains.history.of(name), items_of(remains.held(name))):
            yield f"{name}: {complaint}"


def _reservations(remains: Remains) -> Iterator[str]:
    for name in JOBS:
        calls = list(as_register_calls(remains.history.calls, name))
        yield from _judge_register(name, calls, NOBODY, owner_of(remains.held(name)))


def unequal_documents(flag: Flag, tables: Tables) -> Iterator[str]:
    """Documents in which the stores differ, where there are two; a tombstone is no document."""
    if flag.stage.mirror is None:
        return
    mongo, dynamo = (tables[name].records for name in (StoreName.MONGODB, StoreName.DYNAMODB))
    for place in sorted(mongo.keys() | dynamo.keys(), key=lambda place: str(place.values)):
        one, other = (_live(table.get(place)) for table in (mongo, dynamo))
        if one is None and other is None:
            continue
        if one is None or other is None or one.document != other.document or not one.is_same_write(other):
            yield f"{place.values[-1]} ended as {show(one)} in MongoDB and {show(other)} in DynamoDB"


def _judge_register(
    name: str, calls: Sequence[Call], initial: int | None, final: int | None
) -> Iterator[str]:
    try:
        if not is_linearizable(calls, initial, final):
            wrong = first_contradiction(calls, initial) or f"left as {final}"
            yield f"{name}: no single register answers so: {wrong}"
    except Undecided as error:
        yield f"{name}: undecided, {error}"


def _untouched(remains: Remains) -> Iterator[str]:
    """What no client of the proxy ever touched is as it was left."""
    for name, value in {**dict.fromkeys(OLD, 1), **remains.foreign}.items():
        held = value_of(remains.held(name))
        if held != value:
            yield f"{name} was left as {value} and is {held}"


JUDGES: Mapping[Promise, Judge] = {
    Promise.REGISTER: _registers,
    Promise.LIST: _lists,
    Promise.RESERVATION: _reservations,
    Promise.EQUAL: lambda remains: unequal_documents(remains.flag, remains.tables),
    Promise.UNTOUCHED: _untouched,
    Promise.REST: _rest,
}
"""What can be told in the end alone; the rest is for the chronicle."""


def _live(record: Record | None) -> Record | None:
    return None if record is None or record.is_tombstone else record
