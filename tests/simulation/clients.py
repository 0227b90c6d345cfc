"""Simulated clients: they call whichever replica lives, and write down what they saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from proxy.core.document import Document
from proxy.core.errors import CrossfadeError, Outcome
from proxy.core.filter import Comparator, Compare
from proxy.core.keys import Key, key_of
from proxy.core.update import Set
from proxy.core.write import Delete, Modify, Precondition, Replace
from proxy.flow.pipeline import Pipeline
from tests.fixtures.memory_world import jobs
from tests.simulation.history import Call, Fate, History, Verb

COLLECTION = jobs()
PATIENCE = 3.0
"""Virtual seconds after which a client gives a call up as unknown."""


def document(name: str, value: int) -> Document:
    fields = {"deployment_key": "d", "webtask_container": "c", "webtask_name": name}
    return Document({"_id": name, **fields, "n": value})


def key(name: str) -> Key:
    return key_of(COLLECTION, document(name, 0).fields)


class Client:
    """One caller with one call at a time."""

    def __init__(
        self, name: str, rng: Random, history: History, route: Callable[[], Pipeline | None]
    ) -> None:
        self.name = name
        self._rng = rng
        self._history = history
        self._route = route
        self._values = 0
        self._seen: dict[str, int] = {}

    async def work(self, names: list[str], until: float) -> None:
        """Call after call until the virtual time `until`."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            await asyncio.sleep(self._rng.expovariate(1 / 0.15))
            pipeline = self._route()
            if pipeline is not None:
                await self._call(pipeline, self._rng.choice(names))

    async def _call(self, pipeline: Pipeline, name: str) -> None:
        verb = self._rng.choice([Verb.READ, Verb.READ, Verb.PUT, Verb.CHANGE, Verb.CHANGE, Verb.DELETE])
        call = self._history.begin(Call(self.name, verb, name, asyncio.get_running_loop().time()))
        if verb in (Verb.PUT, Verb.CHANGE):
            self._values += 1
            call.value = int(self.name[1:]) * 1_000_000 + self._values
        call.expected = self._seen.get(name, -1) if verb is Verb.CHANGE else None
        try:
            async with asyncio.timeout(PATIENCE):
                await self._perform(pipeline, call)
            call.fate = Fate.OK
        except TimeoutError:
            return
        except CrossfadeError as error:
            call.fate = Fate.REFUSED if error.outcome is Outcome.NOT_APPLIED else Fate.UNKNOWN
        call.returned = asyncio.get_running_loop().time()

    async def _perform(self, pipeline: Pipeline, call: Call) -> None:
        op = self._rng.randbytes(16)
        target = key(call.key)
        match call.verb:
            case Verb.READ:
                [record] = await pipeline.get("jobs", [target])
                call.value = record.document.fields["n"] if record and record.document else None
                if call.value is not None:
                    self._seen[call.key] = call.value
            case Verb.PUT:
                assert call.value is not None
                put = Replace(target, document(call.key, call.value), upsert=True)
                await pipeline.write("jobs", put, op)
            case Verb.CHANGE:
                wanted = Precondition(Compare("n", Comparator.EQ, call.expected))
                change = Modify(target, (Set("n", call.value),), wanted)
                call.matched = (await pipeline.write("jobs", change, op)).result.matched
            case Verb.DELETE:
                call.matched = (await pipeline.write("jobs", Delete(target), op)).result.matched
