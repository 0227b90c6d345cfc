"""What telemetry can be asked for."""

from __future__ import annotations

from dataclasses import dataclass


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
