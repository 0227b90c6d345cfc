"""A dashboard as one would say it, and as Grafana wants it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

WIDTH = 24
"""Columns of Grafana's grid."""
HEIGHT = 8
SOURCE = {"type": "prometheus", "uid": "${source}"}


class Look(Enum):
    """How a panel shows its numbers."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"
    STATES = "state-timeline"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression; `legend` names its series by their labels."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `meaning` says what is seen, `remedy` what to do if it looks bad (docs/dashboards.md has
    both); `unit` is one of Grafana's; from `bad_from` on a number is red."""

    title: str
    queries: tuple[Query, ...]
    meaning: str
    remedy: str
    look: Look = Look.LINES
    unit: str = "short"
    width: int = 8
    bad_from: float | None = None
    bad_below: float | None = None

    def as_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        return {
            "id": number,
            "type": self.look.value,
            "title": self.title,
            "description": f"{self.meaning} {self.remedy}",
            "datasource": SOURCE,
            "gridPos": {"h": HEIGHT, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": self._field(), "overrides": []},
            "options": _OPTIONS[self.look],
            "targets": [
                self._target(letter, one) for letter, one in zip("ABCDEF", self.queries, strict=False)
            ],
        }

    def _field(self) -> dict[str, Any]:
        return {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": self._steps()}}

    def _steps(self) -> list[dict[str, Any]]:
        if self.bad_below is not None:
            return [{"color": "red", "value": None}, {"color": "green", "value": self.bad_below}]
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        return steps if self.bad_from is None else [*steps, {"color": "red", "value": self.bad_from}]

    def _target(self, letter: str, query: Query) -> dict[str, Any]:
        is_table = self.look is Look.TABLE
        return {
            "refId": letter,
            "datasource": SOURCE,
            "expr": query.expression,
            "legendFormat": query.legend or "__auto",
            "instant": is_table,
            "range": not is_table,
            "format": "table" if is_table else "time_series",
        }


_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[Look, dict[str, Any]] = {
    Look.LINES: {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    Look.NUMBER: {"colorMode": "background", "graphMode": "area", "reduceOptions": _LAST},
    Look.TABLE: {"showHeader": True, "cellHeight": "sm"},
    Look.STATES: {"mergeValues": True, "showValue": "auto", "legend": {"showLegend": True}},
}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels, laid out in their order from left to right."""

    name: str
    title: str
    about: str
    panels: tuple[Panel, ...]

    @property
    def file(self) -> str:
        return f"{self.name}.json"

    def as_text(self) -> str:
        """What Grafana is provisioned with."""
        return json.dumps(self._as_json(), indent=1) + "\n"

    def _as_json(self) -> dict[str, Any]:
        return {
            "uid": f"crossfade-{self.name}",
            "title": f"Crossfade: {self.title}",
            "description": self.about,
            "tags": ["crossfade"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "links": [_LINK],
            "templating": {"list": [_SOURCE_CHOICE, _COLLECTION_CHOICE]},
            "annotations": {"list": [_MOVES]},
            "panels": list(self._laid_out()),
        }

    def _laid_out(self) -> Iterator[dict[str, Any]]:
        x = y = 0
        for number, panel in enumerate(self.panels, 1):
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            yield panel.as_json(number, x, y)
            x += panel.width


_LINK = {
    "title": "Crossfade",
    "type": "dashboards",
    "tags": ["crossfade"],
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
}
_SOURCE_CHOICE = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
_COLLECTION_CHOICE = {
    "name": "collection",
    "label": "collection",
    "type": "query",
    "datasource": SOURCE,
    "query": {
        "query": "label_values(crossfade_collection_epoch, crossfade_collection)",
        "refId": "collections",
    },
    "includeAll": True,
    "multi": True,
    "allValue": ".*",
    "current": {"text": "All", "value": "$__all"},
    "refresh": 2,
    "sort": 1,
}
_MOVES = {
    "name": "changes of stage",
    "datasource": SOURCE,
    "enable": True,
    "iconColor": "blue",
    "expr": 'changes(max by (crossfade_collection) (crossfade_collection_epoch{crossfade_collection=~"$collection"})[1m:]) > 0',
    "titleFormat": "{{crossfade_collection}}",
    "textFormat": "a new epoch was published",
}
