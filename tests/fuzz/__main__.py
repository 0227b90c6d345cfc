"""`python -m tests.fuzz [--minutes M] [--seed S]`: fuzz everything for so long, and say what came of it.

Exits 0 only if nothing was found.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence

from proxy.embedded.stores import open_stores
from tests.fuzz.rounds import GUIDED, WIRE, Tally, guide, play
from tests.fuzz.twins import twins_in_a_thread

SHARES = {"calls": 0.55, "bytes": 0.1, "tokens": 0.03, "operators": 0.07}
"""Of the time; the guided targets share the rest."""

HEAD = f"{'target':<20} {'cases':>9} {'took':>7}  answers"


async def run(minutes: float, seed: int) -> int:
    print(f"seed {seed}\n{HEAD}", flush=True)
    seconds = minutes * 60
    tallies = await _wire(seconds, seed)
    left = max(2.0, seconds * (1 - sum(SHARES.values())) / len(GUIDED))
    for name in GUIDED:
        tallies.append(await guide(name, round(left)))
        print(row(tallies[-1]), flush=True)
    found = [one for one in tallies if one.finding]
    cases = sum(one.cases for one in tallies)
    print(f"{cases} cases in {sum(one.seconds for one in tallies):.0f} s: {len(found)} findings")
    return 1 if found else 0


async def _wire(seconds: float, seed: int) -> list[Tally]:
    tallies = []
    async with open_stores() as stores:
        opening = twins_in_a_thread(stores.mongodb.address, stores.dynamodb.address)
        twins = await asyncio.to_thread(opening.__enter__)
        try:
            for name in WIRE:
                tallies.append(await asyncio.to_thread(play, name, twins, seconds * SHARES[name], seed))
                print(row(tallies[-1]), flush=True)
        finally:
            await asyncio.to_thread(opening.__exit__, None, None, None)
    return tallies


def row(tally: Tally) -> str:
    reasons: dict[str, int] = {}
    for answer, count in tally.answers.items():
        reason = answer.rpartition(" ")[2]
        reasons[reason] = reasons.get(reason, 0) + count
    told = ", ".join(f"{name} {count}" for name, count in sorted(reasons.items(), key=lambda one: -one[1]))
    line = f"{tally.name:<20} {tally.cases:>9} {tally.seconds:>5.0f} s  {told}"
    return f"{line}\n    FOUND: {tally.finding}" if tally.finding else line


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(argv)
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    return asyncio.run(run(options.minutes, options.seed))


if __name__ == "__main__":
    sys.exit(main())
