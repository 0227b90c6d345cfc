"""Every signal in the code is declared and documented; what is measured arrives; being off costs nothing."""

from __future__ import annotations

import io
import json
import logging
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from proxy.core.errors import Reason, Unavailable
from proxy.core.reading import Reading, reading
from proxy.journal import JsonLines
from proxy.telemetry import (
    ATTRIBUTES,
    METRICS,
    Metric,
    MetricKind,
    Silence,
    TelemetrySettings,
    open_telemetry,
)
from proxy.telemetry.exporting import InMemory
from proxy.telemetry.metrics import (
    CALL_ADDED,
    CALL_DURATION,
    METRICS_BY_NAME,
    SECONDS,
    STORE_DURATION,
    Unit,
)
from proxy.telemetry.signals import Telemetry
from proxy.telemetry.spans import STORE_ROLES
from proxy.telemetry.tallies import Tallies

ROOT = Path(__file__).parents[2]
CALL = re.compile(
    r"(?:signals\.(count|time|span)|(?<![\w.])(reading))\(\s*f?\"([^\"]+)\"(.*?)\)\n", re.DOTALL
)
TRACED = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
TELEMETRYS_OWN = {CALL_DURATION, CALL_ADDED, STORE_DURATION, "process.cpu.time", "process.memory.usage"}


def signals_in_code() -> Iterator[tuple[str, str, set[str]]]:
    """The verb, name and attribute names of every signal that the code gives."""
    for path in (ROOT / "proxy").rglob("*.py"):
        for signal, gauge, name, rest in CALL.findall(path.read_text()):
            yield signal or gauge, name, set(re.findall(r"\b([a-z_]+)=", rest))


def test_every_signal_in_the_code_is_declared_with_its_attributes() -> None:
    declared = {metric.name: set(metric.attributes) for metric in METRICS}
    found = list(signals_in_code())
    assert len(found) >= 30
    for verb, name, attributes in found:
        if verb == "span":
            assert name.partition(".")[0] in STORE_ROLES | {"crossfade"}, name
        else:
            assert attributes == declared[name], name
            is_gauge = METRICS_BY_NAME[name].kind is MetricKind.GAUGE
            assert is_gauge == (verb == "reading"), name


def test_every_declared_metric_is_given_somewhere() -> None:
    given = {name for verb, name, _ in signals_in_code() if verb != "span"}
    assert {metric.name for metric in METRICS} == given | TELEMETRYS_OWN


def test_the_page_of_metrics_is_what_the_table_says() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([a-z ,]+) \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [
        (
            metric.name,
            kind_of(metric),
            ", ".join(f"`{ATTRIBUTES[name]}`" for name in metric.attributes) or "none",
            metric.description,
        )
        for metric in METRICS
    ]
    attributes = page.partition("## Attributes")[2].partition("## ")[0]
    described = re.findall(r"^\| `([a-z_.]+)` \| [^|]+ \|$", attributes, re.MULTILINE)
    assert sorted(described) == sorted(ATTRIBUTES.values())
    used = {name for metric in METRICS for name in metric.attributes}
    assert used == ATTRIBUTES.keys()


def kind_of(metric: Metric) -> str:
    units = {Unit.DOCUMENTS: ", documents", Unit.BYTES: ", bytes", Unit.CONNECTIONS: ", connections"}
    if metric.kind is not MetricKind.DURATION and metric.unit is Unit.SECONDS:
        return f"{metric.kind.value}, seconds"
    return metric.kind.value + units.get(metric.unit, "")


@pytest.fixture
def tallies() -> Tallies:
    return Tallies()


@pytest.fixture
def reader(tallies: Tallies) -> InMemory:
    return InMemory(tallies)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(tallies: Tallies, reader: InMemory, spans: InMemorySpanExporter) -> Iterator[Telemetry]:
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = Telemetry(tallies, [reader], Resource.create({}), tracers, trace_rate=0.0)
    yield telemetry
    telemetry.stop()


def points(reader: InMemory, name: str) -> list[tuple[dict[str, object], float]]:
    data = reader.get_metrics_data()
    assert data is not None
    return [
        (dict(point.attributes or {}), point.value if isinstance(point, NumberDataPoint) else point.sum)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint | HistogramDataPoint)
    ]


