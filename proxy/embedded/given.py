"""Stores at given addresses: usable, or one sentence that says what to do; never a password."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from pymongo import AsyncMongoClient
from pymongo.errors import (
    ConfigurationError,
    InvalidURI,
    OperationFailure,
    ServerSelectionTimeoutError,
)
from pymongo.uri_parser import parse_uri

from proxy.embedded.missing import MissingPart
from proxy.embedded.ports import is_listening

_PATIENCE_MS = 5000
_EXAMPLE = "mongodb://host:27017/?replicaSet=rs0"


async def check_mongodb(uri: str) -> None:
    """MissingPart unless a replica set (or a mongos) with a primary answers at `uri` within 5 s."""
    hosts = _hosts(uri)
    try:
        hello = await _hello(uri)
    except ServerSelectionTimeoutError as error:
        raise MissingPart(
            f"No replica set with a primary answers at {hosts} within {_PATIENCE_MS // 1000} s: "
            "start mongod with --replSet, run rs.initiate() once, and check CROSSFADE_MONGODB_URI."
        ) from error
    except OperationFailure as error:
        raise MissingPart(
            f"MongoDB at {hosts} lets nobody in with the user and password of "
            "CROSSFADE_MONGODB_URI: check them, and authSource."
        ) from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise MissingPart(
            f"MongoDB at {hosts} is not a replica set, and Crossfade needs its change streams: "
            "start mongod with --replSet rs0 and run rs.initiate() once."
        )


async def check_dynamodb(endpoint: str) -> None:
    """MissingPart unless something listens at `endpoint`."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise MissingPart(
            f"CROSSFADE_DYNAMODB_ENDPOINT is {endpoint!r}: set it to an address like http://127.0.0.1:8000."
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not await asyncio.to_thread(is_listening, parts.hostname, port, _PATIENCE_MS / 1000):
        raise MissingPart(
            f"Nothing listens at {parts.hostname}:{port}: start DynamoDB there, or unset "
            "CROSSFADE_DYNAMODB_ENDPOINT to have one started."
        )


def _hosts(uri: str) -> str:
    try:
        nodes = parse_uri(uri, validate=False, connect_timeout=_PATIENCE_MS / 1000)["nodelist"]
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise MissingPart(
            f"CROSSFADE_MONGODB_URI is no usable MongoDB address: set it to one like {_EXAMPLE}."
        ) from error
    return ", ".join(f"{host}:{port}" for host, port in nodes)


async def _hello(uri: str) -> dict[str, Any]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri, serverSelectionTimeoutMS=_PATIENCE_MS)
    async with client:
        return await client.admin.command("hello")
