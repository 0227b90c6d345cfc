"""Collections, documents and filters to plan with, and what DynamoDB would make of a plan."""

from __future__ import annotations

from decimal import Decimal

from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import strategies as st

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField, Settings
from proxy.core.document import Fields, Value
from proxy.core.filter import And, Comparator, Compare, Exists, Filter, In, Not, Or, Prefix
from proxy.core.keyrange import KeyRange, key_range
from proxy.core.keys import index_values, key_of
from proxy.core.keytext import KeyText, encode_partition, encode_sort
from proxy.core.matching import matches
from proxy.core.ordering import sort_key
from proxy.core.query import Order, Plan

DEPLOYMENT, CONTAINER, NAME = (
    KeyField(name) for name in ("deployment_key", "webtask_container", "webtask_name")
)
DUE = KeyField("next_available_at", FieldType.NUMBER)
STATE = KeyField("state")

KEY = Index("key", IndexKind.TABLE, (DEPLOYMENT,), (CONTAINER, NAME), "deployment_key", "container_name")
WORK_QUEUE = Index(
    "work_queue", IndexKind.LOCAL, (DEPLOYMENT,), (DUE,), "deployment_key", "next_available_at"
)
BY_STATE = Index("by_state", IndexKind.LOCAL, (DEPLOYMENT,), (STATE, DUE), "deployment_key", "state_due")
BY_NAME = Index("by_name", IndexKind.LOCAL, (DEPLOYMENT,), (NAME,), "deployment_key", "webtask_name")
ALL_DUE = Index("all_due", IndexKind.GLOBAL, (STATE,), (DUE,), "state", "next_available_at")


def cron_jobs(*indexes: Index, allow_scan: bool = False, allow_eventual: bool = False) -> Collection:
    settings = Settings(allow_scan=allow_scan, allow_eventual=allow_eventual)
    return Collection("cron_jobs", "extend", "cron_jobs", "cron_jobs", KEY, indexes, settings)


TEXTS = st.sampled_from(["", "a", "a-b", "a/b", "a~", "ab", "b", "~a", "\0"])
NUMBERS = st.sampled_from([-1, 0, -0.0, 0.5, 1, 1.0, Int64(1), 2, 2**53 + 1, float(2**53), 1e100])
ODD_OPERANDS: st.SearchStrategy[Value] = st.sampled_from(
    [None, True, "1", 3, float("nan"), float("inf"), 1e300, Decimal128("1"), []]
)
FEW = st.sampled_from(["", "a"])
_VALUES = {DEPLOYMENT: FEW, CONTAINER: TEXTS, NAME: TEXTS, DUE: NUMBERS, STATE: FEW}
FIELDS = list(_VALUES)


@st.composite
def documents(draw: st.DrawFn) -> Fields:
    """A document as the limits let it be: key fields present, index fields absent or of their type."""
    document = {field.name: draw(_VALUES[field]) for field in (DEPLOYMENT, CONTAINER, NAME)}
    if draw(st.booleans()):
        document[CONTAINER.name] = draw(FEW)
    document |= {field.name: draw(_VALUES[field]) for field in (DUE, STATE) if draw(st.booleans())}
    return document


@st.composite
def conditions(draw: st.DrawFn) -> Filter:
    field = draw(st.sampled_from([CONTAINER, NAME, DUE, STATE]))
    operands = _VALUES[field] if draw(st.integers(0, 4)) else ODD_OPERANDS
    kind = draw(st.sampled_from(["eq", "eq", "compare", "compare", "in", "prefix", "exists", "not", "or"]))
    if kind == "eq":
        return Compare(field.name, Comparator.EQ, draw(operands))
    if kind == "in":
        return In(field.name, tuple(draw(st.lists(operands, max_size=3))))
    if kind == "prefix":
        return Prefix(field.name, draw(TEXTS))
    if kind == "exists":
        return Exists(field.name, draw(st.booleans()))
    compare = Compare(field.name, draw(st.sampled_from(Comparator)), draw(operands))
    if kind == "not":
        return Not(compare)
    return Or((compare,)) if kind == "or" else compare


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """A conjunction; most fix the partition, so that an index has a chance."""
    parts = draw(st.lists(conditions(), min_size=1, max_size=3))
    if draw(st.integers(0, 9)):
        field = draw(st.sampled_from([DEPLOYMENT] * 4 + [STATE]))
        parts.insert(0, Compare(field.name, Comparator.EQ, draw(FEW)))
    if not draw(st.integers(0, 2)):
        parts.insert(0, Compare(CONTAINER.name, Comparator.EQ, draw(FEW)))
    if draw(st.booleans()) and len(parts) > 1:
        parts = [And(tuple(parts[:2])), *parts[2:]]
    return And(tuple(parts))


