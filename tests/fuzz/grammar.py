"""Requests of every kind from small pools, so that they meet each other: good ones, and what attackers try.

`{}` of a collection's name is left open: a request is made for one of the twins at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import strategies as st

from crossfade.v1 import document_pb2 as doc
from crossfade.v1 import storage_pb2 as pb
from proxy.api.translate.documents import write_document
from proxy.api.translate.values import write_value
from proxy.core.document import Document

M = TypeVar("M")
T = TypeVar("T")

WICKED = (
    *(
        "$where",
        "$gt",
        "$",
        "$$ROOT",
        "$function",
        "$set",
        "$ref",
        "$[]",
        "$expr",
        "a.$.b",
        "$a.b",
        "a.$where",
    ),
    *("_cf", "__cf", "_cf.e", "_ttl", "__ttl", "_types", "_cf.del", "_cf.op", "_cf.r", "_cf.t", "_id._cf"),
    *(
        "#n0",
        ":v0",
        "#0",
        ":0",
        "a.b",
        "a..b",
        ".",
        "..",
        "a.",
        ".a",
        "a[0]",
        "a[0].b",
        "`a`",
        "size",
        "name",
    ),
    *("", "\0", "a\0b", "é", "\U0001f600", "\uffff", " ", "x" * 300, "__proto__", "attribute_not_exists(a)"),
    *("a' OR '1'='1", "{$gt: ''}", "0", "-1", "00", "18446744073709551616", "~", "~0", "~1", "/", "a/b"),
)
"""Names, paths and texts that mean something to a store, to an expression or to an encoding of keys."""


def _plain(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Names that BSON itself can carry."""
    return strategy.filter(lambda name: "\0" not in name)


FIELDS = ("a", "b", "c", "due", "name", "tenant", "part", "area")
KEY = ("tenant", "area", "name", "part")
TENANTS = ("a", "a/b", "a~1b", "~", "$x")
AREAS = ("b", "b/c", "c", "/", "$where")
NAMES = ("n", "n/1", "~n", "$gt", "_cf")
PARTS = (0, 1, -1, 2**53)


@st.composite
def mostly(draw: st.DrawFn, good: st.SearchStrategy[T], odd: st.SearchStrategy[T], rate: int = 12) -> T:
    """Good ones, and an odd one in `rate`: a request of odd parts alone would be refused for the first."""
    return draw(good if draw(st.integers(1, rate)) < rate else odd)


wicked = st.sampled_from(WICKED)
names = mostly(st.sampled_from(FIELDS), wicked, 6)
paths = mostly(st.sampled_from(("a", "b", "c", "due", "a.b", "c.0", "c.0.b", "a.b.c")), wicked)
texts = st.sampled_from((*WICKED, "a", "ab", "b")) | st.text(max_size=5).filter(
    lambda text: text.isascii() or text.encode("utf-8", "ignore").decode() == text
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from((0, 1, -1, 2, 5, 2**31 - 1, Int64(1), Int64(2**62), 1.5, 0.0, 2.0, -1.0, 1e300)),
    st.sampled_from(
        (float("nan"), float("inf"), -0.0, Decimal128("1.0"), Decimal128("NaN"), Decimal128("2"))
    ),
    texts,
    st.sampled_from((b"", b"a", Binary(b"a", 5), Binary(b"\1" * 16, 4), Regex("a"), Regex("^", "i"))),
    st.sampled_from((DatetimeMS(0), DatetimeMS(2**40), ObjectId("f" * 24), Timestamp(1, 1))),
    st.sampled_from((MinKey(), MaxKey(), Code("while(1){}"), Code("this.a", {"a": 1}))),
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_plain(names), inner, max_size=3),
    max_leaves=6,
)


def value_of(value: Any) -> doc.Value:
    message = doc.Value()
    write_value(message, value)
    return message


def document_of(fields: dict[str, Any]) -> doc.Document:
    message = doc.Document()
    write_document(message, Document(fields))
    return message


def optional(strategy: st.SearchStrategy[M]) -> st.SearchStrategy[M | None]:
    return st.none() | strategy


value_messages = mostly(
    values.map(value_of),
    st.sampled_from(
        (
            doc.Value(),
            doc.Value(object_id_value=b"1"),
            doc.Value(decimal_value="x"),
            doc.Value(bson_value=b"junk"),
        )
    ),
    30,
)

