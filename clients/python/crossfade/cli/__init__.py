"""The operator's command line: `crossfade status`, `cutover`, `rollback`, `rehearse` and so on.

The exit status is 0 if all is well, 1 if the proxy refused, a check failed or a job left something to
mend, 2 if the command line is wrong, 3 if no proxy could be reached or it did not answer in time, and 130
if it was interrupted; a watch that was interrupted exits as what it saw last.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from crossfade.cli.answer import Answer
from crossfade.cli.arguments import parse
from crossfade.cli.commands import COMMANDS
from crossfade.cli.credentials import WrongCredentials, credentials_of, token_of
from crossfade.cli.delegation import DELEGATED, delegate
from crossfade.cli.messages import as_json, checks_table
from crossfade.cli.terminal import show
from crossfade.cli.watching import watch
from crossfade.errors import CrossfadeError, DeadlineExceeded, GateClosed, Unavailable, Unreachable
from crossfade.migration import AsyncMigrationClient
from crossfade.transport import NO_RETRIES

OK, REFUSED, WRONG, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = parse(argv)
    if arguments.command in DELEGATED:
        return delegate(arguments.command, arguments.words)
    try:
        answer = asyncio.run(_ask(arguments))
    except CrossfadeError as error:
        _tell(error, arguments.json)
        return UNREACHABLE if isinstance(error, Unavailable | DeadlineExceeded) else REFUSED
    except (WrongCredentials, WrongAddress) as error:
        print(f"crossfade: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        if arguments.command == "rehearse":
            print("crossfade: a rehearsal that has begun goes back by itself", file=sys.stderr)
        return INTERRUPTED
    if arguments.watch is None:
        _show(answer, arguments.json)
    return OK if answer.is_good else REFUSED


async def _ask(arguments: Any) -> Answer:
    async with _client_of(arguments) as client:
        look = partial(COMMANDS[arguments.command], client, arguments)
        if arguments.watch is None:
            return await look()
        return await watch(look, arguments.watch, arguments.json)


class WrongAddress(Exception):
    """What --address or CROSSFADE_ADDRESS says is none."""


def _client_of(arguments: Any) -> AsyncMigrationClient:
    """Raises WrongCredentials, WrongAddress, and Unreachable where a host's name is not known."""
    credentials, token = credentials_of(arguments), token_of(arguments)
    try:
        return AsyncMigrationClient(
            arguments.address,
            timeout=arguments.timeout,
            retry=None if arguments.wait else NO_RETRIES,  # who waits for minutes wants to see it through
            actor=arguments.actor,
            credentials=credentials,
            token=token,
        )
    except ValueError as error:
        raise WrongAddress(f"--address {arguments.address!r}: {error}") from error
    except OSError as error:
        raise Unreachable(f"--address {arguments.address!r}: {error.strerror}") from error


def _show(answer: Answer, in_json: bool) -> None:
    if in_json:
        print(json.dumps(answer.data, indent=2))
    else:
        show(answer.parts)


def _tell(error: CrossfadeError, in_json: bool) -> None:
    checks = error.checks if isinstance(error, GateClosed) else ()
    if in_json:
        print(json.dumps({"error": _facts(error), "checks": [as_json(check) for check in checks]}, indent=2))
        return
    if checks:
        show((checks_table(checks),))
    print(f"crossfade: {error}", file=sys.stderr)


def _facts(error: CrossfadeError) -> dict[str, str]:
    return {
        "reason": error.reason.name,
        "message": error.message,
        "outcome": error.outcome.name,
        "collection": error.collection,
        "field": error.field,
        "hint": error.hint,
    }
