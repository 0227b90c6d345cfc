"""What is likely to have happened where two stores differ, told from the records that they hold.

Both records remember the last few operations that made them: what one has seen and the other has not says
more than their contents.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.core.comparison import MATCH, Kind, compare
from proxy.core.divergence import Divergence
from proxy.core.stage import StoreName
from proxy.core.version import RING, Record

_NAMES = {StoreName.MONGODB: "MongoDB", StoreName.DYNAMODB: "DynamoDB"}


@dataclass(frozen=True, slots=True)
class Cause:
    """What is likely to have happened, and what can be done about it: sentences."""

    text: str
    advice: str


REPAIR = "Repair it: the mirror takes what the primary holds."


def find_cause(
    row: Divergence, primary: Record | None, mirror: Record | None, primary_store: StoreName
) -> Cause:
    """The likely cause, from what both stores hold now."""
    names = (_NAMES[primary_store], _NAMES[primary_store.other])
    if row.kind is Kind.ERROR_PARITY:
        said = next((one.primary for one in row.differences if not one.path and one.primary), "")
        return Cause(
            f"One store answers where the other refuses: {said or 'no reason was given'}.",
            "Change the document so that both can hold it, then repair it or run the backfill again.",
        )
    if compare(primary, mirror) == MATCH:
        return Cause("Both stores agree by now.", "A repair or a complete verify closes it.")
    if primary is None or mirror is None:
        return _absent(primary, mirror, names)
    return _both(primary, mirror, names)


def _absent(primary: Record | None, mirror: Record | None, names: tuple[str, str]) -> Cause:
    ours, theirs = names
    if mirror is None:
        assert primary is not None
        if primary.is_legacy:
            text = f"No backfill has brought it to {theirs}, or it was removed there past the proxy."
            return Cause(text, "Run the backfill if it has not finished; else repair it.")
        text = (
            f"{theirs} lacks even the tombstone of it: either it was removed there past the proxy, or the"
            " mirror write and the feed's have both not come."
        )
        return Cause(text, REPAIR)
    if mirror.is_legacy:
        text = (
            f"{ours} has no such document, and {theirs} holds a copy from before any proxied write: it was"
            f" deleted in {ours} past the proxy after it was copied, or put into {theirs} by somebody else."
        )
    else:
        text = (
            f"{ours} has no such document, and {theirs} holds version {_version(mirror)}: it was deleted in"
            f" {ours} past the proxy and the feed's event is missing, or brought back in {theirs}."
        )
    return Cause(text, "Repair it: the mirror gets a tombstone. If it should live, insert it again.")


def _both(primary: Record, mirror: Record, names: tuple[str, str]) -> Cause:
    if primary.version > mirror.version:
        return Cause(_behind(primary, mirror, names[1]), REPAIR)
    if primary.version < mirror.version:
        return Cause(_ahead(primary, mirror, names), "Repair it: the primary is stamped above the mirror.")
    if primary.op != mirror.op:
        text = (
            f"Both hold version {_version(primary)}, made by different operations: two writers held the same"
            " version at once, as a replica that was cut off does, or one store was written past the proxy."
        )
        return Cause(text, "Repair it, and look at the audit for a change of the primary at that time.")
    return _same_write(primary, mirror, names)


def _same_write(primary: Record, mirror: Record, names: tuple[str, str]) -> Cause:
    ours, theirs = names
    verdict = compare(primary, mirror).kind
    if verdict is Kind.REPRESENTATION:
        text = (
            "The contents are equal as MongoDB compares, and not to the byte (1 and 1.0, the order of"
            " embedded fields): one store was written past the proxy by a driver that writes them otherwise."
        )
        return Cause(text, REPAIR)
    text = (
        f"Both hold the same write and different contents: {ours} or {theirs} was changed by a writer that"
        " bypasses the proxy, and leaves versions as they are."
    )
    return Cause(text, f"Find that writer. A repair takes what {ours} holds now.")


def _behind(primary: Record, mirror: Record, theirs: str) -> str:
    missed = [op for op in primary.ops if op not in mirror.ops]
    if mirror.op and mirror.op in primary.ops:
        count = len(primary.ops) - 1 - primary.ops.index(mirror.op)
        writes = "the last write" if count == 1 else f"the last {count} writes"
        return (
            f"{theirs} has not got {writes}: the mirror writes failed, and the feed has not brought them; or"
            f" somebody put an old item back into {theirs}."
        )
    many = f"more than {RING}" if len(missed) >= RING else str(len(missed) or "some")
    return f"{theirs} has missed {many} writes: it was not mirrored, or an old item was put back there."


def _ahead(primary: Record, mirror: Record, names: tuple[str, str]) -> str:
    ours, theirs = names
    if primary.op and primary.op in mirror.ops:
        return (
            f"{theirs} has seen writes that {ours} has lost: {ours} was restored or rolled back, or its"
            " document was replaced past the proxy by an older copy."
        )
    return (
        f"{theirs} holds version {_version(mirror)}, which {ours} never had: it was written past the proxy,"
        " or by a replica that took it for the primary in an abandoned epoch."
    )


def _version(record: Record) -> str:
    return f"{record.version.epoch}.{record.version.revision}"
