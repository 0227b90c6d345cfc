"""Real proxy processes on real stores, each with links of its own, so that one can be cut off alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pymongo import AsyncMongoClient

from crossfade import AsyncMigrationClient, JobKind, Stage
from crossfade.v1 import migration_pb2 as pb
from examples.demo.stack import COLLECTIONS, ROOT, Stack, dynamodb_client
from proxy.config import load_collections
from proxy.core.collection import Collection
from proxy.embedded.child import Child, spawn
from proxy.embedded.mongod import ReplicaSet
from proxy.embedded.ports import run_on_port
from proxy.embedded.scratch import ScratchDirectory
from proxy.embedded.stores import Stores
from tests.faults.links import Link, MongoLink
from tests.faults.moody import MoodyDynamo

LEASE = 2.0
TASKS, JOBS = "webtasks", "cron_jobs"
_START_DEADLINE = 60.0
_WHY = "a test of faults"


class NotServing(Exception):
    """A proxy did not start; the message has its last words."""


@dataclass(slots=True)
class Replica:
    """One proxy process, and its links to the stores (to MongoDB only where there is a single mongod)."""

    name: str
    address: str
    child: Child
    environment: Mapping[str, str]
    mongo: MongoLink
    dynamo: Link
    operator: AsyncMigrationClient

    def kill(self) -> None:
        self.child.kill()

    def stop(self) -> None:
        """SIGSTOP: it stands still, its connections stay open."""
        self.child.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.child.process.send_signal(signal.SIGCONT)

    def is_stopped(self) -> bool:
        """Whether it stands still (Linux tells)."""
        status = Path(f"/proc/{self.child.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "T"

    async def status(self, collection: str) -> pb.Collection:
        return await self.operator.get_collection(collection)


@dataclass(slots=True)
class Site:
    """All replicas of one scenario; `stack` is what the checker of the stores wants."""

    stack: Stack
    control: str
    moody: MoodyDynamo
    mongods: ReplicaSet | None
    replicas: list[Replica] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        return [replica.address for replica in self.replicas]

    @property
    def dynamo_at(self) -> tuple[str, int]:
        """Where DynamoDB itself is, with no moods."""
        return place_of(self.stack.stores.dynamodb.address)

    def collection(self, name: str) -> Collection:
        return next(one for one in self.stack.collections if one.name == name)

    async def move(
        self, collection: str, target: Stage, by: int = 0, timeout: float = 30.0
    ) -> pb.MoveStageResponse:
        """Move a stage by asking one replica; the gate is other tests' business."""
        operator = self.replicas[by].operator
        return await operator.move_stage(collection, target, reason=_WHY, override=True, timeout=timeout)

    async def bring(self, target: Stage, *collections: str) -> None:
        """Bring collections to a stage with a mirror, everything copied, while there is no traffic."""
        operator = self.replicas[-1].operator
        for collection in collections:
            if (await operator.get_collection(collection)).stage == Stage.MONGO_ONLY.value:
                await self.move(collection, Stage.MONGO_PRIMARY, by=-1)
                await operator.wait_for_job(await operator.start_job(collection, JobKind.BACKFILL))
            if (await operator.get_collection(collection)).stage != target.value:
                await self.move(collection, target, by=-1)

    async def revive(self, number: int) -> Replica:
        """Start a replica again, at its address, with nothing armed; whatever is left of it is killed."""
        old = self.replicas[number]
        old.kill()
        environment = {**old.environment, "CROSSFADE_FAULTPOINTS": ""}
        child = await _spawn(self.stack.directory, old.name, environment, int(old.address.rpartition(":")[2]))
        self.replicas[number] = replace(old, child=child, environment=environment)
        return self.replicas[number]


@asynccontextmanager
async def open_site(
    stores: Stores,
    *,
    replicas: int = 3,
    lease: float = LEASE,
    armings: Mapping[int, str] | None = None,
    is_moody: bool = False,
    is_linked: bool = True,
    mongods: ReplicaSet | None = None,
    settings: Mapping[str, Any] | None = None,
    collections: tuple[str, ...] = (TASKS, JOBS),
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Site]:
    """Start it, with `armings` by the number of the replica; everything is gone at the end. What is in
    `environment` is told to every proxy too.

    With `is_moody` all links to DynamoDB lead through its moods from the start. Without `is_linked` proxies
    reach both stores directly. With `mongods`, a set that the scenario owns, MongoDB is reached directly: a
    driver learns the members' own addresses.
    """
    async with AsyncExitStack() as stack:
        scratch = ScratchDirectory()
        stack.callback(scratch.remove)
        suffix = uuid.uuid4().hex[:8]
        file = _write_collections(scratch.path / "collections.yaml", suffix, settings or {}, collections)
        declared = load_collections(file)
        told = {**_environment(stores, file, lease, f"control{suffix}"), **(environment or {})}
        moody = await stack.enter_async_context(MoodyDynamo(stores.dynamodb.address))
        site = Site(Stack(stores, declared, told, scratch.path), f"control{suffix}", moody, mongods)
        stack.push_async_callback(_remove, site)
        dynamo_at = ("127.0.0.1", moody.port) if is_moody else site.dynamo_at
        starting = [
            _start(stack, site, number, (armings or {}).get(number, ""), dynamo_at if is_linked else None)
            for number in range(replicas)
        ]
        site.replicas = list(await asyncio.gather(*starting))
        yield site


