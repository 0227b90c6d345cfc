"""Simulated clients: they call whichever replica serves, and write down what they saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from proxy.core.errors import CrossfadeError, Outcome
from proxy.core.filter import Comparator, Compare
from proxy.core.update import Push, Set
from proxy.core.version import Record
from proxy.core.write import Delete, Modify, Precondition, Replace
from proxy.flow.pipeline import Pipeline
from tests.simulation.chronicle import Chronicle
from tests.simulation.documents import COLLECTION, FREE_JOBS, LISTS, document, items_of, key, value_of
from tests.simulation.history import Call, Fate, History, Verb
from tests.simulation.promises import Promise
from tests.simulation.recipes import MIXED
from tests.simulation.replica import SimulatedReplica
from tests.simulation.reservations import NOBODY
from tests.simulation.virtual_time import START

NAME = COLLECTION.name
PATIENCE = 3.0
"""Virtual seconds after which a client gives a call up as unknown."""
ATTEMPTS = 3
"""How often a call with a request id is made before it is given up."""

WATCH = 12
"""Reads that a watcher makes in a row."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply says: `fields` of a call, and the record that a write left."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    written: Record | None = None


NO_ANSWER = Answer()
Request = Callable[[Pipeline], Coroutine[Any, Any, Answer]]


class Surroundings(Protocol):
    """What a client needs to know of its world."""

    history: History
    chronicle: Chronicle

    def route(self) -> SimulatedReplica | None: ...

    async def think(self, rng: Random) -> None: ...

    def is_crowded(self) -> bool: ...

    def acknowledged(self, record: Record) -> None: ...


class Caller:
    """One caller with one call at a time; `number` sets its values apart from everybody else's."""

    def __init__(self, number: int, rng: Random, world: Surroundings) -> None:
        self.name = f"c{number}"
        self._rng = rng
        self._world = world
        self._values = number * 1_000_000

    async def work(self, end: float) -> None:
        """Call after call until the virtual time `end`."""
        while asyncio.get_running_loop().time() < end:
            await self._world.think(self._rng)
            await self.act()

    async def act(self) -> None:
        raise NotImplementedError

    def route(self) -> SimulatedReplica | None:
        """The replica that takes the next call."""
        return self._world.route()

    def begin(self, verb: Verb, name: str, **rest: Any) -> Call:
        return self._world.history.begin(Call(self.name, verb, name, _now(), **rest))

    def new_value(self) -> int:
        self._values += 1
        return self._values

    async def request(self, call: Call, request: Request, attempts: int = 1) -> None:
        """Make the call, again while its fate is unknown, and note how it ended."""
        for attempt in range(attempts):
            fate, answer = await self._attempt(call, request)
            if answer.written is not None:
                self._world.acknowledged(answer.written)
            if attempt and (fate is Fate.REFUSED or answer.fields.get("matched") is False):
                fate, answer = Fate.UNKNOWN, NO_ANSWER  # one long ago may have been applied, and be forgotten
            for name, value in answer.fields.items():
                setattr(call, name, value)
            call.fate = fate
            if fate is not Fate.UNKNOWN:
                call.returned = _now()
                return

    async def _attempt(self, call: Call, request: Request) -> tuple[Fate, Answer]:
        replica = self.route()
        if replica is None:
            return Fate.REFUSED, NO_ANSWER
        call.note = f"{call.note} {replica.name}".strip()
        await replica.front.travel()
        task = replica.run(request(replica.app.pipeline))
        await replica.wait_for(task, PATIENCE)
        await replica.front.travel()
        if not task.done():
            if self._rng.random() < 0.5:
                task.cancel()  # the server learns of it; otherwise it goes on for nobody
            return Fate.UNKNOWN, NO_ANSWER
        return self._outcome_of(task)

    def _outcome_of(self, task: asyncio.Task[Answer]) -> tuple[Fate, Answer]:
        if task.cancelled():
            return Fate.UNKNOWN, NO_ANSWER
        match task.exception():
            case None:
                return Fate.OK, task.result()
            case CrossfadeError() as error:
                return (Fate.REFUSED if error.outcome is Outcome.NOT_APPLIED else Fate.UNKNOWN), NO_ANSWER
            case error:
                self._world.chronicle.complain(Promise.SOUND, f"a call ended in {error!r}")
                return Fate.UNKNOWN, NO_ANSWER


