"""Two proxy processes on real stores, started together and gone together, whatever happens in between.

The stores are those of the environment, else Docker's, else embedded. In stores that were given, databases
and tables of names of our own are made and removed; nothing that was there before is touched.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pymongo import AsyncMongoClient

from proxy.config import load_collections
from proxy.core.collection import Collection
from proxy.embedded.addresses import Addresses, Origin
from proxy.embedded.child import Child, spawn
from proxy.embedded.missing import PortTaken
from proxy.embedded.ports import is_listening, run_on_port
from proxy.embedded.scratch import ScratchDirectory
from proxy.embedded.stores import Store, Stores, open_stores

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / "examples" / "collections.yaml"
_START_DEADLINE = 60.0  # seconds: both proxies create tables on a busy machine
_REGION = "us-east-1"
_FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN")  # would win over, or not fit, the made-up credentials


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy process; `address` is its host:port, `console` where a browser finds it."""

    address: str
    child: Child

    @property
    def console(self) -> str:
        return console_of(self.child)


@dataclass(slots=True)
class Stack:
    """The stores, and the proxies once they are started; `environment` is what a proxy is told."""

    stores: Stores
    collections: tuple[Collection, ...]
    environment: Mapping[str, str]
    directory: Path
    proxies: list[Proxy] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        return [proxy.address for proxy in self.proxies]

    async def start_proxy(self, port: int | None = None) -> Proxy:
        """One more proxy, serving; on a free port unless one is wanted. Raises PortTaken and ProxyFailed."""
        log = self.directory / f"proxy-{len(self.proxies) + 1}.log"
        proxy = await run_on_port(port, partial(_start, log, self.environment))
        self.proxies.append(proxy)
        return proxy

    async def stop_proxies(self) -> None:
        await asyncio.gather(*(proxy.child.stop() for proxy in self.proxies))


class ProxyFailed(Exception):
    """A proxy did not start; the message ends with what it said last."""


@asynccontextmanager
async def open_stack(lease: float = 2.0, addresses: Addresses | None = None) -> AsyncIterator[Stack]:
    """The stores, with no proxy yet; MissingPart where they cannot be had.

    `lease` is in seconds; the addresses are the environment's unless others are given.
    """
    async with AsyncExitStack() as cleanup:
        stores = await cleanup.enter_async_context(open_stores(addresses))
        scratch = ScratchDirectory()
        cleanup.callback(scratch.remove)
        suffix = f"-{uuid.uuid4().hex[:8]}" if _is_shared(stores) else ""
        file = _write_collections(scratch.path / "collections.yaml", suffix)
        collections = load_collections(file)
        if suffix:
            cleanup.push_async_callback(_remove, stores, collections, f"crossfade{suffix}")
        environment = _environment(stores, file, lease, f"crossfade{suffix}")
        stack = Stack(stores, collections, environment, scratch.path)
        cleanup.push_async_callback(stack.stop_proxies)
        yield stack


def dynamodb_client(store: Store) -> Any:
    """A boto3 client of a stack's DynamoDB."""
    return boto3.client("dynamodb", endpoint_url=store.address, region_name=_REGION, **_credentials(store))


def _is_shared(stores: Stores) -> bool:
    return Origin.GIVEN in (stores.mongodb.origin, stores.dynamodb.origin)


def _write_collections(target: Path, suffix: str) -> Path:
    """The example's collections, under other names where the stores are somebody else's too."""
    declared = yaml.safe_load(COLLECTIONS.read_text())
    for name, collection in declared["collections"].items():
        database, _, mongo = collection["mongodb"].partition(".")
        collection["mongodb"] = f"{database}{suffix}.{mongo}"
        collection["table"] = f"{collection.get('table', name)}{suffix}"
    target.write_text(yaml.safe_dump(declared, sort_keys=False))
    return target


def _environment(stores: Stores, file: Path, lease: float, control: str) -> Mapping[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {
        **(os.environ if stores.dynamodb.origin is Origin.GIVEN else inherited),
        **{name.upper(): value for name, value in _credentials(stores.dynamodb).items()},
        "AWS_REGION": _REGION,
        "CROSSFADE_MONGODB_URI": stores.mongodb.address,
        "CROSSFADE_DYNAMODB_ENDPOINT": stores.dynamodb.address,
        "CROSSFADE_COLLECTIONS": str(file),
        "CROSSFADE_CONTROL_DATABASE": control,
        "CROSSFADE_CONSOLE": "127.0.0.1:0",
        "CROSSFADE_LEASE_SECONDS": str(lease),
        "CROSSFADE_PAGE_TOKEN_KEY": uuid.uuid4().hex,
    }


def _credentials(store: Store) -> dict[str, str]:
    """Made-up ones for a DynamoDB of ours, so that no mistake can reach an account; else the person's own."""
    if store.origin is Origin.GIVEN:
        return {}
    return {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


async def _start(log: Path, environment: Mapping[str, str], port: int) -> Proxy:
    if is_listening("127.0.0.1", port):
        raise PortTaken("the proxy", port)
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "proxy", "serve", "--listen", address]
    child = spawn(log.stem, command, log, ROOT, {**environment, "CROSSFADE_REPLICA_ID": log.stem})
    try:
        if await child.wait_until(lambda: is_serving(address), _START_DEADLINE):
            return Proxy(address, child)
    except BaseException:
        child.kill()
        raise
    raise ProxyFailed(f"{child.name} ended at its start:\n{tail(child)}")


def console_of(child: Child) -> str:
    """Where a proxy serves its console, as its log has it last; empty where it has none."""
    lines = (line for line in reversed(child.output().splitlines()) if '"console": ' in line)
    return next((str(json.loads(line)["console"]) for line in lines), "")


async def is_serving(address: str) -> bool:
    """Whether the proxy there says that it serves."""
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def tail(child: Child, lines: int = 20) -> str:
    """The end of what a process said."""
    return "\n".join(child.output().splitlines()[-lines:])


async def _remove(stores: Stores, collections: tuple[Collection, ...], control: str) -> None:
    """Leave given stores as they were."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(stores.mongodb.address)
    async with client:
        for database in {control, *(collection.mongo_database for collection in collections)}:
            await client.drop_database(database)
    dynamodb = dynamodb_client(stores.dynamodb)
    for collection in collections:
        with suppress(dynamodb.exceptions.ResourceNotFoundException):
            await asyncio.to_thread(dynamodb.delete_table, TableName=collection.table)
