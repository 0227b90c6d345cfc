"""Pacing: limits that are kept, shrink when the store throttles, and grow back no further than was set."""

from __future__ import annotations

import asyncio

import pytest

from proxy.reconcile.pacing import LOOK, Budget, Pacing, Window, units_of


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def spend(budget: Budget, clock: Hands, seconds: float, each: float = 1.0) -> float:
    """How much a payer who waits for its turn gets a second."""
    end, spent = clock.now + seconds, 0.0
    while clock.now < end:
        wait(budget, clock, budget.pay(each))
        spent += each
    return spent / seconds


def wait(budget: Budget, clock: Hands, turn: float) -> None:
    clock.now += 0.001
    while (pause := budget.pause(turn)) > 0:
        clock.now += max(0.001, min(pause, LOOK))


class Table:
    """A store that serves so many units a second, and throttles what comes beyond its burst."""

    def __init__(self, clock: Hands, capacity: float, burst: float) -> None:
        self._clock, self.capacity, self._burst = clock, capacity, burst
        self._saved, self._at, self.served, self.refused = burst, clock.now, 0.0, 0

    def takes(self, units: float) -> bool:
        gained = self.capacity * (self._clock.now - self._at)
        self._saved, self._at = min(self._burst, self._saved + gained), self._clock.now
        if self._saved < units:
            self.refused += 1
            return False
        self._saved -= units
        self.served += units
        return True


def feed(budget: Budget, table: Table, clock: Hands, seconds: float, each: float = 1.0) -> float:
    """What a table serves a second to one who pays, waits, and tells the budget when it throttles."""
    end, before = clock.now + seconds, table.served
    while clock.now < end:
        wait(budget, clock, budget.pay(each))
        while not table.takes(each) and clock.now < end:
            budget.lower()
            clock.now += 0.1
    return (table.served - before) / seconds


def test_a_budget_is_kept_over_seconds() -> None:
    clock = Hands()
    assert spend(Budget(50.0, clock), clock, 4.0) == pytest.approx(50.0, rel=0.05)


def test_what_was_paid_is_corrected_by_what_it_took() -> None:
    clock = Hands()
    budget = Budget(100.0, clock)
    budget.pay(1.0)
    budget.correct(49.0)
    assert budget.pause(budget.pay(1.0)) == pytest.approx(0.5)


def test_throttling_lowers_a_limit_and_time_raises_it_again_up_to_what_was_set() -> None:
    clock = Hands()
    budget = Budget(100.0, clock)
    spend(budget, clock, 3.0)
    budget.lower()
    lowered = budget.limit
    assert lowered is not None and 60 < lowered < 75
    budget.lower()
    assert budget.limit == lowered, "at most once a second"
    assert spend(budget, clock, 2.0) < 90
    spend(budget, clock, 30.0)
    assert budget.limit == 100.0


def test_throttling_makes_a_limit_where_there_was_none() -> None:
    clock = Hands()
    budget = Budget(None, clock)
    for _ in range(400):
        clock.now += 0.01
        budget.pay(1.0)
    budget.lower()
    assert budget.limit is not None and 60 < budget.limit < 80


def test_a_new_ceiling_holds_at_once_and_can_be_lifted() -> None:
    clock = Hands()
    budget = Budget(None, clock)
    budget.set_ceiling(10.0)
    assert spend(budget, clock, 3.0) == pytest.approx(10.0, rel=0.1)
    budget.set_ceiling(None)
    assert budget.pause(budget.pay(1_000.0)) == 0.0


def test_a_payer_who_waits_has_its_turn_sooner_when_the_limit_rises() -> None:
    clock = Hands()
    budget = Budget(1.0, clock)
    budget.pay(400.0)
    turn = budget.pay(1.0)
    assert budget.pause(turn) == pytest.approx(400.0)
    clock.now += 100.0
    budget.set_ceiling(100.0)
    assert budget.pause(turn) == pytest.approx(3.0)


def test_nothing_is_saved_up_while_nobody_pays() -> None:
    clock = Hands()
    budget = Budget(10.0, clock)
    clock.now += 100.0
    budget.pay(10.0)
    assert budget.pause(budget.pay(10.0)) == pytest.approx(1.0)


