"""Where signals go: a Prometheus page, OTLP, both, or memory in tests; all in threads of their own."""

from __future__ import annotations

from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExporter,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from prometheus_client import CollectorRegistry, start_http_server

from proxy.telemetry.tallies import Tallies


class _Collecting(MetricReader):
    """A reader that gets our tallies along with what the process's own instruments have."""

    tallies: Tallies

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        super()._receive_metrics(self.tallies.join(metrics_data), timeout_millis, **kwargs)  # type: ignore[safe-super]


class Page(_Collecting, PrometheusMetricReader):
    """The Prometheus page: served from its construction until its shutdown. OSError for a taken port."""

    def __init__(self, tallies: Tallies, address: str) -> None:
        self.tallies = tallies
        registry = CollectorRegistry()
        host, _, port = address.rpartition(":")
        self._server, self._thread = start_http_server(int(port), host or "127.0.0.1", registry)
        self.url = f"http://{host or '127.0.0.1'}:{self._server.server_address[1]}/metrics"
        super().__init__(disable_target_info=True, scope_info_enabled=False, registry=registry)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        super().shutdown(timeout_millis, **kwargs)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Sending(_Collecting, PeriodicExportingMetricReader):
    """Sends everything every so many seconds."""

    def __init__(self, tallies: Tallies, exporter: MetricExporter, seconds: float) -> None:
        self.tallies = tallies
        super().__init__(exporter, round(seconds * 1000))


class InMemory(_Collecting, InMemoryMetricReader):
    """For tests: what an exporter would be given."""

    def __init__(self, tallies: Tallies) -> None:
        self.tallies = tallies
        super().__init__()


def otlp_metrics(endpoint: str) -> MetricExporter:
    # Imported late: this takes 0.3 s that a proxy without it need not wait for at its start.
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(endpoint)


def otlp_spans(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint)


def tracing(resource: Resource, exporter: SpanExporter) -> TracerProvider:
    """Spans that go to an exporter in batches. What callers have decided on stands; calls that none has
    decided on are chosen before they get here."""
    provider = TracerProvider(ParentBased(ALWAYS_ON), resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
