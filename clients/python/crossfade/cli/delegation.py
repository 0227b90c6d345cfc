"""Commands that another distribution does: they need drivers, which this one does not bring.

Whoever installs `crossfade-proxy` beside the client has them, by its entry points. Their exit statuses are
their own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

GROUP = "crossfade.commands"
DELEGATED = {
    "assess": ("read a MongoDB, and say whether and how it can move", "crossfade-proxy"),
    "export": ("write a collection as files for DynamoDB's import from S3", "crossfade-proxy"),
}
"""Commands by their purpose and the distribution that has them."""

_MISSING = 2


def delegate(command: str, words: Sequence[str]) -> int:
    """Run the command where it is installed; else say what to install. The exit status."""
    found = tuple(entry_points(group=GROUP, name=command))
    if not found:
        print(f"crossfade: {_what_to_install(command)}", file=sys.stderr)
        return _MISSING
    status: int = found[0].load()(words)
    return status


def _what_to_install(command: str) -> str:
    distribution = DELEGATED[command][1]
    return (
        f"`{command}` is done by the distribution {distribution}, which is not installed here: install it "
        f"beside the client, or run `python -m proxy {command}` where the proxy is"
    )
