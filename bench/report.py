"""The results as tables for people and as JSON for everything else."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.budgets import BUDGETS, Bound, Budget, Results, Verdict

LATEST = Path(__file__).parent / "results" / "latest.json"
_SIGNS = {Bound.AT_MOST: "≤", Bound.AT_LEAST: "≥"}
_LIBRARIES = ("grpcio", "pymongo", "aiohttp", "boto3", "uvloop")


def show(results: Results) -> None:
    """Print every table, the budgets last."""
    console = Console(width=170)
    for title, rows in results.tables.items():
        console.print(_table(title, rows))
    console.print(_verdict(results))
    console.print(summary(results), style="bold")


def summary(results: Results) -> str:
    """How many budgets are met, what is to be said of the others, and which parts failed."""
    counts = results.count()
    others = [f"{counts[verdict]} {verdict.value}" for verdict in list(Verdict)[1:] if counts[verdict]]
    failed = [f"not to its end: {name}" for name in results.failures]
    return ", ".join([f"{counts[Verdict.MET]} of {len(BUDGETS)} budgets met", *others, *failed])


def save(results: Results, mode: str, seconds: float) -> None:
    """Write the figures, a key for each budget at the top, to bench/results/latest.json."""
    LATEST.parent.mkdir(exist_ok=True)
    figures: dict[str, Any] = {key: _round(found.values.median) for key, found in results.found.items()}
    figures["budgets"] = {budget.key: _entry(results, budget) for budget in BUDGETS}
    figures["tables"] = results.tables
    figures["run"] = {
        "mode": mode,
        "seconds": round(seconds),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "failures": results.failures,
    }
    LATEST.write_text(json.dumps(figures, indent=2) + "\n")


def _entry(results: Results, budget: Budget) -> dict[str, Any]:
    verdict = results.verdict_on(budget)
    said = {"met": verdict is Verdict.MET, "verdict": verdict.value, "about": budget.about}
    if budget.key not in results.found:
        return said
    found = results.found[budget.key]
    return said | {
        "value": _round(found.values.median),
        "bound": budget.bound.value,
        "target": _round(found.target),
        "low": _round(found.values.low),
        "high": _round(found.values.high),
        "rounds": found.rounds,
        "calls_a_round": found.calls,
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
    for name in ("budget", "measured", "spread", "rests on", "target", "", "what it is"):
        table.add_column(name, justify="left" if name in ("budget", "what it is") else "right")
    for budget in BUDGETS:
        table.add_row(budget.key, *_figures(results, budget), _mark(results, budget), budget.about)
    return table


def _figures(results: Results, budget: Budget) -> tuple[str, str, str, str]:
    """The figure, its spread, what it rests on, its target."""
    found = results.found.get(budget.key)
    if found is None:
        return "", "", "", ""
    span = f"{_text(found.values.low)} to {_text(found.values.high)}"
    return _text(found.values.median), span, found.basis, f"{_SIGNS[budget.bound]} {_text(found.target)}"


def _mark(results: Results, budget: Budget) -> str:
    verdict = results.verdict_on(budget)
    colour = {Verdict.MET: "green", Verdict.MISSED: "red"}.get(verdict, "yellow")
    return f"[{colour}]{verdict.value}[/]"


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 20 else f"{value:.2f}"


def _round(value: float) -> float:
    return float(f"{value:.4g}")