async def _start(
    stack: AsyncExitStack, site: Site, number: int, armings: str, dynamo_at: tuple[str, int] | None
) -> Replica:
    """A replica; without `dynamo_at` its links exist, and lead nobody anywhere."""
    mongo = await stack.enter_async_context(MongoLink(*place_of(site.stack.stores.mongodb.address)))
    dynamo = await stack.enter_async_context(Link(*(dynamo_at or site.dynamo_at)))
    linked = {"CROSSFADE_DYNAMODB_ENDPOINT": f"http://127.0.0.1:{dynamo.port}"}
    if site.mongods is None:
        linked["CROSSFADE_MONGODB_URI"] = f"mongodb://127.0.0.1:{mongo.port}/?directConnection=true"
    name = f"replica-{number}"
    environment = {
        **site.stack.environment,
        **(linked if dynamo_at else {}),
        "CROSSFADE_REPLICA_ID": name,
        "CROSSFADE_FAULTPOINTS": armings,
    }
    port, child = await run_on_port(None, partial(_spawn_at, site.stack.directory, name, environment))
    address = f"127.0.0.1:{port}"
    operator = await stack.enter_async_context(AsyncMigrationClient(address))
    stack.push_async_callback(_end, site, number)
    return Replica(name, address, child, environment, mongo, dynamo, operator)


async def _spawn_at(
    directory: Path, name: str, environment: Mapping[str, str], port: int
) -> tuple[int, Child]:
    return port, await _spawn(directory, name, environment, port)


async def _spawn(directory: Path, name: str, environment: Mapping[str, str], port: int) -> Child:
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "proxy", "serve", "--listen", address]
    child = spawn(name, command, directory / f"{name}.log", ROOT, environment)
    try:
        if await child.wait_until(partial(_is_serving, address), _START_DEADLINE):
            return child
    except BaseException:
        child.kill()
        raise
    raise NotServing(f"{name} ended at its start:\n{child.output()[-2000:]}")


async def _is_serving(address: str) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _end(site: Site, number: int) -> None:
    child = site.replicas[number].child
    child.process.send_signal(signal.SIGCONT)
    child.kill()


async def _remove(site: Site) -> None:
    """Leave the stores as they were."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(site.stack.stores.mongodb.address)
    async with client:
        for database in {site.control, *(one.mongo_database for one in site.stack.collections)}:
            await client.drop_database(database)
    dynamodb = dynamodb_client(site.stack.stores.dynamodb)
    for collection in site.stack.collections:
        with suppress(dynamodb.exceptions.ResourceNotFoundException):  # never made, or a repeated request
            await asyncio.to_thread(dynamodb.delete_table, TableName=collection.table)


def place_of(address: str) -> tuple[str, int]:
    """Host and port of a URI, of its first host if there are several; credentials cannot pass a link."""
    parts = urlsplit(address.partition(",")[0])
    assert parts.hostname and parts.port and not parts.username, f"a link cannot lead to {address}"
    return parts.hostname, parts.port


def _environment(stores: Stores, file: Path, lease: float, control: str) -> Mapping[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE_")}
    return {
        **inherited,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "CROSSFADE_MONGODB_URI": stores.mongodb.address,
        "CROSSFADE_DYNAMODB_ENDPOINT": stores.dynamodb.address,
        "CROSSFADE_COLLECTIONS": str(file),
        "CROSSFADE_CONTROL_DATABASE": control,
        "CROSSFADE_CONSOLE": "127.0.0.1:0",
        "CROSSFADE_LEASE_SECONDS": str(lease),
        "CROSSFADE_PAGE_TOKEN_KEY": uuid.uuid4().hex,
    }


def _write_collections(
    target: Path, suffix: str, settings: Mapping[str, Any], names: tuple[str, ...]
) -> Path:
    """The example's collections under names of our own; `webtasks-2` is one more like `webtasks`."""
    declared = yaml.safe_load(COLLECTIONS.read_text())["collections"]
    chosen: dict[str, Any] = {}
    for name in names:
        one = dict(declared[name.partition("-")[0]])
        one |= {"mongodb": f"faults{suffix}.{name}", "table": f"faults-{suffix}-{name}"}
        chosen[name] = one
    defaults = {"recheck_delays": [0.05, 0.2, 0.8, 2.0], **settings}
    target.write_text(yaml.safe_dump({"defaults": defaults, "collections": chosen}, sort_keys=False))
    return target
