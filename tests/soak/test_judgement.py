"""The judge of a soak notices what grows, and is not misled by spikes, restarts and a busy machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from tests.faults.traffic import Sample as Timed
from tests.soak.judgement import BUDGET, Course, Growth, Pace, Period, Window, growths, paces
from tests.soak.sampling import Sample

SECONDS = 600.0
COURSE = Course(0.0, SECONDS, (), (Period("MONGO_PRIMARY", 0.0, SECONDS),))


def life(
    memory: Callable[[float], float], *, pid: int = 1, since: float = 0.0, files: float = 0
) -> list[Sample]:
    """A process sampled every three seconds to the end; `files` are opened in all the time."""
    dice = random.Random(pid)
    times = [since + 3 * number for number in range(round((SECONDS - since) / 3))]
    return [
        Sample(
            at,
            "replica-0",
            pid,
            memory(at - since) + dice.uniform(-2, 2),
            40 + round(files * at / SECONDS),
            {},
        )
        for at in times
    ]


def judged(samples: Sequence[Sample]) -> list[str]:
    return [fault for one in growths(samples, COURSE) for fault in one.faults()]


def test_memory_that_stands_still_after_a_warm_up_is_flat() -> None:
    assert judged(life(lambda age: 90 + 25 * min(1.0, age / 60))) == []


def test_a_leak_is_noticed_even_if_it_is_slow() -> None:
    [told] = judged(life(lambda age: 90 + age * 2 / 60))
    assert "grew by" in told and "replica-0 (pid 1)" in told


def test_a_spike_is_no_leak_but_it_may_break_the_budget() -> None:
    assert judged(life(lambda age: 90.0 if age % 60 else 130.0)) == []
    [told] = judged(life(lambda age: 90.0 if age % 60 else BUDGET + 10))
    assert "more than 150" in told


def test_a_process_that_was_started_anew_is_another() -> None:
    """One life after the other, each higher: nothing grows."""
    first = [one for one in life(lambda age: 80.0) if one.at < 300]
    second = life(lambda age: 110.0, pid=2, since=300.0)
    assert judged(first + second) == []
    assert [one.pid for one in growths(first + second, COURSE)] == [1, 2]


def test_a_life_too_short_to_be_judged_says_so() -> None:
    [short] = growths([one for one in life(lambda age: 90 + age) if one.at < 40], COURSE)
    assert isinstance(short, Growth) and short.trend is None and list(short.faults()) == []


def test_a_soak_that_was_too_short_to_warm_up_forgives_more_and_not_everything() -> None:
    short = Course(0.0, 60.0, (), ())
    assert COURSE.leniency == 1 < short.leniency < 4
    slow = [one for one in life(lambda age: 90 + 0.3 * age) if one.at < 60]
    fast = [one for one in life(lambda age: 90 + 1.5 * age, pid=2) if one.at < 60]
    assert [bool(list(one.faults())) for one in growths(slow + fast, short)] == [False, True]


def test_files_that_are_never_closed_are_noticed() -> None:
    [told] = judged(life(lambda age: 90.0, files=60))
    assert told.startswith("files: ")


def calls(took: Callable[[float], float], seed: int = 1, is_write: bool = False) -> list[Timed]:
    """Ten a second; `took` in milliseconds, of which one in fifty takes four times as long."""
    dice = random.Random(seed)
    return [
        Timed(at / 10, took(at / 10) * (4 if not at % 50 else dice.uniform(0.8, 1.2)) / 1000, is_write)
        for at in range(round(SECONDS) * 10)
    ]


def told_of(mine: Sequence[Timed], beside: Sequence[Timed], course: Course = COURSE) -> list[str]:
    found = paces(mine, beside, course)
    assert found, "nothing was compared"
    return [fault for one in found for fault in one.faults()]


STEADY = calls(lambda at: 5, seed=2) + calls(lambda at: 8, seed=3, is_write=True)


def test_latency_that_stands_still_is_flat() -> None:
    assert told_of(STEADY, STEADY) == []
    assert {one.what for one in paces(STEADY, STEADY, COURSE)} == {
        "reads in MONGO_PRIMARY",
        "writes in MONGO_PRIMARY",
    }


def test_calls_that_become_slower_are_noticed() -> None:
    creeping = calls(lambda at: 5 + 10 * at / SECONDS)
    assert [told.split(":")[2].split()[0] for told in told_of(creeping, STEADY)] == ["median"]


def test_the_slowest_that_become_slower_are_noticed() -> None:
    late = [
        Timed(one.began, one.took * (8 if one.began > 400 and one.took > 0.015 else 1), False)
        for one in calls(lambda at: 5)
    ]
    assert [told.split(":")[2].split()[0] for told in told_of(late, STEADY)] == ["p99"]


def test_a_machine_that_becomes_slower_is_not_held_against_the_proxy() -> None:
    slow = calls(lambda at: 5 + 10 * at / SECONDS)
    assert told_of(slow, calls(lambda at: 2 + 4 * at / SECONDS, seed=4)) == []


def test_what_happens_while_something_is_wrong_does_not_count() -> None:
    course = Course(0.0, SECONDS, (Window("cut", 500.0, 590.0),), COURSE.periods)
    slow = calls(lambda at: 100 if 500 < at < 590 else 5)
    assert told_of(slow, STEADY, course) == []
    assert told_of(slow, STEADY) != []


def test_a_stage_is_compared_with_itself() -> None:
    """The first third in one stage, the last in another: nothing can be said."""
    stages = (Period("MONGO_PRIMARY", 0.0, 300.0), Period("DYNAMO_PRIMARY", 300.0, SECONDS))
    assert paces(STEADY, STEADY, Course(0.0, SECONDS, (), stages)) == []


@pytest.mark.parametrize(("first", "last"), [(1.0, 3.5), (5.0, 7.0)])
def test_a_little_is_forgiven(first: float, last: float) -> None:
    assert list(Pace("reads", 0.5, 100, first, last, 1.0).faults()) == []
