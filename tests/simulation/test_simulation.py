"""The protocol keeps its promises in every seed, and every mutant of it is noticed.

More of both: `make simulate SEEDS=2000`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.campaign import PATIENCE, again, hunt, open_pool, run_seed
from tests.simulation.kinds import Focus
from tests.simulation.mutants import MUTANTS
from tests.simulation.recipes import focus_of

SEEDS = range(1, 2001)
DEADLINE = 1200
"""Seconds on a machine that does much else; under five minutes on two cores that others use too."""


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with open_pool() as pool:
        yield pool


@pytest.mark.timeout(DEADLINE)
def test_every_promise_is_kept_in_every_seed(pool: ProcessPoolExecutor) -> None:
    verdicts = list(pool.map(run_seed, SEEDS, chunksize=5))
    wrong = {again(verdict.seed): verdict.complaints for verdict in verdicts if verdict.complaints}
    assert wrong == {}
    assert {focus_of(verdict.seed) for verdict in verdicts} == set(Focus)
    assert sum(verdict.flips for verdict in verdicts) > len(SEEDS)
    assert sum(verdict.crashes for verdict in verdicts) > len(SEEDS) / 2


@pytest.mark.timeout(DEADLINE)
def test_every_mutant_is_caught(pool: ProcessPoolExecutor) -> None:
    caught = dict(zip(MUTANTS, pool.map(hunt, MUTANTS), strict=True))
    escaped = [name for name, catch in caught.items() if catch is None]
    assert escaped == [], f"not noticed in {PATIENCE} seeds of their focus"


def test_a_seed_is_the_same_history_in_every_process(pool: ProcessPoolExecutor) -> None:
    here = run_seed(7)
    assert here.history
    assert here == pool.submit(run_seed, 7).result()
