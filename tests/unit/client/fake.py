"""A proxy that says what a test tells it to, over a real gRPC connection, and remembers what it was asked."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from crossfade.v1 import error_pb2, migration_pb2_grpc, storage_pb2_grpc


@dataclass(frozen=True, slots=True)
class Failure:
    """A status with its details; without `detail` it is what gRPC itself would send."""

    code: grpc.StatusCode
    detail: error_pb2.ErrorDetail | None = None
    message: str = "it failed"
    more: tuple[Message, ...] = ()

    def trailer(self) -> bytes:
        status = error_pb2.Status(code=self.code.value[0], message=self.message)
        for message in (self.detail, *self.more):
            if message is not None:
                packed = AnyMessage()
                packed.Pack(message)
                status.details.append(packed)
        return status.SerializeToString()


Answer: TypeAlias = Message | Failure | Callable[[Any], Any]


@dataclass
class FakeProxy:
    """Answers each method with what `answer` queued for it, in order; the last answer stays."""

    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    address: str = ""

    def answer(self, method: str, *answers: Answer) -> None:
        self.answers[method].extend(answers)

    async def handle(self, method: str, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        queue = self.answers[method]
        answer = queue.popleft() if len(queue) > 1 else queue[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Failure):
            trailers = () if answer.detail is None else (("grpc-status-details-bin", answer.trailer()),)
            await context.abort(answer.code, answer.message, trailing_metadata=trailers)
        return answer


async def serve(proxy: FakeProxy) -> grpc.aio.Server:
    """Start the fake on a free port of the loopback; sets its address."""
    server = grpc.aio.server()
    storage_pb2_grpc.add_StorageServiceServicer_to_server(_storage(proxy), server)
    migration_pb2_grpc.add_MigrationServiceServicer_to_server(_migration(proxy), server)
    proxy.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    return server


def _storage(proxy: FakeProxy) -> Any:
    return _servicer(proxy, storage_pb2_grpc.StorageServiceServicer)


def _migration(proxy: FakeProxy) -> Any:
    return _servicer(proxy, migration_pb2_grpc.MigrationServiceServicer)


def _servicer(proxy: FakeProxy, base: type) -> Any:
    """A servicer that hands every method of the contract to the fake."""

    def method(name: str) -> Any:
        async def handle(self: Any, request: Any, context: Any) -> Any:
            return await proxy.handle(name, request, context)

        return handle

    names = [name for name in vars(base) if not name.startswith("_")]
    return type("Fake", (base,), {name: method(name) for name in names})()
