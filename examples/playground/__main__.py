"""Start the stack in the background, or stop it; what runs is written to .crossfade/playground.json.

Exit codes: 0 done (or nothing to do), 1 it did not start, 2 a part is missing on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from examples.playground.keeper import keep
from examples.playground.place import Running, running
from examples.playground.switch import StartFailed, start, stop

_PORT = 50051


def main() -> int:
    options = _options()
    match options.command:
        case "up":
            return _up(options.port)
        case "down":
            return _down()
        case _:
            return asyncio.run(keep(options.port))


def _up(port: int) -> int:
    if found := running():
        print("It is running already.")
        _show(found)
        return 0
    try:
        _show(start(port))
    except StartFailed as failure:
        print(f"playground: {failure}", file=sys.stderr)
        return failure.status
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _down() -> int:
    found = running()
    if found is None:
        print("Nothing is running.")
        return 0
    stop(found)
    print("Stopped, with all its data.")
    return 0


def _show(found: Running) -> None:
    print(f"MongoDB    {found.mongodb}  (database {found.database})")
    print(f"DynamoDB   {found.dynamodb}")
    print(f"proxies    {', '.join(found.proxies)}")
    print(f"console    {', '.join(found.consoles)}")
    print(f"log        {found.log}")
    print(_TRY.format(address=found.proxies[0], console=found.consoles[0]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.playground", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "keep"), help=argparse.SUPPRESS)
    parser.add_argument(
        "--port", type=int, default=_PORT, help=f"of the first proxy ({_PORT}); + 1 is the other's"
    )
    return parser.parse_args()


_TRY = """
All collections are at MONGO_ONLY, with documents that the old application left. Now you, in a browser at
{console} or here:

    export CROSSFADE_ADDRESS={address}
    .venv/bin/crossfade status --watch
    .venv/bin/crossfade stage webtasks MONGO_PRIMARY
    .venv/bin/crossfade backfill webtasks --wait
    .venv/bin/crossfade verify webtasks --wait
    .venv/bin/crossfade cutover webtasks --dry-run
    .venv/bin/crossfade cutover webtasks --reason "to see it"
    .venv/bin/crossfade status webtasks
    .venv/bin/crossfade rollback webtasks --reason "to see that too"
    .venv/bin/crossfade audit

`make down` stops it and removes its data."""

if __name__ == "__main__":
    sys.exit(main())