def test_a_limit_that_was_too_low_at_first_is_found_out_within_half_a_minute() -> None:
    """The table throttles at once, since others have used up its burst, when next to nothing was spent."""
    clock = Hands()
    budget, table = Budget(None, clock), Table(clock, 1_000.0, 0.0)
    budget.pay(1.0)
    budget.lower()
    assert budget.limit is not None and budget.limit < 10.0
    table = Table(clock, 1_000.0, 1_000.0)
    feed(budget, table, clock, 30.0)
    assert feed(budget, table, clock, 30.0) > 700.0


@pytest.mark.parametrize("capacity", [50.0, 800.0])
def test_a_table_is_used_well_and_throttles_rarely(capacity: float) -> None:
    clock = Hands()
    budget, table = Budget(None, clock), Table(clock, capacity, capacity)
    feed(budget, table, clock, 30.0)
    refused, seconds = table.refused, 120.0
    assert feed(budget, table, clock, seconds) > 0.8 * capacity
    assert table.refused - refused < seconds / 2


def test_a_limit_follows_a_table_that_falls_and_rises_again() -> None:
    clock = Hands()
    budget, table = Budget(None, clock), Table(clock, 500.0, 500.0)
    feed(budget, table, clock, 60.0)
    table.capacity = 50.0
    feed(budget, table, clock, 20.0)
    assert budget.limit is not None and budget.limit < 100.0
    table.capacity = 500.0
    feed(budget, table, clock, 25.0)
    assert feed(budget, table, clock, 10.0) > 350.0


def test_a_store_that_was_in_trouble_for_long_is_no_reason_to_crawl_afterwards() -> None:
    clock = Hands()
    budget, table = Budget(None, clock), Table(clock, 500.0, 500.0)
    feed(budget, table, clock, 30.0)
    table.capacity = 0.0
    feed(budget, table, clock, 60.0)
    table.capacity = 500.0
    feed(budget, table, clock, 40.0)
    assert feed(budget, table, clock, 20.0) > 350.0


def test_a_share_that_changes_forgets_nothing_of_what_the_store_taught() -> None:
    clock = Hands()
    budget = Budget(1_000.0, clock)
    spend(budget, clock, 3.0, 100.0)
    budget.lower()
    budget.set_ceiling(2_000.0)
    assert budget.limit == pytest.approx(700.0, rel=0.05)
    budget.set_ceiling(100.0)
    assert budget.limit == 100.0


async def hold(window: Window, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(window.enter()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_a_window_lets_in_as_many_as_its_limit() -> None:
    window = Window(start=3)
    tasks = await hold(window, 5)
    assert [task.done() for task in tasks] == [True, True, True, False, False]
    window.leave()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == 4
    for task in tasks:
        task.cancel()


async def test_a_place_is_not_lost_with_who_waited_for_it() -> None:
    window = Window(start=1)
    first, waiting, last = await hold(window, 3)
    window.leave()
    waiting.cancel()
    await asyncio.sleep(0.01)
    assert first.done() and last.done() and window.in_flight == 1


def drive(window: Window, delay: float, rounds: int) -> None:
    """So many answers that take `delay` seconds and what the queue adds, at one answer a millisecond."""
    for _ in range(rounds):
        window.in_flight += 1
        window.leave(max(delay, window.limit * 0.001))


def test_a_window_grows_until_answers_queue_and_no_further() -> None:
    window = Window(start=1, most=500)
    drive(window, 0.02, 8_000)
    assert 20 <= window.limit <= 34, "20 fill the store, a few more keep it busy"


def test_a_window_never_grows_beyond_its_most_and_shrinks_when_throttled() -> None:
    window = Window(start=1, most=8)
    drive(window, 1.0, 2_000)
    assert window.limit == 8
    window.shrink()
    assert window.limit == 4


async def test_documents_and_units_are_paid_before_they_are_written() -> None:
    pacing = Pacing(max_units=100.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(10):
        paid = await pacing.enter(2_000)
        pacing.leave(2_000, paid, 2.0, 0.001)
    assert units_of(2_000) == 2
    assert loop.time() - began > 0.12


async def test_what_documents_really_take_is_learned() -> None:
    pacing = Pacing(max_units=1e9)
    for _ in range(300):
        paid = await pacing.enter(1_000)
        pacing.leave(1_000, paid, 3.0, 0.001)
    assert await pacing.enter(1_000) == pytest.approx(3.0, rel=0.02)
