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
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from proxy.journal import JsonLines
from proxy.telemetry import (
    ATTRIBUTES,
    METRICS,
    STORE_ROLES,
    Silence,
    Telemetry,
    TelemetrySettings,
    open_telemetry,
)

ROOT = Path(__file__).parents[2]
CALL = re.compile(r"signals\.(count|time|span)\(\s*f?\"([^\"]+)\"(.*?)\)\n", re.DOTALL)


def signals_in_code() -> Iterator[tuple[str, str, set[str]]]:
    """The verb, name and attribute names of every signal that the code gives."""
    for path in (ROOT / "proxy").rglob("*.py"):
        for verb, name, rest in CALL.findall(path.read_text()):
            yield verb, name, set(re.findall(r"\b([a-z_]+)=", rest))


def test_every_signal_in_the_code_is_declared_with_its_attributes() -> None:
    declared = {metric.name: set(metric.attributes) for metric in METRICS}
    found = list(signals_in_code())
    assert len(found) >= 8
    for verb, name, attributes in found:
        if verb == "span":
            assert name.partition(".")[0] in STORE_ROLES | {"crossfade"}, name
        else:
            assert attributes <= declared[name], name


def test_every_declared_metric_is_given_somewhere() -> None:
    given = {name for verb, name, _ in signals_in_code() if verb != "span"}
    assert {metric.name for metric in METRICS} - {"db.client.operation.duration"} <= given


def test_the_page_of_metrics_is_what_the_table_says() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([a-z ]+) \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [
        (
            metric.name,
            metric.kind.value,
            ", ".join(f"`{ATTRIBUTES[name]}`" for name in metric.attributes) or "none",
            metric.description,
        )
        for metric in METRICS
    ]
    for name in ATTRIBUTES.values():
        assert f"| `{name}` | " in page


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(reader: InMemoryMetricReader, spans: InMemorySpanExporter) -> Iterator[Telemetry]:
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = Telemetry(MeterProvider([reader]), tracers)
    yield telemetry
    telemetry.stop()


def points(reader: InMemoryMetricReader, name: str) -> list[tuple[dict[str, object], float]]:
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


def test_counts_and_times_arrive_under_their_public_names(
    telemetry: Telemetry, reader: InMemoryMetricReader
) -> None:
    telemetry.count("crossfade.mirror.writes", 2, collection="jobs", outcome="applied")
    telemetry.time("crossfade.cutover.hold", 0.25, collection="jobs")
    telemetry.count("no.such.metric", collection="jobs")
    [(attributes, value)] = points(reader, "crossfade.mirror.writes")
    assert attributes == {"crossfade.collection": "jobs", "crossfade.outcome": "applied"}
    assert value == 2
    [(_, seconds)] = points(reader, "crossfade.cutover.hold")
    assert seconds == 0.25


def test_a_step_on_a_store_is_a_span_and_a_measurement(
    telemetry: Telemetry, reader: InMemoryMetricReader, spans: InMemorySpanExporter
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with telemetry.serve("crossfade.v1.StorageService/Get", lambda: [("traceparent", parent)]) as call:
        with telemetry.span("primary.get", collection="jobs", store="dynamodb"):
            assert telemetry.trace_id() == "0af7651916cd43dd8448eb211c80319c"
        call.finish("OK")
    step, served = spans.get_finished_spans()
    assert step.name == "primary.get"
    assert step.parent is not None
    assert served.context is not None
    assert step.parent.span_id == served.context.span_id
    assert served.context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert served.attributes is not None
    assert served.attributes["rpc.response.status_code"] == "OK"
    [(attributes, _)] = points(reader, "db.client.operation.duration")
    assert attributes == {
        "crossfade.role": "primary",
        "db.operation.name": "get",
        "db.system.name": "aws.dynamodb",
        "crossfade.collection": "jobs",
    }


def test_a_step_that_fails_lets_its_error_pass(telemetry: Telemetry, spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="boom"), telemetry.span("primary.get", store="mongodb"):
        raise ValueError("boom")
    assert [span.name for span in spans.get_finished_spans()] == ["primary.get"]


def test_the_prometheus_page_shows_what_was_counted() -> None:
    telemetry = open_telemetry(TelemetrySettings(prometheus_address="127.0.0.1:0"))
    assert isinstance(telemetry, Telemetry)
    try:
        telemetry.count("crossfade.mirror.writes", collection="jobs", outcome="applied")
        host, port = telemetry.prometheus_address
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as page:
            text = page.read().decode()
    finally:
        telemetry.stop()
    assert 'crossfade_mirror_writes_total{crossfade_collection="jobs",crossfade_outcome="applied"' in text


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
