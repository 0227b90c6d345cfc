"""What every command does to every state of a record: absent, tombstone, legacy, live, fenced, repeated."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Timestamp

from proxy.core.document import Document
from proxy.core.errors import AlreadyExists, BadRequest, Contended, CrossfadeError, Fenced, Reason
from proxy.core.filter import Comparator, Compare
from proxy.core.keys import Key
from proxy.core.update import CurrentDate, Inc, Set, SetOnInsert, Unset
from proxy.core.version import LEGACY, Record, Stamp, Version
from proxy.core.write import (
    NO_EFFECT,
    Command,
    Delete,
    Effect,
    Insert,
    Modify,
    Precondition,
    Replace,
    WriteResult,
    effect,
)

KEY = Key(("auth0", 7))
KEY_FIELDS = ("deployment", "number")
OLD_OP, OP = b"o" * 16, b"n" * 16
NOW = 1_700_000_000_000
STAMP = Stamp(epoch=3, op=OP, now=NOW)


def fields(**others: Any) -> dict[str, Any]:
    return {"_id": 1, "deployment": "auth0", "number": 7, **others}


def document(**others: Any) -> Document:
    return Document(fields(**others))


LIVE = Record(KEY, Version(2, 40), OLD_OP, (OLD_OP,), document(n=1))
UNTOUCHED = Record(KEY, LEGACY, b"", (), document(n=1))
TOMBSTONE = Record(KEY, Version(2, 41), OLD_OP, (OLD_OP,), None, deleted_at=NOW - 1)

ETAG = Precondition(etag=(LIVE.version, LIVE.op))
OTHER_ETAG = Precondition(etag=(LIVE.version, b"x" * 16))
N_IS_1 = Precondition(Compare("n", Comparator.EQ, 1))
N_IS_2 = Precondition(Compare("n", Comparator.EQ, 2))

INSERT = Insert(KEY, document(n=5))
REPLACE = Replace(KEY, document(n=5))
MODIFY = Modify(KEY, (Inc("n", 1),))
DELETE = Delete(KEY)
COMMANDS: list[Command] = [INSERT, REPLACE, MODIFY, DELETE]


def run(command: Command, current: Record | None, stamp: Stamp = STAMP) -> Effect:
    return effect(command, current, stamp, key_fields=KEY_FIELDS)


def stored(done: Effect) -> dict[str, Any]:
    assert done.put is not None
    assert done.put.document is not None
    return done.put.document.fields


def refusal(command: Command, current: Record | None) -> tuple[type[CrossfadeError], Reason, str]:
    with pytest.raises(CrossfadeError) as caught:
        run(command, current)
    return type(caught.value), caught.value.reason, caught.value.field


# what is there


def test_an_insert_seeds_the_revision_from_the_clock() -> None:
    done = run(INSERT, None)
    assert done.put == Record(KEY, Version(3, NOW << 20), OP, (OP,), INSERT.document)
    assert done.result == WriteResult(matched=True, after=done.put, inserted=True)


def test_an_insert_follows_a_tombstone() -> None:
    done = run(INSERT, TOMBSTONE)
    assert done.put == Record(KEY, Version(3, NOW << 20), OP, (OLD_OP, OP), INSERT.document)
    assert done.result.inserted


def test_an_insert_is_never_below_its_tombstone() -> None:
    ahead = Record(KEY, Version(3, (NOW << 20) + 9), OLD_OP, (), None, deleted_at=NOW)
    done = run(INSERT, ahead)
    assert done.put is not None
    assert done.put.version == Version(3, (NOW << 20) + 10)


@pytest.mark.parametrize("current", [LIVE, UNTOUCHED])
def test_an_insert_finds_a_live_document_in_its_way(current: Record) -> None:
    assert refusal(INSERT, current) == (AlreadyExists, Reason.ALREADY_EXISTS, "")


@pytest.mark.parametrize(("command", "after"), [(REPLACE, fields(n=5)), (MODIFY, fields(n=2))])
@pytest.mark.parametrize("current", [LIVE, UNTOUCHED])
def test_a_write_follows_the_live_document(command: Command, after: dict[str, Any], current: Record) -> None:
    done = run(command, current)
    assert stored(done) == after
    assert done.result == WriteResult(matched=True, before=current, after=done.put)
    assert done.put is not None
    assert (done.put.version, done.put.op) == (Version(3, current.version.revision + 1), OP)
    assert done.put.ops == (*current.ops, OP)


def test_a_delete_leaves_a_tombstone() -> None:
    done = run(DELETE, LIVE)
    assert done.put == Record(KEY, Version(3, 41), OP, (OLD_OP, OP), None, deleted_at=NOW)
    assert done.result == WriteResult(matched=True, before=LIVE, after=done.put)


@pytest.mark.parametrize("command", [REPLACE, MODIFY, DELETE])
@pytest.mark.parametrize("current", [None, TOMBSTONE])
def test_nothing_there_is_an_outcome(command: Command, current: Record | None) -> None:
    assert run(command, current) == NO_EFFECT


# epochs and repeats


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("current", [LIVE, TOMBSTONE])
def test_a_newer_epoch_fences_every_command(command: Command, current: Record) -> None:
    with pytest.raises(Fenced):
        run(command, current, Stamp(epoch=1, op=OP, now=NOW))
    with pytest.raises(Fenced):  # a repeat too: what it reports must come from the present primary
        run(command, current, Stamp(epoch=1, op=OLD_OP, now=NOW))


@pytest.mark.parametrize("command", [*COMMANDS, Modify(KEY, (Inc("n", 1),), OTHER_ETAG)])
@pytest.mark.parametrize("current", [LIVE, TOMBSTONE])
def test_a_repeat_is_reported_and_not_applied(command: Command, current: Record) -> None:
    done = run(command, current, Stamp(epoch=3, op=OLD_OP, now=NOW))
    assert done == Effect(WriteResult(matched=True, after=current, repeated=True))


# preconditions


@pytest.mark.parametrize(
    "command", [Replace(KEY, document(), N_IS_2), Modify(KEY, (), N_IS_2), Delete(KEY, N_IS_2)]
)
def test_a_filter_that_is_not_true_is_an_outcome(command: Command) -> None:
    assert run(command, LIVE) == NO_EFFECT


@pytest.mark.parametrize("precondition", [N_IS_1, ETAG])
def test_a_precondition_that_holds_lets_the_write_pass(precondition: Precondition) -> None:
    assert run(Modify(KEY, (Inc("n", 1),), precondition), LIVE).put
    assert run(Replace(KEY, document(n=5), precondition), LIVE).put
    assert run(Delete(KEY, precondition), LIVE).put


@pytest.mark.parametrize(
    "command",
    [Replace(KEY, document(), OTHER_ETAG), Modify(KEY, (Inc("n", 1),), OTHER_ETAG), Delete(KEY, OTHER_ETAG)],
)
@pytest.mark.parametrize("current", [None, TOMBSTONE, LIVE, UNTOUCHED])
def test_another_etag_is_an_error(command: Command, current: Record | None) -> None:
    assert refusal(command, current) == (Contended, Reason.ETAG_MISMATCH, "etag")


def test_the_etag_is_asked_before_the_filter() -> None:
    both = Precondition(N_IS_2.filter, OTHER_ETAG.etag)
    assert refusal(Delete(KEY, both), LIVE)[0] is Contended


# upserts


@pytest.mark.parametrize("current", [None, TOMBSTONE])
def test_an_upsert_inserts_where_nothing_is(current: Record | None) -> None:
    done = run(Replace(KEY, document(n=5), upsert=True), current)
    assert done.result.inserted
    assert stored(done) == fields(n=5)


def test_an_upsert_by_operators_starts_from_its_seed() -> None:
    update = (SetOnInsert("made", True), Inc("n", 2), CurrentDate("at"))
    done = run(Modify(KEY, update, upsert=True, seed=document(n=1)), None)
    assert done.result.inserted
    assert list(stored(done)) == ["_id", "deployment", "number", "n", "at", "made"]
    assert stored(done)["n"] == 3


def test_an_upsert_without_a_seed_starts_from_the_key() -> None:
    done = run(Modify(KEY, (Set("n", 1), Set("_id", 9)), upsert=True), None)
    assert list(stored(done).items()) == [("_id", 9), ("deployment", "auth0"), ("number", 7), ("n", 1)]


def test_an_upsert_of_a_live_document_is_an_ordinary_write() -> None:
    done = run(Modify(KEY, (SetOnInsert("made", True), Inc("n", 2)), upsert=True), LIVE)
    assert stored(done) == fields(n=3)
    assert not done.result.inserted


@pytest.mark.parametrize(
    "command",
    [Replace(KEY, document(), N_IS_2, upsert=True), Modify(KEY, (Inc("n", 1),), N_IS_2, upsert=True)],
)
def test_an_upsert_that_its_filter_keeps_from_the_document_fails(command: Command) -> None:
    assert refusal(command, LIVE) == (AlreadyExists, Reason.ALREADY_EXISTS, "")


# key fields and _id


@pytest.mark.parametrize(
    ("command", "current"),
    [
        (Insert(KEY, Document({"_id": 1, "deployment": "auth0", "number": 8})), None),
        (Replace(KEY, Document({"_id": 1, "deployment": "auth0"})), LIVE),
        (Replace(KEY, document(number="7"), upsert=True), None),
        (Modify(KEY, (Set("number", [7]),)), LIVE),
        (Modify(KEY, (Unset("number"),)), LIVE),
        (Modify(KEY, (Inc("number", 1),), upsert=True), None),
    ],
)
def test_key_fields_stay(command: Command, current: Record | None) -> None:
    assert refusal(command, current) == (BadRequest, Reason.KEY_FIELD_CHANGED, "number")


def test_a_key_field_may_change_its_numeric_type() -> None:
    assert stored(run(Modify(KEY, (Set("number", 7.0),)), LIVE))["number"] == 7.0


def test_a_replacement_keeps_the_id() -> None:
    without = Document({"deployment": "auth0", "number": 7})
    assert next(iter(stored(run(Replace(KEY, without), LIVE)).items())) == ("_id", 1)
    late = Document({"deployment": "auth0", "number": 7, "_id": 1.0})
    assert next(iter(stored(run(Replace(KEY, late), LIVE)))) == "_id"


@pytest.mark.parametrize(
    "command",
    [
        Replace(KEY, document(_id=2)),
        Modify(KEY, (Set("_id", 2),)),
        Modify(KEY, (Set("_id", 1.0),)),  # as MongoDB: operators may not even change its type
        Modify(KEY, (Unset("_id"),)),
    ],
)
def test_the_id_stays(command: Command) -> None:
    assert refusal(command, LIVE) == (BadRequest, Reason.INVALID_FIELD, "_id")


def test_operators_may_set_the_id_that_is_there() -> None:
    assert run(Modify(KEY, (Set("_id", 1),)), LIVE).put


# what MongoDB does to documents


@pytest.mark.parametrize(("command", "current"), [(Insert, None), (Replace, LIVE)])
def test_empty_timestamps_of_whole_documents_are_filled_in(command: Any, current: Record | None) -> None:
    done = run(command(KEY, document(at=Timestamp(0, 0))), current)
    assert stored(done)["at"] == Timestamp(NOW // 1000, 1)


def test_empty_timestamps_of_operators_are_not() -> None:
    assert stored(run(Modify(KEY, (Set("at", Timestamp(0, 0)),)), LIVE))["at"] == Timestamp(0, 0)


def test_a_refused_update_changes_nothing() -> None:
    assert refusal(Modify(KEY, (Set("n.x", 1),)), LIVE) == (BadRequest, Reason.INVALID_UPDATE, "n.x")
    assert LIVE.document == document(n=1)
