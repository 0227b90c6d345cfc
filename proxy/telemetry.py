"""Metrics and spans: the only place that knows OpenTelemetry, and the one table of every metric.

Nothing here raises into a request or waits for anything; exporters run in threads of their own. With
telemetry off, a signal costs well under a microsecond.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, TypeAlias

from opentelemetry import trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.propagate import extract
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from prometheus_client import start_http_server

from proxy.core.silence import SilentSignals

SECONDS = (
    0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05,
    0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Bucket bounds of every duration: fine where a proxy's calls are, coarse where something is wrong."""


class MetricKind(Enum):
    COUNTER = "counter"
    DURATION = "histogram of seconds"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `attributes` are the short names that callers use (see ATTRIBUTES)."""

    name: str
    kind: MetricKind
    attributes: tuple[str, ...]
    description: str


METRICS = (
    Metric(
        "rpc.server.call.duration",
        MetricKind.DURATION,
        ("method", "code", "collection"),
        "Time from the arrival of a call's message to its answer.",
    ),
    Metric(
        "db.client.operation.duration",
        MetricKind.DURATION,
        ("role", "operation", "store", "collection"),
        "Time of one operation on a store, as the proxy sees it, by the store's role in the call.",
    ),
    Metric(
        "crossfade.mirror.writes",
        MetricKind.COUNTER,
        ("collection", "outcome"),
        "Mirror writes tried inline: applied, deferred to the reconciler, or unconfirmed.",
    ),
    Metric(
        "crossfade.mirror.deferred",
        MetricKind.COUNTER,
        ("collection", "reason"),
        "Mirror writes left to the reconciler, by the reason.",
    ),
    Metric(
        "crossfade.shadow.outcomes",
        MetricKind.COUNTER,
        ("collection", "outcome"),
        "Shadow reads by what the comparison found, DROPPED, OVERTAKEN and UNCOPIED ones included.",
    ),
    Metric(
        "crossfade.tombstones.purged",
        MetricKind.COUNTER,
        ("collection",),
        "Tombstones removed from MongoDB once the mirror had them.",
    ),
    Metric(
        "crossfade.reconcile.keys",
        MetricKind.COUNTER,
        ("collection", "outcome"),
        "Documents that the reconciler looked at, by what it found or did.",
    ),
    Metric(
        "crossfade.reconcile.bypassed",
        MetricKind.COUNTER,
        ("collection",),
        "Documents changed by writers that bypass the proxy, taken up by the reconciler.",
    ),
    Metric(
        "crossfade.feed.lag",
        MetricKind.DURATION,
        ("collection",),
        "How far the reconciler was behind the primary when it had settled a batch.",
    ),
    Metric(
        "crossfade.feed.lost",
        MetricKind.COUNTER,
        ("collection",),
        "Feed positions that the store no longer held: an alarm, mended by a full verify.",
    ),
    Metric(
        "crossfade.backfill.documents",
        MetricKind.COUNTER,
        ("collection", "outcome"),
        "Documents that backfills have seen, by what became of them.",
    ),
    Metric(
        "crossfade.verify.documents",
        MetricKind.COUNTER,
        ("collection", "outcome"),
        "Documents that verifies and samples compared (documents) or looked for in the primary (extras).",
    ),
    Metric(
        "crossfade.verify.divergences",
        MetricKind.COUNTER,
        ("collection", "outcome"),
        "Differences that verifies found and that survived rechecking, by kind.",
    ),
    Metric(
        "crossfade.fence.restored",
        MetricKind.COUNTER,
        ("collection",),
        "Times that MongoDB's fence was found lower than it must be, and raised again: run a verify.",
    ),
    Metric(
        "crossfade.cutover.hold",
        MetricKind.DURATION,
        ("collection",),
        "How long a change of the primary held writes.",
    ),
)

ATTRIBUTES = {
    "method": "rpc.method",
    "code": "rpc.response.status_code",
    "collection": "crossfade.collection",
    "store": "db.system.name",
    "operation": "db.operation.name",
    "role": "crossfade.role",
    "outcome": "crossfade.outcome",
    "reason": "crossfade.reason",
}
"""Short names in code, and the names that leave the proxy: the semantic conventions' where they exist."""

STORE_ROLES = frozenset(("primary", "mirror", "shadow"))
"""A span named `<role>.<operation>` is an operation on a store, and so is a measurement of it."""

_SYSTEMS = {"dynamodb": "aws.dynamodb"}
_SERVER_ERRORS = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
"""Codes that the semantic conventions count as errors of a server's span."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What leaves the proxy and where to; all off by default. `trace_rate` is the share of calls traced.

    `otlp_endpoint` is "http://host:4317"; `prometheus_address` is "host:port". Interval in seconds.
    """

    otlp_endpoint: str = ""
    prometheus_address: str = ""
    trace_rate: float = 0.0
    export_interval: float = 10.0
    service_instance: str = ""

    @property
    def is_off(self) -> bool:
        return not (self.otlp_endpoint or self.prometheus_address)


class _NoSpan:
    def finish(self, code: str) -> None:
        """Nothing to finish."""


Metadata: TypeAlias = Callable[[], Iterable[tuple[str, str | bytes]] | None]
_NO_CALL: AbstractContextManager[Any] = nullcontext(_NoSpan())


class Silence(SilentSignals):
    """Signals of the edge that go nowhere."""

    def serve(self, method: str, metadata: Metadata) -> AbstractContextManager[Any]:
        return _NO_CALL

    def stop(self) -> None:
        """Nothing to flush."""


