"""The end of a migration: DYNAMO_ONLY is kept in DynamoDB, and the proxy then lives without MongoDB."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.config import ProxyConfig
from proxy.core.document import Document
from proxy.core.errors import CrossfadeError, Fenced
from proxy.core.flag import Flag
from proxy.core.keys import Key
from proxy.core.silence import SilentSignals
from proxy.core.stage import Stage, StoreName
from proxy.core.version import Stamp
from proxy.core.write import Insert
from proxy.stores.dynamo.failures import Reply
from proxy.stores.dynamo.finals import DynamoFinals
from proxy.stores.dynamo.transport import Attempt, DynamoSettings, Intercept, Request, Transport
from proxy.wiring import App, build

NOWHERE_MONGODB = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200&directConnection=true"
NOWHERE_DYNAMODB = "http://127.0.0.1:9"


@pytest.fixture
def config(tmp_path: Path, mongodb_uri: str, dynamodb_endpoint: str) -> ProxyConfig:
    name = f"finish_{secrets.token_hex(4)}"
    file = tmp_path / "collections.yaml"
    file.write_text(
        f"collections:\n  things:\n    mongodb: {name}.things\n    table: {name}\n    partition: name\n"
    )
    return ProxyConfig(
        collections_file=str(file),
        mongodb_uri=mongodb_uri,
        dynamodb_endpoint=dynamodb_endpoint,
        control_database=name,
        replica_id=f"r-{name}",
        lease_seconds=2.0,
    )


@asynccontextmanager
async def running(config: ProxyConfig) -> AsyncIterator[App]:
    app = await build(config, SilentSignals())
    try:
        await app.prepare()
        await app.start()
        yield app
    finally:
        await app.stop()


def thing(name: str) -> Insert:
    return Insert(Key((name,)), Document({"_id": name, "name": name}))


async def publish(app: App, stage: Stage) -> None:
    """Move with every check overridden: what is tested is not the gate."""
    await app.coordinator.move("things", stage, actor="test", reason="test", dry_run=False, override=True)


async def finish(app: App) -> None:
    for stage in (Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY, Stage.DYNAMO_ONLY):
        await publish(app, stage)


async def test_after_dynamo_only_the_proxy_starts_and_serves_with_mongodb_gone(config: ProxyConfig) -> None:
    async with running(config) as app:
        await app.pipeline.write("things", thing("before"))
        await publish(app, Stage.MONGO_PRIMARY)
        await app.pipeline.write("things", thing("a"))
        await publish(app, Stage.DYNAMO_PRIMARY)
        await publish(app, Stage.DYNAMO_ONLY)
    async with running(replace(config, mongodb_uri=NOWHERE_MONGODB)) as app:
        [found] = await app.pipeline.get("things", [Key(("a",))])
        assert found is not None
        await app.pipeline.write("things", thing("b"))
        status = await app.overview.collection("things")
        assert status.flag.stage is Stage.DYNAMO_ONLY


async def test_a_stale_writer_is_refused_by_mongodb_for_ever(config: ProxyConfig) -> None:
    async with running(config) as app:
        await finish(app)
        stale = app.parts.stores["things"][StoreName.MONGODB]
        with pytest.raises(Fenced):
            await stale.write(thing("late"), Stamp(10**9, b"s" * 16, app.parts.clock.now()))


async def test_there_is_no_way_back(config: ProxyConfig) -> None:
    async with running(config) as app:
        await finish(app)
        with pytest.raises(CrossfadeError):
            await publish(app, Stage.DYNAMO_PRIMARY)


async def test_an_absent_dynamodb_keeps_no_proxy_from_starting_on_mongodb(config: ProxyConfig) -> None:
    async with running(config) as app:
        await publish(app, Stage.MONGO_PRIMARY)
    async with running(replace(config, dynamodb_endpoint=NOWHERE_DYNAMODB)) as app:
        written = await app.pipeline.write("things", thing("alone"))
        assert written.mirror.value == "deferred"


async def test_replicas_that_learn_of_the_end_at_once_all_keep_it(config: ProxyConfig) -> None:
    flag = Flag("things", 9, Stage.DYNAMO_ONLY, 1, serial=12)
    for number in range(3):
        async with keepers(config, f"race{number}") as all_of_them:
            await asyncio.gather(*(one.record(flag) for one in all_of_them))
            assert await all_of_them[0].flags() == [flag]


async def test_a_table_that_another_replica_is_making_is_waited_for(config: ProxyConfig) -> None:
    """As the service has it: for a while there is no table, then one that cannot be written to yet."""
    told = iter((None, None, "CREATING", "CREATING"))
    calls: list[str] = []

    async def making(operation: str, request: Request, attempt: Attempt) -> Reply:
        calls.append(operation)
        if operation == "CreateTable" and len(calls) > 2:
            return Reply(400, {"__type": "x#ResourceInUseException", "message": "preexisting table"})
        reply = await attempt(operation, request)
        if operation != "DescribeTable" or (status := next(told, "ACTIVE")) == "ACTIVE":
            return reply
        if status is None:
            return Reply(400, {"__type": "x#ResourceNotFoundException", "message": "no table"})
        return Reply(200, {"Table": {"TableStatus": status}})

    flag = Flag("things", 9, Stage.DYNAMO_ONLY, 1, serial=12)
    async with keepers(config, "making", making) as (keeper, *_):
        await keeper.record(flag)
        looks = ["DescribeTable", "CreateTable"] * 2 + ["DescribeTable"] * 3
        assert calls == [*looks, "PutItem"]
        assert await keeper.flags() == [flag]


@asynccontextmanager
async def keepers(
    config: ProxyConfig, name: str, intercept: Intercept | None = None
) -> AsyncIterator[list[DynamoFinals]]:
    """Eight replicas' keepers of one table, which is removed at the end."""
    table = f"{config.control_database}_{name}"
    transport = Transport(DynamoSettings(endpoint=config.dynamodb_endpoint), intercept)
    try:
        yield [DynamoFinals(transport, table) for _ in range(8)]
    finally:
        await transport.call("DeleteTable", {"TableName": table})
        await transport.close()
