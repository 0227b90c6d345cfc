"""Both stores, wherever they can be had: given addresses first, then Docker, then embedded.

Nothing is skipped quietly: what cannot be had is a MissingPart, and what was had says its origin.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from proxy.embedded.addresses import Addresses, Origin
from proxy.embedded.containers import dynamodb_container, engine_answers, mongodb_container
from proxy.embedded.dynamodb_local import DynamoDBLocal
from proxy.embedded.given import check_dynamodb, check_mongodb
from proxy.embedded.missing import MissingPart
from proxy.embedded.mongod import ReplicaSet


@dataclass(frozen=True, slots=True)
class Store:
    """A store that takes writes: `address` is MongoDB's URI or DynamoDB's endpoint."""

    address: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Stores:
    mongodb: Store
    dynamodb: Store


@dataclass(frozen=True, slots=True)
class Ports:
    """Fixed ports for embedded stores; None takes a free one."""

    mongodb: int | None = None
    dynamodb: int | None = None


@asynccontextmanager
async def open_stores(
    addresses: Addresses | None = None, ports: Ports | None = None
) -> AsyncIterator[Stores]:
    """Both stores, started side by side; what was started is stopped at the end."""
    addresses, ports = addresses or Addresses.from_environment(), ports or Ports()
    async with AsyncExitStack() as stack:
        mongodb, dynamodb = await asyncio.gather(
            stack.enter_async_context(open_mongodb(addresses, ports.mongodb)),
            stack.enter_async_context(open_dynamodb(addresses, ports.dynamodb)),
            return_exceptions=True,  # so that neither is still starting when the stack unwinds
        )
        if isinstance(mongodb, BaseException):
            raise mongodb
        if isinstance(dynamodb, BaseException):
            raise dynamodb
        yield Stores(mongodb, dynamodb)


@asynccontextmanager
async def open_mongodb(addresses: Addresses, port: int | None = None) -> AsyncIterator[Store]:
    """A MongoDB replica set; `port` is for an embedded one."""
    if addresses.mongodb_uri is not None:
        await check_mongodb(addresses.mongodb_uri)
        yield Store(addresses.mongodb_uri, Origin.GIVEN)
    elif await _uses_docker(addresses):
        async with mongodb_container() as uri:
            yield Store(uri, Origin.DOCKER)
    else:
        async with ReplicaSet(ports=[] if port is None else [port]) as replica_set:
            yield Store(replica_set.uri, Origin.EMBEDDED)


@asynccontextmanager
async def open_dynamodb(addresses: Addresses, port: int | None = None) -> AsyncIterator[Store]:
    """A DynamoDB; `port` is for an embedded one."""
    if addresses.dynamodb_endpoint is not None:
        await check_dynamodb(addresses.dynamodb_endpoint)
        yield Store(addresses.dynamodb_endpoint, Origin.GIVEN)
    elif await _uses_docker(addresses):
        async with dynamodb_container() as endpoint:
            yield Store(endpoint, Origin.DOCKER)
    else:
        async with DynamoDBLocal(port) as dynamodb:
            yield Store(dynamodb.endpoint, Origin.EMBEDDED)


async def _uses_docker(addresses: Addresses) -> bool:
    if addresses.origin is Origin.EMBEDDED:
        return False
    answers = await asyncio.to_thread(engine_answers, addresses.docker_host)
    if addresses.origin is Origin.DOCKER and not answers:
        raise MissingPart(
            f"CROSSFADE_STORES is docker but no engine answers at {addresses.docker_host}: "
            "start Docker, or set CROSSFADE_STORES=embedded."
        )
    return answers
