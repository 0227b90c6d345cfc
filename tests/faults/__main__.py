"""`python -m tests.faults [WORD...]`: play the scenarios (those with every WORD in their name) and tell.

Exits 0 if every fault was survived: nothing acknowledged lost, every alarm sounded.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import uvloop

from tests.faults.programme import SCENARIOS
from tests.faults.scenario import Scenario, Theatre
from tests.faults.verdict import Verdict

HEAD = f"{'fault':<54} {'acknowledged':>12} {'unknown':>8} {'lost':>5} {'longest write':>14} {'took':>7}"


async def run(words: Sequence[str]) -> int:
    chosen = chosen_by(words)
    verdicts, theatre = [], Theatre()
    print(HEAD, flush=True)
    try:
        for scenario in chosen:
            verdicts.append(await theatre.play(scenario))
            print(row(verdicts[-1]), flush=True)
    finally:
        await theatre.close()
    return summarise(verdicts)


def chosen_by(words: Sequence[str]) -> list[Scenario]:
    """The scenarios whose names have all these words; all of them for none."""
    return [one for one in SCENARIOS if all(word in one.name for word in words)]


def row(verdict: Verdict) -> str:
    numbers = f"{verdict.acknowledged:>12} {verdict.unknown:>8} {verdict.lost:>5}"
    line = f"{verdict.name:<54} {numbers} {verdict.longest_ms:>11.0f} ms {verdict.took:>5.1f} s"
    notes = [f"    {'; '.join(verdict.notes)}"] if verdict.notes else []
    return "\n".join([line, *notes, *(f"    WRONG: {one}" for one in verdict.faults)])


def summarise(verdicts: Sequence[Verdict]) -> int:
    survived = sum(not one.faults for one in verdicts)
    acknowledged, unknown = sum(one.acknowledged for one in verdicts), sum(one.unknown for one in verdicts)
    counts = f"acknowledged {acknowledged}, unknown {unknown}, lost {sum(one.lost for one in verdicts)}"
    took = sum(one.took for one in verdicts)
    print(f"{survived} of {len(verdicts)} faults survived in {took:.0f} s: {counts}")
    return 0 if verdicts and survived == len(verdicts) else 1


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(run(sys.argv[1:])))
