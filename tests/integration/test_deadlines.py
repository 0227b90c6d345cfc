"""A call's deadline reaches the stores: MongoDB is told, and DynamoDB is asked no longer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from pymongo import AsyncMongoClient, monitoring

from proxy.api.deadline import Limit
from proxy.core import deadline
from proxy.core.errors import CrossfadeError, DeadlineExceeded, Outcome
from proxy.core.filter import Comparator, Compare
from proxy.core.keys import Key
from proxy.core.planner import plan
from proxy.core.query import PageRequest
from proxy.stores.dynamo.transport import DynamoSettings, Transport
from proxy.stores.mongo.store import MongoStore
from tests.unit.api.samples import JOBS

PLAN = plan(JOBS, Compare("tenant", Comparator.EQ, "t"))
KEY, OTHER = Key(("t", "a")), Key(("t", "b"))


class Commands(monitoring.CommandListener):
    """What MongoDB is told of time, by command."""

    def __init__(self) -> None:
        self.limits: list[tuple[str, int | None]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate"):
            self.limits.append((event.command_name, event.command.get("maxTimeMS")))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not looked at."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not looked at."""


@pytest.fixture
def commands() -> Commands:
    return Commands()


async def test_mongodb_is_told_how_long_a_read_may_take(
    mongodb_uri: str, unique_name: str, commands: Commands
) -> None:
    collection = replace(JOBS, mongo_database=unique_name)
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri, event_listeners=[commands]) as client:
        store = MongoStore(client, collection)
        await store.prepare()
        commands.limits.clear()
        async with Limit(7.0, Outcome.NOT_APPLIED):
            await store.find(PLAN, PageRequest(10))
            await store.count(PLAN, 100)
            for keys in ([KEY], [KEY, OTHER]):
                await store.get(keys)
        told = commands.limits[:]
        await store.find(PLAN, PageRequest(10))
        await store.get([KEY])
        await client.drop_database(unique_name)
    assert [name for name, _ in told] == ["find", "aggregate", "find", "find"]
    assert all(limit is not None and 0 < limit <= 7000 for _, limit in told)
    assert commands.limits[-2:] == [("find", None)] * 2, "what runs for no call has no deadline"


async def test_a_write_is_not_cut_off_by_the_store() -> None:
    async with Limit(7.0, Outcome.UNKNOWN):
        assert deadline.seconds_left() is None


async def test_dynamodb_is_not_asked_longer_than_the_call_may_take() -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    application = web.Application()
    application.router.add_post("/", hang)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    transport = Transport(DynamoSettings(endpoint=endpoint, attempt_timeout=20, call_timeout=20))
    began, mark = time.monotonic(), deadline.begin(0.3)
    try:
        with pytest.raises(CrossfadeError):
            await transport.call("GetItem", {"TableName": "t", "Key": {"a": {"S": "x"}}})
    finally:
        deadline.end(mark)
        await transport.close()
        await runner.cleanup()
    assert time.monotonic() - began < 5


async def test_a_read_that_takes_too_long_is_told_as_that() -> None:
    with pytest.raises(DeadlineExceeded) as late:
        async with Limit(0.05, Outcome.NOT_APPLIED):
            await asyncio.sleep(5)
    assert late.value.outcome is Outcome.NOT_APPLIED
    assert deadline.seconds_left() is None, "the next call begins anew"
