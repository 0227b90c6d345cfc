"""Whatever BSON a user's document is made of, it comes back from its stored form to the byte."""

from dataclasses import replace

import bson
import pytest
from bson import ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import given

from proxy.core.collection import FieldType, Index, IndexKind, KeyField
from proxy.core.document import OPTIONS, Document
from proxy.core.keys import Key
from proxy.core.version import LEGACY, Record, Version
from proxy.stores.mongo.codec import RecordCodec, Stored, holds_zero_timestamp, with_id_first
from tests.unit.stores.mongo import documents
from tests.unit.stores.mongo.documents import EXOTIC, KEY_ELEMENTS, OP, OTHER_OP, raw, record, user_fields

CODEC = RecordCodec(documents.collection())


@given(user_fields)
def test_a_record_survives_its_stored_form(fields: dict[str, object]) -> None:
    given = record(Document(documents.document().fields | fields))
    assert CODEC.decode(CODEC.encode(given)) == given


@pytest.mark.parametrize("name", EXOTIC)
def test_an_exotic_document_survives_to_the_byte(name: str) -> None:
    document = Document.from_bson(EXOTIC[name])
    assert document.raw == EXOTIC[name]
    read = CODEC.decode(CODEC.encode(record(document)))
    assert read.document is not None
    assert read.document.to_bson() == EXOTIC[name]
    assert (read.version, read.op, read.ops, read.key) == (Version(3, 7), OP, (OTHER_OP, OP), documents.key())


@pytest.mark.parametrize("name", sorted(EXOTIC.keys() - {"a reserved name twice"}))
def test_the_metadata_of_an_exotic_document_may_stand_anywhere(name: str) -> None:
    meta = bson.encode({"e": bson.Int64(1), "r": bson.Int64(2), "op": OP, "ops": [OP]})
    stored = raw(b"\x03_cf\0" + meta, EXOTIC[name][4:-1])
    read = CODEC.decode(Stored(stored))
    assert read.document is not None
    assert read.document.to_bson() == EXOTIC[name]
    assert read.version == Version(1, 2)


def test_a_tombstone_keeps_the_key_and_the_time() -> None:
    tombstone = record(None)
    stored = CODEC.encode(tombstone)
    assert isinstance(bson.decode(stored.raw, OPTIONS)["_cf"]["del"], DatetimeMS)  # for the TTL index
    assert CODEC.decode(stored) == tombstone


def test_a_legacy_record_is_stored_as_its_document() -> None:
    legacy = Record(documents.key(), LEGACY, b"", (), documents.document(a=1))
    assert CODEC.encode(legacy).raw == documents.document(a=1).to_bson()
    assert CODEC.decode(CODEC.encode(legacy)) == legacy


def test_the_metadata_never_shows_and_reserved_names_are_escaped() -> None:
    given = record(documents.document(_cf="mine", __cf=1, x={"_cf": 2}))
    stored = bson.decode(CODEC.encode(given).raw)
    assert (stored["__cf"], stored["___cf"], stored["x"]) == ("mine", 1, {"_cf": 2})
    assert set(stored["_cf"]) == {"e", "r", "op", "ops"}


@pytest.mark.parametrize(
    "foreign", ["text", {"e": 1}, {"e": "1", "r": 1, "op": OP}, {"e": 1, "r": 1, "op": 5}]
)
def test_a_field_of_our_name_that_we_never_wrote_stays_the_users(foreign: object) -> None:
    document = documents.document(_cf=foreign)
    read = CODEC.decode(Stored(document.to_bson()))
    assert read == Record(documents.key(), LEGACY, b"", (), document)
    assert CODEC.decode(CODEC.encode(record(document))).document == document


def test_bytes_that_only_look_like_metadata_stay_data() -> None:
    fake = b"\x03_cf\0" + bson.encode({"e": 1, "r": 1, "op": OP})
    document = documents.document(blob=fake, text="\x03_cf")
    read = CODEC.decode(CODEC.encode(record(document)))
    assert read.document == document


def test_keys_are_normalised() -> None:
    assert CODEC.key_of({"deployment_key": "a", "container": "b", "task": "c"}) == Key(("a", "b", "c"))
    assert CODEC.key_of({"deployment_key": 5}) == Key((5, None, None))  # legacy: shown as it is
    numbered = Index("n", IndexKind.TABLE, (KeyField("n", FieldType.NUMBER),), (), "n", None)
    codec = RecordCodec(replace(documents.collection(), key=numbered))
    assert codec.key_of({"n": 1.0}) == codec.key_of({"n": bson.Int64(1)}) == Key((1,))


def test_an_id_goes_first_as_the_server_would_put_it() -> None:
    late = Document({"a": 1, "_id": 2})
    assert list(with_id_first(late).fields) == ["_id", "a"]
    assert with_id_first(with_id_first(late)) == with_id_first(late)
    created = with_id_first(Document({"a": 1})).fields
    assert isinstance(created["_id"], ObjectId)
    exotic = Document.from_bson(raw(b"\x06u\0", KEY_ELEMENTS))
    assert with_id_first(exotic).to_bson()[5:9] == b"_id\0"
    assert len(with_id_first(exotic).to_bson()) == len(exotic.to_bson())
    nameless = Document.from_bson(raw(b"\x06u\0"))
    assert isinstance(with_id_first(nameless).fields["_id"], ObjectId)


def test_the_stored_form_has_the_id_first() -> None:
    key = documents.document().fields
    late = {name: key[name] for name in ("deployment_key", "container", "task", "_id")}
    assert next(iter(bson.decode(CODEC.encode(record(Document(late))).raw))) == "_id"


def test_a_zero_timestamp_counts_at_the_top_only() -> None:
    assert holds_zero_timestamp(Document({"t": Timestamp(0, 0)}))
    assert not holds_zero_timestamp(Document({"t": Timestamp(0, 1), "n": {"t": Timestamp(0, 0)}, "x": 0}))
