"""A bare grpc.aio server that answers each method with one message of the proxy's, parsed and built alike."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any, cast

import grpc

from bench.documents import Operation
from bench.messages import METHODS
from crossfade.v1 import storage_pb2

_MESSAGES: Mapping[Operation, tuple[Any, Any]] = {
    Operation.READ: (storage_pb2.GetRequest, storage_pb2.GetResponse),
    Operation.LIST: (storage_pb2.QueryRequest, storage_pb2.QueryResponse),
    Operation.INSERT: (storage_pb2.InsertRequest, storage_pb2.WriteResponse),
    Operation.UPDATE: (storage_pb2.UpdateRequest, storage_pb2.WriteResponse),
    Operation.RESERVE: (storage_pb2.FindOneAndUpdateRequest, storage_pb2.WriteResponse),
}


async def serve(ready: Connection, answers: Mapping[Operation, bytes]) -> None:
    """Serve until killed; `answers` are messages that the proxy gave."""
    server = grpc.aio.server()
    handlers = {METHODS[operation]: _echo(operation, data) for operation, data in answers.items()}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("crossfade.v1.StorageService", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    ready.send(port)
    await asyncio.Event().wait()


def _echo(operation: Operation, data: bytes) -> Any:
    request, response = _MESSAGES[operation]
    answer = response.FromString(data)

    async def answered(message: Any, context: Any) -> Any:
        return answer

    return grpc.unary_unary_rpc_method_handler(
        cast(Any, answered), request.FromString, response.SerializeToString
    )
