"""What waits on a replica is bounded by settings, told as a gauge, and what does not fit is counted."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from proxy.core.comparison import Kind
from proxy.core.document import Document
from proxy.core.exchange import Page
from proxy.core.filter import Comparator, Compare
from proxy.core.finding import Finding
from proxy.core.keys import Key, key_of
from proxy.core.planner import plan
from proxy.core.query import PageRequest
from proxy.core.stage import Published, Stage
from proxy.core.version import Record, Version
from proxy.core.write import Delete
from proxy.flow.look import Look, PointRead, QueryRead
from tests.fixtures.memory_world import SETTINGS, World, jobs, world
from tests.fixtures.waiting import until

ALL = Compare("deployment_key", Comparator.EQ, "auth0")


class Held:
    """Holds up every read of the mirror until it is let go."""

    def __init__(self, w: World) -> None:
        self.asked = 0
        self._go = asyncio.Event()
        self._get = w.dynamo.get
        w.dynamo.get = self._wait  # type: ignore[method-assign]

    async def _wait(self, keys: Sequence[Key]) -> list[Record | None]:
        self.asked += 1
        await self._go.wait()
        return await self._get(keys)

    def let_go(self) -> None:
        self._go.set()


async def outcomes(w: World) -> Counter[str]:
    await w.app.settle()
    return Counter(w.app.reporters["jobs"].outcomes)


async def test_documents_that_wait_to_be_compared_are_bounded() -> None:
    async with world(Stage.MONGO_PRIMARY, replace(SETTINGS, shadow_queue=5)) as w:
        shadow = w.app.lanes["jobs"].shadow
        for name in "abcd":
            await w.app.pipeline.write("jobs", w.insert(name))
        mirror, keys = Held(w), [w.key(name) for name in "abcd"]
        await w.app.pipeline.get("jobs", keys)
        await w.app.pipeline.get("jobs", keys[:2])  # would make six
        assert shadow.waiting == 4
        await w.app.pipeline.get("jobs", keys[:1])
        assert shadow.waiting == 5
        mirror.let_go()
        assert await outcomes(w) == {"MATCH": 5, "DROPPED": 1}
        assert shadow.waiting == 0


async def test_a_read_larger_than_the_queue_is_compared_alone() -> None:
    async with world(Stage.MONGO_PRIMARY, replace(SETTINGS, shadow_queue=1)) as w:
        await w.app.pipeline.write("jobs", w.insert("a"))
        mirror = Held(w)
        await w.app.pipeline.get("jobs", [w.key("a"), w.key("b")])
        await w.app.pipeline.get("jobs", [w.key("a")])
        mirror.let_go()
        assert await outcomes(w) == {"MATCH": 2, "DROPPED": 1}


async def test_rows_that_wait_to_be_looked_at_again_are_bounded() -> None:
    settings = replace(SETTINGS, recheck_queue=3, recheck_delays=(0.05,))
    async with world(Stage.MONGO_PRIMARY, settings) as w:
        shadow = w.app.lanes["jobs"].shadow
        for name in "abcd":
            await w.app.pipeline.write("jobs", w.insert(name))
            del w.dynamo.table.records[w.key(name)]
        for names in ("ab", "cd", "d"):
            await w.app.pipeline.get("jobs", [w.key(name) for name in names])
        await until(lambda: shadow.rechecking == 3)
        assert await outcomes(w) == {"MISSING_IN_MIRROR": 3, "DROPPED": 1}
        assert shadow.rechecking == 0


def test_what_waits_to_be_looked_at_again_holds_no_documents() -> None:
    collection = jobs()
    document = Document({"_id": 1, "deployment_key": "auth0", "webtask_container": "c", "webtask_name": "n"})
    record = Record(key_of(collection, document.fields), Version(1, 1), b"o" * 16, (), document)
    query = QueryRead(plan(collection, ALL, ()), PageRequest(10), Page((record,), None))
    for read in (query, PointRead((record.key,), (record,))):
        look = Look(Published(1, Stage.MONGO_PRIMARY), read, None)
        assert look.documents == 1 and document in set(_documents(look))
        light = look.without_documents()
        assert type(light.read) is type(read) and light.published == look.published
        assert set(_documents(light)) == set()


def _documents(thing: object) -> Iterator[Document]:
    """All documents that can be reached from a thing."""
    if isinstance(thing, Document):
        yield thing
    elif dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            yield from _documents(getattr(thing, field.name))
    elif isinstance(thing, tuple):
        for part in thing:
            yield from _documents(part)


async def test_divergences_that_wait_to_be_recorded_are_bounded_and_the_rest_counted() -> None:
    async with world(Stage.MONGO_PRIMARY, replace(SETTINGS, report_queue=2)) as w:
        reporter = w.app.reporters["jobs"]
        for number in range(5):  # at once: nobody can have recorded any meanwhile
            reporter.report(Finding(Kind.QUERY_MISMATCH, None, "query", 1, None, None, str(number)))
        assert reporter.waiting == 2
        assert await outcomes(w) == {"QUERY_MISMATCH": 5, "REPORT_DROPPED": 3}
        assert reporter.waiting == 0


async def test_tombstones_that_wait_for_their_grace_are_bounded() -> None:
    settings = replace(SETTINGS, purge_queue=2, tombstone_grace=30.0)
    async with world(Stage.MONGO_PRIMARY, settings) as w:
        for name in "abc":
            await w.app.pipeline.write("jobs", w.insert(name))
            await w.app.pipeline.write("jobs", Delete(w.key(name)))
        assert w.app.lanes["jobs"].cleanup.waiting == 2