def test_counts_and_times_arrive_under_their_public_names(telemetry: Telemetry, reader: InMemory) -> None:
    telemetry.count("crossfade.mirror.writes", 2, collection="jobs", outcome="applied")
    telemetry.time("crossfade.cutover.hold", 0.25, collection="jobs")
    telemetry.count("crossfade.mirror.writes", outcome="applied", collection="jobs")
    telemetry.count("crossfade.feed.lost", 0, collection="jobs")
    telemetry.count("crossfade.cutover.step", 0, collection="jobs", step="drain")
    telemetry.count("no.such.metric", collection="jobs")
    [(attributes, value)] = points(reader, "crossfade.mirror.writes")
    assert attributes == {"crossfade.collection": "jobs", "crossfade.outcome": "applied"}
    assert value == 3
    [(_, seconds)] = points(reader, "crossfade.cutover.hold")
    assert seconds == 0.25
    assert points(reader, "crossfade.feed.lost") == [({"crossfade.collection": "jobs"}, 0)]
    [(_, seconds)] = points(reader, "crossfade.cutover.step")
    assert seconds == 0


def test_a_step_on_a_store_is_a_span_and_a_measurement(
    telemetry: Telemetry, reader: InMemory, spans: InMemorySpanExporter
) -> None:
    with telemetry.serve("crossfade.v1.StorageService/Get", lambda: [TRACED]) as call:
        with telemetry.span("primary.get", collection="jobs", store="dynamodb"):
            assert telemetry.trace_id() == "0af7651916cd43dd8448eb211c80319c"
        call.finish("OK", "jobs", 60.0)
    step, served = spans.get_finished_spans()
    assert step.name == "primary.get"
    assert step.parent is not None
    assert served.context is not None
    assert step.parent.span_id == served.context.span_id
    assert served.context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert served.attributes is not None
    assert served.attributes["rpc.response.status_code"] == "OK"
    [(attributes, in_store)] = points(reader, STORE_DURATION)
    [(_, added)] = points(reader, CALL_ADDED)
    assert added == pytest.approx(60.0 - in_store)
    assert attributes == {
        "crossfade.role": "primary",
        "db.operation.name": "get",
        "db.system.name": "aws.dynamodb",
        "crossfade.collection": "jobs",
    }


def test_a_step_that_fails_lets_its_error_pass(
    telemetry: Telemetry, reader: InMemory, spans: InMemorySpanExporter
) -> None:
    with pytest.raises(ValueError, match="boom"), telemetry.span("primary.get", store="mongodb"):
        raise ValueError("boom")
    errors = [
        attributes["error.type"] for attributes, _ in points(reader, STORE_DURATION) if len(attributes) > 3
    ]
    assert errors == ["ValueError"]
    assert spans.get_finished_spans() == (), "no call is traced, so no step is"


def test_a_call_that_nobody_chose_is_timed_and_not_traced(
    telemetry: Telemetry, reader: InMemory, spans: InMemorySpanExporter
) -> None:
    with telemetry.serve("crossfade.v1.StorageService/Get", lambda: []) as call:
        with telemetry.span("primary.get", collection="jobs", store="mongodb"):
            assert telemetry.trace_id() == ""
        assert telemetry.here() is None
        call.finish("UNAVAILABLE", "jobs", 0.003)
    assert spans.get_finished_spans() == ()
    [(attributes, seconds)] = points(reader, CALL_DURATION)
    assert (attributes["rpc.response.status_code"], seconds) == ("UNAVAILABLE", 0.003)


def test_a_failed_step_and_call_are_errors_without_the_words_of_the_error(
    telemetry: Telemetry, spans: InMemorySpanExporter
) -> None:
    with telemetry.serve("crossfade.v1.StorageService/Get", lambda: [TRACED]) as call:
        with pytest.raises(Unavailable), telemetry.span("primary.get", store="mongodb"):
            raise Unavailable("hunter2 is down", Reason.STORE_UNAVAILABLE)
        call.finish("UNAVAILABLE", "jobs", 0.003)
    for span in spans.get_finished_spans():
        assert span.status.status_code is StatusCode.ERROR
        assert "hunter2" not in span.to_json()
    step, served = spans.get_finished_spans()
    assert step.attributes is not None and step.attributes["error.type"] == "STORE_UNAVAILABLE"
    assert served.attributes is not None and served.attributes["error.type"] == "UNAVAILABLE"


