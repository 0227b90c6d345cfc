"""`python -m tests.faults [WORD...]`: play the scenarios (those with a WORD in their name) and tell."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import uvloop

from proxy.embedded.stores import open_stores
from tests.faults.scenarios import SCENARIOS, play
from tests.faults.verdict import Verdict


async def run(words: Sequence[str]) -> int:
    chosen = [one for one in SCENARIOS if not words or any(word in one.name for word in words)]
    verdicts = []
    async with open_stores() as stores:
        print(HEAD)
        for scenario in chosen:
            began = time.monotonic()
            try:
                verdict = await play(scenario, stores)
            except Exception as error:  # the others are worth seeing all the same
                verdict = Verdict(scenario.name, 0, 0, 0, 0.0, (f"it ended early: {error!r}",), ())
            verdicts.append(replace(verdict, took=time.monotonic() - began))
            print(row(verdicts[-1]), flush=True)
    return summarise(verdicts)


HEAD = f"{'fault':<52} {'acknowledged':>12} {'unknown':>8} {'lost':>5} {'longest write':>14} {'took':>7}"


def row(verdict: Verdict) -> str:
    numbers = f"{verdict.acknowledged:>12} {verdict.unknown:>8} {verdict.lost:>5}"
    line = f"{verdict.name:<52} {numbers} {verdict.longest_ms:>11.0f} ms {verdict.took:>5.1f} s"
    return "\n".join(
        [line, f"    {'; '.join(verdict.notes)}", *(f"    WRONG: {one}" for one in verdict.faults)]
    )


def summarise(verdicts: Sequence[Verdict]) -> int:
    survived = sum(not one.faults for one in verdicts)
    acknowledged, unknown = sum(one.acknowledged for one in verdicts), sum(one.unknown for one in verdicts)
    lost = sum(one.lost for one in verdicts)
    counts = f"acknowledged {acknowledged}, unknown {unknown}, lost {lost}"
    print(f"{survived} of {len(verdicts)} faults survived: {counts}")
    return 0 if verdicts and survived == len(verdicts) else 1


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(run(sys.argv[1:])))
