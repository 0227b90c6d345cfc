"""Real stores and real proxies for the benchmark: a collection at each stage, loaded through the proxy."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pymongo import MongoClient

from bench.contenders import Places
from crossfade import AsyncMigrationClient, Stage
from proxy.embedded.addresses import Origin
from proxy.embedded.child import Child, spawn
from proxy.embedded.ports import run_on_port
from proxy.embedded.scratch import ScratchDirectory
from proxy.embedded.stores import Stores, open_stores

ROOT = Path(__file__).resolve().parents[1]
DIRECT = "direct"
"""The collection and table that the alternatives use; no proxy writes it while they do."""
STAGES: Mapping[str, Stage] = {
    "mongo_only": Stage.MONGO_ONLY,
    "mongo_primary": Stage.MONGO_PRIMARY,
    "dynamo_only": Stage.DYNAMO_ONLY,
}
"""A collection for each stage but DYNAMO_PRIMARY, without shadow reads."""
REVERSED = "dynamo_primary"
"""In MONGO_PRIMARY, but while `scene.reverse` has its primary changed."""
SHADOWED: Mapping[str, float] = {"shadow_0": 0.0, "shadow_10": 0.1, "shadow_100": 1.0}
"""Collections in MONGO_PRIMARY, by the share of their reads that is compared."""
LARGE = "large"
"""In MONGO_PRIMARY, for documents of all sizes."""
_PATH = tuple(Stage)
_DEADLINE = 120.0
_LOOK_AGAIN = 0.01
_WHY = "bench"


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy process; `started` are the seconds from its start until it served."""

    address: str
    child: Child
    started: float

    @property
    def pid(self) -> int:
        return self.child.pid


@dataclass(frozen=True, slots=True)
class Site:
    """The stores, and what proxies are told; collections are named by `names`."""

    stores: Stores
    directory: Path
    suffix: str

    @property
    def places(self) -> Places:
        return Places(
            self.stores.mongodb.address,
            self.stores.dynamodb.address,
            f"bench{self.suffix}",
            DIRECT,
            self.table(DIRECT),
        )

    def table(self, name: str) -> str:
        return f"bench-{self.suffix}-{name}"

    def declare(self, label: str, rates: Mapping[str, float], **settings: float) -> Path:
        """A collections file with these collections, each with its rate of shadow reads."""
        file = self.directory / f"{label}.yaml"
        declared = {name: self._collection(name, rate) for name, rate in rates.items()}
        file.write_text(yaml.safe_dump({"defaults": settings, "collections": declared}, sort_keys=False))
        return file

    @asynccontextmanager
    async def proxy(self, file: Path, control: str, **settings: str) -> AsyncIterator[Proxy]:
        """A proxy process that serves; `settings` are more of its environment."""
        environment = self._environment(file, control) | settings
        name = f"proxy-{uuid.uuid4().hex[:6]}"
        proxy = await run_on_port(None, partial(self._start, name, environment))
        try:
            yield proxy
        finally:
            await proxy.child.stop()

    async def _start(self, name: str, environment: Mapping[str, str], port: int) -> Proxy:
        address = f"127.0.0.1:{port}"
        command = [sys.executable, "-m", "proxy", "serve", "--listen", address]
        began = time.perf_counter()
        child = spawn(name, command, self.directory / f"{name}.log", ROOT, environment)
        async with grpc.aio.insecure_channel(address, options=_QUICK) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            if await child.wait_until(partial(_serves, stub), _DEADLINE):
                return Proxy(address, child, time.perf_counter() - began)
        raise RuntimeError(f"a proxy ended at its start:\n{child.output()[-2000:]}")

    def _environment(self, file: Path, control: str) -> dict[str, str]:
        inherited = {name: word for name, word in os.environ.items() if not name.startswith("CROSSFADE_")}
        return inherited | {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": "us-east-1",
            "CROSSFADE_MONGODB_URI": self.stores.mongodb.address,
            "CROSSFADE_DYNAMODB_ENDPOINT": self.stores.dynamodb.address,
            "CROSSFADE_COLLECTIONS": str(file),
            "CROSSFADE_CONTROL_DATABASE": f"bench{self.suffix}{control}",
            "CROSSFADE_CONSOLE": "off",
        }

    def _collection(self, name: str, rate: float) -> dict[str, Any]:
        return {
            "mongodb": f"bench{self.suffix}.{name}",
            "table": self.table(name),
            "partition": "tenant",
            "sort": "name",
            "types": {"due": "number"},
            "indexes": {"by_due": {"kind": "local", "sort": "due"}},
            "settings": {"shadow_rate": rate},
        }


_QUICK = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 20)]


async def _serves(stub: health_pb2_grpc.HealthStub) -> bool:
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0, wait_for_ready=True)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    """Start the stores; everything is gone at the end, out of stores that were given too."""
    async with AsyncExitStack() as stack:
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
        scratch = ScratchDirectory()
        stack.callback(scratch.remove)
        stores = await stack.enter_async_context(open_stores())
        site = Site(stores, scratch.path, uuid.uuid4().hex[:6])
        stack.push_async_callback(asyncio.to_thread, _remove, site)
        yield site


def _remove(site: Site) -> None:
    """Leave the stores as they were; those that were started for this go anyway."""
    if site.stores.dynamodb.origin is not Origin.GIVEN and site.stores.mongodb.origin is not Origin.GIVEN:
        return
    with MongoClient[dict[str, Any]](site.stores.mongodb.address) as mongo:
        for name in mongo.list_database_names():
            if name.startswith(site.places.database):
                mongo.drop_database(name)
    client = boto3.client("dynamodb", endpoint_url=site.stores.dynamodb.address, region_name="us-east-1")
    pages = client.get_paginator("list_tables").paginate()
    for table in [name for page in pages for name in page["TableNames"]]:
        if table.startswith((site.table(""), site.places.database)):
            client.delete_table(TableName=table)


async def bring(proxy: Proxy, stages: Mapping[str, Stage]) -> None:
    """Bring collections, empty as they are, to their stages."""
    async with AsyncMigrationClient(proxy.address) as operator:
        for name, target in stages.items():
            for stage in _PATH[1 : _PATH.index(target) + 1]:
                await operator.move_stage(name, stage, reason=_WHY, override=True)
