"""Documents whose bytes say more than their fields keep what an update does not touch."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson import Timestamp

from proxy.core.document import Document
from proxy.core.elements import elements, join
from proxy.core.errors import BadRequest, Broken, Reason
from proxy.core.patching import id_first, patch, settle, with_id

UNDEFINED = b"\x06u\0"
SYMBOL = b"\x0es\0\x02\0\0\0x\0"


def part(name: str, value: Any) -> bytes:
    return bson.encode({name: value})[4:-1]


ODD = Document.from_bson(
    join([part("_id", 1), UNDEFINED, part("a", 1), SYMBOL, part("a", 2), part("b", {"c": 1})])
)


def changed(**values: Any) -> bytes:
    return patch(ODD, {**ODD.fields, **values}).to_bson()


def test_the_odd_document_is_one() -> None:
    assert ODD.raw is not None


def test_an_untouched_part_keeps_its_bytes() -> None:
    expected = [
        part("_id", 1),
        UNDEFINED,
        part("a", 1),
        SYMBOL,
        part("a", 2),
        part("b", {"c": 2}),
        part("n", 5),
    ]
    assert changed(b={"c": 2}, n=5) == join(expected)


def test_an_equal_copy_is_no_change() -> None:
    assert changed(b={"c": 1}) == ODD.to_bson()


def test_a_removed_field_goes() -> None:
    left = {name: value for name, value in ODD.fields.items() if name != "b"}
    assert b"b\0" not in patch(ODD, left).to_bson()


@pytest.mark.parametrize("name", ["a", "u", "s"])
def test_what_only_bytes_can_tell_is_not_changed_by_operators(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        changed(**{name: 9})
    assert (caught.value.reason, caught.value.field) == (Reason.INVALID_UPDATE, name)


def test_an_ordinary_document_is_simply_made_anew() -> None:
    document = patch(Document({"a": 1}), {"a": 2})
    assert (document.fields, document.raw) == ({"a": 2}, None)


def test_the_id_goes_first() -> None:
    assert list(id_first(Document({"a": 1, "_id": 2})).fields) == ["_id", "a"]
    assert id_first(ODD).to_bson() == ODD.to_bson()
    late = Document.from_bson(join([UNDEFINED, part("_id", 1)]))
    assert id_first(late).to_bson() == join([part("_id", 1), UNDEFINED])
    assert with_id(Document.from_bson(join([UNDEFINED])), 1).to_bson() == join([part("_id", 1), UNDEFINED])
    assert with_id(Document({"a": 1}), 2).fields == {"_id": 2, "a": 1}


def test_empty_timestamps_at_the_top_are_filled_in() -> None:
    empty = Timestamp(0, 0)
    settled = settle(Document({"a": empty, "_id": empty, "b": {"c": empty}}), 7_000)
    assert settled.fields == {"_id": empty, "a": Timestamp(7, 1), "b": {"c": empty}}
    plain = Document({"_id": 1, "a": 1})
    assert settle(plain, 7_000) is plain


def test_every_type_of_element_is_measured() -> None:
    values: list[Any] = [
        *(
            1.5,
            "x",
            {"a": 1},
            [1],
            b"x",
            bson.ObjectId(),
            True,
            bson.DatetimeMS(1),
            None,
            bson.Regex("a", "i"),
        ),
        *(bson.Code("f"), bson.Code("f", {"a": 1}), 1, Timestamp(1, 1), bson.Int64(1), bson.Decimal128("1")),
        *(bson.MinKey(), bson.MaxKey()),
    ]
    parts = [*(part(f"n{at}", value) for at, value in enumerate(values)), UNDEFINED, SYMBOL]
    parts.append(b"\x0cp\0\x02\0\0\0x\0" + b"\1" * 12)  # a DBPointer
    data = join(parts)
    assert [data[each.start : each.end] for each in elements(data)] == parts


def test_an_unknown_type_is_our_fault() -> None:
    with pytest.raises(Broken):
        list(elements(join([b"\x55a\0"])))
