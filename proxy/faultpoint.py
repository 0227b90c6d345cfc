"""Named moments in the code where a test may pause, fail or kill the process; they cost nothing otherwise.

`await faultpoint("mirror.before_write")` marks a moment; tests arm it with `armed`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

Action = Callable[[], Awaitable[None]]

_actions: dict[str, Action] = {}


async def faultpoint(name: str) -> None:
    """Run the armed action, if there is one."""
    if _actions and (action := _actions.get(name)):
        await action()


def arm(name: str, action: Action) -> None:
    """Run `action` whenever the moment `name` is reached."""
    _actions[name] = action


def disarm(name: str) -> None:
    _actions.pop(name, None)


@contextmanager
def armed(name: str, action: Action) -> Iterator[None]:
    """`arm` for the duration of a `with` block."""
    arm(name, action)
    try:
        yield
    finally:
        disarm(name)
