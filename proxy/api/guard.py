"""Every call passes here once: parsed, measured, traced, logged, its error turned into a status with details.

Messages are parsed here and not by gRPC, so that bytes that are no valid message (or hold invalid UTF-8) get
the same structured error as any other fault of a request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, cast

import grpc
from google.protobuf.message import DecodeError, Message

from proxy.api.admission import Admission
from proxy.api.status import TRAILER, classify, code_of, status_of
from proxy.core.crowd import Crowd
from proxy.core.errors import BadRequest, CrossfadeError, Reason
from proxy.core.ports import Signals

WRITES = frozenset(("Insert", "Replace", "Update", "FindOneAndUpdate", "Delete", "BatchWrite")) | frozenset(
    ("MoveStage", "Rollback", "Rehearse", "Abort", "StartJob", "PauseJob", "Repair")
)
"""Methods that change something: an unexpected failure of one leaves its outcome unknown."""

OK = grpc.StatusCode.OK.name

_NAMELESS = frozenset(
    (Reason.UNKNOWN_COLLECTION, Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED, Reason.OVERLOADED)
)
"""Failures of calls whose collection may not exist: no metric bears a name that a stranger made up."""

_log = logging.getLogger("crossfade.access")


class AccessLog(Enum):
    """Which calls leave a line in the log."""

    OFF = "off"
    ERRORS = "errors"
    ALL = "all"


class CallSpan(Protocol):
    """The measure, and the span, of one call."""

    def finish(self, code: str, collection: str, seconds: float) -> None:
        """Say how the call ended, by the name of its status code, whom it concerned, and how long it took."""
        ...


class CallSignals(Signals, Protocol):
    """What the edge needs of the signals: spans that continue a caller's trace."""

    def serve(self, method: str, metadata: Callable[[], Any]) -> AbstractContextManager[CallSpan]:
        """The server's span of a call; `metadata` gives the call's headers, where the trace comes from."""
        ...


class DetailedError(Exception):
    """An error of the core with further details for the client."""

    def __init__(self, error: CrossfadeError, *details: Message) -> None:
        super().__init__(str(error))
        self.error = error
        self.details = details


Behaviour = Callable[[Message, grpc.aio.ServicerContext[Any, Any]], Awaitable[Message]]


@dataclass(slots=True)
class _Call:
    """What is known of one call for its metrics and log line."""

    began: float
    collection: str = ""
    code: str = OK
    error: CrossfadeError | None = None


class Guard:
    """Wraps the methods of our services where they are registered; those of other services stay as they are.

    An interceptor would do the same, but gRPC asks interceptors anew at every call.
    """

    def __init__(
        self,
        signals: CallSignals,
        access_log: AccessLog,
        admission: Admission | None = None,
        crowd: Crowd | None = None,
    ) -> None:
        """Without `admission` everybody may call everything, without `crowd` as often as they like."""
        self._signals = signals
        self._access_log = access_log
        self._admission = admission
        self._crowd = crowd

    def before(self, server: grpc.aio.Server) -> grpc.aio.Server:
        """The server, as what registers a service's methods sees it: they are guarded there."""
        return cast(grpc.aio.Server, Guarded(server, self))

    def guard(
        self, service: str, name: str, handler: grpc.RpcMethodHandler[Any, Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler of a unary method, behind everything that this module does for a call."""
        served = _Method(
            f"{service}/{name}",
            name in WRITES,
            cast(Behaviour, handler.unary_unary),
            cast("Callable[[bytes], Message]", handler.request_deserializer),
            service.endswith(".StorageService"),
        )

        async def serve(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            return await self._serve(served, data, context)

        return grpc.unary_unary_rpc_method_handler(cast(Any, serve), None, handler.response_serializer)

    async def _serve(
        self, method: _Method, data: bytes, context: grpc.aio.ServicerContext[Any, Any]
    ) -> Message:
        call = _Call(time.perf_counter())
        with self._signals.serve(method.name, context.invocation_metadata) as span:
            try:
                identity = await self._admission.identify(context) if self._admission else None
                request = _parse(method, data)
                call.collection = getattr(request, "collection", "")
                if self._admission and identity:
                    self._admission.admit(identity, method.name, request)
                if self._crowd is None or not method.is_about_documents:
                    return await method.behave(request, context)
                client = identity.name if identity else _host_of(context.peer())
                self._crowd.enter(client, call.collection)
                try:
                    return await method.behave(request, context)
                finally:
                    self._crowd.leave(client, call.collection)
            except Exception as exception:
                error, details = _unwrap(exception, method)
                call.code, call.error = code_of(error).name, error
            except BaseException:
                call.code = grpc.StatusCode.CANCELLED.name
                raise
            finally:
                self._record(method, call, span)
        trailer = ((TRAILER, status_of(error, call.collection, *details)),)
        return await context.abort(code_of(error), error.message[:1000], trailer)

    def _record(self, method: _Method, call: _Call, span: CallSpan) -> None:
        seconds = time.perf_counter() - call.began
        is_known = call.error is None or call.error.reason not in _NAMELESS
        collection = call.collection if is_known and method.is_about_documents else ""
        span.finish(call.code, collection, seconds)
        is_wanted = (
            call.code != OK if self._access_log is AccessLog.ERRORS else self._access_log is AccessLog.ALL
        )
        if is_wanted and _log.isEnabledFor(logging.INFO):
            _log.info("call", extra=_line(method, call, seconds, self._signals.trace_id()))


@dataclass(frozen=True, slots=True)
class _Method:
    name: str
    writes: bool
    behave: Behaviour
    parse: Callable[[bytes], Message]
    is_about_documents: bool


class Guarded:
    """A server whose methods are guarded: as much of one as the generated `add_..._to_server` need."""

    def __init__(self, server: grpc.aio.Server, guard: Guard) -> None:
        self._server = server
        self._guard = guard

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Nothing: the same methods come by name."""

    def add_registered_method_handlers(
        self, service: str, methods: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        guarded = {name: self._guard.guard(service, name, method) for name, method in methods.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, guarded),))


def _host_of(peer: str) -> str:
    """Where a call comes from, without the port, which every connection has its own."""
    return peer.rpartition(":")[0] or peer


def _parse(method: _Method, data: bytes) -> Message:
    try:
        return method.parse(data)
    except DecodeError as error:
        text = "the request is not a valid message, or one of its strings is not valid UTF-8"
        raise BadRequest(text, Reason.INVALID_ARGUMENT) from error


def _unwrap(exception: Exception, method: _Method) -> tuple[CrossfadeError, tuple[Message, ...]]:
    if isinstance(exception, DetailedError):
        return exception.error, exception.details
    return classify(exception, writes=method.writes), ()


def _line(method: _Method, call: _Call, seconds: float, trace: str) -> Mapping[str, object]:
    """One call as a log line; no values of documents, for messages of errors may hold them."""
    line: dict[str, object] = {
        "method": method.name,
        "collection": call.collection,
        "code": call.code,
        "ms": round(seconds * 1000, 3),
    }
    if call.error is not None:
        line["reason"] = call.error.reason.name
        line["outcome"] = call.error.outcome.name
        line["op"] = call.error.op.hex()
    if trace:
        line["trace_id"] = trace
    return line
