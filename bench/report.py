"""The results as tables for people and as JSON for everything else."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.budgets import BUDGETS, Bound, Budget, Results

LATEST = Path(__file__).parent / "results" / "latest.json"
_SIGNS = {Bound.AT_MOST: "≤", Bound.AT_LEAST: "≥"}
_LIBRARIES = ("grpcio", "pymongo", "aiohttp", "boto3", "uvloop")


def show(results: Results) -> None:
    """Print every table, the budgets last."""
    console = Console(width=150)
    for title, rows in results.tables.items():
        console.print(_table(title, rows))
    console.print(_verdict(results))
    missed = results.missed()
    console.print(f"{len(BUDGETS) - len(missed)} of {len(BUDGETS)} budgets met", style="bold")


def save(results: Results, mode: str, seconds: float) -> None:
    """Write the figures, a key for each budget at the top, to bench/results/latest.json."""
    LATEST.parent.mkdir(exist_ok=True)
    figures: dict[str, Any] = {key: _round(found.median) for key, found in results.found.items()}
    figures["budgets"] = {budget.key: _entry(results, budget) for budget in BUDGETS}
    figures["tables"] = results.tables
    figures["run"] = {
        "mode": mode,
        "seconds": round(seconds),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    LATEST.write_text(json.dumps(figures, indent=2) + "\n")


def _entry(results: Results, budget: Budget) -> dict[str, Any]:
    if budget.key not in results.found:
        return {"met": False, "about": budget.about}
    found = results.found[budget.key]
    return {
        "value": _round(found.median),
        "bound": budget.bound.value,
        "target": _round(results.targets[budget.key]),
        "met": results.is_met(budget),
        "low": _round(found.low),
        "high": _round(found.high),
        "rounds": len(found.values),
        "about": budget.about,
    }


def _table(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for cells in rows.values() for name in cells))
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row, cells in rows.items():
        table.add_row(row, *(_text(cells.get(name, "")) for name in names))
    return table


def _verdict(results: Results) -> Table:
    table = Table(title="budgets", title_justify="left", title_style="bold")
    for name in ("budget", "measured", "spread", "target", "", "what it is"):
        table.add_column(name, justify="left" if name in ("budget", "what it is") else "right")
    for budget in BUDGETS:
        if budget.key not in results.found:
            table.add_row(budget.key, "", "", "", "not measured", budget.about)
            continue
        found = results.found[budget.key]
        target = f"{_SIGNS[budget.bound]} {_text(results.targets[budget.key])}"
        mark = "[green]met[/]" if results.is_met(budget) else "[red]NOT met[/]"
        span = f"{_text(found.low)} to {_text(found.high)}"
        table.add_row(budget.key, _text(found.median), span, target, mark, budget.about)
    return table


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 20 else f"{value:.2f}"


def _round(value: float) -> float:
    return float(f"{value:.4g}")
