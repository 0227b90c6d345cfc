"""A collection to send requests about, and documents of every BSON type."""

from __future__ import annotations

import struct

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import strategies as st

from crossfade.v1 import document_pb2
from proxy.api.translate.documents import write_document
from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField, Settings
from proxy.core.document import Document, Fields, Value

TENANT, NAME = KeyField("tenant"), KeyField("name")
DUE = KeyField("due", FieldType.NUMBER)
KEY = Index("key", IndexKind.TABLE, (TENANT,), (NAME,), "tenant", "name")
BY_DUE = Index("by_due", IndexKind.LOCAL, (TENANT,), (DUE,), "tenant", "due")
JOBS = Collection("jobs", "app", "jobs", "jobs", KEY, (BY_DUE,), Settings(shadow_rate=0.0))
NUMBERED = Collection(
    "numbered",
    "app",
    "numbered",
    "numbered",
    Index("key", IndexKind.TABLE, (KeyField("n", FieldType.NUMBER),), (), "n", None),
)

DOUBLES = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = TEXTS.filter(lambda text: "\0" not in text)
DECIMALS = st.binary(min_size=16, max_size=16).map(Decimal128.from_bid)
REGEXES = st.builds(Regex, NAMES, st.sets(st.sampled_from([2, 4, 8, 16, 32, 64])).map(sum))

SCALARS: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    DOUBLES,
    TEXTS,
    st.integers(-(2**63), 2**63 - 1).map(DatetimeMS),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.binary(max_size=20),
    st.builds(Binary, st.binary(max_size=20), st.integers(1, 255)),
    st.binary(min_size=16, max_size=16).map(lambda data: Binary(data, 4)),
    DECIMALS,
    REGEXES,
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    st.builds(Code, TEXTS),
    st.builds(Code, TEXTS, st.dictionaries(NAMES, st.integers(0, 9), max_size=2)),
    st.just(MinKey()),
    st.just(MaxKey()),
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
FIELDS: st.SearchStrategy[Fields] = st.dictionaries(NAMES, VALUES, max_size=8)


def message_of(fields: Fields) -> document_pb2.Document:
    """A document as a client sends it."""
    message = document_pb2.Document()
    write_document(message, Document(fields))
    return message
