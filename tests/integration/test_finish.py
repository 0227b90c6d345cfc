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
from proxy.stores.dynamo.finals import DynamoFinals
from proxy.stores.dynamo.transport import DynamoSettings, Transport
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
    transport = Transport(DynamoSettings(endpoint=config.dynamodb_endpoint))
    flag = Flag("things", 9, Stage.DYNAMO_ONLY, 1, serial=12)
    try:
        keepers = [DynamoFinals(transport, f"{config.control_database}_race") for _ in range(8)]
        await asyncio.gather(*(one.record(flag) for one in keepers))
        assert await keepers[0].flags() == [flag]
    finally:
        await transport.close()