keys = st.fixed_dictionaries(
    {
        "tenant": st.sampled_from(TENANTS),
        "area": st.sampled_from(AREAS),
        "name": st.sampled_from(NAMES),
        "part": st.sampled_from(PARTS),
    }
)
odd_keys = st.dictionaries(_plain(names), scalars, max_size=5)
key_messages = mostly(keys, odd_keys).map(document_of)


@st.composite
def documents(draw: st.DrawFn) -> doc.Document:
    """A document that has its key most of the time; now and then what none has."""
    fields = draw(keys) if draw(st.integers(0, 14)) else {}
    more = mostly(st.sampled_from(("a", "b", "c", "due")), wicked).filter(lambda name: "\0" not in name)
    fields |= draw(st.dictionaries(more, values, max_size=4))
    if isinstance(fields.get("due"), str) or draw(st.booleans()):
        fields["due"] = draw(st.integers(0, 3))
    if draw(st.booleans()):
        fields["_id"] = repr([fields.get(name) for name in KEY])  # only MongoDB has it unique by itself
    message = document_of(fields)
    if not draw(st.integers(0, 14)):
        message.fields.add(name=draw(names)).value.CopyFrom(draw(value_messages))
    if not draw(st.integers(0, 30)):
        message = doc.Document(bson=draw(st.binary(max_size=20)))
    return message


comparisons = st.builds(
    pb.Comparison,
    path=paths,
    operator=mostly(st.sampled_from((1, 1, 1, 2, 3, 4, 5, 6)), st.sampled_from((0, 77)), 30),
    value=value_messages,
)
leaves = mostly(
    st.one_of(
        comparisons.map(lambda one: pb.Filter(comparison=one)),
        st.builds(pb.In, path=paths, values=st.lists(value_messages, max_size=3)).map(
            lambda one: pb.Filter(in_values=one)
        ),
        st.builds(pb.Prefix, path=paths, prefix=texts).map(lambda one: pb.Filter(prefix=one)),
        st.builds(pb.Exists, path=paths, exists=st.booleans()).map(lambda one: pb.Filter(exists=one)),
        st.builds(pb.Contains, path=paths, value=value_messages).map(lambda one: pb.Filter(contains=one)),
    ),
    st.just(pb.Filter()),
    40,
)


def _list_of(kind: str) -> Callable[[list[pb.Filter]], pb.Filter]:
    return lambda inner: pb.Filter(**cast(Any, {kind: pb.FilterList(filters=inner)}))


filters: st.SearchStrategy[pb.Filter] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        *(st.lists(inner, max_size=3).map(_list_of(kind)) for kind in ("all_of", "any_of", "none_of"))
    ),
    max_leaves=4,
)


@st.composite
def partition_filters(draw: st.DrawFn) -> pb.Filter:
    """A filter that a query can be served by, and something on top."""
    fields = draw(keys)
    taken = ["tenant", "area", "name", "part"][: draw(st.integers(2, 4))]
    held = [equal(name, fields[name]) for name in taken]
    return pb.Filter(all_of=pb.FilterList(filters=[*held, *draw(st.lists(filters, max_size=2))]))


def equal(path: str, value: Any) -> pb.Filter:
    return pb.Filter(comparison=pb.Comparison(path=path, operator=pb.Comparison.EQ, value=value_of(value)))


operators = mostly(
    st.one_of(
        *(
            st.builds(pb.UpdateOperator, path=paths, **{kind: value_messages})
            for kind in ("set", "inc", "mul", "min", "max", "set_on_insert")
        ),
        st.builds(pb.UpdateOperator, path=paths, unset=st.just(pb.Unset())),
        st.builds(pb.UpdateOperator, path=paths, rename=paths),
        st.builds(
            pb.UpdateOperator,
            path=paths,
            push=st.builds(
                pb.Push,
                values=st.lists(value_messages, max_size=3),
                position=optional(st.integers(-2, 3)),
                slice=optional(st.integers(-2, 3)),
            ),
        ),
        st.builds(
            pb.UpdateOperator,
            path=paths,
            add_to_set=st.builds(pb.AddToSet, values=st.lists(value_messages, max_size=3)),
        ),
        st.builds(
            pb.UpdateOperator,
            path=paths,
            pull=st.builds(pb.Pull, values=st.lists(value_messages, max_size=2))
            | st.builds(pb.Pull, where=filters),
        ),
        st.builds(pb.UpdateOperator, path=paths, pop=st.builds(pb.Pop, end=st.sampled_from((0, 1, 2)))),
    ),
    st.just(pb.UpdateOperator(path="a")),
    40,
)
updates = st.builds(pb.Update, operators=st.lists(operators, max_size=3))
returns = mostly(st.sampled_from((0, 1, 2, 3, 4)), st.just(9), 40)
request_ids = mostly(st.sampled_from((b"", b"", b"1" * 16, b"2" * 16)), st.just(b"short"), 40)
directions = mostly(st.sampled_from((0, 1, 2)), st.just(5), 20)
order_paths = mostly(st.sampled_from(("due", "name")), st.sampled_from(("part", "a", "$natural", "_cf")))
orders = mostly(
    st.just([]), st.lists(st.builds(pb.Order, path=order_paths, direction=directions), max_size=2), 4
)

