"""What shadow reads say of a mirror that is not complete yet, or that moves under them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from proxy.core.exchange import DivergenceQuery, Page
from proxy.core.filter import Comparator, Compare
from proxy.core.keys import Key
from proxy.core.planner import plan
from proxy.core.query import PageRequest, Plan
from proxy.core.stage import Stage
from proxy.core.version import LEGACY, Record, Version
from tests.fixtures.memory_world import World, world
from tests.fixtures.waiting import until

ALL = Compare("deployment_key", Comparator.EQ, "auth0")


def leave_behind(w: World, *names: str, version: Version = LEGACY) -> None:
    """Documents of the old application, or of proxies, from before there was a feed to see them."""
    op = b"" if version == LEGACY else bytes(16)
    for name in names:
        key = w.key(name)
        w.mongo.table.records[key] = Record(key, version, op, (op,) if op else (), w.document(name))


def copy(w: World, name: str, version: Version | None = None) -> None:
    held = w.mongo.table.records[w.key(name)]
    w.dynamo.table.records[w.key(name)] = replace(held, version=version or held.version)


async def outcomes(w: World) -> Counter[str]:
    await w.app.settle()
    return Counter(w.app.reporters["jobs"].outcomes)


async def query(w: World) -> Page:
    return await w.app.pipeline.query("jobs", plan(w.collection, ALL, ()), PageRequest(10))


async def test_what_was_never_copied_is_no_divergence() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        leave_behind(w, "a", "b")
        copy(w, "b")
        await w.app.pipeline.get("jobs", [w.key("a"), w.key("b")])
        await query(w)
        assert await outcomes(w) == {"UNCOPIED": 2, "MATCH": 1}
        assert await w.divergences.list(DivergenceQuery()) == []


async def test_what_proxies_wrote_before_there_was_a_mirror_is_no_divergence_until_it_is_copied() -> None:
    """Writes have versions in MONGO_ONLY too; a mirror of an earlier time may still hold older ones."""
    async with world(Stage.MONGO_ONLY) as w:
        leave_behind(w, "a", "b", "c", version=Version(1, 5))
        copy(w, "b")
        copy(w, "c", version=Version(1, 4))
        await w.publish(Stage.MONGO_PRIMARY)
        await until(lambda: w.app.membership.doors["jobs"].published.stage is Stage.MONGO_PRIMARY)
        await w.app.pipeline.get("jobs", [w.key("a"), w.key("b"), w.key("c")])
        await query(w)
        assert await outcomes(w) == {"UNCOPIED": 3, "MATCH": 1}
        assert await w.divergences.list(DivergenceQuery()) == []


async def test_what_was_written_since_there_is_a_mirror_is_never_taken_for_uncopied() -> None:
    """A document that was legacy at the first look, and was then written without its mirror."""
    async with world(Stage.MONGO_PRIMARY) as w:
        leave_behind(w, "a")
        copy(w, "a", version=Version(0, 0))
        stale = w.dynamo.table.records[w.key("a")]
        w.dynamo.table.records[w.key("a")] = replace(stale, document=w.document("a", n=2))
        get, looks = w.dynamo.get, 0

        async def get_after_a_write(keys: Sequence[Key]) -> list[Record | None]:
            nonlocal looks
            looks += 1
            if looks == 2:
                leave_behind(w, "a", version=Version(1, 5))
                del w.dynamo.table.records[w.key("a")]
            return await get(keys)

        w.dynamo.get = get_after_a_write  # type: ignore[method-assign]
        await w.app.pipeline.get("jobs", [w.key("a")])
        assert await outcomes(w) == {"MISSING_IN_MIRROR": 1}


async def test_a_document_with_a_version_that_the_mirror_lacks_is_missing() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a"))
        del w.dynamo.table.records[w.key("a")]
        await w.app.pipeline.get("jobs", [w.key("a")])
        assert await outcomes(w) == {"MISSING_IN_MIRROR": 1}


async def test_a_query_of_a_mirror_that_moves_is_no_mismatch() -> None:
    """The row arrives between the last look at the pages and the look at the documents."""
    async with world(Stage.MONGO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a"))
        late = w.dynamo.table.records.pop(w.key("a"))
        find, looks = w.dynamo.find, 1 + len(w.collection.settings.recheck_delays)

        async def find_then_arrive(wanted: Plan, page: PageRequest) -> Page:
            nonlocal looks
            found, looks = await find(wanted, page), looks - 1
            if not looks:
                w.dynamo.table.records[w.key("a")] = late
            return found

        w.dynamo.find = find_then_arrive  # type: ignore[method-assign,assignment]
        await query(w)
        assert await outcomes(w) == {"QUERY_WINDOW": 1}


async def test_a_query_of_a_mirror_that_stands_still_and_differs_is_a_mismatch() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a"))

        async def find_nothing(wanted: Plan, page: PageRequest) -> Page:
            return Page((), None)

        w.dynamo.find = find_nothing  # type: ignore[method-assign,assignment]
        await query(w)
        assert await outcomes(w) == {"QUERY_MISMATCH": 1}


async def test_reads_of_a_moment_are_compared_in_one_round_trip_and_each_with_what_it_saw() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        for name in ("a", "b", "c"):
            await w.app.pipeline.write("jobs", w.insert(name))
        stale = w.dynamo.table.records[w.key("c")]
        w.dynamo.table.records[w.key("c")] = replace(stale, document=w.document("another"))
        get, asked = w.dynamo.get, list[Sequence[Key]]()

        async def noted(keys: Sequence[Key]) -> list[Record | None]:
            asked.append(keys)
            return await get(keys)

        w.dynamo.get = noted  # type: ignore[method-assign]
        for names in ("a", "ab", "c"):
            await w.app.pipeline.get("jobs", [w.key(name) for name in names])
        assert await outcomes(w) == {"MATCH": 3, "TRUE_MISMATCH": 1}
        assert [set(keys) for keys in asked[:1]] == [{w.key("a"), w.key("b"), w.key("c")}]