class RegisterClient(Caller):
    """Reads, writes, changes and deletes registers, and writes what others write past the proxy."""

    def __init__(
        self,
        number: int,
        rng: Random,
        world: Surroundings,
        names: Sequence[str],
        verbs: Sequence[Verb] = MIXED,
    ) -> None:
        super().__init__(number, rng, world)
        self._names = names
        self._verbs = verbs
        self._seen: dict[str, int] = {}

    async def act(self) -> None:
        name = self._rng.choice(self._names)
        call = self.begin(self._rng.choice(self._verbs), name)
        performs = {
            Verb.READ: self._read,
            Verb.PUT: self._put,
            Verb.CHANGE: self._change,
            Verb.DELETE: self._delete,
        }
        await performs[call.verb](call)

    async def _read(self, call: Call) -> None:
        await self.request(call, _reading(call))
        if call.fate is Fate.OK and call.value is not None:
            self._seen[call.key] = call.value

    async def _put(self, call: Call) -> None:
        call.value = self.new_value()
        put = Replace(key(call.key), document(call.key, n=call.value), upsert=True)
        await self.request(call, _writing(put, self._rng.randbytes(16)))

    async def _change(self, call: Call) -> None:
        call.value, call.expected = self.new_value(), self._seen.get(call.key, -1)
        wanted = Precondition(Compare("n", Comparator.EQ, call.expected))
        change = Modify(key(call.key), (Set("n", call.value),), wanted)
        await self.request(call, _writing(change, self._rng.randbytes(16)))

    async def _delete(self, call: Call) -> None:
        await self.request(call, _writing(Delete(key(call.key)), self._rng.randbytes(16)))


class ListClient(Caller):
    """Appends to lists, repeating an append whose fate is unknown, and reads them."""

    def __init__(self, number: int, rng: Random, world: Surroundings, names: Sequence[str] = LISTS) -> None:
        super().__init__(number, rng, world)
        self._names = names

    async def act(self) -> None:
        name = self._rng.choice(self._names)
        if self._rng.random() < 0.5:
            call = self.begin(Verb.LIST, name)
            await self.request(call, _reading(call))
        else:
            await self._append(self.begin(Verb.APPEND, name, value=self.new_value()))

    async def _append(self, call: Call) -> None:
        target = key(call.key)
        push = Modify(target, (Push("items", (call.value,)),), upsert=True, seed=document(call.key))
        op = self._rng.randbytes(16)
        await self.request(call, _writing(push, op), self._rng.choice([1, ATTEMPTS]))


class Watcher(ListClient):
    """Reads one list again and again while the primary changes: what it saw may not go away."""

    async def work(self, end: float) -> None:
        """In those times only."""
        while asyncio.get_running_loop().time() < end:
            name = self._rng.choice(self._names)
            for _ in range(WATCH):
                if not self._world.is_crowded():
                    break
                call = self.begin(Verb.LIST, name)
                await self.request(call, _reading(call))
                await asyncio.sleep(self._rng.expovariate(1 / 0.012))
            await self._world.think(self._rng)


class Worker(Caller):
    """Reserves whichever job is first, works on it for a while, and lets it go."""

    async def act(self) -> None:
        call = self.begin(Verb.TAKE, "", value=self.new_value())
        await self.request(call, self._taking(call))
        if call.fate is Fate.OK and call.matched:
            await self._world.think(self._rng)
            await self._release(call)

    def _taking(self, call: Call) -> Request:
        async def request(pipeline: Pipeline) -> Answer:
            written = await pipeline.take_first(NAME, FREE_JOBS, (Set("owner", call.value),))
            after = written.result.after
            job = {"key": str(after.key.values[-1])} if after else {}
            return Answer({"matched": written.result.matched, **job}, after)

        return request

    async def _release(self, taken: Call) -> None:
        mine = Precondition(Compare("owner", Comparator.EQ, taken.value))
        call = self.begin(Verb.RELEASE, taken.key, value=taken.value)
        release = Modify(key(taken.key), (Set("owner", NOBODY),), mine)
        await self.request(call, _writing(release, self._rng.randbytes(16)), ATTEMPTS)


class Reader(Caller):
    """Reads from one replica what there is in the end."""

    def __init__(self, number: int, rng: Random, world: Surroundings, replica: SimulatedReplica) -> None:
        super().__init__(number, rng, world)
        self._replica = replica

    async def read(self, name: str) -> None:
        """Until there is an answer: nothing is in the way any more."""
        call = self.begin(Verb.LIST if name in LISTS else Verb.READ, name)
        await self.request(call, _reading(call), 1000)

    def route(self) -> SimulatedReplica | None:
        return self._replica


def _reading(call: Call) -> Request:
    async def request(pipeline: Pipeline) -> Answer:
        [record] = await pipeline.get(NAME, [key(call.key)])
        is_list = call.verb is Verb.LIST
        return Answer({"items": items_of(record)} if is_list else {"value": value_of(record)})

    return request


def _writing(command: Replace | Modify | Delete, op: bytes) -> Request:
    async def request(pipeline: Pipeline) -> Answer:
        written = await pipeline.write(NAME, command, op)
        return Answer({"matched": written.result.matched}, written.result.after)

    return request


def _now() -> float:
    return asyncio.get_running_loop().time() - START
