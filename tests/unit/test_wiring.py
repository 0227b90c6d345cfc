"""How the stores of an application are prepared: both at once, and the primary has the word."""

from __future__ import annotations

import asyncio

import pytest

from proxy.core.errors import Reason, Refused
from proxy.core.stage import Stage
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
