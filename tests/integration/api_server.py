"""A real gRPC server in this process, on memory stores, and stubs to call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import grpc
from grpc_health.v1 import health_pb2_grpc

from crossfade.v1 import error_pb2
from crossfade.v1.migration_pb2_grpc import MigrationServiceStub
from crossfade.v1.storage_pb2_grpc import StorageServiceStub
from proxy.access.certificates import Certificates
from proxy.api.guard import AccessLog
from proxy.api.migration import MigrationServicer
from proxy.api.server import Server, ServerSettings
from proxy.api.status import TRAILER
from proxy.api.storage import StorageServicer
from proxy.clock import SystemClock
from proxy.core.collection import Collection
from proxy.core.crowd import Crowd
from proxy.core.flag import Flag, Job
from proxy.core.identity import Doorkeeper
from proxy.core.stage import Stage, StoreName
from proxy.reconcile.charter import AS_IT_IS, JobOrder
from proxy.stores.memory.control import MemoryControl, MemoryDivergences
from proxy.stores.memory.feed import MemoryFeed
from proxy.stores.memory.store import MemoryFence, MemoryStore, MemoryTable
from proxy.telemetry import Silence
from proxy.wiring import App, Parts
from tests.unit.api.samples import JOBS, NUMBERED

if TYPE_CHECKING:  # the stubs know two classes where there is one
    from crossfade.v1.migration_pb2_grpc import MigrationServiceAsyncStub
    from crossfade.v1.storage_pb2_grpc import StorageServiceAsyncStub

PAGE_KEY = b"k" * 32


class IdleWorkshop:
    """Starts jobs that never get on."""

    async def start_job(
        self, collection: str, kind: str, order: JobOrder = AS_IT_IS, share: float = 1.0
    ) -> Job:
        return Job(collection, kind, "running", 3, 1_000, 2_000, {"copied": 0})

    async def pause_job(self, collection: str, kind: str, order: JobOrder = AS_IT_IS) -> Job:
        return Job(collection, kind, "paused", 3, 1_000, 2_000, {"copied": 0})


@dataclass(frozen=True)
class Served:
    """What a test needs of a running proxy: its parts, and stubs on a channel to it."""

    app: App
    server: Server
    tables: Mapping[str, Mapping[StoreName, MemoryTable]]
    channel: grpc.aio.Channel
    storage: StorageServiceAsyncStub
    migration: MigrationServiceAsyncStub
    health: health_pb2_grpc.HealthStub

    def writes(self) -> int:
        """How many times anything was stored, in either store, of any collection."""
        return sum(len(table.events) for tables in self.tables.values() for table in tables.values())


def app_on(
    tables: Mapping[str, Mapping[StoreName, MemoryTable]],
    collections: tuple[Collection, ...],
    lease: float = 30.0,
) -> App:
    """An application on memory stores."""
    clock = SystemClock()
    stores = {
        c.name: {role: MemoryStore(c, role, tables[c.name][role]) for role in StoreName} for c in collections
    }
    fences = {name: MemoryFence(tables[name][StoreName.MONGODB]) for name in tables}
    feeds = {
        name: {role: MemoryFeed(table, clock) for role, table in by_role.items()}
        for name, by_role in tables.items()
    }
    parts = Parts(
        collections=collections,
        stores=stores,
        fences=fences,
        feeds=feeds,
        control=MemoryControl(clock.now),
        divergences=MemoryDivergences(),
        clock=clock,
        signals=Silence(),
        replica_id="replica-1",
        address="127.0.0.1:0",
        lease=lease,
    )
    return App(parts)


def servicers(
    app: App, *, is_working: bool = False, max_message: int = 16 * 1024 * 1024
) -> tuple[StorageServicer, MigrationServicer]:
    """The services of an application, which works at jobs only if that is wanted."""
    workshop = app.workshop if is_working else IdleWorkshop()
    return (
        StorageServicer(app.pipeline, PAGE_KEY, max_message=max_message),
        MigrationServicer(
            app.overview, app.coordinator, app.divergences, workshop, app.mender, "replica-1", PAGE_KEY
        ),
    )


@asynccontextmanager
async def serving(
    stage: Stage = Stage.MONGO_ONLY,
    collections: tuple[Collection, ...] = (JOBS, NUMBERED),
    lease: float = 30.0,
    *,
    door: Doorkeeper | None = None,
    certificates: Certificates | None = None,
    is_working: bool = False,
    crowd: Crowd | None = None,
    signals: Silence | None = None,
    max_message_size: int = 16 * 1024 * 1024,
) -> AsyncIterator[Served]:
    """A proxy that serves (and works at jobs, if wanted), and is drained afterwards. The channel is in the
    clear, and shows no token."""
    tables = {c.name: {role: MemoryTable() for role in StoreName} for c in collections}
    app = app_on(tables, collections, lease)
    for collection in collections:
        await app.control.create(Flag(collection.name, 3, stage, 0))
    await app.start()
    server = Server(
        *servicers(app, is_working=is_working, max_message=max_message_size),
        signals or Silence(),
        ServerSettings(
            address="127.0.0.1:0",
            max_message_size=max_message_size,
            grace=1.0,
            access_log=AccessLog.ERRORS,
        ),
        door=door,
        certificates=certificates,
        crowd=crowd,
    )
    await server.start()
    await server.become_ready()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield Served(
                app,
                server,
                tables,
                channel,
                StorageServiceStub(channel),
                MigrationServiceStub(channel),
                health_pb2_grpc.HealthStub(channel),
            )
    finally:
        await server.drain()
        await app.stop()


def status_in(failure: grpc.aio.AioRpcError) -> error_pb2.Status:
    """What the trailer of a failed call says; every failure must have one."""
    data = dict(cast(Any, failure.trailing_metadata()))[TRAILER]
    assert isinstance(data, bytes)
    status = error_pb2.Status.FromString(data)
    assert status.code == failure.code().value[0]
    return status


def detail_in(failure: grpc.aio.AioRpcError) -> error_pb2.ErrorDetail:
    """The detail of a failed call."""
    status = status_in(failure)
    detail = error_pb2.ErrorDetail()
    assert status.details[0].Unpack(detail)
    return detail
