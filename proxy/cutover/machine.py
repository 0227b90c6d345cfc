"""The steps of a change of stage, as a pure function of the flag and of what was observed.

A change that moves the primary goes hold -> fence -> drain -> publish, on the way back to MongoDB hold ->
drain -> fence -> publish (docs/decisions/0004); others are published at once. Each
step may be repeated: whoever finds a change under way after a crash asks for the next step and goes on.
Invariants: no new primary is published before the fence stands at its epoch; an epoch is published once;
abort is a publication of the old stage under the next epoch, because a fence is never lowered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from proxy.core.flag import Flag
from proxy.core.stage import Stage, StoreName

HOLD_LIMIT = 5.0
"""Seconds that writes may wait; a change that needs longer is aborted."""

BLOCKS_ALL = 2**53
"""A fence that no epoch passes: MongoDB takes no proxied write any more."""


class Step(Enum):
    """What the coordinator does next."""

    AWAIT_HOLD = "hold"
    RAISE_FENCE = "fence"
    DRAIN = "drain"
    PUBLISH = "publish"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Observation:
    """What the coordinator knows: whether every live replica holds its writes, the epoch that MongoDB's fence
    demands, whether the mirror has everything the old primary took, seconds since the change began, and
    whether somebody asked for an end."""

    is_held: bool = False
    fence: int = 0
    is_drained: bool = False
    elapsed: float = 0.0
    is_abort_wanted: bool = False


def next_step(flag: Flag, seen: Observation) -> Step:
    """The step to take now. `flag` must have a change under way."""
    assert flag.change is not None, "a step belongs to a change"
    if seen.is_abort_wanted:
        return Step.ABORT
    if not flag.stage.changes_primary_to(flag.change.target):
        return Step.PUBLISH
    if seen.elapsed > HOLD_LIMIT:
        return Step.ABORT
    if not seen.is_held:
        return Step.AWAIT_HOLD
    is_fenced = seen.fence >= flag.epoch + 1
    if not is_fenced and (seen.is_drained or not _drains_first(flag)):
        return Step.RAISE_FENCE
    if not seen.is_drained:
        return Step.DRAIN
    return Step.PUBLISH


def _drains_first(flag: Flag) -> bool:
    """Whether the mirror is brought up to date before the fence: where MongoDB is the mirror, the fence would
    refuse what DynamoDB took under the old epoch. Nothing acknowledged comes after such a drain that MongoDB
    lacks, since MongoDB takes part in every acknowledgement, and nothing is read, since reads wait."""
    return flag.stage.mirror is StoreName.MONGODB


def fence_after(flag: Flag) -> int | None:
    """MongoDB's fence once `flag` is published: a new height, 0 to lift it, None to leave it."""
    if flag.stage is Stage.DYNAMO_ONLY:
        return BLOCKS_ALL
    return 0 if flag.stage is Stage.MONGO_ONLY else None
