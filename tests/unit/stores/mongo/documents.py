"""Documents, plain and exotic, for the tests of the MongoDB store."""

import struct
from typing import Any

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import strategies as st

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField, Settings
from proxy.core.document import Document
from proxy.core.keys import Key
from proxy.core.version import Record, Version

OP = bytes(range(16))
OTHER_OP = bytes(range(16, 32))
VERSION = Version(3, 7)


def collection(name: str = "webtasks", settings: Settings | None = None) -> Collection:
    """The seed article's shape: a composed key, and an index of due jobs."""
    tenant = KeyField("deployment_key")
    parts = (KeyField("container"), KeyField("task"))
    due = KeyField("next_available_at", FieldType.NUMBER)
    key = Index(name, IndexKind.TABLE, (tenant,), parts, "deployment_key", "container_task")
    queue = Index("work_queue", IndexKind.LOCAL, (tenant,), (due,), "deployment_key", "next_available_at")
    return Collection(name, name, name, name, key, (queue,), settings or Settings())


def key(task: str = "t1", container: str = "c1", tenant: str = "d1") -> Key:
    return Key((tenant, container, task))


def document(task: str = "t1", container: str = "c1", tenant: str = "d1", **fields: Any) -> Document:
    identity = f"{tenant}/{container}/{task}"
    named = {"_id": identity, "deployment_key": tenant, "container": container, "task": task}
    return Document(named | fields)


def record(document: Document | None, version: Version = VERSION, op: bytes = OP) -> Record:
    deleted = 1_500_000_000_000 if document is None else None
    return Record(key(), version, op, (OTHER_OP, op), document, deleted)


def raw(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


KEY_ELEMENTS = bson.encode(document().fields)[4:-1]

EXOTIC = {
    "undefined": raw(KEY_ELEMENTS, b"\x06u\0"),
    "symbol": raw(KEY_ELEMENTS, b"\x0es\0\x02\0\0\0a\0"),
    "dbpointer": raw(KEY_ELEMENTS, b"\x0cp\0\x02\0\0\0a\0", bytes(12)),
    "duplicate names": raw(KEY_ELEMENTS, b"\x10d\0\x01\0\0\0", b"\x10d\0\x02\0\0\0"),
    "invalid UTF-8": raw(KEY_ELEMENTS, b"\x02b\0\x03\0\0\0\xff\xfe\0"),
    "invalid UTF-8 in a name": raw(KEY_ELEMENTS, b"\x10\xff\xfe\0\x01\0\0\0"),
    "array index out of order": raw(KEY_ELEMENTS, b"\x04a\0" + raw(b"\x107\0\x05\0\0\0")),
    "a reserved name twice": raw(KEY_ELEMENTS, b"\x10_cf\0\x01\0\0\0", b"\x10_cf\0\x02\0\0\0"),
}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1).map(Int64),
    st.floats(),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.binary(max_size=8),
    st.binary(min_size=16, max_size=16).map(lambda data: Binary(data, 4)),
    st.integers(-(2**60), 2**60).map(DatetimeMS),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.decimals(places=2, min_value=-1000, max_value=1000).map(lambda number: Decimal128(number)),
    st.sampled_from([MinKey(), MaxKey(), Regex("^a", "i"), Code("f()"), Timestamp(1, 2)]),
)
names = st.one_of(
    st.sampled_from(["_cf", "__cf", "___cf", "_cff", "cf", "a", "$x", "a.b", "", "_id_"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
user_fields = st.dictionaries(names, values, max_size=5)
