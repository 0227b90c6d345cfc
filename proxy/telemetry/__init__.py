"""Metrics and spans: the only place that knows OpenTelemetry."""

from proxy.telemetry.metrics import ATTRIBUTES, METRICS, Metric, MetricKind
from proxy.telemetry.signals import Silence, Telemetry, TelemetrySettings, open_telemetry

__all__ = [
    "ATTRIBUTES",
    "METRICS",
    "Metric",
    "MetricKind",
    "Silence",
    "Telemetry",
    "TelemetrySettings",
    "open_telemetry",
]
