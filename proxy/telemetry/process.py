"""What this process costs, by OpenTelemetry's own instruments: there from the first look on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from proxy.telemetry.metrics import ATTRIBUTES, METRICS_BY_NAME

_MODE = ATTRIBUTES["mode"]
_MEMORY = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def measure_process(meter: Meter) -> None:
    """CPU time, and resident memory where the system tells it."""
    cpu, memory = METRICS_BY_NAME["process.cpu.time"], METRICS_BY_NAME["process.memory.usage"]
    meter.create_observable_counter(cpu.name, [_cpu], cpu.unit.value, cpu.description)
    if _MEMORY.exists():
        meter.create_observable_gauge(memory.name, [_memory], memory.unit.value, memory.description)


def _cpu(_: CallbackOptions) -> Iterable[Observation]:
    times = os.times()
    return Observation(times.user, {_MODE: "user"}), Observation(times.system, {_MODE: "system"})


def _memory(_: CallbackOptions) -> Iterable[Observation]:
    resident = int(_MEMORY.read_text().split()[1])
    return (Observation(resident * _PAGE),)
