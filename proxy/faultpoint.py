"""Named moments in the code where a test may pause, fail or kill the process; they cost nothing otherwise.

`await faultpoint("mirror.before_write")` marks a moment. A test in the same process arms it with `armed`, a
test of real processes with `CROSSFADE_FAULTPOINTS` (see `read_armings`). docs/faultpoints.md lists them all.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from proxy.core.errors import Outcome, Unavailable

Action = Callable[[], Awaitable[None]]

MOMENTS = {
    "pipeline.between_stores": "The primary holds the write, the mirror does not yet.",
    "pipeline.before_reply": "The write is done in both stores or deferred, the client has no reply yet.",
    "mirror.before_write": "The inline mirror write is about to be sent.",
    "cutover.hold": "The change is recorded; the coordinator looks whether all replicas hold.",
    "cutover.fence": "All replicas hold; MongoDB's fence is about to be raised.",
    "fence.before_install": "MongoDB's fence is read, another is about to be installed.",
    "cutover.drain": "The fence stands; the mirror is about to be brought up to date.",
    "cutover.publish": "The mirror is drained; the new primary is about to be published.",
    "cutover.abort": "The old primary is about to be published again.",
    "feed.after_apply": "The reconciler has applied a batch and not yet moved its position.",
    "feed.before_checkpoint": "The reconciler is about to save its position.",
    "reconcile.between_reads": "Primary and mirror are read, nothing is decided yet.",
    "reconcile.before_apply": "A record is about to be brought to the mirror.",
    "reconcile.before_restamp": "A record of the primary is about to be given a version of its own.",
    "reconcile.before_purge": "A mirrored tombstone is about to be removed from MongoDB.",
    "backfill.after_copy": "A document is copied and not yet recorded.",
    "backfill.before_checkpoint": "The backfill is about to save how far a range is.",
    "verify.after_chunk": "A chunk is compared and not yet recorded.",
    "verify.before_checkpoint": "The verify, or a sample, is about to save how far a range is.",
    "export.after_position": "The export has its place in the feed and has read no document yet.",
    "export.after_chunk": "The export has written some documents into a file that is not whole yet.",
}
"""Every moment by its name."""

_actions: dict[str, Action] = {}


class Misfortune(Enum):
    """What can befall a whole process at a moment."""

    KILL = "kill"  # SIGKILL: no farewell
    STOP = "stop"  # SIGSTOP: until somebody sends SIGCONT
    ERROR = "error"  # Unavailable, its outcome unknown


@dataclass(frozen=True, slots=True)
class Arming:
    """A misfortune at a moment: at every time it is reached, or only at the one that `at` counts (from 1)."""

    moment: str
    misfortune: Misfortune
    at: int | None = None


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


def read_armings(words: str) -> tuple[Arming, ...]:
    """Armings as they are written: `pipeline.between_stores=kill@20,cutover.fence=stop`; none if empty.

    Raises ValueError for a moment or a misfortune that there is not, since nothing would happen then.
    """
    return tuple(_read_arming(word.strip()) for word in words.split(",") if word.strip())


def arm_all(armings: Iterable[Arming]) -> None:
    """Arm this process."""
    for one in armings:
        arm(one.moment, _Trap(one))


def _read_arming(word: str) -> Arming:
    moment, _, what = word.partition("=")
    kind, _, at = what.partition("@")
    if moment not in MOMENTS or kind not in {one.value for one in Misfortune} or (at and not at.isdigit()):
        raise ValueError("must be a list of MOMENT=kill|stop|error, each maybe with @N (docs/faultpoints.md)")
    return Arming(moment, Misfortune(kind), int(at) if at else None)


class _Trap:
    """Counts the times that its moment is reached, and strikes."""

    def __init__(self, arming: Arming) -> None:
        self._arming = arming
        self._times = 0

    async def __call__(self) -> None:
        self._times += 1
        if self._arming.at not in (None, self._times):
            return
        match self._arming.misfortune:
            case Misfortune.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Misfortune.STOP:
                os.kill(os.getpid(), signal.SIGSTOP)
            case Misfortune.ERROR:
                raise Unavailable(f"injected at {self._arming.moment}", outcome=Outcome.UNKNOWN)