class Telemetry:
    """Signals by OpenTelemetry (see `core.ports.Signals`).

    `stop` flushes: blocking, call it in a thread. `prometheus_address` is where the page really is.
    """

    def __init__(
        self,
        meters: MeterProvider,
        tracers: TracerProvider | None,
        prometheus_address: tuple[str, int] = ("", 0),
    ) -> None:
        self.prometheus_address = prometheus_address
        self._meters = meters
        self._tracers = tracers
        meter = meters.get_meter("crossfade")
        self._counters = {
            m.name: meter.create_counter(m.name, "1", m.description) for m in _of(MetricKind.COUNTER)
        }
        self._durations = {
            m.name: meter.create_histogram(
                m.name, "s", m.description, explicit_bucket_boundaries_advisory=SECONDS
            )
            for m in _of(MetricKind.DURATION)
        }
        self._tracer = tracers.get_tracer("crossfade") if tracers else None

    def count(self, name: str, amount: int = 1, **attributes: str) -> None:
        if instrument := self._counters.get(name):
            instrument.add(amount, _rename(attributes))

    def time(self, name: str, seconds: float, **attributes: str) -> None:
        if instrument := self._durations.get(name):
            instrument.record(seconds, _rename(attributes))

    def span(self, name: str, **attributes: str) -> AbstractContextManager[None]:
        return _Step(self, self._tracer, name, attributes)

    def serve(self, method: str, metadata: Metadata) -> AbstractContextManager[Any]:
        return _CallSpan(self._tracer, method, metadata) if self._tracer else _NO_CALL

    def trace_id(self) -> str:
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else ""

    def stop(self) -> None:
        """Send what is left, and close the exporters."""
        self._meters.shutdown()
        if self._tracers:
            self._tracers.shutdown()


class _Step:
    """One step of a request: a span, and for operations on a store also a measurement."""

    __slots__ = ("_attributes", "_began", "_name", "_scope", "_telemetry", "_tracer")

    def __init__(
        self, telemetry: Telemetry, tracer: trace.Tracer | None, name: str, attributes: dict[str, str]
    ) -> None:
        self._telemetry = telemetry
        self._tracer = tracer
        self._name = name
        self._attributes = attributes
        self._scope: AbstractContextManager[Any] | None = None

    def __enter__(self) -> None:
        if self._tracer:
            is_store = self._name.partition(".")[0] in STORE_ROLES
            self._scope = self._tracer.start_as_current_span(
                self._name,
                kind=trace.SpanKind.CLIENT if is_store else trace.SpanKind.INTERNAL,
                attributes=_rename(self._attributes),
            )
            self._scope.__enter__()
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        role, _, operation = self._name.partition(".")
        if role in STORE_ROLES:
            seconds = time.perf_counter() - self._began
            self._telemetry.time(
                "db.client.operation.duration",
                seconds,
                role=role,
                operation=operation,
                **self._attributes,
            )
        if self._scope:
            self._scope.__exit__(kind, error, at)


class _CallSpan:
    """The server's span of one call, child of the caller's where its metadata names one."""

    __slots__ = ("_scope", "_span")

    def __init__(self, tracer: trace.Tracer, method: str, metadata: Metadata) -> None:
        carrier = {key: value for key, value in metadata() or () if isinstance(value, str)}
        self._span = tracer.start_span(
            method,
            context=extract(carrier),
            kind=trace.SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": method},
        )
        self._scope = trace.use_span(self._span, end_on_exit=True, record_exception=False)

    def __enter__(self) -> _CallSpan:
        self._scope.__enter__()
        return self

    def finish(self, code: str) -> None:
        self._span.set_attribute("rpc.response.status_code", code)
        if code in _SERVER_ERRORS:
            self._span.set_status(trace.StatusCode.ERROR)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._scope.__exit__(kind, error, at)


def open_telemetry(settings: TelemetrySettings) -> Telemetry | Silence:
    """The signals that the settings ask for. Raises OSError when the Prometheus address cannot be had."""
    if settings.is_off:
        return Silence()
    resource = Resource.create(
        {"service.name": "crossfade-proxy", "service.instance.id": settings.service_instance}
    )
    page = _Page(settings.prometheus_address) if settings.prometheus_address else None
    readers: list[MetricReader] = [page] if page else []
    if settings.otlp_endpoint:
        readers.append(_otlp_reader(settings))
    tracers = _tracers(settings, resource) if settings.trace_rate and settings.otlp_endpoint else None
    return Telemetry(MeterProvider(readers, resource), tracers, page.address if page else ("", 0))


def _of(kind: MetricKind) -> list[Metric]:
    return [metric for metric in METRICS if metric.kind is kind]


def _rename(attributes: Mapping[str, str]) -> dict[str, str]:
    renamed = {ATTRIBUTES.get(name, name): value for name, value in attributes.items()}
    store = attributes.get("store")
    if store in _SYSTEMS:
        renamed["db.system.name"] = _SYSTEMS[store]
    return renamed


def _otlp_reader(settings: TelemetrySettings) -> MetricReader:
    # Imported late: this takes 0.3 s that a proxy without it need not wait for at its start.
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    exporter = OTLPMetricExporter(settings.otlp_endpoint)
    return PeriodicExportingMetricReader(exporter, round(settings.export_interval * 1000))


class _Page(PrometheusMetricReader):
    """The Prometheus page: served from its construction until its shutdown."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._server, self._thread = start_http_server(int(port), host or "127.0.0.1")
        self.address: tuple[str, int] = self._server.server_address[:2]  # type: ignore[assignment]
        super().__init__(disable_target_info=True)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        super().shutdown(timeout_millis, **kwargs)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _tracers(settings: TelemetrySettings, resource: Resource) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter: SpanExporter = OTLPSpanExporter(settings.otlp_endpoint)
    provider = TracerProvider(ParentBased(TraceIdRatioBased(settings.trace_rate)), resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
