"""Both stores as containers, through testcontainers, where a Docker engine answers.

testcontainers is an optional dependency and removes its containers even when we are killed.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pymongo import AsyncMongoClient

from proxy.embedded.missing import MissingPart

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

MONGODB_IMAGE = "mongo:6.0.20"
DYNAMODB_IMAGE = "amazon/dynamodb-local:3.3.1"
_START_DEADLINE = 60.0  # seconds, once the image is there


def engine_answers(docker_host: str, timeout: float = 2.0) -> bool:
    """Whether a Docker engine answers a ping at `unix:///path` or `tcp://host:port` (blocking)."""
    try:
        with _connect(docker_host, timeout) as connection:
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except (OSError, ValueError):
        return False


@asynccontextmanager
async def mongodb_container() -> AsyncIterator[str]:
    """A replica set of one; yields its URI."""
    container = _container(MONGODB_IMAGE, 27017, ["--replSet", "crossfade", "--bind_ip_all"])
    async with _running(container):
        host, port = container.get_container_host_ip(), container.get_exposed_port(27017)
        # The set knows itself by its address inside the container, so drivers must not follow it.
        uri = f"mongodb://{host}:{port}/?directConnection=true"
        await _initiate(uri)
        yield uri


@asynccontextmanager
async def dynamodb_container() -> AsyncIterator[str]:
    """DynamoDB Local in memory; yields its endpoint."""
    command = ["-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry"]
    container = _container(DYNAMODB_IMAGE, 8000, command)
    async with _running(container):
        host, port = container.get_container_host_ip(), int(container.get_exposed_port(8000))
        await _wait_until(lambda: asyncio.to_thread(_serves_http, host, port), DYNAMODB_IMAGE)
        yield f"http://{host}:{port}"


def _container(image: str, port: int, command: list[str]) -> "DockerContainer":
    try:
        from testcontainers.core.container import DockerContainer
    except ImportError as error:
        raise MissingPart(
            "A Docker engine answers but the package testcontainers is missing: run `make setup`, "
            "or set CROSSFADE_STORES=embedded."
        ) from error
    return DockerContainer(image, ports=[port]).with_kwargs(command=command)


@asynccontextmanager
async def _running(container: "DockerContainer") -> AsyncIterator[None]:
    try:
        await asyncio.to_thread(container.start)
    except Exception as error:  # docker and testcontainers raise whatever the engine said
        raise MissingPart(
            f"Docker could not start {container.image} ({error}): mend that, or set "
            "CROSSFADE_STORES=embedded."
        ) from error
    try:
        yield
    finally:
        await asyncio.to_thread(container.stop)


async def _initiate(uri: str) -> None:
    members = [{"_id": 0, "host": "127.0.0.1:27017"}]
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        uri, serverSelectionTimeoutMS=int(_START_DEADLINE * 1000)
    )

    async def is_writable() -> bool:
        return bool((await client.admin.command("hello"))["isWritablePrimary"])

    async with client:
        await client.admin.command("replSetInitiate", {"_id": "crossfade", "members": members})
        await _wait_until(is_writable, MONGODB_IMAGE)


async def _wait_until(is_ready: Callable[[], Awaitable[bool]], image: str) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    while not await is_ready():
        if time.monotonic() > deadline:
            raise MissingPart(
                f"The container of {image} was not ready within {_START_DEADLINE:.0f} s: see "
                "`docker logs`, or set CROSSFADE_STORES=embedded."
            )
        await asyncio.sleep(0.05)


def _serves_http(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), 2.0) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False


def _connect(docker_host: str, timeout: float) -> socket.socket:
    parts = urlsplit(docker_host)
    if parts.scheme == "tcp" and parts.hostname:
        return socket.create_connection((parts.hostname, parts.port or 2375), timeout)
    if parts.scheme != "unix":
        raise ValueError(f"no way to ask the engine at {docker_host}")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(parts.path)
    except OSError:
        connection.close()
        raise
    return connection
