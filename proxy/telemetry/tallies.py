"""What was counted and timed, by attribute set, in a form that costs a call next to nothing.

The SDK's own instruments spend 8 to 15 microseconds on a measurement, most of it on its attributes; a proxied
call makes five. Here an attribute set is worked out once, and a measurement is a look-up and an addition. The
exporters get OpenTelemetry's own points, made when they collect; all are cumulative.

Counted on the event loop, read by the exporters' threads: each sees a row as it was a moment ago.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as Exported
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from proxy.core.reading import Read, Reading
from proxy.telemetry.metrics import METRICS, METRICS_BY_NAME, SECONDS, Metric, MetricKind, public

_log = logging.getLogger("crossfade.telemetry")
_CUMULATIVE = AggregationTemporality.CUMULATIVE
_SCOPE = InstrumentationScope("crossfade")


class Count:
    """How often, for one attribute set."""

    __slots__ = ("attributes", "value")

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.attributes = attributes
        self.value: float = 0

    def add(self, amount: float) -> None:
        self.value += amount

    def point(self, since: int, now: int) -> NumberDataPoint:
        return NumberDataPoint(self.attributes, since, now, self.value)


class Durations:
    """How long, for one attribute set."""

    __slots__ = ("attributes", "buckets", "sum")

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.attributes = attributes
        self.buckets = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def add(self, amount: float) -> None:
        self.buckets[bisect_left(SECONDS, amount)] += 1
        self.sum += amount

    def point(self, since: int, now: int) -> HistogramDataPoint:
        buckets = list(self.buckets)
        return HistogramDataPoint(
            self.attributes, since, now, sum(buckets), self.sum, buckets, SECONDS, 0.0, SECONDS[-1]
        )


Row: TypeAlias = Count | Durations


class Tallies:
    """Everything that was counted and timed in this process, and what can be read off it."""

    def __init__(self) -> None:
        self._since = time.time_ns()
        self._rows: dict[str, dict[frozenset[tuple[str, str]], Row]] = {one.name: {} for one in METRICS}
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Row | None] = {}
        self._reads: list[Read] = []

    def add(self, name: str, amount: float, attributes: dict[str, str]) -> None:
        """Count so many, or one duration of so many seconds; nothing under names that the table lacks."""
        row = self.row(name, attributes)
        if row is not None:
            row.add(amount)

    def row(self, name: str, attributes: dict[str, str]) -> Row | None:
        """The row of a counter or duration for these attributes, made at the first look."""
        key = (name, tuple(attributes.items()))
        try:
            return self._known[key]
        except KeyError:
            self._known[key] = row = self._make(name, attributes)
            return row

    def _make(self, name: str, attributes: dict[str, str]) -> Row | None:
        """The attributes are the same set in whatever order a caller names them."""
        metric = METRICS_BY_NAME.get(name)
        if metric is None or metric.kind is MetricKind.GAUGE:
            return None
        rows, key = self._rows[name], frozenset(attributes.items())
        if key not in rows:
            made = Durations if metric.kind is MetricKind.DURATION else Count
            rows[key] = made(public(attributes))
        return rows[key]

    def watch(self, read: Read) -> None:
        """Ask `read` whenever somebody collects."""
        self._reads.append(read)

    def join(self, instruments: MetricsData) -> MetricsData:
        """All there is, as OpenTelemetry has it, beside what the process's own instruments have."""
        now = time.time_ns()
        readings = self._take_readings()
        metrics = [
            Exported(metric.name, metric.description, metric.unit.value, data)
            for metric in METRICS
            if (data := self._data(metric, readings[metric.name], now))
        ]
        scope = ScopeMetrics(_SCOPE, metrics, "")
        [measured] = instruments.resource_metrics
        return MetricsData([replace(measured, scope_metrics=[*measured.scope_metrics, scope])])

    def _take_readings(self) -> Mapping[str, list[Reading]]:
        taken: defaultdict[str, list[Reading]] = defaultdict(list)
        for read in self._reads:
            try:
                for one in read():
                    taken[one.name].append(one)
            except Exception:  # what cannot be read must not take what was counted with it
                _log.exception("a gauge could not be read")
        return taken

    def _data(self, metric: Metric, readings: Iterable[Reading], now: int) -> Sum | Gauge | Histogram | None:
        read = [
            NumberDataPoint(public(dict(one.attributes)), self._since, now, one.value) for one in readings
        ]
        points = [row.point(self._since, now) for row in tuple(self._rows[metric.name].values())]
        timed = [point for point in points if isinstance(point, HistogramDataPoint)]
        if timed:
            return Histogram(timed, _CUMULATIVE)
        numbers = read + [point for point in points if isinstance(point, NumberDataPoint)]
        if not numbers:
            return None
        is_counter = metric.kind is MetricKind.COUNTER
        return Sum(numbers, _CUMULATIVE, is_monotonic=True) if is_counter else Gauge(numbers)
