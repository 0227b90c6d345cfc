"""A budget that is missed, or was not measured, is not met."""

from __future__ import annotations

import asyncio

from bench.accounting import percentile, ratio_of, spread
from bench.budgets import BUDGETS, Results
from bench.documents import DOCUMENTS, SIZES_KB, Operation, chooser, document_of
from bench.load import READS, YCSB_B, Job, Step, steps_of
from proxy.core.document import Document


class Told:
    """A contender that notes what it is asked for."""

    is_blocking = False

    def __init__(self) -> None:
        self.asked: list[tuple[Operation, int]] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def step(self, job: Job, operation: Operation, number: int) -> Step:
        self.asked.append((operation, number))
        return asyncio.Event().wait


def test_only_what_was_measured_within_its_target_is_met() -> None:
    results = Results()
    assert results.missed() == list(BUDGETS)
    results.add("read_cpu_vs_floor", spread([1.2, 1.3, 9.0]))
    results.add("dual_write_throughput_vs_handwritten", spread([1.29]))
    results.add("p50_added_read_ms_vs_direct", spread([0.5]), target=0.6)
    met = {budget.key for budget in BUDGETS} - {budget.key for budget in results.missed()}
    assert met == {"read_cpu_vs_floor", "p50_added_read_ms_vs_direct"}


def test_ratios_are_taken_round_by_round() -> None:
    assert ratio_of([2.0, 30.0], [1.0, 10.0]).values == (2.0, 3.0)
    assert percentile(range(1, 101), 0.99) == 99


def test_documents_have_about_the_size_that_is_said() -> None:
    for size in SIZES_KB:
        actual = len(Document(document_of(1, size)).to_bson()) / 1024
        assert 0.75 * size <= actual <= 1.1 * size


def test_popular_documents_are_asked_for_more_often() -> None:
    choose = chooser(seed=3)
    counts = [0] * DOCUMENTS
    for _ in range(20_000):
        counts[choose()] += 1
    busiest = sorted(counts, reverse=True)
    assert sum(busiest[: DOCUMENTS // 10]) > 10_000
    assert busiest[0] > 1_500


def test_a_mix_is_kept_and_keys_are_taken_in_turn() -> None:
    told = Told()
    steps_of(told, Job("c", YCSB_B, calls=4_000))
    updates = sum(operation is Operation.UPDATE for operation, _ in told.asked)
    assert 120 < updates < 280
    told.asked.clear()
    steps_of(told, Job("c", READS, calls=5, keys=2, first=100))
    assert [number for _, number in told.asked] == [100, 101, 100, 101, 100]
