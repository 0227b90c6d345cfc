"""Write the dashboards for Grafana and their description for people; `--check` only says what is stale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.dashboards.all import DASHBOARDS
from deploy.dashboards.panel import Dashboard, Panel

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana" / "dashboards"
PAGE = ROOT / "docs" / "dashboards.md"
BEGIN, END = "<!-- panels: written by python -m deploy.dashboards -->", "<!-- end of panels -->"


def main() -> int:
    stale = [path for path, text in outputs() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"stale: {path.relative_to(ROOT)}; run python -m deploy.dashboards", file=sys.stderr)
        return 1 if stale else 0
    for path, text in outputs():
        path.write_text(text)
    return 0


def outputs() -> Iterator[tuple[Path, str]]:
    """Every file that is made from the source, with what it should hold."""
    for dashboard in DASHBOARDS:
        yield GRAFANA / dashboard.file, dashboard.as_text()
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    yield PAGE, f"{before}{BEGIN}\n{''.join(map(_section, DASHBOARDS))}\n{END}{after}"


def _section(dashboard: Dashboard) -> str:
    rows = "\n".join(map(_row, dashboard.panels))
    title = dashboard.title[0].upper() + dashboard.title[1:]
    return f"\n### {title}\n\n{dashboard.about}\n\n| panel | what it shows | what to do |\n|---|---|---|\n{rows}\n"


def _row(panel: Panel) -> str:
    return f"| {panel.title} | {panel.meaning} | {panel.remedy} |"


if __name__ == "__main__":
    sys.exit(main())