@st.composite
def orders(draw: st.DrawFn) -> list[Order]:
    """Mostly what some index might serve; now and then two directions at once."""
    paths = [draw(st.sampled_from([field.name for field in (DUE, CONTAINER, NAME, STATE)]))]
    paths += [field.name for field in (DUE, CONTAINER, NAME)][: draw(st.integers(0, 3))]
    ascending, steady = draw(st.booleans()), draw(st.integers(0, 3))
    return [Order(path, ascending if steady else draw(st.booleans())) for path in paths][
        draw(st.integers(0, 1)) :
    ]


def read_as_dynamodb(collection: Collection, documents: list[Fields], plan: Plan) -> list[Fields]:
    """The documents that DynamoDB would read for a plan, in the order of its texts if that is counted on."""
    if plan.index is None:
        found = list(documents)
    else:
        wanted = encode_partition(plan.index, plan.partition), key_range(plan)
        found = [fields for fields in documents if _is_read(plan.index, fields, *wanted)]
    if plan.index is not None and plan.index.sort and plan.is_in_text_order:
        index = plan.index
        found.sort(key=lambda fields: _key_rank(collection, fields), reverse=not plan.ascending)
        found.sort(key=lambda fields: _text_rank(index, fields), reverse=not plan.ascending)
    else:
        found.sort(key=lambda fields: _row_rank(collection, plan, fields), reverse=not plan.ascending)
    return [fields for fields in found if matches(plan.filter, fields)]


def read_by_force(documents: list[Fields], filter: Filter) -> list[Fields]:
    return [fields for fields in documents if matches(filter, fields)]


def row_values(collection: Collection, plan: Plan, fields: Fields) -> list[Value]:
    """What a plan promises to order a document by: the sort fields of the index, then the key."""
    sort = plan.index.sort if plan.index else ()
    return [fields[field.name] for field in (*sort, *collection.key_fields)]


def _row_rank(collection: Collection, plan: Plan, fields: Fields) -> list[object]:
    return [sort_key(value) for value in row_values(collection, plan, fields)]


def _key_rank(collection: Collection, fields: Fields) -> list[object]:
    return [sort_key(value) for value in key_of(collection, fields).values]


def _text_rank(index: Index, fields: Fields) -> bytes | int | Decimal:
    text = _sort_text(index, fields)
    return text.encode() if isinstance(text, str) else text


def _sort_text(index: Index, fields: Fields) -> KeyText:
    values = index_values(index, fields)
    assert values is not None
    return encode_sort(index, values[len(index.partition) :])


def _is_read(index: Index, fields: Fields, partition: KeyText, wanted: KeyRange) -> bool:
    values = index_values(index, fields)
    if values is None or encode_partition(index, values[: len(index.partition)]) != partition:
        return False
    return not index.sort or is_within(_sort_text(index, fields), wanted)


def is_within(text: KeyText, wanted: KeyRange) -> bool:
    """What DynamoDB's one sort condition would say."""
    if wanted.is_empty:
        return False
    if wanted.equal is not None:
        return text == wanted.equal
    if wanted.begins is not None:
        return str(text).startswith(wanted.begins)
    above = wanted.lower is None or wanted.lower <= text  # type: ignore[operator]
    return above and (wanted.upper is None or text <= wanted.upper)  # type: ignore[operator]
