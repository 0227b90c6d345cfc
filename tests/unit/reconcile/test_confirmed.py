"""What a replica has seen the mirror take is not read again; everything else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.confirmed import Confirmed
from proxy.core.errors import Unavailable
from proxy.core.exchange import FeedBatch
from proxy.core.keys import Key
from proxy.core.silence import SilentSignals
from proxy.core.stage import Published, Stage, StoreName
from proxy.core.version import Record
from proxy.flow.breaker import Breaker
from proxy.flow.mirror import Mirror, MirrorOutcome
from proxy.reconcile.follower import _told_by
from proxy.reconcile.key import Result
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.settler import Settler, Told
from tests.fixtures.yard import EPOCH, GONE, JOBS, SETTINGS, ShakyStore, SteppingClock, Yard, key, record

MIRROR = StoreName.DYNAMODB
OLD, NEW = record((EPOCH, 3)), record((EPOCH, 4), 2)


@pytest.fixture
async def yard() -> Yard:
    yard = Yard()
    await yard.open()
    return yard


def settler_of(yard: Yard) -> Settler:
    site = yard.site("r1")
    pair = site.pair(Published(EPOCH, Stage.MONGO_PRIMARY))
    assert pair is not None
    return Settler(site, pair, Quarantine())


def count_reads(yard: Yard, monkeypatch: pytest.MonkeyPatch, of: StoreName = MIRROR) -> list[Sequence[Key]]:
    """What was asked of a store, from now on."""
    asked: list[Sequence[Key]] = []
    store: Any = yard.stores[of]
    get = store.get

    async def noted(keys: Sequence[Key]) -> list[Record | None]:
        asked.append(keys)
        found: list[Record | None] = await get(keys)
        return found

    monkeypatch.setattr(store, "get", noted)
    return asked


def written(one: Record) -> Told:
    return Told(written={one.key: (one.version, one.op)})


async def test_a_write_that_the_mirror_took_from_here_is_not_read_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    settler, asked = settler_of(yard), count_reads(yard, monkeypatch)
    settler._site.confirmed.note(MIRROR, NEW)
    [outcome] = await settler.settle([NEW.key], True, written(NEW))
    assert outcome.result is Result.CONFIRMED and outcome.is_final and not asked
    assert settler.counts == {"confirmed": 1}


async def test_of_what_another_replica_brought_over_the_version_is_enough(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    settler, asked = settler_of(yard), count_reads(yard, monkeypatch, StoreName.MONGODB)
    yard.mongo.put(NEW.key, NEW)
    yard.dynamo.put(NEW.key, NEW)
    [outcome] = await settler.settle([NEW.key], True, written(NEW))
    assert outcome.result is Result.EQUAL and not asked
    [outcome] = await settler.settle([NEW.key], True)
    assert outcome.result is Result.EQUAL and asked


@pytest.mark.parametrize(
    ("noted", "told"),
    [
        (None, written(NEW)),  # another replica wrote it
        (OLD, written(NEW)),  # the mirror took an older one
        (NEW, written(OLD)),  # and then somebody put the older one back
        (NEW, written(replace(NEW, op=b"another op"))),
        (NEW, Told()),  # not only proxies wrote it
    ],
)
async def test_all_else_is_looked_at_and_then_forgotten(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, noted: Record | None, told: Told
) -> None:
    settler, asked = settler_of(yard), count_reads(yard, monkeypatch)
    if noted:
        settler._site.confirmed.note(MIRROR, noted)
    yard.mongo.put(NEW.key, NEW)
    [outcome] = await settler.settle([NEW.key], True, told)
    assert outcome.result is Result.APPLIED and asked
    assert yard.dynamo.records[NEW.key] == NEW
    assert not settler._site.confirmed.holds(MIRROR, NEW.key, (NEW.version, NEW.op))


def test_a_confirmation_by_one_store_is_none_by_the_other() -> None:
    confirmed = Confirmed()
    confirmed.note(StoreName.MONGODB, NEW)
    assert not confirmed.holds(MIRROR, NEW.key, (NEW.version, NEW.op))
    assert confirmed.holds(StoreName.MONGODB, NEW.key, (NEW.version, NEW.op))


def test_the_oldest_are_forgotten_first() -> None:
    confirmed = Confirmed(most=2)
    a, b, c = (record((EPOCH, 3), name=name) for name in "abc")
    for one in (a, b, a, c):
        confirmed.note(MIRROR, one)
    assert [confirmed.holds(MIRROR, one.key, (one.version, one.op)) for one in (a, b, c)] == [
        True,
        False,
        True,
    ]


def batch(*keys: Key, **told: Any) -> FeedBatch:
    return FeedBatch(keys, "p", frozenset(), 1, **told)


def test_one_doubtful_event_makes_the_key_doubtful_in_all_batches() -> None:
    write = (NEW.version, NEW.op)
    sure = batch(NEW.key, written={NEW.key: write})
    assert _told_by([sure]).written == {NEW.key: write}
    assert _told_by([batch(key("other")), sure]).written == {NEW.key: write}
    for batches in ([sure, batch(NEW.key)], [batch(NEW.key), sure]):
        assert _told_by(batches).written == {}


async def test_the_memory_feed_tells_proxies_writes_of_documents_that_were_there(yard: Yard) -> None:
    for one in (OLD, NEW):
        yard.mongo.put(one.key, one)
    for one in (record((EPOCH, 3), name="kept"), record((EPOCH, 3), 7, name="kept")):
        yard.mongo.put(one.key, one)  # a bypassing writer leaves the version as it is
    for one in (record((EPOCH, 3), name="dead"), record((EPOCH, 4), GONE, name="dead")):
        yard.mongo.put(one.key, one)
    feed = yard.feeds[StoreName.MONGODB].follow("1")
    first = await anext(aiter(feed))
    assert first.written == {NEW.key: (NEW.version, NEW.op)}


@pytest.mark.parametrize("existing", [None, record((EPOCH, 9), 5)], ids=["failed", "overtaken"])
async def test_what_the_mirror_did_not_take_is_not_confirmed(existing: Record | None) -> None:
    store = ShakyStore(JOBS, MIRROR)
    if existing:
        store.table.put(existing.key, existing)
    else:
        store.error = Unavailable("gone")
    confirmed = Confirmed()
    clock, breaker = SteppingClock(), Breaker(lambda: 0.0)
    mirror = Mirror("jobs", {MIRROR: store}, SETTINGS, breaker, SilentSignals(), clock, confirmed)
    published = Published(EPOCH, Stage.MONGO_PRIMARY)
    outcome = await mirror.follow(published, NEW)
    assert outcome is (MirrorOutcome.APPLIED if existing else MirrorOutcome.DEFERRED)
    assert not confirmed.holds(MIRROR, NEW.key, (NEW.version, NEW.op))
    store.error = None
    newest = record((EPOCH, 12), 6)
    assert await mirror.follow(published, newest) is MirrorOutcome.APPLIED
    assert confirmed.holds(MIRROR, newest.key, (newest.version, newest.op))
