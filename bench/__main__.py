"""What Crossfade costs beside the alternatives, on real stores, in one session: tables, budgets, JSON.

    python -m bench [--quick] [--only costs,race,...]

Exits 0 if every budget is met, else 1. Figures are ratios within the run and CPU per call by the operating
system's accounts; the results are also in bench/results/latest.json (only after a complete run). A quick run
makes too few calls to judge 99th percentiles, and so does not exit with 0.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable

import uvloop

from bench import costs, growth, latencies, races, report, standing
from bench.budgets import Results
from bench.scene import FULL, QUICK, Scene, open_scene
from proxy.embedded.missing import MissingPart

Section = Callable[[Scene, Results], Awaitable[None]]

SECTIONS: dict[str, Section] = {  # DynamoDB Local grows slower with all that it ever took: who asks it for
    "start": standing.start,  # descriptions comes first, and whoever writes most comes last
    "collections": growth.collections,
    "costs": costs.measure,
    "race": races.race,
    "shadow-race": races.shadow,
    "added": latencies.added,
    "shadow": latencies.shadow,
    "outage": latencies.outage,
    "clients": growth.clients,
    "sizes": growth.sizes,
    "memory": standing.memory,
}


async def main() -> int:
    options = _parser().parse_args()
    results, began = Results(), time.monotonic()
    async with open_scene(QUICK if options.quick else FULL) as scene:
        _say(f"stores and proxies stand ready after {time.monotonic() - began:.0f} s")
        for name in options.only or SECTIONS:
            since = time.monotonic()
            await run_section(name, scene, results)
            ending = f", not to its end: {results.failures[name]}" if name in results.failures else ""
            _say(f"{name}: {time.monotonic() - since:.0f} s{ending}")
    report.show(results)
    if not options.only:
        report.save(results, "quick" if options.quick else "full", time.monotonic() - began)
    return 0 if results.is_good else 1


async def run_section(name: str, scene: Scene, results: Results) -> None:
    """Whatever befalls a section leaves its own budgets unmeasured, and the others be."""
    try:
        await SECTIONS[name](scene, results)
    except Exception as error:
        results.failures[name] = f"{type(error).__name__}: {error}"
        if not isinstance(error, RuntimeError):  # nothing that was foreseen
            traceback.print_exception(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the same figures in under five minutes")
    parser.add_argument("--only", type=_sections, default=(), help=f"some of: {','.join(SECTIONS)}")
    return parser


def _sections(names: str) -> tuple[str, ...]:
    wanted = tuple(names.split(","))
    if unknown := [name for name in wanted if name not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}")
    return wanted


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sys.exit(runner.run(main()))
    except MissingPart as missing:
        sys.exit(f"bench: {missing}")
