"""The same collection twice behind one real proxy: its primary MongoDB here, DynamoDB there.

Whatever is asked of one is asked of the other; they must answer alike, and what is refused leaves no trace.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import boto3
import grpc
from pymongo import AsyncMongoClient

from crossfade.v1 import error_pb2
from crossfade.v1.storage_pb2_grpc import StorageServiceStub
from proxy.api.migration import MigrationServicer
from proxy.api.server import Server, ServerSettings
from proxy.api.status import TRAILER
from proxy.api.storage import StorageServicer
from proxy.clock import SystemClock
from proxy.core.collection import Collection
from proxy.core.declaration import declare
from proxy.core.flag import Flag
from proxy.core.ports import Control
from proxy.core.stage import Stage, StoreName
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from proxy.stores.memory.control import MemoryControl, MemoryDivergences
from proxy.stores.memory.store import MemoryFence, MemoryTable
from proxy.stores.mongo.store import MongoStores
from proxy.telemetry import Silence
from proxy.wiring import App, Parts

T = TypeVar("T")
MONGO, DYNAMO = "on_mongodb", "on_dynamodb"
STAGES = {MONGO: Stage.MONGO_ONLY, DYNAMO: Stage.DYNAMO_ONLY}
PAGE_KEY = b"a key for fuzzing alone, 32 bytes"
MAX_PAGES = 50


def twin(name: str, place: str) -> Collection:
    return declare(
        name,
        {
            "mongodb": f"{place}.{name}",
            "table": f"{place}_{name}",
            "partition": "tenant/area",
            "sort": {"fields": ["name", "part"], "attribute": "name_part"},
            "types": {"part": "number", "due": "number"},
            "indexes": {"by_due": {"kind": "local", "sort": "due"}},
            "settings": {"allow_scan": True, "shadow_rate": 0.0},
        },
    )


@dataclass(frozen=True)
class Answer:
    """What came of a call: facts that must be equal on both twins, or the reason of a refusal."""

    reason: str
    facts: Any = None
    outcome: int = 0
    message: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer) and (self.reason, self.facts) == (other.reason, other.facts)

    def __hash__(self) -> int:
        return hash(self.reason)


@dataclass
class Twins:
    """A proxy that serves both, and how to ask it from a thread without an event loop."""

    port: int
    place: str
    mongo: AsyncMongoClient[Any]
    table: Any
    control: Control
    loop: asyncio.AbstractEventLoop

    def __post_init__(self) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub: Any = StorageServiceStub(self.channel)
        self.keys = self.table.key_schema

    def ask(self, method: str, request: Any) -> Answer:
        try:
            return Answer("", self._facts(method, request, getattr(self.stub, method)(request, timeout=30)))
        except grpc.RpcError as failure:
            return refusal(failure)

    def stored(self) -> tuple[Any, Any]:
        """Everything that both hold, whatever the proxy says of it."""
        return self.run(self._stored())

    def stages(self) -> Any:
        """The stage and epoch of both."""
        return self.run(self.control.flags())

    def clear(self) -> None:
        """Take every document away, past the proxy."""
        self.run(self._clear())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    async def _stored(self) -> tuple[Any, Any]:
        documents = await self.mongo[self.place][MONGO].find_raw_batches({}, sort={"_id": 1}).to_list()
        items = await asyncio.to_thread(self.table.scan, ConsistentRead=True)
        return b"".join(documents), sorted(map(repr, items["Items"]))

    async def _clear(self) -> None:
        await self.mongo[self.place][MONGO].delete_many({})
        await asyncio.to_thread(self._clear_table)

    def _clear_table(self) -> None:
        with self.table.batch_writer() as batch:
            for item in self.table.scan(ConsistentRead=True)["Items"]:
                batch.delete_item(
                    Key={name["AttributeName"]: item[name["AttributeName"]] for name in self.keys}
                )

    def _facts(self, method: str, request: Any, response: Any) -> Any:
        if method == "Query":
            return self._pages(request, response)
        if method == "Count":
            return response.count
        if method == "BatchGet":
            return [_shown(one) for one in response.results]
        if method == "BatchWrite":
            return [_result(one) for one in response.results]
        if method == "Get":
            return _shown(response)
        return _written(response)

    def _pages(self, request: Any, response: Any) -> list[Any]:
        """All pages as one list: where a page ends may differ."""
        found = [_fields(one.document) for one in response.documents]
        for _ in range(MAX_PAGES):
            if not response.next_page_token:
                return found
            again = type(request)()
            again.CopyFrom(request)
            again.page_token = response.next_page_token
            response = self.stub.Query(again, timeout=30)
            found += [_fields(one.document) for one in response.documents]
        raise AssertionError(f"a query of a few documents has more than {MAX_PAGES} pages")


def refusal(failure: Any) -> Answer:
    """What a failed call says; "bare" and its status where it has no details."""
    status = error_pb2.Status()
    for name, value in failure.trailing_metadata() or ():
        if name == TRAILER:
            status.ParseFromString(value)
    detail = error_pb2.ErrorDetail()
    if not status.details or not status.details[0].Unpack(detail):
        return Answer(f"bare {failure.code().name}", message=str(failure.details()))
    return Answer(
        error_pb2.ErrorReason.Name(detail.reason).removeprefix("ERROR_REASON_"),
        outcome=detail.outcome,
        message=status.message,
    )


def _written(response: Any) -> Any:
    did = (response.matched, response.modified, response.inserted, response.repeated)
    return did, _fields(response.before), _fields(response.after)


def _result(result: Any) -> Any:
    """What became of one write of a batch."""
    if result.WhichOneof("kind") == "response":
        return _written(result.response)
    return error_pb2.ErrorReason.Name(result.error.detail.reason)


def _shown(response: Any) -> Any:
    return _fields(response.document) if response.HasField("document") else None


def _fields(document: Any) -> Any:
    """The document to the byte, without an `_id` that the proxy itself has made."""
    kept = [one for one in document.fields if one.name != "_id" or not one.value.HasField("object_id_value")]
    return tuple(one.SerializeToString(deterministic=True) for one in kept), bytes(document.bson)


@asynccontextmanager
async def opened(mongodb_uri: str, dynamodb_endpoint: str) -> AsyncIterator[Twins]:
    """Twins without a document, taken away at the end."""
    place = f"f{uuid.uuid4().hex[:12]}"
    collections = [twin(name, place) for name in STAGES]
    clock = SystemClock()
    settings = DynamoSettings(endpoint=dynamodb_endpoint, attempt_timeout=10, call_timeout=30)
    async with MongoStores.open(mongodb_uri) as mongo, DynamoStores(settings) as dynamo:
        app = App(
            Parts(
                collections=collections,
                stores={
                    one.name: {
                        StoreName.MONGODB: mongo.collection(one, dynamo.limits(one)),
                        StoreName.DYNAMODB: dynamo.collection(one),
                    }
                    for one in collections
                },
                fences={one.name: MemoryFence(MemoryTable()) for one in collections},
                feeds={
                    one.name: {
                        StoreName.MONGODB: mongo.feed(one),
                        StoreName.DYNAMODB: dynamo.feed(one, clock),
                    }
                    for one in collections
                },
                control=MemoryControl(clock.now),
                divergences=MemoryDivergences(),
                clock=clock,
                signals=Silence(),
                replica_id="fuzz",
                address="127.0.0.1:0",
                lease=60.0,
            )
        )
        for name, stage in STAGES.items():
            await app.control.create(Flag(name, 1, stage, clock.now()))
        await app.prepare()
        await app.start()
        migration = MigrationServicer(
            app.overview, app.coordinator, app.divergences, app.workshop, app.mender, "fuzz", PAGE_KEY
        )
        server = Server(
            StorageServicer(app.pipeline, PAGE_KEY), migration, Silence(), ServerSettings("127.0.0.1:0")
        )
        await server.start()
        resource: Any = boto3.resource("dynamodb", endpoint_url=dynamodb_endpoint, region_name="us-east-1")
        try:
            yield Twins(
                server.port,
                place,
                mongo.client,
                resource.Table(f"{place}_{DYNAMO}"),
                app.control,
                asyncio.get_running_loop(),
            )
        finally:
            await server.drain()
            await app.stop()
            await mongo.client.drop_database(place)
            for name in STAGES:
                await dynamo.transport.call("DeleteTable", {"TableName": f"{place}_{name}"})


@contextmanager
def twins_in_a_thread(mongodb_uri: str, dynamodb_endpoint: str) -> Iterator[Twins]:
    """Twins on an event loop of their own, for tests that have none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="twins", daemon=True)
    thread.start()
    opening = opened(mongodb_uri, dynamodb_endpoint)

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(120)

    async def enter() -> Twins:
        return await opening.__aenter__()

    async def leave() -> None:
        await opening.__aexit__(None, None, None)

    try:
        twins = wait(enter())
        try:
            yield twins
        finally:
            twins.channel.close()
            wait(leave())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
