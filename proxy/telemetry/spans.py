"""Spans of calls and of their steps, and the time that goes with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TypeAlias

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagate import extract

from proxy.core.errors import CrossfadeError
from proxy.telemetry.metrics import CALL_ADDED, CALL_DURATION, STORE_DURATION, public
from proxy.telemetry.tallies import Durations, Tallies

STORE_ROLES = frozenset(("primary", "mirror", "shadow"))
"""A span named `<role>.<operation>` is an operation on a store, and so is a measurement of it."""

SERVER_ERRORS = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
"""Codes that the semantic conventions count as errors of a server's span."""

Metadata: TypeAlias = Callable[[], Iterable[tuple[str, str | bytes]] | None]

_CALL: ContextVar[Call | None] = ContextVar("crossfade.call", default=None)


class Step:
    """One sort of step with its attributes: worked out once, entered by every call."""

    __slots__ = ("attributes", "durations", "is_store", "labels", "name", "tallies")

    def __init__(self, tallies: Tallies, name: str, attributes: dict[str, str]) -> None:
        role, _, operation = name.partition(".")
        self.tallies = tallies
        self.name = name
        self.is_store = role in STORE_ROLES
        self.labels = {"role": role, "operation": operation, **attributes} if self.is_store else attributes
        self.attributes = public(self.labels)
        self.durations = self._row(self.labels) if self.is_store else None

    def record(self, seconds: float, error: str) -> None:
        durations = self._row({**self.labels, "error": error}) if error else self.durations
        if durations:
            durations.add(seconds)

    def _row(self, labels: dict[str, str]) -> Durations | None:
        row = self.tallies.row(STORE_DURATION, labels)
        return row if isinstance(row, Durations) else None


class StepTaken:
    """One step of one call: a span where the call is traced, a measurement where it is on a store."""

    __slots__ = ("_began", "_span", "_step", "_token", "_tracer")

    def __init__(self, step: Step, tracer: trace.Tracer | None) -> None:
        self._step = step
        self._tracer = tracer
        self._span: trace.Span | None = None

    def __enter__(self) -> None:
        if self._tracer and trace.get_current_span().get_span_context().trace_flags.sampled:
            self._open(self._tracer)
        self._began = time.perf_counter()

    def _open(self, tracer: trace.Tracer) -> None:
        kind = trace.SpanKind.CLIENT if self._step.is_store else trace.SpanKind.INTERNAL
        self._span = tracer.start_span(self._step.name, kind=kind, attributes=self._step.attributes)
        self._token = _enter(self._span)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        failure = _name_of(error) if error is not None else ""
        if self._step.is_store:
            seconds = time.perf_counter() - self._began
            self._step.record(seconds, failure)
            call = _CALL.get()
            if call is not None:
                call.in_stores += seconds
        if self._span:
            detach(self._token)
            _end(self._span, failure)


class Call:
    """One call from its arrival to its answer: timed, traced if it was chosen, its time in stores summed."""

    __slots__ = ("_held", "_method", "_span", "_tallies", "_token", "in_stores")

    def __init__(self, tallies: Tallies, method: str, span: trace.Span | None) -> None:
        self._tallies = tallies
        self._method = method
        self._span = span
        self.in_stores = 0.0

    def __enter__(self) -> Call:
        self._held = _CALL.set(self)
        if self._span:
            self._token = _enter(self._span)
        return self

    def finish(self, code: str, collection: str, seconds: float) -> None:
        """Say how the call ended, whom it concerned, and how long it took."""
        about = {"method": self._method, "collection": collection}
        self._tallies.add(CALL_DURATION, seconds, {**about, "code": code})
        self._tallies.add(CALL_ADDED, max(0.0, seconds - self.in_stores), about)
        if self._span:
            self._span.set_attribute("rpc.response.status_code", code)
            self._span.set_attribute("crossfade.collection", collection)
            if code in SERVER_ERRORS:
                self._span.set_attribute("error.type", code)
                self._span.set_status(trace.StatusCode.ERROR)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        _CALL.reset(self._held)
        if self._span:
            detach(self._token)
            self._span.end()


class Resumed:
    """Steps inside are part of a call that may have been answered long ago."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._token = _enter(self._span)

    def __exit__(self, *_: object) -> None:
        detach(self._token)


def begin(tracer: trace.Tracer, method: str, headers: Mapping[str, str]) -> trace.Span:
    """The server's span of a call, child of the caller's where its headers name one."""
    return tracer.start_span(
        method,
        context=extract(headers),
        kind=trace.SpanKind.SERVER,
        attributes={"rpc.system.name": "grpc", "rpc.method": method},
    )


def _enter(span: trace.Span) -> Token[Context]:
    return attach(trace.set_span_in_context(span))


def _name_of(error: BaseException) -> str:
    """No message: it may hold values of documents."""
    return error.reason.name if isinstance(error, CrossfadeError) else type(error).__name__


def _end(span: trace.Span, failure: str) -> None:
    if failure:
        span.set_attribute("error.type", failure)
        span.set_status(trace.StatusCode.ERROR)
    span.end()
