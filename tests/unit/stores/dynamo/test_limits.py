"""The limits refuse what DynamoDB would refuse, name the field, and cost little for small documents."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import bson
import orjson
import pytest
from bson import Binary, DatetimeMS, Decimal128, Int64, MinKey, ObjectId, Regex, Timestamp

from proxy.core.collection import Index, IndexKind, KeyField
from proxy.core.document import Document
from proxy.core.errors import BadRequest, Reason
from proxy.core.keys import Key
from proxy.core.update import (
    AddToSet,
    CurrentDate,
    Inc,
    Mul,
    Operator,
    Push,
    Rename,
    Set,
    Unset,
)
from proxy.core.version import Version
from proxy.stores.dynamo.bound import most_bytes
from proxy.stores.dynamo.codec import Codec
from proxy.stores.dynamo.encoding import encode_fields
from proxy.stores.dynamo.limits import GROWTH, ITEM_LIMIT, DynamoLimits
from proxy.stores.dynamo.size import item_size
from tests.unit.stores.dynamo.generated import WEBTASKS, documents, nested, record_of

LIMITS = DynamoLimits(WEBTASKS)
LAYOUT = Codec(WEBTASKS).layout
KEY = Key(("auth0", "mycontainer", "mywebtask"))
KEY_FIELDS = dict(zip(("deployment_key", "webtask_container", "webtask_name"), KEY.values, strict=True))


def document(**fields: Any) -> Document:
    return Document({**KEY_FIELDS, **fields})


def refusal(stored: Document, key: Key = KEY) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        LIMITS.check(key, stored)
    return caught.value


def test_generated_documents_are_accepted_and_grow_less_than_the_cheap_bound_assumes() -> None:
    rng = random.Random(2)
    codec = Codec(WEBTASKS)
    for stored in documents(seed=2, count=600):
        record = record_of(stored, rng)
        LIMITS.check(record.key, stored)
        assert item_size(codec.encode(record)) <= GROWTH * len(stored.to_bson()) + 1024 + 6 * 2304


def test_no_document_takes_more_than_its_bound_which_is_near() -> None:
    known, near = 0, 0
    for stored in documents(seed=3, count=3_000):
        item, hints = encode_fields(stored.fields, LAYOUT.escape)
        taken = item_size(item) + len(orjson.dumps(hints)) + len(stored.raw or b"")
        most = most_bytes(stored)
        if most is not None:
            assert taken <= most, stored
            known, near = known + 1, near + (most < 3 * taken + 200)
    assert known > 1_000 and near > known / 2


@pytest.mark.parametrize(
    "fields",
    [
        {f'\x01{n}"': n for n in range(200)},
        {"": {"_": {"__": 1}}, "_cf": 1, "~": "", "é\u2028": "\u0000é\u2028"},
        {"l": [ObjectId(), 1, DatetimeMS(5), Int64(5), 1.0, -0.0, {}, [], None] * 700},
        {"d": [Decimal128(text) for text in ("-1E-6176", "NaN", "9" * 34, "-0E+6111", "1E-130")] * 99},
        {"n": [float("nan"), float("-inf"), 1e300, 1.5e-320, 2.0**62, -123456.789e-100] * 99},
        {"u": [Binary(bytes(16), 4), Binary(b"", 5), b""] * 99, "t": [Timestamp(2**32 - 1, 2**32 - 1)] * 9},
        {"i": [-(2**31), 2**31 - 1, Int64(-(2**63)), Int64(1), DatetimeMS(-(2**63)), True] * 99},
    ],
    ids=["odd names", "escaped names", "mixed lists", "decimals", "doubles", "binaries", "integers"],
)
def test_the_bound_holds_for_what_grows_most(fields: dict[str, Any]) -> None:
    item, hints = encode_fields(fields, LAYOUT.escape)
    most = most_bytes(Document(fields))
    assert most is not None and item_size(item) + len(orjson.dumps(hints)) <= most


def test_what_is_not_bounded_is_measured() -> None:
    assert most_bytes(document(deep=nested(random.Random(1), 40))) is None
    assert most_bytes(document(regex=Regex("a"))) is None
    with pytest.raises(BadRequest, match="is the limit"):
        LIMITS.check(KEY, document(regex=Regex("a"), text="x" * 410_000))
    LIMITS.check(KEY, document(regex=Regex("a"), text="x" * 300_000))


@pytest.mark.parametrize("value", [MinKey(), DatetimeMS(0), Decimal128("-1E-130"), -0.0, ObjectId(), None])
def test_even_the_worst_documents_grow_less_than_the_cheap_bound_assumes(value: Any) -> None:
    fields: dict[str, Any] = {chr(n): value for n in range(1, 120)} | KEY_FIELDS
    stored = Document(fields)
    item = Codec(WEBTASKS).encode(record_of(stored, random.Random(3)))
    assert item_size(item) <= GROWTH * len(stored.to_bson()) + 1024 + 6 * 2304


def test_the_largest_document_fits_and_one_byte_more_does_not() -> None:
    codec = Codec(WEBTASKS)
    stored = record_of(document(due_at=1, text=""), random.Random(4))
    empty = item_size(
        codec.encode(
            type(stored)(
                stored.key, Version(2**31 - 1, 2**63 - 1), b"o" * 16, (b"o" * 16,) * 8, stored.document
            )
        )
    )
    entry = len("deployment_containerauth0/mycontainerwebtask_namemywebtaskdue_at") + 2
    room = ITEM_LIMIT - empty - entry
    LIMITS.check(KEY, document(due_at=1, text="x" * room))
    refused = refusal(document(due_at=1, text="x" * (room + 1)))
    assert (refused.reason, refused.field) == (Reason.DOCUMENT_TOO_LARGE, "text")
    LIMITS.check(KEY, document(text="x" * (room + entry)))  # not in the local index: no entry to pay for


def test_a_document_may_nest_100_levels() -> None:
    def nested(levels: int) -> Any:
        value: Any = 1
        for level in range(levels):
            value = [value] if level % 2 else {"a": value}
        return value

    LIMITS.check(KEY, document(deep=nested(100)))
    refused = refusal(document(deep=nested(101)))
    assert (refused.reason, refused.field) == (Reason.DOCUMENT_TOO_DEEP, "deep")


@pytest.mark.parametrize(
    "value", [None, "soon", True, float("nan"), float("inf"), 1e130, Decimal128("1"), [1]]
)
def test_an_index_field_must_have_its_type(value: Any) -> None:
    refused = refusal(document(due_at=value))
    assert (refused.reason, refused.field) == (Reason.INDEX_FIELD_TYPE, "due_at")
    LIMITS.check(KEY, document())
    LIMITS.check(KEY, document(due_at=0))


def test_keys_have_a_length() -> None:
    fits = Key(("a", "b", "é" * 512))
    LIMITS.check(fits, document(webtask_name="é" * 512))
    refused = refusal(document(), Key(("a", "b", "é" * 513)))
    assert (refused.reason, refused.field) == (Reason.KEY_TOO_LONG, "webtask_name")
    refused = refusal(document(), Key(("a/" * 700, "b", "c")))
    assert (refused.reason, refused.field) == (Reason.KEY_TOO_LONG, "deployment_key")


def keyed(*indexes: Index) -> DynamoLimits:
    """Of a collection keyed by `tenant` and `name`, each a part of its own."""
    key = Index("key", IndexKind.TABLE, (KeyField("tenant"),), (KeyField("name"),), "tenant", "name")
    return DynamoLimits(replace(WEBTASKS, key=key, indexes=indexes))


def by(partition: str, sort: str) -> Index:
    name = f"by_{partition}"
    return Index(name, IndexKind.GLOBAL, (KeyField(partition),), (KeyField(sort),), partition, sort)


BY_BOTH = Index(
    "by_both",
    IndexKind.GLOBAL,
    (KeyField("owner"),),
    (KeyField("tenant"), KeyField("name")),
    "owner",
    "place",
)
LONG = "x" * 1_500
"""Within the limit of a partition key, and not of a sort key."""


@pytest.mark.parametrize(
    ("indexes", "fields", "culprit"),
    [
        ((by("owner", "tenant"),), {"tenant": LONG, "owner": "o"}, "tenant"),
        ((BY_BOTH,), {"tenant": "x" * 700, "name": "y" * 700, "owner": "o"}, "tenant"),
        ((by("owner", "at"), by("place", "owner")), {"owner": LONG, "place": "p", "at": "a"}, "owner"),
        ((by("owner", "at"), by("place", "owner")), {"owner": "o", "place": "x" * 2_049, "at": "a"}, "place"),
    ],
    ids=["a key field", "several key fields", "a field of two indexes", "its own limit"],
)
def test_a_key_has_the_length_of_each_index_that_it_is_part_of(
    indexes: tuple[Index, ...], fields: dict[str, Any], culprit: str
) -> None:
    fields = {"tenant": "t", "name": "n", **fields}
    key = Key((fields["tenant"], fields["name"]))
    with pytest.raises(BadRequest) as caught:
        keyed(*indexes).check(key, Document(fields))
    assert (caught.value.reason, caught.value.field) == (Reason.KEY_TOO_LONG, culprit)
    keyed(by("at", "live")).check(key, Document(fields))  # another index does not mind
    keyed(by("tenant", "at")).check(key, Document(fields))


def test_a_name_has_a_length() -> None:
    LIMITS.check(KEY, document(**{"n" * 65_534: 1}))
    assert refusal(document(**{"n" * 65_535: 1})).reason is Reason.INVALID_FIELD


HARMLESS: list[Operator] = [
    Set("a.b.c", {"x": [1, 2, 3]}),
    Set("due_at", 5),
    Set("when", DatetimeMS(5)),
    Inc("due_at", 60_000),
    Inc("n", 1.5),
    Unset("due_at"),
    CurrentDate("when"),
    Push("log", ("x" * 1000,)),
    AddToSet("tags", ("a", "b")),
    Rename("a", "b"),
]

DOUBTFUL: list[Operator] = [
    Set("due_at", "soon"),
    Set("due_at", None),
    Set("due_at.x", 1),
    Set("webtask_name", "other"),
    Set("a", "x" * 20_000),
    Set("a.1000000", 1),
    Set(".".join("a" * 60), 1),
    Inc("due_at", Decimal128("1")),
    Inc("due_at", 1e120),
    Inc("due_at", 1e-120),
    Mul("due_at", 2),
    CurrentDate("due_at"),
    CurrentDate("when", as_timestamp=True),
    Push("due_at", (1,)),
    Rename("a", "due_at"),
    Rename("webtask_name", "a"),
]


@pytest.mark.parametrize("operator", HARMLESS, ids=repr)
def test_harmless_updates_are_admitted(operator: Operator) -> None:
    assert LIMITS.admits((operator,))


@pytest.mark.parametrize("operator", DOUBTFUL, ids=lambda operator: repr(operator)[:50])
def test_updates_that_might_break_a_limit_are_not_admitted(operator: Operator) -> None:
    assert not LIMITS.admits((HARMLESS[0], operator))


def test_a_small_document_costs_microseconds() -> None:
    stored = Document.from_bson(bson.encode({**KEY_FIELDS, "due_at": 5, **{f"f{n}": n for n in range(11)}}))
    started = time.process_time()
    for _ in range(10_000):
        LIMITS.check(KEY, stored)
    assert time.process_time() - started < 0.3  # about 2 us each here
