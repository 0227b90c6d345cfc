"""Every expression that Grafana and Prometheus are given, and what it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from proxy.telemetry.metrics import ATTRIBUTES, METRICS, Metric, MetricKind
from tests.dashboards.programs import ALERTS, ROOT

DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
_SELECTOR = re.compile(r"\b((?:crossfade|rpc|db|process)_[a-z0-9_]+)\b(?:\{([^}]*)\})?")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
_EVERYWHERE = {"instance", "job"}


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression; `place` is its dashboard and panel, or its alert. `seconds` is a range of time that
    stands for Grafana's variables."""

    place: str
    text: str

    def filled(self, seconds: int) -> str:
        """With values for Grafana's variables."""
        window = f"{seconds}s"
        return (
            self.text.replace("$collection", ".*")
            .replace("$__rate_interval", window)
            .replace("$__range", window)
        )


def of_dashboards() -> Iterator[Expression]:
    for file in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                place = f"{file.stem} / {panel['title']}"
                if len(panel["targets"]) > 1:
                    place += f" {target['refId']}"
                yield Expression(place, target["expr"])


def of_annotations() -> Iterator[Expression]:
    for file in sorted(DASHBOARDS.glob("*.json")):
        for one in json.loads(file.read_text())["annotations"]["list"]:
            yield Expression(f"{file.stem} / {one['name']}", one["expr"])


def of_alerts() -> Iterator[Expression]:
    for rule in rules():
        yield Expression(rule["alert"], rule["expr"])


def rules() -> list[dict[str, Any]]:
    """The alerts as they are written."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def strangers(expression: Expression) -> Iterator[str]:
    """What an expression names that no metric has: a series, or a label of a series."""
    text = expression.filled(60)
    for name, selector in _SELECTOR.findall(text):
        if name in LABELS:
            continue
        metric = SERIES.get(name)
        if metric is None:
            yield f"{expression.place}: no metric is called {name}"
        else:
            yield from (
                f"{expression.place}: {name} has no label {label}"
                for label in set(_LABEL.findall(selector)) - _labels_of(metric)
            )


def _page(attribute: str) -> str:
    return attribute.replace(".", "_")


def _labels_of(metric: Metric) -> set[str]:
    return {_page(ATTRIBUTES[name]) for name in metric.attributes} | _EVERYWHERE


def _series() -> Iterator[tuple[str, Metric]]:
    for metric in METRICS:
        endings = ("_bucket", "_sum", "_count") if metric.kind is MetricKind.DURATION else ("",)
        yield from ((metric.page_name + ending, metric) for ending in endings)


LABELS = {_page(name) for name in ATTRIBUTES.values()}
SERIES = dict(_series())
