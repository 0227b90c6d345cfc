"""The store on a real MongoDB: what the contract suite cannot ask of every store."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from bson import Int64, ObjectId, Timestamp

from proxy.core.document import Document
from proxy.core.errors import AlreadyExists, BadRequest, Contended, Fenced, Reason, Refused
from proxy.core.exchange import ApplyStatus, Segment
from proxy.core.filter import And, Comparator, Compare, Exists, Filter
from proxy.core.keys import Key
from proxy.core.planner import plan
from proxy.core.query import Order, PageRequest, Plan
from proxy.core.update import CurrentDate, Inc, Operator, Push, Set, Unset, Update
from proxy.core.version import LEGACY, Record, Version, etag_of, parse_etag
from proxy.core.write import Delete, Insert, Modify, Precondition, Replace
from tests.integration.mongo_collections import NOW, Place, opened, stamp
from tests.unit.stores.mongo.documents import EXOTIC, OTHER_OP, document, key

EQ = Comparator.EQ


@pytest.fixture
async def place(mongodb_uri: str, unique_name: str) -> AsyncIterator[Place]:
    async with opened(mongodb_uri, unique_name) as place:
        await place.store.prepare()
        yield place


class Fussy:
    """Limits that admit no update natively and no document with a field `bad`."""

    def __init__(self, admits: bool) -> None:
        self._admits = admits

    def check(self, key: Key, document: Document) -> None:
        if "bad" in document.fields:
            raise BadRequest("bad", Reason.DOCUMENT_TOO_LARGE, field="bad")

    def admits(self, update: Update) -> bool:
        return self._admits


def jobs(*conditions: Filter) -> Filter:
    return And((Compare("deployment_key", EQ, "d1"), *conditions))


async def read(place: Place, wanted: Key | None = None) -> Record:
    [record] = await place.store.get([wanted or key()])
    assert record is not None
    return record


# Writing


@pytest.mark.parametrize("admits", [True, False])
async def test_an_update_ends_alike_natively_and_by_compare_and_set(place: Place, admits: bool) -> None:
    await place.insert(document(n=1, tags=["a"]))
    update = (Inc("n", 2), Push("tags", ("b", "c"), slice=-2), Set("x._cf", 1), Set("_cf", "mine"))
    given = stamp(2)
    result = await place.limited(Fussy(admits)).write(Modify(key(), update), given)
    assert result.matched
    assert result.after == await read(place)
    after = result.after
    assert after is not None
    assert after.document is not None
    assert after.document.fields | {"_id": 0} == document().fields | {
        "_id": 0,
        "n": 3,
        "tags": ["b", "c"],
        "_cf": "mine",
        "x": {"_cf": 1},
    }
    assert after.version == Version(2, (NOW << 20) + 1)
    assert after.op == given.op
    assert len(after.ops) == 2


async def test_a_refused_update_names_its_path(place: Place) -> None:
    await place.insert(document(text="a"))
    with pytest.raises(BadRequest) as caught:
        await place.store.write(Modify(key(), (Inc("text", 1),)), stamp())
    assert caught.value.field == "text"


async def test_limits_are_asked_of_the_result(place: Place) -> None:
    await place.insert(document())
    store = place.limited(Fussy(admits=False))
    for command in (
        Modify(key(), (Set("bad", 1),)),
        Replace(key(), document(bad=1)),
        Insert(key("t2"), document("t2", bad=1)),
    ):
        with pytest.raises(BadRequest, match="bad"):
            await store.write(command, stamp())
    assert [record async for record in place.store.scan(Segment())] == [await read(place)]


async def test_a_large_document_is_not_updated_blindly(place: Place) -> None:
    await place.insert(document(text="x" * 120_000))
    with pytest.raises(BadRequest):
        await place.limited(Fussy(admits=True)).write(Modify(key(), (Set("bad", 1),)), stamp())


async def test_a_repeated_op_is_applied_once(place: Place) -> None:
    await place.insert(document(n=1))
    once = stamp()
    for repeated in (False, True, True):
        result = await place.store.write(Modify(key(), (Inc("n", 1),)), once)
        assert (result.matched, result.repeated) == (True, repeated)
    assert (await place.direct.find_one({}) or {})["n"] == 2


async def test_a_delete_leaves_a_tombstone_that_an_insert_revives(place: Place) -> None:
    first = await place.insert(document(n=1, _cf="mine"))
    gone = await place.store.write(Delete(key()), stamp(now=NOW + 5))
    assert gone.before == first
    assert gone.after == await read(place)
    assert gone.after is not None
    assert gone.after.is_tombstone
    assert gone.after.deleted_at == NOW + 5
    assert gone.after.version > first.version
    stored = await place.direct.find_one({})
    assert stored is not None
    assert set(stored) == {"_id", "deployment_key", "container", "task", "_cf"}
    revived = await place.insert(document(n=2))
    assert revived == await read(place)
    assert revived.version > gone.after.version


async def test_an_insert_with_another_id_replaces_the_tombstone(place: Place) -> None:
    await place.insert(document())
    await place.store.write(Delete(key()), stamp())
    other = Document(document().fields | {"_id": ObjectId()})
    revived = await place.insert(other)
    assert (await read(place)) == revived
    assert await place.direct.count_documents({}) == 1


async def test_a_tombstone_gives_its_id_back(place: Place) -> None:
    await place.insert(document())
    await place.store.write(Delete(key()), stamp())
    moved = Document(document("t2").fields | {"_id": document().fields["_id"]})
    assert await place.insert(moved) == await read(place, key("t2"))
    assert (await read(place)).is_tombstone
    with pytest.raises(AlreadyExists, match="_id"):
        await place.insert(Document(moved.fields | {"task": "t3"}))


async def test_replace_keeps_the_id_and_the_bytes(place: Place) -> None:
    before = await place.insert(document(n=1, old=True))
    awkward: dict[str, Any] = {"$set": 1, "a.b": [1.0, Int64(2)], "_cf": {"$x": "$y"}}
    fields = document().fields | awkward
    nameless = {name: value for name, value in fields.items() if name != "_id"}
    for given in (fields, nameless):  # the first natively, the second by compare-and-set
        result = await place.store.write(Replace(key(), Document(given)), stamp())
        assert result.before == before
        assert result.after == await read(place)
        assert result.after is not None
        assert result.after.document == Document(fields)
        before = result.after


async def test_replace_refuses_another_id_or_key(place: Place) -> None:
    await place.insert(document())
    for change in ({"_id": 5}, {"task": "t2"}):
        with pytest.raises(BadRequest):
            await place.store.write(Replace(key(), Document(document().fields | change)), stamp())


async def test_an_etag_must_still_name_the_document(place: Place) -> None:
    first = await place.insert(document(n=1))
    once = Precondition(etag=parse_etag(etag_of(first)))
    await place.store.write(Modify(key(), (Inc("n", 1),), once), stamp())
    for command in (
        Modify(key(), (Inc("n", 1),), once),
        Delete(key(), once),
        Replace(key(), document(), once),
    ):
        with pytest.raises(Contended) as caught:
            await place.store.write(command, stamp())
        assert caught.value.reason is Reason.ETAG_MISMATCH


async def test_an_older_epoch_is_refused_by_the_document(place: Place) -> None:
    await place.insert(document(), epoch=5)
    for command in (
        Modify(key(), (Set("a", 1),)),
        Delete(key()),
        Replace(key(), document()),
        Insert(key(), document()),
    ):
        with pytest.raises(Fenced):
            await place.store.write(command, stamp(4))


async def test_a_legacy_document_gets_its_first_version(place: Place) -> None:
    await place.direct.insert_one(document(n=1).fields)
    assert (await read(place)).version == LEGACY
    result = await place.store.write(Modify(key(), (Inc("n", 1),)), stamp(3))
    assert result.after is not None
    assert result.after.version == Version(3, 1)


async def test_a_users_own_field_of_our_name_survives_a_write(place: Place) -> None:
    await place.direct.insert_one(document(_cf="mine", n=1).fields)
    result = await place.store.write(Modify(key(), (Inc("n", 1),)), stamp(3))
    assert result.after == await read(place)
    assert result.after is not None
    assert result.after.document == document(_cf="mine", n=2)


@pytest.mark.parametrize("name", sorted(EXOTIC.keys() - {"a reserved name twice"}))
@pytest.mark.parametrize("wants_before", [True, False])
async def test_an_exotic_document_survives_an_update(place: Place, name: str, wants_before: bool) -> None:
    await place.insert(Document.from_bson(EXOTIC[name]))
    assert (await read(place)).document == Document.from_bson(EXOTIC[name])
    update = (Set("z", 1),)
    result = await place.store.write(Modify(key(), update, wants_before=wants_before), stamp())
    after = (await read(place)).document
    assert after is not None
    assert after.to_bson()[4:-1] == EXOTIC[name][4:-1] + b"\x10z\0\x01\0\0\0"
    assert result.after == await read(place)
    replaced = await place.store.write(Replace(key(), Document.from_bson(EXOTIC[name])), stamp())
    assert replaced.after == await read(place)
    assert (await read(place)).document == Document.from_bson(EXOTIC[name])


@pytest.mark.parametrize("zero", [{"t": Timestamp(0, 0)}, {"t": Timestamp(0, 0), "_cf": 1}])
async def test_a_zero_timestamp_is_stored_as_it_is(place: Place, zero: dict[str, Any]) -> None:
    inserted = await place.insert(document(**zero))
    assert inserted == await read(place)
    result = await place.store.write(Modify(key(), (Set("n", 1),), wants_before=True), stamp())
    assert result.after == await read(place)
    tombstone = await place.store.write(Delete(key()), stamp())
    assert tombstone.after is not None
    newer = replace(inserted, version=Version(9, 1))
    assert (await place.store.apply(newer)).status is ApplyStatus.APPLIED
    assert await read(place) == newer


async def test_upserts_create_once(place: Place) -> None:
    seed = Document({"deployment_key": "d1", "container": "c1", "task": "t1"})
    upsert = Modify(key(), (Inc("n", 1),), upsert=True, seed=seed)
    first, second = [await place.store.write(upsert, stamp()) for _ in range(2)]
    assert (first.inserted, second.inserted) == (True, False)
    record = await read(place)
    assert second.after == record
    assert record.document is not None
    assert isinstance(record.document.fields["_id"], ObjectId)
    assert record.document.fields["n"] == 2


async def test_concurrent_upserts_and_updates_lose_nothing(place: Place) -> None:
    seed = Document({"deployment_key": "d1", "container": "c1", "task": "t1"})

    async def add(before: bool) -> None:
        upsert = Modify(key(), (Inc("n", 1),), upsert=True, seed=seed, wants_before=before)
        await place.store.write(upsert, stamp())

    await asyncio.gather(*(add(number % 2 == 0) for number in range(12)))
    record = await read(place)
    assert record.document is not None
    assert record.document.fields["n"] == 12


async def test_another_unique_index_is_named(place: Place) -> None:
    await place.direct.create_index("email", unique=True, sparse=True)
    await place.insert(document(email="a"))
    with pytest.raises(AlreadyExists, match="email"):
        await place.insert(document("t2", email="a"))


async def test_a_bypassing_write_in_between_is_not_overwritten(place: Place) -> None:
    """A compare-and-set compares the content too: bypassing writers give no new version."""
    await place.insert(document(n=1))
    access = place.store._access
    held = await access.read(key())
    assert held is not None
    await place.direct.update_one({}, {"$set": {"n": 5}})
    put = held.record.follow(stamp(), document(n=2))
    assert not await place.store._writer.slot.swap(held, put)


async def test_the_time_of_current_date_is_the_servers(place: Place) -> None:
    await place.insert(document())
    update: tuple[Operator, ...] = (CurrentDate("at"), CurrentDate("ts", as_timestamp=True))
    result = await place.store.write(Modify(key(), update), stamp())
    assert result.after == await read(place)


# The first of a plan


async def test_jobs_are_reserved_once_each(place: Place) -> None:
    for number in range(20):
        await place.insert(document(f"t{number:02}", next_available_at=float(number)))
    await place.insert(document("later", next_available_at=1e6))
    chosen = plan(place.collection, jobs(Compare("next_available_at", Comparator.LTE, 100)), ())
    assert chosen.index is not None
    assert chosen.index.name == "work_queue"

    async def work(worker: int) -> list[str]:
        done: list[str] = []
        while True:
            update = (Set("next_available_at", 1e9), Set("owner", worker))
            result = await place.store.write_first(chosen, update, stamp())
            if not result.matched:
                return done
            assert result.before is not None
            assert result.before.document is not None
            assert result.after is not None
            assert result.after.document is not None
            assert result.before.document.fields["next_available_at"] <= 100
            assert result.after.document.fields["owner"] == worker
            done.append(result.after.document.fields["task"])

    reserved = chain.from_iterable(await asyncio.gather(*map(work, range(6))))
    assert sorted(reserved) == [f"t{number:02}" for number in range(20)]


async def test_an_uncontended_reservation_takes_the_very_first(place: Place) -> None:
    for number in (3, 1, 2):
        await place.insert(document(f"t{number}", next_available_at=number))
    chosen = plan(place.collection, jobs(Compare("next_available_at", Comparator.GT, 0)), ())
    result = await place.store.write_first(chosen, (Unset("next_available_at"),), stamp())
    assert result.after is not None
    assert result.after.key == key("t1")


async def test_a_repeated_reservation_of_one_key_is_recognised(place: Place) -> None:
    await place.insert(document(free=True))
    whole = jobs(Compare("container", EQ, "c1"), Compare("task", EQ, "t1"), Compare("free", EQ, True))
    chosen, once = plan(place.collection, whole, ()), stamp()
    first = await place.store.write_first(chosen, (Set("free", False),), once)
    again = await place.store.write_first(chosen, (Set("free", False),), once)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.after == first.after
    assert not (await place.store.write_first(chosen, (Set("free", False),), stamp())).matched


# Mirroring


def arriving(epoch: int, revision: int, op: bytes = OTHER_OP, **fields: Any) -> Record:
    return Record(key(), Version(epoch, revision), op, (op,), document(**fields))


async def test_the_newest_version_wins_in_any_order(place: Place) -> None:
    for epoch, revision, status in (
        (1, 5, ApplyStatus.APPLIED),
        (1, 4, ApplyStatus.NEWER),
        (1, 5, ApplyStatus.ALREADY_THERE),
        (1, 6, ApplyStatus.APPLIED),
        (2, 2, ApplyStatus.APPLIED),
        (1, 99, ApplyStatus.NEWER),
    ):
        assert (await place.store.apply(arriving(epoch, revision))).status is status
    conflict = await place.store.apply(arriving(2, 2, op=bytes(16)))
    assert conflict.status is ApplyStatus.CONFLICT
    assert conflict.existing == await read(place) == arriving(2, 2)


async def test_shuffled_arrivals_end_at_the_newest(place: Place) -> None:
    records = [arriving(1, revision, revision.to_bytes(16, "big"), n=revision) for revision in range(1, 31)]
    results = await asyncio.gather(*(place.store.apply(record) for record in records[::2] + records[1::2]))
    assert {result.status for result in results} <= {ApplyStatus.APPLIED, ApplyStatus.NEWER}
    assert await read(place) == records[-1]


async def test_a_mirrored_tombstone_stays_and_stops_late_writes(place: Place) -> None:
    tombstone = Record(key(), Version(1, 9), OTHER_OP, (OTHER_OP,), None, NOW)
    assert (await place.store.apply(tombstone)).status is ApplyStatus.APPLIED
    assert (await place.store.apply(arriving(1, 8))).status is ApplyStatus.NEWER
    assert await read(place) == tombstone
    assert (await place.store.apply(arriving(1, 10))).status is ApplyStatus.APPLIED
    assert await read(place) == arriving(1, 10)


async def test_a_version_replaces_a_legacy_document_and_a_legacy_record_replaces_nothing(
    place: Place,
) -> None:
    legacy = Record(key(), LEGACY, b"", (), document(n=1))
    assert (await place.store.apply(legacy)).status is ApplyStatus.APPLIED
    assert (await place.store.apply(legacy)).status is ApplyStatus.ALREADY_THERE
    assert (await place.store.apply(arriving(1, 1))).status is ApplyStatus.APPLIED
    assert (await place.store.apply(legacy)).status is ApplyStatus.NEWER


@pytest.mark.parametrize("name", EXOTIC)
async def test_a_mirror_holds_exotic_documents_to_the_byte(place: Place, name: str) -> None:
    record = replace(arriving(1, 1), document=Document.from_bson(EXOTIC[name]))
    for version in (Version(1, 1), Version(1, 2)):
        assert (await place.store.apply(replace(record, version=version))).status is ApplyStatus.APPLIED
        assert await read(place) == replace(record, version=version)


async def test_a_mirrored_document_may_change_its_id(place: Place) -> None:
    await place.store.apply(arriving(1, 1))
    other = replace(arriving(1, 2), document=Document(document().fields | {"_id": 5}))
    assert (await place.store.apply(other)).status is ApplyStatus.APPLIED
    assert await read(place) == other
    assert await place.direct.count_documents({}) == 1


async def test_restamping_is_a_compare_and_set(place: Place) -> None:
    await place.direct.insert_one(document(n=1).fields)
    legacy = await read(place)
    fresh = stamp(2)
    stamped = await place.store.restamp(legacy, fresh, floor=41)
    assert stamped == await read(place)
    assert stamped is not None
    assert (stamped.version, stamped.op, stamped.document) == (Version(2, 42), fresh.op, legacy.document)
    assert await place.store.restamp(legacy, stamp(2), floor=50) is None
    with pytest.raises(Fenced):
        await place.store.restamp(stamped, stamp(1), floor=50)


async def test_restamping_escapes_a_field_of_our_name(place: Place) -> None:
    await place.direct.insert_one(document(_cf="mine").fields)
    stamped = await place.store.restamp(await read(place), stamp(2), floor=0)
    assert stamped == await read(place)
    assert stamped is not None
    assert stamped.document == document(_cf="mine")


async def test_only_the_very_tombstone_is_purged(place: Place) -> None:
    live = await place.insert(document())
    assert not await place.store.purge(live)
    gone = (await place.store.write(Delete(key()), stamp())).after
    assert gone is not None
    await place.insert(document())
    assert not await place.store.purge(gone)
    gone = (await place.store.write(Delete(key()), stamp())).after
    assert gone is not None
    assert await place.store.purge(gone)
    assert await place.store.get([key()]) == [None]


# Reading


async def test_many_keys_are_read_at_once_in_the_order_asked(place: Place) -> None:
    for task, container in (("a", "c1"), ("b", "c1"), ("a", "c2")):
        await place.insert(document(task, container))
    wanted = [key("a", "c2"), key("zz"), key("b"), key("a"), key("a", "c2")]
    found = await place.store.get(wanted)
    assert [record and record.key for record in found] == [wanted[0], None, *wanted[2:]]
    assert await place.store.get([]) == []


async def pages(place: Place, chosen: Plan, limit: int, budget: int = 10_000) -> list[list[str]]:
    found: list[list[str]] = []
    after = None
    while True:
        page = await place.store.find(chosen, PageRequest(limit, after, budget))
        assert len(page.records) <= limit
        found.append([record.document.fields["task"] for record in page.records if record.document])
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_pages_hold_every_row_once_in_order(place: Place, ascending: bool, limit: int) -> None:
    for number in range(12):
        await place.insert(document(f"t{number:02}", next_available_at=[1, 2.0, Int64(3)][number % 3]))
    await place.insert(document("no index field"))
    await place.insert(document("t00", tenant="d2", next_available_at=1))
    await place.insert(document("gone", next_available_at=2))
    await place.store.write(Delete(key("gone")), stamp())
    order = (Order("next_available_at", ascending),)
    chosen = plan(place.collection, jobs(Compare("next_available_at", Comparator.GTE, 2)), order)
    rows = [row for page in await pages(place, chosen, limit) for row in page]
    expected = [f"t{n:02}" for k in (1, 2) for n in range(12) if n % 3 == k]
    assert rows == (expected if ascending else expected[::-1])
    assert await place.store.count(chosen, 100) == 8


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("budget", [1, 2, 5, 11, 12, 100])
async def test_a_page_stops_at_its_budget_and_goes_on(place: Place, ascending: bool, budget: int) -> None:
    for number in range(12):
        await place.insert(document(f"t{number:02}", odd=number % 4 == 3))
    odd = jobs(Compare("container", EQ, "c1"), Compare("odd", EQ, True))
    chosen = plan(place.collection, odd, (Order("task", ascending),))
    found = await pages(place, chosen, 2, budget)
    rows = [row for page in found for row in page]
    assert rows == (["t03", "t07", "t11"] if ascending else ["t11", "t07", "t03"])
    if budget < 12:
        assert len(found) >= 12 // budget
        with pytest.raises(Refused):
            await place.store.count(chosen, budget)
    else:
        assert await place.store.count(chosen, budget) == 3


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Compare("task", Comparator.GT, "b"), ["ba", "c", "\U0010ffff"]),
        (Compare("task", Comparator.LTE, "b"), ["", "a", "b"]),
        (And((Compare("task", Comparator.GT, "a"), Compare("task", Comparator.LT, "c"))), ["b", "ba"]),
        (And((Compare("task", Comparator.GT, "c"), Compare("task", Comparator.LT, "a"))), []),
        (Compare("task", EQ, "b"), ["b"]),
        (Exists("task", True), ["", "a", "b", "ba", "c", "\U0010ffff"]),
    ],
)
async def test_ranges_of_a_key_are_exact(place: Place, condition: Filter, expected: list[str]) -> None:
    for task in ("c", "ba", "b", "a", "", "\U0010ffff"):
        await place.insert(document(task))
    chosen = plan(place.collection, jobs(Compare("container", EQ, "c1"), condition), ())
    assert [row for page in await pages(place, chosen, 2) for row in page] == expected
    assert await place.store.count(chosen, 100) == len(expected)


async def test_a_page_goes_on_behind_a_row_that_is_gone(place: Place) -> None:
    for task in "abcd":
        await place.insert(document(task))
    chosen = plan(place.collection, jobs(), ())
    first = await place.store.find(chosen, PageRequest(2))
    assert first.next is not None
    await place.direct.delete_one({"task": "b"})
    second = await place.store.find(chosen, PageRequest(2, first.next))
    assert [record.key for record in second.records] == [key("c"), key("d")]


@pytest.mark.parametrize("total", [1, 2, 5])
async def test_segments_are_disjoint_complete_and_resumable(place: Place, total: int) -> None:
    for number in range(30):
        await place.insert(document(f"t{number:02}", container=f"c{number % 3}"))
    await place.direct.insert_many([{"_id": 1}, {"_id": 2, "deployment_key": 5, "task": None}])
    await place.store.write(Delete(key("t00", "c0")), stamp())
    parts = [[r async for r in place.store.scan(Segment(number, total))] for number in range(total)]
    found = [record.key for part in parts for record in part]
    assert len(found) == len(set(found)) == 32
    for number, part in enumerate(parts):
        if len(part) > 2:
            resumed = [r async for r in place.store.scan(Segment(number, total), part[1].key)]
            assert resumed == part[2:]


async def test_more_segments_than_documents(place: Place) -> None:
    await place.insert(document())
    found = [r.key async for n in _numbers(4) async for r in place.store.scan(Segment(n, 4))]
    assert found == [key()]
    assert await place.store.estimate() == 1


async def _numbers(total: int) -> AsyncIterator[int]:
    for number in range(total):
        yield number


async def test_a_plan_pins_its_index(place: Place) -> None:
    """Without the index a page is refused, not served by reading everything."""
    await place.direct.drop_indexes()
    chosen = plan(place.collection, jobs(Compare("next_available_at", Comparator.GTE, 2)), ())
    with pytest.raises(Refused):
        await place.store.find(chosen, PageRequest(2))