Make = Callable[[str], Any]
"""Makes a request for the collection of this name."""


def _for(kind: type[Any], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Make]:
    filled = st.fixed_dictionaries(parts)
    return filled.map(lambda given: lambda name: kind(collection=name, **given))


_target = {"key": mostly(key_messages, st.none()), "filter": mostly(st.none(), filters, 3)}
_write = {"return_document": returns, "request_id": request_ids}
etags = mostly(st.just(""), st.sampled_from(("junk", "AQID", "x" * 200)), 15)


@st.composite
def replacements(draw: st.DrawFn) -> Make:
    """Mostly of the key that the document has."""
    document, make = draw(documents()), draw(_for(pb.ReplaceRequest, **_target, **_write, etag=etags))
    upsert, same_key = draw(st.booleans()), draw(st.integers(0, 9)) > 0

    def request(name: str) -> pb.ReplaceRequest:
        made: pb.ReplaceRequest = make(name)
        made.document.CopyFrom(document)
        made.upsert = upsert
        if same_key and made.HasField("key"):
            fields = [one for one in document.fields if one.name in KEY]
            made.key.CopyFrom(doc.Document(fields=fields))
        return made

    return request


@st.composite
def batches(draw: st.DrawFn) -> Make:
    """Writes in turn; side by side only one, since nobody promises what comes of two then."""
    kinds = draw(st.lists(st.sampled_from(("insert", "replace", "update", "delete")), max_size=4))
    makes = [(kind, draw(requests[kind.capitalize()])) for kind in kinds]
    is_ordered = len(makes) != 1 or draw(st.booleans())
    is_named, is_empty = draw(st.booleans()), not draw(st.integers(0, 30))

    def request(name: str) -> pb.BatchWriteRequest:
        writes = [pb.Write(**cast(Any, {kind: make(name if is_named else "")})) for kind, make in makes]
        batch = pb.BatchWriteRequest(collection=name, writes=writes, ordered=is_ordered)
        if is_empty:
            batch.writes.add()
        return batch

    return request


requests: dict[str, st.SearchStrategy[Make]] = {
    "Get": _for(pb.GetRequest, **_target, order=orders),
    "BatchGet": _for(
        pb.BatchGetRequest, keys=mostly(st.lists(key_messages, min_size=1, max_size=4), st.just([]))
    ),
    "Query": _for(
        pb.QueryRequest,
        filter=mostly(partition_filters(), filters, 5),
        order=orders,
        page_size=mostly(st.sampled_from((0, 1, 2, 100)), st.just(-1), 20),
        page_token=mostly(st.just(""), st.sampled_from(("AQID", "junk", "x" * 500)), 15),
    ),
    "Count": _for(
        pb.CountRequest,
        filter=mostly(partition_filters(), filters, 5),
        limit=mostly(st.sampled_from((0, 1)), st.just(-1)),
    ),
    "Insert": _for(pb.InsertRequest, document=documents(), **_write),
    "Replace": replacements(),
    "Update": _for(pb.UpdateRequest, **_target, **_write, update=updates, etag=etags, upsert=st.booleans()),
    "FindOneAndUpdate": _for(
        pb.FindOneAndUpdateRequest,
        filter=mostly(partition_filters(), filters, 5),
        order=orders,
        update=updates,
        upsert=st.booleans(),
        **_write,
    ),
    "Delete": _for(pb.DeleteRequest, **_target, **_write, etag=etags),
}
requests["BatchWrite"] = batches()
"""Every method that both twins are asked alike."""

WRITES = frozenset(("Insert", "Replace", "Update", "FindOneAndUpdate", "Delete", "BatchWrite"))
