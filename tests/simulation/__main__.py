"""`make simulate SEEDS=2000`: run seeds, then let every mutant be caught, and say what came of them.

`--seed N --trace` is one world again, with everything that happens in it; with `--mutant NAME` a promise is
taken out of it. `--mutant NAME --seeds 60` counts how many seeds of the mutant's focus notice it.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.campaign import PATIENCE, again, catches, hunt, open_pool, run_seed
from tests.simulation.mutants import MUTANTS
from tests.simulation.recipes import focus_of
from tests.simulation.world import Verdict


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many; with --mutant of its focus")
    parser.add_argument("--first", type=int, default=1, help="where they begin")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="print what happens in it")
    parser.add_argument("--mutant", choices=MUTANTS, metavar="NAME", help="one of: " + "; ".join(MUTANTS))
    options = parser.parse_args()
    if options.seed is not None:
        return _show(options.seed, options.trace, options.mutant)
    if options.mutant is not None:
        return _measure(options.mutant, options.seeds)
    with open_pool() as pool:
        is_kept = _run(pool, range(options.first, options.first + options.seeds))
        is_noticed = _hunt(pool)
    return 0 if is_kept and is_noticed else 1


def _show(seed: int, is_traced: bool, mutant: str | None) -> int:
    with MUTANTS[mutant].change() if mutant else contextlib.nullcontext():
        verdict = run_seed(seed, is_traced)
    _sum_up([verdict])
    return 1 if verdict.complaints else 0


def _measure(mutant: str, patience: int) -> int:
    caught = list(catches(mutant, patience))
    for catch in caught:
        print(f"seed {catch.seed}: {'; '.join(one.value for one in catch.promises)}")
    print(f"{len(caught)} of {patience} seeds of the focus {MUTANTS[mutant].focus.value!r} notice {mutant!r}")
    return 0 if caught else 1


def _run(pool: ProcessPoolExecutor, seeds: Sequence[int]) -> bool:
    """Whether every promise is kept in every seed."""
    begun = time.monotonic()
    verdicts = list(pool.map(run_seed, seeds, chunksize=8))
    _sum_up(verdicts)
    print(f"{time.monotonic() - begun:.0f} s")
    return not any(verdict.complaints for verdict in verdicts)


def _sum_up(verdicts: Sequence[Verdict]) -> None:
    broken = [verdict for verdict in verdicts if verdict.complaints]
    for verdict in broken:
        print(f"seed {verdict.seed} ({focus_of(verdict.seed).value}), again: {again(verdict.seed)}")
        print(*(f"  {complaint}" for complaint in verdict.complaints), sep="\n")
    calls, unknown = sum(v.calls for v in verdicts), sum(v.unknown for v in verdicts)
    flips, crashes = sum(v.flips for v in verdicts), sum(v.crashes for v in verdicts)
    print(
        f"{len(verdicts)} histories checked: {calls} calls ({unknown} of unknown fate), {flips} flips, "
        f"{crashes} crashes; {len(broken)} broken"
    )


def _hunt(pool: ProcessPoolExecutor) -> bool:
    """Whether every mutant is caught."""
    caught = 0
    for name, catch in zip(MUTANTS, pool.map(hunt, MUTANTS), strict=True):
        focus = MUTANTS[name].focus.value
        if catch is None:
            print(f"mutant {name!r}: escaped {PATIENCE} seeds of the focus {focus!r}")
            continue
        caught += 1
        promises = "; ".join(promise.value for promise in catch.promises)
        print(f"mutant {name!r}: caught by seed {catch.seed} ({focus}, no. {catch.tried}): {promises}")
    print(f"{caught} of {len(MUTANTS)} mutants caught")
    return caught == len(MUTANTS)


if __name__ == "__main__":
    sys.exit(main())
