"""Metrics and spans: the only place that knows OpenTelemetry."""

from proxy.telemetry.metrics import ATTRIBUTES, METRICS, Metric, MetricKind
from proxy.telemetry.opening import Silence, open_telemetry
from proxy.telemetry.settings import TelemetrySettings

__all__ = [
    "ATTRIBUTES",
    "METRICS",
    "Metric",
    "MetricKind",
    "Silence",
    "TelemetrySettings",
    "open_telemetry",
]
