"""Each promise that a simulated world is judged by is shown broken once, and noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from unittest.mock import patch

import pytest

from proxy.core.flag import Change, Flag
from proxy.core.keys import Key
from proxy.core.stage import Stage, StoreName
from proxy.core.version import Record, Version
from proxy.flow.pipeline import Pipeline
from tests.simulation.campaign import run_seed
from tests.simulation.chronicle import Chronicle
from tests.simulation.documents import FOREIGN, JOBS, LISTS, OLD, REGISTERS, document, key, legacy
from tests.simulation.history import Call, Fate, History, Verb
from tests.simulation.judgement import Remains, judge
from tests.simulation.promises import Promise
from tests.simulation.reservations import NOBODY
from tests.simulation.shared import SharedTable

FLAG = Flag("jobs", 1, Stage.MONGO_PRIMARY, 0, mirrored_since=1)
CHANGE = Change("id", Stage.DYNAMO_PRIMARY, "", "", 0, "r1", 1)
REGISTER = REGISTERS[0]


def held(name: str, epoch: int, revision: int, value: int | None = 0) -> Record:
    content = None if value is None else document(name, n=value)
    return Record(key(name), Version(epoch, revision), b"op", (), content)


def remains(calls: Sequence[Call] = (), flag: Flag = FLAG, foreign: Mapping[str, int | None] = {}) -> Remains:
    """A world in which all is well, and the calls."""
    tables = {name: SharedTable(name.value, Chronicle(), lambda line: None) for name in StoreName}
    there = [legacy(name, n=1) for name in OLD] + [legacy(name, owner=NOBODY) for name in JOBS]
    for table in tables.values():
        table.records |= {record.key: record for record in there}
    return Remains(History(list(calls)), flag, tables, foreign)


def put(left: Remains, record: Record, *stores: StoreName) -> Remains:
    for store in stores or StoreName:
        left.tables[store].records[record.key] = record
    return left


def broken(left: Remains) -> set[Promise]:
    return {complaint.promise for complaint in judge(left)}


def call(verb: Verb, name: str, at: float, value: int | None = None, **rest: bool | tuple[int, ...]) -> Call:
    return Call("c", verb, name, at, value, returned=at + 0.5, fate=Fate.OK, **rest)  # type: ignore[arg-type]


def test_a_world_in_which_all_is_well_is_not_complained_about() -> None:
    write = call(Verb.PUT, REGISTER, 1, 5)
    assert broken(put(remains([write]), held(REGISTER, 1, 1, 5))) == set()


def test_a_lost_write_is_noticed() -> None:
    assert broken(remains([call(Verb.PUT, REGISTER, 1, 5)])) == {Promise.REGISTER}


def test_a_lost_append_is_noticed() -> None:
    assert broken(remains([call(Verb.APPEND, LISTS[0], 1, 5)])) == {Promise.LIST}


def test_an_append_that_was_read_and_is_gone_is_noticed() -> None:
    assert broken(remains([call(Verb.LIST, LISTS[0], 1, items=(5,))])) == {Promise.LIST}


@pytest.mark.parametrize("items", [(1, 2, 1), (2, 1)], ids=["applied twice", "in the wrong order"])
def test_a_wrong_list_is_noticed(items: tuple[int, ...]) -> None:
    appends = [call(Verb.APPEND, LISTS[0], at, at) for at in (1, 2)]
    ended = replace(held(LISTS[0], 1, 1), document=document(LISTS[0], items=list(items)))
    assert broken(put(remains(appends), ended)) == {Promise.LIST}


def test_a_job_that_two_workers_reserved_is_noticed() -> None:
    both = [call(Verb.TAKE, JOBS[0], at, worker, matched=True) for at, worker in ((1, 7), (2, 8))]
    owned = replace(held(JOBS[0], 1, 2), document=document(JOBS[0], owner=8))
    assert broken(put(remains(both), owned)) == {Promise.RESERVATION}


@pytest.mark.parametrize(
    "other", [held(REGISTER, 1, 1, 6), held(REGISTER, 1, 2, 5), held(REGISTER, 1, 1, None)]
)
def test_stores_that_differ_in_content_or_version_are_noticed(other: Record) -> None:
    left = put(remains([call(Verb.PUT, REGISTER, 1, 5)]), held(REGISTER, 1, 1, 5), StoreName.MONGODB)
    assert broken(put(left, other, StoreName.DYNAMODB)) == {Promise.EQUAL}


def test_a_document_that_is_in_one_store_alone_is_noticed() -> None:
    left = remains()
    del left.tables[StoreName.DYNAMODB].records[key(OLD[0])]
    assert broken(left) == {Promise.EQUAL}


def test_a_document_that_nobody_touched_and_is_gone_is_noticed() -> None:
    left = remains()
    for table in left.tables.values():
        del table.records[key(OLD[0])]
    assert broken(left) == {Promise.UNTOUCHED}


def test_a_write_past_the_proxy_that_is_lost_is_noticed() -> None:
    assert broken(remains(foreign={FOREIGN[0]: 900})) == {Promise.UNTOUCHED}


def test_a_change_that_never_ends_is_noticed() -> None:
    assert broken(remains(flag=replace(FLAG, change=CHANGE))) == {Promise.REST}


def chronicled() -> Chronicle:
    """MONGO_PRIMARY at epoch 1, and DYNAMO_PRIMARY at epoch 2 over a fence."""
    chronicle = Chronicle()
    chronicle.published(FLAG, 0, {})
    chronicle.published(replace(FLAG, epoch=2, stage=Stage.DYNAMO_PRIMARY), 2, {})
    assert chronicle.complaints == []
    return chronicle


def promises(chronicle: Chronicle) -> list[Promise]:
    return [complaint.promise for complaint in chronicle.complaints]


@pytest.mark.parametrize(
    ("epoch", "stage"),
    [(2, Stage.MONGO_PRIMARY), (1, Stage.MONGO_PRIMARY)],
    ids=["two primaries", "lowered"],
)
def test_an_epoch_that_is_reused_or_lowered_is_noticed(epoch: int, stage: Stage) -> None:
    chronicle = chronicled()
    chronicle.published(replace(FLAG, epoch=epoch, stage=stage), 9, {})
    assert promises(chronicle) == [Promise.EPOCH]


@pytest.mark.parametrize("epoch", [1, 3], ids=["of the other store", "not published yet"])
def test_a_decision_under_a_wrong_epoch_is_noticed(epoch: int) -> None:
    chronicle = chronicled()
    chronicle.decided(2, StoreName.DYNAMODB)
    assert promises(chronicle) == []
    chronicle.decided(epoch, StoreName.DYNAMODB)
    assert promises(chronicle) == [Promise.EPOCH]


def test_a_primary_that_is_published_without_its_fence_is_noticed() -> None:
    chronicle = chronicled()
    chronicle.published(replace(FLAG, epoch=3), 2, {})
    assert promises(chronicle) == [Promise.FENCE]


def test_a_document_whose_epoch_falls_is_noticed() -> None:
    chronicle = chronicled()
    table = SharedTable("mongodb", chronicle, lambda line: None)
    table.put(key(REGISTER), held(REGISTER, 2, 1))
    table.put(key(REGISTER), held(REGISTER, 2, 2))
    assert promises(chronicle) == []
    table.put(key(REGISTER), held(REGISTER, 1, 3))
    assert promises(chronicle) == [Promise.DOCUMENT]


NEWEST = held(REGISTER, 2, 5)


@pytest.mark.parametrize(
    ("primary", "is_kept"),
    [({}, False), ({NEWEST.key: held(REGISTER, 2, 4)}, False), ({NEWEST.key: held(REGISTER, 2, 6)}, True)],
    ids=["gone", "older", "newer"],
)
def test_an_acknowledged_write_must_be_in_the_primary(primary: dict[Key, Record], is_kept: bool) -> None:
    at_once, later = chronicled(), chronicled()
    at_once.acknowledged(NEWEST, primary)
    later.acknowledged(NEWEST, {NEWEST.key: NEWEST})
    later.published(replace(FLAG, epoch=3), 3, primary)
    expected = [] if is_kept else [Promise.ACKNOWLEDGED]
    assert promises(at_once) == promises(later) == expected


def test_of_an_acknowledged_delete_nothing_may_be_left_but_nothing_needs_to() -> None:
    chronicle, tombstone = chronicled(), held(REGISTER, 2, 5, None)
    chronicle.stored("mongodb", None, tombstone)
    chronicle.acknowledged(held(REGISTER, 2, 4), {})
    chronicle.acknowledged(tombstone, {})
    assert promises(chronicle) == []
    chronicle.acknowledged(tombstone, {NEWEST.key: held(REGISTER, 2, 4)})
    assert promises(chronicle) == [Promise.ACKNOWLEDGED]


@pytest.mark.parametrize(("store", "is_excused"), [("mongodb", True), ("dynamodb", False)])
def test_what_a_late_replica_inserts_after_a_purged_delete_is_newer_than_it(
    store: str, is_excused: bool
) -> None:
    """Seed 779 of a former protocol: it did not know of epoch 2 yet, whose primary was its own."""
    chronicle, late = chronicled(), held(REGISTER, 1, 9)
    table = SharedTable(store, chronicle, lambda line: None)
    table.put(late.key, held(REGISTER, 2, 5, None))
    chronicle.acknowledged(held(REGISTER, 2, 5, None), table.records)
    table.put(late.key, None)
    table.put(late.key, late)
    chronicle.published(replace(FLAG, epoch=3), 3, table.records)
    assert promises(chronicle) == ([] if is_excused else [Promise.ACKNOWLEDGED])


def test_a_late_insert_is_no_excuse_for_a_write_that_nobody_deleted() -> None:
    chronicle, late = chronicled(), held(REGISTER, 1, 9)
    table = SharedTable("mongodb", chronicle, lambda line: None)
    table.put(late.key, held(REGISTER, 2, 5))
    chronicle.acknowledged(held(REGISTER, 2, 5), table.records)
    table.put(late.key, None)
    table.put(late.key, late)
    chronicle.published(replace(FLAG, epoch=3), 3, table.records)
    assert promises(chronicle) == [Promise.ACKNOWLEDGED]


def test_a_call_that_fails_in_an_unforeseen_way_is_noticed() -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    with patch.object(Pipeline, "write", fail):
        assert Promise.SOUND in {complaint.promise for complaint in run_seed(7).complaints}
