"""Run every panel and alert against a real Prometheus, and print what came of each; 0 only if all pass."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from tests.dashboards.cases import as_file, cases
from tests.dashboards.expressions import rules
from tests.dashboards.live import Findings, examine
from tests.dashboards.programs import ALERTS, promtool


def main() -> int:
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        complaint = _alerts_complaint(directory / "cases.yaml")
        findings = asyncio.run(examine(directory, console.print))
    console.print(_panels(findings))
    for name, error in findings.sick_alerts.items():
        console.print(f"[red]alert {name} cannot be evaluated: {error}")
    for name in findings.pages:
        console.print(f"[red]alert {name} fired while all was well")
    console.print(complaint or f"{len(rules())} alerts: each fires alone in its case, none while all is well")
    good = sum(one.is_good for one in findings.panels)
    console.print(f"{good} of {len(findings.panels)} expressions of panels returned data")
    return 0 if findings.is_good and not complaint else 1


def _alerts_complaint(file: Path) -> str:
    """What promtool has against the rules or their cases; empty if nothing."""
    file.write_text(yaml.safe_dump(as_file()))
    assert len(list(cases())) == len(rules()) + 1
    try:
        promtool("check", "rules", ALERTS)
        promtool("test", "rules", file)
    except AssertionError as refused:
        return str(refused)
    return ""


def _panels(findings: Findings) -> Table:
    table = Table(title="Panels against Prometheus")
    table.add_column("panel")
    for name in ("series", "values", "largest"):
        table.add_column(name, justify="right")
    table.add_column("")
    for one in findings.panels:
        largest = "" if one.largest is None else f"{one.largest:.4g}"
        verdict = "[green]ok" if one.is_good else f"[red]{one.complaint or 'no data'}"
        table.add_row(one.place, str(one.series), str(one.values), largest, verdict)
    return table


if __name__ == "__main__":
    sys.exit(main())
