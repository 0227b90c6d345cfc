"""A soak's outcome as text, and its samples as a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from examples.demo.stack import ROOT
from tests.soak.judgement import QUEUES, Growth, Pace, percent
from tests.soak.soak import Outcome

FILE = ROOT / "build" / "soak" / "samples.csv"


def tell(outcome: Outcome) -> str:
    """All of it; the last line is the verdict."""
    return "\n".join(_lines(outcome))


def _lines(outcome: Outcome) -> Iterator[str]:
    yield "tried"
    for what, count in outcome.tried.items():
        yield f"  {what:<40} {count:>8}"
    yield ""
    yield (
        f"  {'process':<20} {'judged':>7} {'first':>8} {'most':>8} {'trend':>9}"
        f" {'files':>6} {'trend':>6}  most that waited"
    )
    yield from map(_process, outcome.growths)
    yield ""
    yield (
        f"  {'latency':<24} {'':<7} {'calls':>6} {'first third':>12} {'last third':>12}"
        f" {'ratio':>6} {'machine':>8}"
    )
    yield from map(_pace, outcome.paces)
    yield ""
    failed = ", ".join(f"{count} {what}" for what, count in sorted(outcome.failed.items())) or "none"
    yield f"failed calls: {failed}"
    yield from (f"WRONG: {one}" for one in outcome.wrong)
    yield _verdict(outcome)


def _process(one: Growth) -> str:
    waiting = ", ".join(f"{name} {one.queues[name]}" for name in QUEUES)
    memory = f"{one.first:>5.0f} MB {one.most:>5.0f} MB {_signed(one.trend, ' MB'):>9}"
    files = f"{one.files:>6} {_signed(one.files_trend, ''):>6}"
    return f"  {f'{one.replica}, {one.pid}':<20} {one.seconds:>5.0f} s {memory} {files}  {waiting}"


def _signed(trend: float | None, unit: str) -> str:
    return "short" if trend is None else f"{trend:+.1f}{unit}"


def _pace(one: Pace) -> str:
    times = f"{one.first:>9.1f} ms {one.last:>9.1f} ms {one.ratio:>6.2f} {one.machine:>8.2f}"
    return f"  {one.what:<24} {percent(one.share):<7} {one.calls:>6} {times}"


def _verdict(outcome: Outcome) -> str:
    seconds = outcome.course.ended - outcome.course.began
    verdict = outcome.verdict
    counts = f"{verdict.acknowledged} writes acknowledged, {verdict.unknown} unknown, {verdict.lost} lost"
    faults = f"{len(outcome.course.windows)} faults in {seconds:.0f} s: {counts}"
    if outcome.wrong:
        return f"NOT sound: {faults}; {len(outcome.wrong)} things are wrong"
    return f"sound: {faults}; both stores equal, memory and latency flat"


def save(outcome: Outcome, target: Path = FILE) -> None:
    """Every sample, a line each."""
    target.parent.mkdir(parents=True, exist_ok=True)
    began = outcome.course.began
    rows = [
        ",".join(
            [
                *(f"{one.at - began:.1f}", one.replica, str(one.pid), f"{one.memory:.1f}", str(one.files)),
                *(str(one.queues.get(name, 0)) for name in QUEUES),
                *(f"{one.p50:.2f}", f"{one.p99:.2f}"),
            ]
        )
        for one in outcome.samples
    ]
    head = ",".join(("seconds", "replica", "pid", "memory_mb", "files", *QUEUES, "p50_ms", "p99_ms"))
    target.write_text("\n".join([head, *rows]) + "\n")
