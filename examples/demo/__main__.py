"""Run the demo: exits 0 only if nothing was lost, no document differs and nothing diverged.

Exit codes: 0 all went well, 1 it did not, 2 a part is missing on this machine, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time

from rich.console import Console

from crossfade import AsyncMigrationClient, CrossfadeError, JobKind
from examples.demo.checker import check
from examples.demo.data import example_data, load
from examples.demo.journey import Journey, JourneyFailed
from examples.demo.screen import Screen, summary_table
from examples.demo.stack import ProxyFailed, Stack, open_stack, tail
from examples.demo.summary import Summary, count_comparisons, summarise
from examples.demo.traffic import Traffic, run_traffic
from proxy.embedded.missing import MissingPart

FAILED, MISSING, INTERRUPTED = 1, 2, 130


def main() -> int:
    options = _options()
    console = Console(highlight=False)
    try:
        return asyncio.run(_main(options, console))
    except MissingPart as missing:
        print(f"demo: {missing}", file=sys.stderr)
        return MISSING
    except (JourneyFailed, ProxyFailed, CrossfadeError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("demo: interrupted; everything it started is stopped", file=sys.stderr)
        return INTERRUPTED


async def _main(options: argparse.Namespace, console: Console) -> int:
    _end_on(signal.SIGTERM)
    began = time.monotonic()
    screen = Screen(console, Traffic())
    screen.tell("starting MongoDB, DynamoDB and two proxies")
    async with open_stack(lease=options.lease) as stack:
        try:
            summary = await _migrate(stack, screen, options, began)
        except Exception:
            _show_logs(stack)
            raise
        console.print(summary_table(summary))
        if not summary.is_good:
            _show_logs(stack)
        if options.json:
            print(json.dumps(summary.as_json()), flush=True)
        if options.stay:
            await _stay(stack, console)
    return 0 if summary.is_good else FAILED


async def _migrate(stack: Stack, screen: Screen, options: argparse.Namespace, began: float) -> Summary:
    """Load, start, drive, stop the traffic, check."""
    data = example_data(options.documents, time.time_ns() // 1_000_000)
    await load(stack.stores.mongodb.address, stack.collections, data)
    screen.tell(f"{len(data)} documents of the old application are in MongoDB")
    for _ in range(2):
        proxy = await stack.start_proxy()
        screen.consoles.append(proxy.console)
        screen.tell(f"a proxy serves at {proxy.address}, its console at {proxy.console}")
    names = [collection.name for collection in stack.collections]
    async with (
        AsyncMigrationClient(stack.addresses, timeout=30) as operator,
        screen.watching(stack.addresses),
    ):
        journey = Journey(operator, names, screen.tell, options.dwell, screen.flips)
        async with run_traffic(stack.addresses, data, screen.traffic):
            await journey.travel()
        screen.tell("the traffic has stopped")
        await journey.run_all(JobKind.VERIFY, "the proxies compare both stores once more")
        screen.tell("the independent checker reads both stores")
        findings = await check(stack, screen.traffic.ledger)
        comparisons = await count_comparisons(stack.addresses, names)
    for complaint in (*screen.traffic.ledger.stale_reads[:10], *map(str, findings.broken[:10])):
        screen.tell(f"WRONG: {complaint}")
    for name, difference in list(findings.unequal.items())[:10]:
        screen.tell(f"UNEQUAL: {name}: {difference}")
    return summarise(screen.traffic, journey, comparisons, findings, time.monotonic() - began)


async def _stay(stack: Stack, console: Console) -> None:
    address = ",".join(stack.addresses)
    console.print(f"The stack stays until Ctrl+C: crossfade status --address {address}", soft_wrap=True)
    console.print(f"The console: {stack.proxies[0].console}", soft_wrap=True)
    await asyncio.Event().wait()


def _show_logs(stack: Stack) -> None:
    for proxy in stack.proxies:
        print(f"--- the end of what {proxy.child.name} said", file=sys.stderr)
        print(tail(proxy.child), file=sys.stderr)


def _end_on(number: signal.Signals) -> None:
    """End in order when told by a signal, as Ctrl+C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=_ABOUT)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON on the last line")
    parser.add_argument("--stay", action="store_true", help="leave the stack running until Ctrl+C")
    parser.add_argument("--documents", type=int, default=3000, help="how many there are at first (3000)")
    parser.add_argument("--dwell", type=float, default=5.0, help="seconds in each stage (5)")
    parser.add_argument("--lease", type=float, default=2.0, help="of the proxies, in seconds (2)")
    return parser.parse_args()


_ABOUT = "One live migration on real stores: MongoDB to DynamoDB, back, and there again, under traffic."

if __name__ == "__main__":
    sys.exit(main())
