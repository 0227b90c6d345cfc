"""Bytes of every sort are looked at without failing, and what is odd about them has its name."""

from __future__ import annotations

import math
import struct
from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from hypothesis import given
from hypothesis import strategies as st

from proxy.assess.findings import MEANINGS, Fault
from proxy.assess.inspection import identity, inspect


def element(kind: int, name: bytes, value: bytes) -> bytes:
    return bytes([kind]) + name + b"\0" + value


def document(*parts: bytes) -> bytes:
    body = b"".join(parts) + b"\0"
    return struct.pack("<i", len(body) + 4) + body


def text(data: bytes) -> bytes:
    return struct.pack("<i", len(data) + 1) + data + b"\0"


def nested(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return {"_id": 1, "a": value}


ONE = element(0x10, b"n", struct.pack("<i", 1))


@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        (bson.encode({"_id": 1, "n": 5, "t": "x", "l": [1, {"a": 2}], "d": 1.5}), set()),
        (document(ONE, ONE), {Fault.DUPLICATE_NAMES}),
        (document(element(0x03, b"in", document(ONE, ONE))), {Fault.DUPLICATE_NAMES}),
        (document(element(0x02, b"t", text(b"\xff"))), {Fault.INVALID_UTF8}),
        (document(element(0x0E, b"s", text(b"symbol"))), {Fault.OUTDATED_TYPE}),
        (document(element(0x06, b"u", b"")), {Fault.OUTDATED_TYPE}),
        (document(element(0x04, b"l", document(ONE))), {Fault.ODD_BYTES}),
        (bson.encode({"": 1}), {Fault.EMPTY_NAME}),
        (bson.encode({"a": {"": 1}}), {Fault.EMPTY_NAME}),
        (bson.encode(nested(31)), set()),
        (bson.encode(nested(32)), {Fault.DEEP}),
        (bson.encode({"n": math.nan}), {Fault.NUMBER_RANGE}),
        (bson.encode({"n": [{"m": -math.inf}]}), {Fault.NUMBER_RANGE}),
        (bson.encode({"n": 1e126}), {Fault.NUMBER_RANGE}),
        (bson.encode({"n": 1e-131}), {Fault.NUMBER_RANGE}),
        (bson.encode({"n": 9.9e125, "z": 0.0, "s": 1e-130}), set()),
        (bson.encode({"n": Decimal128("1E+6000")}), {Fault.NUMBER_RANGE}),
        (bson.encode({"n": Decimal128("9.99E+125"), "z": Decimal128("0E-6000")}), set()),
        (bson.encode({"n": Decimal128("NaN")}), {Fault.NUMBER_RANGE}),
        (document(element(0x55, b"x", b"abc")), {Fault.UNREADABLE}),
        (b"\x05\0\0\0", {Fault.UNREADABLE}),
    ],
)
def test_every_oddity_has_its_name(raw: bytes, faults: set[Fault]) -> None:
    assert inspect(raw).faults == faults


def test_what_cannot_be_decoded_is_no_document() -> None:
    assert inspect(b"nonsense").document is None
    assert inspect(bson.encode({"a": 1})).document is not None


@given(st.binary(max_size=80), st.integers(0, 60))
def test_nothing_makes_it_fail(noise: bytes, place: int) -> None:
    whole = bson.encode({"_id": "x", "a": [1, "t", {"b": 2.5}], "c": b"12"})
    for raw in (noise, whole[:place] + noise + whole[place:], whole[:place]):
        assert isinstance(inspect(raw).faults, frozenset)
        assert identity(raw)


@pytest.mark.parametrize(
    ("given_id", "told"),
    [(5, "5"), ("x", "'x'"), ({"a": 1}, "{'a': 1}"), (bson.ObjectId("0" * 24), "0" * 24), ("y" * 200, "...")],
)
def test_an_identity_is_told_in_words(given_id: Any, told: str) -> None:
    said = identity(bson.encode({"a": 1, "_id": given_id}))
    assert said.endswith(told) and len(said) <= 80


def test_an_identity_is_told_of_a_document_that_is_broken_after_it() -> None:
    assert identity(document(element(0x10, b"_id", struct.pack("<i", 7)), element(0x55, b"x", b""))) == "7"
    assert identity(b"nonsense") == "(an unreadable _id)"


def test_a_length_that_leads_backwards_ends_the_reading() -> None:
    """It would else be walked for ever."""
    raw = document(element(0x02, b"a", struct.pack("<i", -12)), element(0x08, b"b", b"\1"))
    assert inspect(raw).faults == {Fault.UNREADABLE}
    assert identity(raw) == "(an unreadable _id)"


def test_every_fault_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(Fault)
