"""Exercises the way there and the way back with a document that nobody else sees, before the primary moves.

The canary is a tombstone under a key of its own: reads hide it, and it is removed from both stores at the
end. What it proves: both stores take a mirror write of this proxy under its present rights, fence and
validators, give it back unchanged, and refuse an older version.
"""

from __future__ import annotations

from proxy.core.canary import canary_key
from proxy.core.collection import Collection
from proxy.core.errors import CrossfadeError
from proxy.core.exchange import ApplyStatus
from proxy.core.ports import Clock, CollectionStore
from proxy.core.version import Record, Version


async def send_canary(
    collection: Collection, stores: tuple[CollectionStore, CollectionStore], epoch: int, clock: Clock
) -> str:
    """Send a canary through both stores and remove it; empty when all went well, else what did not."""
    record = _canary(collection, epoch, clock)
    try:
        for store in stores:
            if complaint := await _exercise(store, record):
                return complaint
    except CrossfadeError as error:
        return error.message
    finally:
        await _remove(stores, record)
    return ""


async def _exercise(store: CollectionStore, record: Record) -> str:
    name = store.store.value
    applied = await store.apply(record)
    if applied.status is not ApplyStatus.APPLIED:
        return f"{name} did not take the canary: {applied.status.value}"
    [held] = await store.get([record.key])
    if held is None or not held.is_same_write(record) or not held.is_tombstone:
        return f"{name} does not give the canary back"
    older = Version(record.version.epoch, record.version.revision - 1)
    late = await store.apply(Record(record.key, older, b"late".ljust(16, b"\0"), (), None, record.deleted_at))
    return "" if late.status is ApplyStatus.NEWER else f"{name} takes an older version over a newer one"


async def _remove(stores: tuple[CollectionStore, CollectionStore], record: Record) -> None:
    for store in stores:
        try:
            await store.purge(record)
        except CrossfadeError:  # it expires by itself
            continue


def _canary(collection: Collection, epoch: int, clock: Clock) -> Record:
    now, op = clock.now(), clock.new_op()
    return Record(canary_key(collection), Version(epoch, now << 20), op, (op,), None, deleted_at=now)
