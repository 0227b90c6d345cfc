"""Completion of the command line in bash, zsh and fish, by argcomplete where it is installed (extra `cli`).

Collections are asked of the proxy while somebody presses Tab, so that takes a second at most, and says
nothing where no proxy answers.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from crossfade.errors import CrossfadeError
from crossfade.migration import AsyncMigrationClient
from crossfade.transport import NO_RETRIES

SHELLS = ("bash", "zsh", "fish")
MISSING = 'completion needs argcomplete: pip install "crossfade[cli]"'
_PATIENCE = 1.0
"""Seconds that a person who pressed Tab waits."""


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and exit, where it is the shell that asks."""
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(parser, always_complete_options="long")


def script(shell: str) -> str:
    """What a shell is to read once. Raises ImportError without argcomplete."""
    from argcomplete.shell_integration import shellcode

    return shellcode(["crossfade"], shell=shell)


def collections(prefix: str, parsed_args: Any, **_: Any) -> list[str]:
    """The names of the collections that begin so."""
    try:
        return [name for name in asyncio.run(_names(parsed_args.address)) if name.startswith(prefix)]
    except (CrossfadeError, OSError):
        return []


def one_of(names: Sequence[str]) -> Callable[..., list[str]]:
    """Completes the name of a stage, a kind or a state, in whatever case it was begun."""
    return lambda prefix, **_: [name for name in names if name.startswith(prefix.upper())]


async def _names(address: str) -> list[str]:
    async with AsyncMigrationClient(address, timeout=_PATIENCE, retry=NO_RETRIES) as client:
        return [collection.name for collection in await client.list_collections()]
