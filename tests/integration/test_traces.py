"""A trace on real stores, as it leaves the proxy: the call, and primary, mirror and shadow below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

from crossfade import AsyncClient
from crossfade.v1 import storage_pb2 as pb
from proxy.api.migration import MigrationServicer
from proxy.api.server import Server, ServerSettings
from proxy.api.storage import StorageServicer
from proxy.config import ProxyConfig
from proxy.core.divergence import Divergence
from proxy.core.exchange import DivergenceQuery
from proxy.core.stage import Stage
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from proxy.telemetry import METRICS, TelemetrySettings, open_telemetry
from proxy.telemetry.signals import Telemetry
from proxy.wiring import App, build
from tests.fixtures.waiting import until
from tests.integration.otlp import Received, Span, receiving
from tests.unit.api.samples import message_of

SERVICE = "crossfade.v1.StorageService"
CALLER = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = "b7ad6b7169203331"
DECLARED = """
collections:
  things:
    mongodb: {name}.things
    table: {name}
    partition: name
    settings: {{recheck_delays: [0.05, 0.1], mirror_timeout: 30}}
"""


@dataclass(frozen=True)
class Traced:
    """A proxy in this process whose signals go to a receiver."""

    app: App
    address: str
    received: Received
    telemetry: Telemetry

    async def flush(self) -> None:
        """End the telemetry: everything has arrived then."""
        await asyncio.to_thread(self.telemetry.stop)


@asynccontextmanager
async def tracing(file: Path, name: str, mongodb: str, dynamodb: str) -> AsyncIterator[Traced]:
    config = ProxyConfig(
        collections_file=str(file),
        mongodb_uri=mongodb,
        dynamodb_endpoint=dynamodb,
        control_database=f"{name}_control",
        replica_id=name,
    )
    with receiving() as received:
        settings = TelemetrySettings(received.endpoint, trace_rate=1.0, service_instance=name)
        telemetry = open_telemetry(settings)
        assert isinstance(telemetry, Telemetry)
        app = await build(config, telemetry)
        await app.prepare()
        await app.start()
        storage = StorageServicer(app.pipeline, b"k" * 32, 30.0)
        migration = MigrationServicer(
            app.overview, app.coordinator, app.divergences, app.workshop, app.mender, name, b"k" * 32
        )
        server = Server(storage, migration, telemetry, ServerSettings("127.0.0.1:0"))
        await server.start()
        try:
            yield Traced(app, f"127.0.0.1:{server.port}", received, telemetry)
        finally:
            await server.drain()
            await app.stop()
            await asyncio.to_thread(telemetry.stop)


async def publish(app: App, stage: Stage) -> None:
    flag = await app.control.flag("things")
    assert await app.control.swap(flag, flag.publish(stage, await app.control.now()))
    await until(lambda: app.membership.doors["things"].published.stage is stage, 10)


async def lose_from_dynamodb(endpoint: str, table: str) -> None:
    """Somebody deletes everything from the mirror, past the proxy."""
    async with DynamoStores(DynamoSettings(endpoint=endpoint)) as dynamo:
        call = dynamo.transport.call
        described = await call("DescribeTable", {"TableName": table})
        names = [one["AttributeName"] for one in described["Table"]["KeySchema"]]
        for item in (await call("Scan", {"TableName": table}))["Items"]:
            await call("DeleteItem", {"TableName": table, "Key": {name: item[name] for name in names}})


async def get_as_part_of_a_trace(address: str, name: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        get: Any = channel.unary_unary(
            f"/{SERVICE}/Get", pb.GetRequest.SerializeToString, pb.GetResponse.FromString
        )
        request = pb.GetRequest(collection="things", key=message_of({"name": name}))
        await get(request, metadata=(("traceparent", f"00-{CALLER}-{CALLERS_SPAN}-01"),))


def steps(received: Received, call: Span) -> list[tuple[str, str]]:
    return [(one.name, one.attributes["db.system.name"]) for one in received.below(call)]


@pytest.fixture
async def traced(
    tmp_path: Path, unique_name: str, mongodb_uri: str, dynamodb_endpoint: str
) -> AsyncIterator[Traced]:
    file = tmp_path / "collections.yaml"
    file.write_text(DECLARED.format(name=unique_name))
    async with tracing(file, unique_name, mongodb_uri, dynamodb_endpoint) as traced:
        await publish(traced.app, Stage.MONGO_PRIMARY)
        yield traced


async def test_a_trace_has_the_call_the_primary_the_mirror_and_the_shadow(traced: Traced) -> None:
    async with AsyncClient(traced.address) as client:
        await client["things"].insert_one({"name": "a", "n": 1})
        await client["things"].find({"name": "a"}).to_list()
    await get_as_part_of_a_trace(traced.address, "a")
    await traced.app.settle()
    await publish(traced.app, Stage.DYNAMO_PRIMARY)
    async with AsyncClient(traced.address) as client:
        await client["things"].update_one({"name": "a"}, {"$set": {"n": 2}})
    await traced.flush()

    received = traced.received
    mongodb, dynamodb = "mongodb", "aws.dynamodb"
    [insert] = received.named(f"{SERVICE}/Insert")
    assert insert.parent == ""
    assert insert.kind == Sent.SPAN_KIND_SERVER
    assert insert.attributes["rpc.system.name"] == "grpc"
    assert insert.attributes["rpc.method"] == f"{SERVICE}/Insert"
    assert insert.attributes["rpc.response.status_code"] == "OK"
    assert steps(received, insert) == [("primary.write", mongodb), ("mirror.write", dynamodb)]
    [update] = received.named(f"{SERVICE}/Update")
    assert steps(received, update) == [("primary.write", dynamodb), ("mirror.write", mongodb)]
    [query] = received.named(f"{SERVICE}/Query")
    assert steps(received, query) == [("primary.query", mongodb), ("shadow.query", dynamodb)]
    [get] = received.named(f"{SERVICE}/Get")
    assert (get.trace, get.parent) == (CALLER, CALLERS_SPAN)
    assert steps(received, get) == [("primary.get", mongodb), ("shadow.get", dynamodb)]
    primary, shadow = received.below(get)
    assert get.began <= primary.began <= primary.ended <= get.ended
    assert shadow.kind == Sent.SPAN_KIND_CLIENT
    assert shadow.attributes["crossfade.collection"] == "things"
    assert received.instances == {traced.app.parts.replica_id}


async def test_a_divergence_leads_to_the_trace_that_found_it(traced: Traced, dynamodb_endpoint: str) -> None:
    async with AsyncClient(traced.address) as client:
        await client["things"].insert_one({"name": "hunter2"})
    table = traced.app.parts.collections[0].table
    await lose_from_dynamodb(dynamodb_endpoint, table)
    await get_as_part_of_a_trace(traced.address, "hunter2")
    await traced.app.settle()
    [found] = await divergences(traced.app)
    await traced.flush()

    assert found.trace_id == CALLER
    [get] = traced.received.named(f"{SERVICE}/Get")
    mirror, primary = ("shadow.get", "aws.dynamodb"), ("shadow.get", "mongodb")
    first, *rechecks = steps(traced.received, get)[1:]
    assert first == mirror
    assert rechecks == [mirror, primary] * 2, "each recheck asks both"
    assert "hunter2" not in repr(traced.received.spans)


async def test_metrics_leave_by_otlp_too(traced: Traced) -> None:
    async with AsyncClient(traced.address) as client:
        await client["things"].insert_one({"name": "a"})
    await traced.flush()
    assert traced.received.metrics <= {metric.name for metric in METRICS}
    assert {
        "rpc.server.call.duration",
        "crossfade.call.added",
        "db.client.operation.duration",
        "db.client.connection.count",
        "crossfade.mirror.writes",
        "crossfade.collection.stage",
        "crossfade.breaker.state",
        "crossfade.dynamodb.capacity",
        "process.cpu.time",
    } <= traced.received.metrics


async def divergences(app: App) -> list[Divergence]:
    return await app.divergences.list(DivergenceQuery("things"))
