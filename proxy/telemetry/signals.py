"""Signals by OpenTelemetry (`core.ports.Signals`): nothing here raises into a request or holds one up."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from proxy.core.reading import Read
from proxy.telemetry.exporting import Page, Sending, otlp_metrics, otlp_spans, tracing
from proxy.telemetry.process import measure_process
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.spans import Call, Metadata, Resumed, Step, StepTaken, begin
from proxy.telemetry.tallies import Tallies

_TRACE_HEADER = "traceparent"


_NOTHING: AbstractContextManager[None] = nullcontext()


class Telemetry:
    """`stop` flushes: blocking, call it in a thread. `page` is the URL of the Prometheus page, or empty."""

    is_heard = True

    def __init__(
        self,
        tallies: Tallies,
        readers: list[MetricReader],
        resource: Resource,
        tracers: TracerProvider | None = None,
        trace_rate: float = 0.0,
    ) -> None:
        self.page = next((reader.url for reader in readers if isinstance(reader, Page)), "")
        self._tallies = tallies
        self._is_stopped = False
        self._meters = MeterProvider(readers, resource)
        measure_process(self._meters.get_meter("crossfade.process"))
        self._tracers = tracers
        self._tracer = tracers.get_tracer("crossfade") if tracers else None
        self._trace_rate = trace_rate
        self._steps: dict[tuple[str, tuple[tuple[str, str], ...]], Step] = {}

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        if amount:
            self._tallies.add(name, amount, attributes)
        else:
            self._tallies.row(name, attributes)

    def time(self, name: str, seconds: float, **attributes: str) -> None:
        self._tallies.add(name, seconds, attributes)

    def watch(self, read: Read) -> None:
        self._tallies.watch(read)

    def span(self, name: str, **attributes: str) -> AbstractContextManager[None]:
        key = (name, tuple(attributes.items()))
        step = self._steps.get(key)
        if step is None:
            self._steps[key] = step = Step(self._tallies, name, attributes)
        return StepTaken(step, self._tracer)

    def serve(self, method: str, metadata: Metadata) -> AbstractContextManager[Call]:
        return Call(self._tallies, method, self._choose(method, metadata) if self._tracer else None)

    def trace_id(self) -> str:
        if self._tracer is None:
            return ""
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else ""

    def here(self) -> object:
        if self._tracer is None:
            return None
        span = trace.get_current_span()
        return span if span.get_span_context().is_valid else None

    def resume(self, where: object) -> AbstractContextManager[None]:
        return Resumed(where) if isinstance(where, trace.Span) else _NOTHING

    def stop(self) -> None:
        """Send what is left, and close the exporters; once is enough, and more does no harm."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._meters.shutdown()
        if self._tracers:
            self._tracers.shutdown()

    def _choose(self, method: str, metadata: Metadata) -> trace.Span | None:
        """Chosen here and not by the SDK, so that a call which is not traced pays for no span. What a caller
        has decided on stands: its trace goes on, and is recorded if it records it."""
        headers = {key: value for key, value in metadata() or () if isinstance(value, str)}
        if _TRACE_HEADER not in headers and random.random() >= self._trace_rate:
            return None
        assert self._tracer is not None
        return begin(self._tracer, method, headers)


def start(settings: TelemetrySettings) -> Telemetry:
    """The signals that the settings ask for. Raises OSError when the Prometheus address cannot be had."""
    resource = Resource.create(_identity(settings))
    tallies = Tallies()
    readers: list[MetricReader] = []
    if settings.prometheus_address:
        readers.append(Page(tallies, settings.prometheus_address))
    if settings.otlp_endpoint:
        exporter = otlp_metrics(settings.otlp_endpoint)
        readers.append(Sending(tallies, exporter, settings.export_interval))
    is_traced = bool(settings.trace_rate and settings.otlp_endpoint)
    tracers = tracing(resource, otlp_spans(settings.otlp_endpoint)) if is_traced else None
    return Telemetry(tallies, readers, resource, tracers, settings.trace_rate)


def _identity(settings: TelemetrySettings) -> Mapping[str, str]:
    return {"service.name": "crossfade-proxy", "service.instance.id": settings.service_instance}
