"""Seeded BSON documents of every type, with the awkward values of each."""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

import bson
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField
from proxy.core.document import Document
from proxy.core.keys import key_of
from proxy.core.version import RING, Record, Version

STRINGS = [
    "",
    "a",
    "~",
    "~0",
    "~e",
    "a/b",
    "\0",
    "\0x",
    "é",
    "é",
    "\uffff",
    "😀",
    "NaN",
    "$x",
    "a.b",
    "1",
    "t" * 90,
]
NAMES = ["", "_", "__", "a", "A", "z", "_cf", "__cf", "_ttl", "___ttl", "cf", "_id", "$ref", "a.b", "*", "0"]
NAMES += [
    "é",
    "\uffff",
    "😀",
    "deployment_container",
    "_deployment_container",
    "when_key",
    "\x01",
    '"',
    "size",
]
DOUBLES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    5e-324,
    1e-130,
    9.9e-131,
    1e125,
    9.99e125,
    1e126,
    1.7e308,
    math.inf,
    -math.inf,
]
DOUBLES += [2.0**53, 2.0**63, -(2.0**63), 1e22, 1e23, 1.5e16, 0.30000000000000004, math.pi * 1e-100]
DOUBLES += [struct.unpack(">d", bytes.fromhex(bits))[0] for bits in ("7ff8000000000000", "fff8000000000001")]
DECIMALS = [
    "0",
    "-0",
    "1.0",
    "1.00",
    "-1.50",
    "1E+3",
    "1E-130",
    "1E-131",
    "1E+126",
    "9.99E+125",
    "NaN",
    "-NaN",
]
DECIMALS += [
    "sNaN",
    "Infinity",
    "-Infinity",
    "0E-6176",
    "0E+6111",
    "1E-6176",
    "9" * 34,
    "1234567890.123456789E+90",
]
DATES = [0, -1, 1, 1_500_283_380_123, -62_135_596_800_000, -62_135_596_800_001, 253_402_300_799_999]
DATES += [253_402_300_800_000, 2**63 - 1, -(2**63)]
INTS = [0, 1, -1, 2**31 - 1, -(2**31), 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63)]

WEBTASKS = Collection(
    name="webtasks",
    mongo_database="app",
    mongo_collection="webtasks",
    table="webtasks",
    key=Index(
        "key",
        IndexKind.TABLE,
        (KeyField("deployment_key"), KeyField("webtask_container")),
        (KeyField("webtask_name"),),
        "deployment_container",
        "webtask_name",
    ),
    indexes=(
        Index(
            "due",
            IndexKind.LOCAL,
            (KeyField("deployment_key"), KeyField("webtask_container")),
            (KeyField("due_at", FieldType.NUMBER),),
            "deployment_container",
            "due_at",
        ),
        Index(
            "owners",
            IndexKind.GLOBAL,
            (KeyField("owner", FieldType.OBJECT_ID),),
            (KeyField("when", FieldType.DATE), KeyField("live", FieldType.BOOL)),
            "owner",
            "when_key",
        ),
    ),
)


def binary(rng: random.Random) -> Any:
    data = rng.randbytes(rng.choice([0, 1, 5, 16, 16, 40]))
    subtype = rng.choice([0, 3, 4, 4, 5, 6, 9, 0x80, 0xFF])
    return data if subtype == 0 else Binary(data, subtype)


def number(rng: random.Random) -> Any:
    double = struct.unpack("<d", rng.randbytes(8))[0]
    whole = rng.getrandbits(rng.choice([8, 31, 40, 63])) * rng.choice([1, -1])
    return rng.choice([whole, Int64(whole), float(whole), whole / 8, double, rng.choice(DOUBLES)])


SCALARS: list[Callable[[random.Random], Any]] = [
    lambda rng: rng.choice(STRINGS),
    lambda rng: "".join(
        chr(rng.choice([rng.randrange(1, 0xD800), rng.randrange(32, 127)])) for _ in range(9)
    ),
    lambda rng: rng.choice([True, False, None]),
    lambda rng: rng.choice(INTS),
    lambda rng: Int64(rng.choice(INTS)),
    number,
    lambda rng: rng.choice(DOUBLES),
    lambda rng: Decimal128(rng.choice(DECIMALS)),
    lambda rng: Decimal128.from_bid(rng.randbytes(16)),
    lambda rng: DatetimeMS(rng.choice(DATES)),
    lambda rng: DatetimeMS(rng.getrandbits(42)),
    lambda rng: ObjectId(rng.randbytes(12)),
    binary,
    lambda rng: Regex(
        rng.choice(["", "a/b", "^x$", "/", "\n", "é"]), rng.choice([0, re.I, re.M | re.X, re.S | re.U])
    ),
    lambda rng: Timestamp(rng.getrandbits(32), rng.getrandbits(32)),
    lambda rng: rng.choice([MinKey(), MaxKey()]),
    lambda rng: Code(rng.choice(STRINGS).replace("\0", "")),
    lambda rng: Code("f()", {"x": rng.choice(INTS), "d": DatetimeMS(5)}),
]


def value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.random()
    if depth > 4 or kind < 0.75:
        return rng.choice(SCALARS)(rng)
    if kind < 0.87:
        return fields(rng, depth + 1)
    if kind < 0.9:
        return nested(rng, rng.choice([30, 31, 32, 33, 61]))
    scalar = rng.choice(SCALARS)
    alike = [scalar(rng) for _ in range(rng.randrange(5))]
    return alike + [value(rng, depth + 1) for _ in range(rng.choice([0, 0, 1, 3]))]


def nested(rng: random.Random, levels: int) -> Any:
    inner: Any = rng.choice(SCALARS)(rng)
    for _ in range(levels):
        inner = [inner] if rng.random() < 0.5 else {"z": 1, "a": inner}
    return inner


def fields(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    count = rng.choice([0, 1, 2, 3, 5, 9, 9, 14, 70] if depth < 1 else [0, 1, 2, 3])
    names = [rng.choice([*NAMES, f"f{rng.randrange(200)}"]) for _ in range(count)]
    return {name: value(rng, depth) for name in names}


def documents(seed: int, count: int) -> Iterator[Document]:
    """Documents with the key (and often the index) fields of WEBTASKS at random places, each key once."""
    rng = random.Random(seed)
    for number_ in range(count):
        body = fields(rng)
        body |= {
            "deployment_key": rng.choice(STRINGS),
            "webtask_container": f"{rng.choice(STRINGS)}{number_}",
        }
        body["webtask_name"] = rng.choice(STRINGS)
        if rng.random() < 0.5:
            body["due_at"] = rng.choice([0, -0.0, 1.0, 1.5, Int64(7), 2**53 + 1, float(2**62), 1e23, 1e-130])
        if rng.random() < 0.5:
            body |= {"live": rng.random() < 0.5, "owner": ObjectId(), "when": DatetimeMS(rng.getrandbits(41))}
        shuffled = list(body.items())
        rng.shuffle(shuffled)
        yield Document.from_bson(bson.encode(dict(shuffled)))


def record_of(document: Document, rng: random.Random) -> Record:
    """The document under a random version, as some write left it."""
    ops = tuple(rng.randbytes(16) for _ in range(rng.randrange(1, RING + 1)))
    version = Version(rng.randrange(9), rng.getrandbits(62))
    return Record(key_of(WEBTASKS, document.fields), version, ops[-1], ops, document)
