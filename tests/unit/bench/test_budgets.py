"""A budget that is missed, or was not measured, is not met."""

from __future__ import annotations

import asyncio

from bench import latencies
from bench.accounting import percentile, ratio_of, spread
from bench.budgets import BUDGETS, TAIL, Found, Results, Verdict
from bench.documents import DOCUMENTS, SIZES_KB, Operation, chooser, document_of
from bench.load import READS, YCSB_B, Job, Report, Step, fewest_calls, steps_of
from bench.report import summary
from bench.scene import FULL, QUICK
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


def verdict_on(results: Results, key: str) -> Verdict:
    [budget] = [one for one in BUDGETS if one.key == key]
    return results.verdict_on(budget)


def all_met() -> Results:
    results = Results()
    for budget in BUDGETS:
        kept = 0.5 if budget.target is None else budget.target
        results.add(budget.key, spread([kept]), TAIL, target=0.6)
    return results


def test_only_what_was_measured_within_its_target_is_met() -> None:
    results = Results()
    assert results.count() == {Verdict.UNMEASURED: len(BUDGETS)}
    results.add("read_cpu_vs_floor", spread([1.2, 1.3, 9.0]), 10)
    results.add("dual_write_throughput_vs_handwritten", spread([1.29]), 10)
    results.add("p50_added_read_ms_vs_direct", spread([0.5]), 10, target=0.6)
    assert verdict_on(results, "read_cpu_vs_floor") is Verdict.MET
    assert verdict_on(results, "p50_added_read_ms_vs_direct") is Verdict.MET
    assert verdict_on(results, "dual_write_throughput_vs_handwritten") is Verdict.MISSED
    assert results.count()[Verdict.UNMEASURED] == len(BUDGETS) - 3


def test_all_is_good_only_if_every_budget_is_met_and_no_part_failed() -> None:
    assert all_met().is_good
    failed, late = all_met(), all_met()
    failed.failures["race"] = "OSError: no more files"
    late.add("startup_seconds", spread([1.51]), calls=0)
    assert not failed.is_good and not late.is_good
    assert summary(failed) == f"{len(BUDGETS)} of {len(BUDGETS)} budgets met, not to its end: race"


def test_a_99th_percentile_of_few_calls_is_not_judged_whatever_it_says() -> None:
    tails = [budget for budget in BUDGETS if "p99" in budget.key]
    assert tails == [budget for budget in BUDGETS if "99th" in budget.about]
    results = all_met()
    for budget in tails:
        results.add(budget.key, spread([0.1, 0.2, 0.3]), TAIL - 1, target=0.6)
        assert results.verdict_on(budget) is Verdict.TOO_FEW
    assert not results.is_good
    assert summary(results).endswith(f" budgets met, {len(tails)} too few calls to judge")


def test_a_full_run_makes_enough_calls_for_each_99th_percentile() -> None:
    assert FULL.calls(latencies.CALLS) >= TAIL > QUICK.calls(latencies.CALLS)


def test_a_figure_says_what_it_rests_on() -> None:
    assert Found(spread([1.0, 2.0, 3.0]), 160, 1.0).basis == "3 rounds of 160 calls"
    assert Found(spread([1.0]), 0, 1.0).basis == "1 round"
    reports = [[Report(calls, 1.0, 1.0, 0) for calls in rounds] for rounds in ((30, 30), (600, 6))]
    assert fewest_calls(*reports) == 6


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
