"""The load generator's own gRPC client, against a real server: the benchmark is only as true as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import pytest

from bench.wire import CallFailed, Connection, connect

PATH = "/bench.Test/Call"


@asynccontextmanager
async def connected() -> AsyncIterator[Connection]:
    """A connection to a server that answers with the request twice, and refuses empty ones."""

    async def twice(request: bytes, context: Any) -> bytes:
        if not request:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "empty")
        return request * 2

    handler = grpc.unary_unary_rpc_method_handler(cast(Any, twice))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Test", {"Call": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    connection = await connect(f"127.0.0.1:{port}")
    try:
        yield connection
    finally:
        connection.close()
        await server.stop(None)


async def test_every_call_gets_the_answer_to_its_own_request() -> None:
    async with asyncio.timeout(20), connected() as connection:
        requests = [f"request {number}".encode() for number in range(500)]
        answers = await asyncio.gather(*(connection.call(PATH, request) for request in requests))
    assert answers == [request * 2 for request in requests]


async def test_messages_beyond_frames_and_windows_arrive_whole() -> None:
    async with asyncio.timeout(20), connected() as connection:
        requests = [
            bytes([number]) * size for number in range(1, 9) for size in (16_379, 16_380, 70_000, 350_000)
        ]
        answers = await asyncio.gather(*(connection.call(PATH, request) for request in requests))
    assert answers == [request * 2 for request in requests]


async def test_a_call_that_fails_is_a_failure_and_no_answer() -> None:
    async with asyncio.timeout(20), connected() as connection:
        with pytest.raises(CallFailed, match="empty"):
            await connection.call(PATH, b"")
        assert await connection.call(PATH, b"x") == b"xx"
        with pytest.raises(CallFailed):
            await connection.call("/bench.Test/Missing", b"x")


async def test_calls_fail_when_the_connection_is_lost() -> None:
    async with asyncio.timeout(20), connected() as connection:
        waiting = connection.call(PATH, b"x" * 350_000)
        connection.close()
        with pytest.raises(CallFailed):
            await waiting
