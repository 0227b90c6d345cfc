"""What to do about one key, given what both stores hold: the primary wins, by bumping its version if it must.

The mirror was read first and the primary after it. So an absent primary is truly gone, and a primary that is
older than the mirror truly went back: a writer that bypasses the proxy replaced it, or a mirror write of an
abandoned epoch got through. Whatever is done is conditional on what was read, and may be done twice.
"""

from __future__ import annotations

from enum import Enum

from proxy.core.version import LEGACY, Record, Version


class Action(Enum):
    """What brings the two stores together."""

    NOTHING = "nothing"
    APPLY = "apply"  # the mirror takes the primary's record
    RESTAMP = "restamp"  # the primary gets a version above the mirror's, then the mirror takes it
    BURY = "bury"  # the primary has no such document: the mirror gets a tombstone
    PURGE = "purge"  # both are tombstones: MongoDB as primary may let go of its own


class Cause(Enum):
    """Why something had to be done, as far as the two records tell."""

    NONE = "none"
    BEHIND = "behind"  # the mirror had not got this version yet
    BYPASS = "bypass"  # the primary was written without a new version
    AHEAD = "ahead"  # the mirror is newer than the primary
    CONFLICT = "conflict"  # the same version from another op


def decide(primary: Record | None, mirror: Record | None, *, is_fresh: bool = False) -> Action:
    """The action for one key.

    `is_fresh` says that somebody wrote to the key just now, so that mirror writes of it may still be on their
    way. Then what carries no version of its own (a legacy document, or no document at all) must be given one
    above anything that can still arrive; a legacy document found at rest is copied as it is.
    """
    if primary is None:
        return _decide_gone(mirror, is_fresh)
    if primary.is_tombstone and (mirror is None or mirror.is_tombstone):
        return Action.PURGE if mirror and mirror.version >= primary.version else Action.APPLY
    if is_fresh and primary.is_legacy:
        return Action.RESTAMP
    if mirror is None or primary.version > mirror.version:
        return Action.APPLY
    if primary.is_same_write(mirror) and primary.document == mirror.document:
        return Action.NOTHING
    return Action.RESTAMP


def explain(primary: Record | None, mirror: Record | None, *, is_fresh: bool = False) -> Cause:
    """Why `decide` did not say NOTHING."""
    if primary is None:
        if mirror is None:
            return Cause.BYPASS if is_fresh else Cause.NONE
        return Cause.NONE if mirror.is_tombstone else Cause.BYPASS  # our own tombstone may be purged by now
    if primary.is_tombstone and mirror and mirror.is_tombstone and mirror.version >= primary.version:
        return Cause.NONE
    if primary.is_legacy and (is_fresh or mirror is not None):
        return Cause.NONE if _are_equal(primary, mirror) and not is_fresh else Cause.BYPASS
    if mirror is None or primary.version > mirror.version:
        return Cause.BEHIND
    if primary.version < mirror.version:
        return Cause.AHEAD
    if primary.op != mirror.op:
        return Cause.CONFLICT
    return Cause.NONE if primary.document == mirror.document else Cause.BYPASS


def newest_epoch(primary: Record | None, mirror: Record | None) -> int:
    """The newest epoch that either record knows of."""
    return max(_version(primary).epoch, _version(mirror).epoch)


def floor_of(mirror: Record | None) -> int:
    """The revision that a new version of the primary must exceed."""
    return _version(mirror).revision


def _decide_gone(mirror: Record | None, is_fresh: bool) -> Action:
    """A late mirror write of what is gone would come back to life where no tombstone stands above it."""
    if is_fresh or (mirror is not None and not mirror.is_tombstone):
        return Action.BURY
    return Action.NOTHING


def _are_equal(primary: Record, mirror: Record | None) -> bool:
    return mirror is not None and primary.is_same_write(mirror) and primary.document == mirror.document


def _version(record: Record | None) -> Version:
    return record.version if record else LEGACY
