"""`python -m tests.simulation [--seeds N] [--first N] [--trace]`: run seeds and mutants.

One seed again, with everything it does: `python -m tests.simulation --first SEED --seeds 1 --trace`.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.campaign import PROCESSES, catch, run_seed
from tests.simulation.mutants import MUTANTS
from tests.simulation.world import Verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="print what each seed does; no mutants then")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    if options.trace:
        return 1 if sum(_tell(run_seed(seed, is_traced=True)) for seed in seeds) else 0
    with ProcessPoolExecutor(PROCESSES) as pool:
        begun = time.monotonic()
        verdicts = list(pool.map(run_seed, seeds, chunksize=8))
        broken = sum([_tell(verdict) for verdict in verdicts])
        _sum_up(verdicts, broken, time.monotonic() - begun)
        escaped = _hunt(pool)
    return 1 if broken or escaped else 0


def _tell(verdict: Verdict) -> bool:
    """Say what is wrong with a seed, if anything is."""
    for complaint in (*verdict.broken, *verdict.slips):
        print(f"seed {verdict.seed}: {complaint}")
    return bool(verdict.broken or verdict.slips)


def _sum_up(verdicts: list[Verdict], broken: int, seconds: float) -> None:
    calls, unknown = sum(v.calls for v in verdicts), sum(v.unknown for v in verdicts)
    flips, crashes = sum(v.flips for v in verdicts), sum(v.crashes for v in verdicts)
    print(
        f"{len(verdicts)} histories checked: {calls} calls ({unknown} of unknown fate), {flips} flips, "
        f"{crashes} crashes; {broken} broken; {seconds:.1f} s"
    )


def _hunt(pool: ProcessPoolExecutor) -> int:
    """Have every mutant caught; how many escaped."""
    escaped = 0
    for name, seed in zip(MUTANTS, pool.map(catch, MUTANTS), strict=True):
        print(f"mutant {name!r}: " + (f"caught by seed {seed}" if seed else "escaped"))
        escaped += seed is None
    print(f"{len(MUTANTS) - escaped} of {len(MUTANTS)} mutants caught")
    return escaped


if __name__ == "__main__":
    sys.exit(main())
