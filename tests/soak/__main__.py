"""`python -m tests.soak [--minutes M]`: soak for so long, and say what was tried and what came of it.

Exits 0 only if nothing was lost, nothing was said that is not so, and memory and latency stayed flat. Every
sample is in build/soak/samples.csv.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

import uvloop

from proxy.embedded.stores import open_stores
from tests.soak.report import save, tell
from tests.soak.soak import soak


async def run(minutes: float) -> int:
    async with open_stores() as stores:
        outcome = await soak(stores, minutes * 60)
    print(tell(outcome), flush=True)
    save(outcome)
    return 1 if outcome.wrong else 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args(argv)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(options.minutes))


if __name__ == "__main__":
    sys.exit(main())