def test_what_is_resumed_goes_on_in_the_trace_of_the_call(
    telemetry: Telemetry, spans: InMemorySpanExporter
) -> None:
    with telemetry.serve("crossfade.v1.StorageService/Get", lambda: [TRACED]) as call:
        where = telemetry.here()
        call.finish("OK", "jobs", 0.003)
    with telemetry.resume(where), telemetry.span("shadow.get", collection="jobs", store="dynamodb"):
        assert telemetry.trace_id() == TRACED[1].split("-")[1]
    assert telemetry.trace_id() == ""
    served, shadow = spans.get_finished_spans()
    assert shadow.parent is not None and served.context is not None
    assert shadow.parent.span_id == served.context.span_id


def test_durations_fall_into_the_buckets_of_their_bounds(telemetry: Telemetry, reader: InMemory) -> None:
    for seconds in (0.0, SECONDS[0], SECONDS[0] * 1.01, 99.0):
        telemetry.time("crossfade.cutover.hold", seconds, collection="jobs")
    data = reader.get_metrics_data()
    assert data is not None
    [point] = [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "crossfade.cutover.hold"
        for point in metric.data.data_points
        if isinstance(point, HistogramDataPoint)
    ]
    assert (point.bucket_counts[0], point.bucket_counts[1], point.bucket_counts[-1]) == (2, 1, 1)
    assert (point.count, tuple(point.explicit_bounds)) == (4, SECONDS)


def test_gauges_are_read_when_somebody_looks_and_one_that_fails_takes_no_other_with_it(
    telemetry: Telemetry, reader: InMemory
) -> None:
    lag = [1.5]

    def fail() -> Iterator[Reading]:
        raise RuntimeError("no reading today")

    telemetry.watch(fail)
    telemetry.watch(lambda: [reading("crossfade.feed.lag", lag[0], collection="jobs")])
    assert points(reader, "crossfade.feed.lag") == [({"crossfade.collection": "jobs"}, 1.5)]
    lag[0] = 0.0
    assert points(reader, "crossfade.feed.lag") == [({"crossfade.collection": "jobs"}, 0.0)]


def test_a_measurement_costs_a_call_little(telemetry: Telemetry) -> None:
    """Less than half of what the SDK's own instruments take, on whatever machine."""
    counter = MeterProvider([InMemoryMetricReader()]).get_meter("a test").create_counter("writes")
    rounds, began = 10_000, time.process_time()
    for _ in range(rounds):
        telemetry.count("crossfade.mirror.writes", collection="jobs", outcome="applied")
        with telemetry.span("primary.get", collection="jobs", store="mongodb"):
            pass
    ours, began = (time.process_time() - began) / 2, time.process_time()
    for _ in range(rounds):
        counter.add(1, {"crossfade.collection": "jobs", "crossfade.outcome": "applied"})
    assert ours < (time.process_time() - began) / 2


def test_the_prometheus_page_shows_what_was_counted() -> None:
    telemetry = open_telemetry(TelemetrySettings(prometheus_address="127.0.0.1:0"))
    assert isinstance(telemetry, Telemetry)
    try:
        telemetry.count("crossfade.mirror.writes", collection="jobs", outcome="applied")
        with urllib.request.urlopen(telemetry.page, timeout=5) as page:
            text = page.read().decode()
    finally:
        telemetry.stop()
    assert (
        'crossfade_mirror_writes_total{crossfade_collection="jobs",crossfade_outcome="applied"} 1.0' in text
    )
    assert 'process_cpu_time_seconds_total{cpu_mode="user"}' in text
    assert "otel_scope" not in text


def test_off_is_cheap_and_silent() -> None:
    signals = open_telemetry(TelemetrySettings())
    assert isinstance(signals, Silence)
    rounds, began = 10_000, time.process_time()
    for _ in range(rounds):
        signals.count("crossfade.mirror.writes", collection="jobs", outcome="applied")
        with signals.span("primary.get", collection="jobs", store="mongodb"):
            pass
    each = (time.process_time() - began) / rounds / 2
    assert each < 2e-6, "a signal that goes nowhere costs nearly nothing"
    assert signals.trace_id() == ""


def test_log_lines_are_json_with_what_was_added() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("tests.journal")
    log.propagate = False
    log.addHandler(handler)
    try:
        try:
            raise ValueError("boom")
        except ValueError:
            log.exception("it %s", "failed", extra={"incident": "abc", "odd": object()})
    finally:
        log.removeHandler(handler)
    [text] = stream.getvalue().splitlines()
    line = json.loads(text)
    assert (line["level"], line["message"], line["incident"]) == ("error", "it failed", "abc")
    assert "ValueError: boom" in line["traceback"]
    assert line["time"].endswith("Z")
