"""What Grafana and Prometheus are given: fresh, understood by promtool, of metrics that are documented."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from deploy.dashboards.__main__ import PAGE, outputs
from tests.dashboards.cases import Case, as_file, cases, still
from tests.dashboards.expressions import (
    DASHBOARDS,
    SERIES,
    of_alerts,
    of_annotations,
    of_dashboards,
    rules,
    strangers,
)
from tests.dashboards.programs import ALERTS, ROOT, needs_prometheus, promtool


def test_the_files_are_what_their_source_says() -> None:
    made = dict(outputs())
    assert len(made) == 5
    for path, text in made.items():
        assert path.read_text() == text, f"python -m deploy.dashboards writes {path.name} anew"
    assert {path.name for path in DASHBOARDS.iterdir()} == {path.name for path in made if path != PAGE}


def test_they_name_only_series_and_labels_that_there_are() -> None:
    everything = [*of_dashboards(), *of_annotations(), *of_alerts()]
    assert len(everything) > 60
    assert [complaint for one in everything for complaint in strangers(one)] == []


def test_every_metric_but_the_incidental_is_shown_or_watched() -> None:
    said = " ".join(one.text for one in (*of_dashboards(), *of_alerts()))
    shown = {metric.name for name, metric in SERIES.items() if re.search(rf"\b{name}\b", said)}
    incidental = {
        "crossfade.mirror.deferred",
        "crossfade.tombstones.purged",
        "crossfade.feed.lost",
        "crossfade.backfill.documents",
        "db.client.connection.max",
    }
    assert {metric.name for metric in SERIES.values()} - shown == incidental


def test_ids_are_unique_and_panels_do_not_overlap() -> None:
    uids = set()
    for file in DASHBOARDS.glob("*.json"):
        dashboard = json.loads(file.read_text())
        uids.add(dashboard["uid"])
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells
    assert len(uids) == 4


@needs_prometheus
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", ALERTS)
    promtool("check", "config", "--syntax-only", ROOT / "deploy" / "prometheus.yaml")


@needs_prometheus
def test_promtool_understands_every_expression_of_a_panel(tmp_path: Path) -> None:
    panels = [*of_dashboards(), *of_annotations()]
    recorded = [{"record": f"panel_{n}", "expr": one.filled(60)} for n, one in enumerate(panels)]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    assert f"{len(panels)} rules found" in promtool("check", "rules", file)


@needs_prometheus
def test_each_alert_fires_alone_in_its_case_and_none_while_all_is_well(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump(as_file()))
    assert "SUCCESS" in promtool("test", "rules", file)


@needs_prometheus
def test_a_case_that_expects_what_does_not_happen_fails(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    wrong = Case("CrossfadeGone", {"crossfade_unheard_of": still(1)})
    file.write_text(yaml.safe_dump({**as_file(), "tests": [wrong.as_test()]}))
    with pytest.raises(AssertionError, match="CrossfadeGone"):
        promtool("test", "rules", file)


def test_every_alert_has_a_case_a_severity_and_a_line_in_the_handbook() -> None:
    names = [rule["alert"] for rule in rules()]
    assert names == [case.fires for case in cases() if case.fires]
    page = PAGE.read_text()
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}
        line = rf"^\| `{rule['alert']}` \| {rule['labels']['severity']} \| .+ \| .+ \|$"
        assert re.search(line, page, re.MULTILINE), rule["alert"]
