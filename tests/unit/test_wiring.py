"""How an application starts: both stores at once, the primary has the word, no change of a flag is missed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from proxy.core.errors import Reason, Refused, Unavailable
from proxy.core.flag import Flag
from proxy.core.stage import Stage
from proxy.stores.memory.control import MemoryControl
from proxy.wiring import App
from tests.fixtures.memory_world import world


@pytest.mark.parametrize("mirror_refuses", [False, True])
async def test_where_the_primary_refuses_its_error_is_told_and_nothing_goes_on(mirror_refuses: bool) -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def refuse() -> tuple[str, ...]:
            await begun.wait()
            await asyncio.sleep(0)
            raise Refused("the primary has another index", Reason.STORE_REJECTED)

        async def go_on() -> tuple[str, ...]:
            begun.set()
            try:
                if mirror_refuses:
                    raise Refused("the mirror has another key", Reason.STORE_REJECTED)
                await asyncio.Event().wait()
                raise AssertionError("unreachable")
            finally:
                ended.set()

        w.mongo.prepare, w.dynamo.prepare = refuse, go_on  # type: ignore[method-assign]
        with pytest.raises(Refused, match="the primary has another index"):
            await w.app.prepare()
        assert ended.is_set()


async def test_what_both_stores_did_is_told_the_primary_s_first() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        is_mirror_begun = asyncio.Event()

        async def prepare_mongo() -> tuple[str, ...]:
            await is_mirror_begun.wait()  # it would be for ever, if one came after the other
            return ("created an index",)

        async def prepare_dynamo() -> tuple[str, ...]:
            is_mirror_begun.set()
            return ("created a table",)

        w.mongo.prepare, w.dynamo.prepare = prepare_mongo, prepare_dynamo  # type: ignore[method-assign]
        async with asyncio.timeout(5):
            assert await w.app.prepare() == ["created an index", "created a table"]


async def test_a_mirror_that_refuses_keeps_the_proxy_off() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:

        async def refuse() -> tuple[str, ...]:
            raise Refused("the mirror has another key", Reason.STORE_REJECTED)

        w.dynamo.prepare = refuse  # type: ignore[method-assign]
        with pytest.raises(Refused, match="the mirror has another key"):
            await w.app.prepare()


async def test_a_start_asks_once_for_flags_that_are_there_and_misses_none_of_their_changes() -> None:
    async with world(Stage.MONGO_ONLY) as w:
        asked: list[str] = []
        create = w.app.control.create

        async def note(flag: Flag) -> Flag:
            asked.append(flag.collection)
            return await create(flag)

        w.app.control.create = note  # type: ignore[method-assign]
        second = App(replace(w.app.parts, replica_id="r2", address="r2:1"))
        await second.prepare()
        await w.publish(Stage.MONGO_PRIMARY)
        await second.start()
        try:
            assert second.membership.doors["jobs"].flag.stage is Stage.MONGO_PRIMARY
            assert asked == []
        finally:
            await second.stop()


async def test_the_flag_of_a_new_collection_is_created_at_its_first_start() -> None:
    async with world(Stage.MONGO_ONLY) as w:
        new = App(replace(w.app.parts, control=MemoryControl(w.app.parts.clock.now)))
        await new.prepare()
        await new.start()
        await new.stop()
        [flag] = await new.control.flags()
        assert (flag.collection, flag.epoch, flag.stage) == ("jobs", 1, Stage.MONGO_ONLY)


async def test_the_log_of_divergences_is_prepared_and_nobody_waits_for_one_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(Stage.MONGO_ONLY) as w:
        asked = []

        async def refuse() -> None:
            asked.append("the log")
            raise Unavailable("MongoDB is gone")

        monkeypatch.setattr(w.divergences, "prepare", refuse)
        await w.app.prepare()
        assert asked == ["the log"]
