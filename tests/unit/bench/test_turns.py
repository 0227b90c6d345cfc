"""What is compared takes turns; what is nobody's share is taken off; a part that fails stops no other."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import cast

import pytest

from bench import __main__ as bench
from bench.budgets import Results
from bench.contenders import Nothing
from bench.costs import floor
from bench.crew import Worker
from bench.documents import Operation
from bench.idling import Idling, without_idling
from bench.load import READS, Job, Report, Step, run
from bench.move import Found
from bench.scene import Scene, compete


def report(calls: int, cpu: float, seconds: float = 1.0) -> Report:
    return Report(calls, seconds, cpu, 0)


class Turns:
    """In place of a worker's process: notes that it ran."""

    def __init__(self, name: str, noted: list[str]) -> None:
        self._name, self._noted = name, noted

    async def run(self, job: Job) -> Report:
        self._noted.append(self._name)
        return report(job.calls, 0.1)


async def test_rounds_take_turns_with_a_pause_before_each_and_after_the_last() -> None:
    noted: list[str] = []
    contest = {name: (cast(Worker, Turns(name, noted)), Job("c", READS, 5)) for name in ("a", "b")}

    async def between() -> None:
        noted.append("-")

    reports = await compete(contest, 3, between)
    assert "".join(noted) == "-ab-ba-ab-"
    assert [len(rounds) for rounds in reports.values()] == [3, 3]


def test_the_load_generator_is_no_part_of_the_floor() -> None:
    reports = {
        "echo": [report(1_000, 0.2), report(1_000, 0.4)],
        "drivers": [report(1_000, 0.5), report(1_000, 0.8)],
        "nothing": [report(1_000, 0.1), report(1_000, 0.2)],
    }
    assert floor(reports) == pytest.approx([600, 1_000])


async def test_to_do_nothing_costs_what_making_calls_does() -> None:
    job = Job("c", READS, calls=400, every=0.01)
    found = await run(Nothing(), job, os.getpid())
    assert found.failures == 0 and len(found.latencies) == job.calls
    assert 0 < found.cpu < found.seconds
    assert found.rate <= 1.25 * job.clients / job.every


class Slow(Nothing):
    """Takes as long for each call as is mostly between the beginnings of two."""

    def step(self, job: Job, operation: Operation, number: int) -> Step:
        return lambda: asyncio.sleep(job.every or job.pause)


async def test_a_pace_is_kept_however_long_calls_take_and_a_pause_is_not() -> None:
    paced = await run(Slow(), Job("c", READS, calls=200, every=0.04), os.getpid())
    pausing = await run(Slow(), Job("c", READS, calls=200, pause=0.04), os.getpid())
    assert paced.rate > 1.3 * pausing.rate


async def test_idling_is_what_processes_take_in_all_looks_together() -> None:
    idling = Idling((os.getpid(),), window=0.3)

    async def work() -> None:
        while True:
            began = time.process_time()
            while time.process_time() < began + 0.005:
                pass
            await asyncio.sleep(0.015)

    working = asyncio.create_task(work())
    await idling.watch()
    working.cancel()
    busy, watched = idling.share(), idling.seconds
    await idling.watch()
    assert idling.seconds >= 0.6
    assert 0.02 < busy <= 1
    assert idling.share(os.getpid()) == pytest.approx(busy * watched / idling.seconds, rel=0.3)
    assert without_idling([report(100, 0.5, seconds=2.0)], 0.2) == pytest.approx([1_000])


async def test_a_part_that_fails_is_told_of_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    async def broken(scene: Scene, results: Results) -> None:
        raise LookupError("no such process")

    async def busy(scene: Scene, results: Results) -> None:
        raise RuntimeError("too busy")

    async def whole(scene: Scene, results: Results) -> None:
        ran.append("whole")

    results, scene = Results(), cast(Scene, None)
    for name, part in (("costs", broken), ("race", busy), ("added", whole)):
        monkeypatch.setitem(bench.SECTIONS, name, part)
        await bench.run_section(name, scene, results)
    assert ran == ["whole"]
    assert results.failures == {"costs": "LookupError: no such process", "race": "RuntimeError: too busy"}
    assert "in broken" in capsys.readouterr().err, "where it happened"


async def test_what_calls_leave_behind_is_billed_and_is_no_part_of_their_rate() -> None:
    job = Job("c", READS, calls=40, every=0.01)
    found = await run(Nothing(), replace(job, after=0.3), os.getpid())
    assert found.after >= 0.3
    assert found.rate > job.calls / (found.seconds + found.after)
    left_behind = Report(100, 1.5, 0.5, 0, after=0.5)
    assert without_idling([left_behind], 0.2) == pytest.approx([1_000])


def test_a_backfill_is_compared_with_the_bare_loops_on_both_sides() -> None:
    found = Found(backfill_rate=900.0, bare_loop_rates=[800.0, 1_200.0])
    found.compare()
    assert (found.bare_loop_rate, found.backfill_vs_bare_loop) == (1_000.0, 0.9)
