"""What Crossfade costs beside the alternatives, on real stores, in one session: tables, budgets, JSON.

    python -m bench [--quick] [--only costs,race,...]

Exits 0 if every budget is met, else 1. Figures are ratios within the run and CPU per call by the operating
system's accounts; the results are also in bench/results/latest.json (only after a complete run).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop

from bench import costs, growth, latencies, races, report, standing
from bench.budgets import Results
from bench.scene import FULL, QUICK, Scene, open_scene

Section = Callable[[Scene, Results], Awaitable[None]]

SECTIONS: dict[str, Section] = {
    "costs": costs.measure,
    "race": races.race,
    "shadow-race": races.shadow,
    "added": latencies.added,
    "shadow": latencies.shadow,
    "outage": latencies.outage,
    "clients": growth.clients,
    "sizes": growth.sizes,
    "start": standing.start,
    "memory": standing.memory,
    "collections": growth.collections,
}


async def main() -> int:
    options = _parser().parse_args()
    wanted = options.only.split(",") if options.only else list(SECTIONS)
    results, began = Results(), time.monotonic()
    async with open_scene(QUICK if options.quick else FULL) as scene:
        _say(f"stores and proxies stand ready after {time.monotonic() - began:.0f} s")
        for name in wanted:
            since = time.monotonic()
            ending = await _ending_of(SECTIONS[name], scene, results)
            _say(f"{name}: {time.monotonic() - since:.0f} s{ending}")
    report.show(results)
    if not options.only:
        report.save(results, "quick" if options.quick else "full", time.monotonic() - began)
    return 1 if results.missed() else 0


async def _ending_of(section: Section, scene: Scene, results: Results) -> str:
    """What is to be said of a section: one that fails leaves its budgets unmeasured, and the others be."""
    try:
        await section(scene, results)
    except RuntimeError as error:
        return f", not to its end: {error}"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the same figures in under five minutes")
    parser.add_argument("--only", default="", help=f"some of: {', '.join(SECTIONS)}")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
