"""How recorded calls would be served by a proposed collection: asked of the proxy's own planner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from proxy.core.collection import Collection, FieldType, IndexKind
from proxy.core.errors import BadRequest, Refused
from proxy.core.filter import And, Comparator, Compare, Filter
from proxy.core.planner import plan
from proxy.core.query import Order
from proxy.core.survey import Calls, Shape, Shapes


class Served(Enum):
    """From the cheapest to what is not served at all."""

    ONE = "one item by its key"
    TABLE = "a query of the table"
    LOCAL = "a query of a local index"
    GLOBAL = "a query of a global index"
    REFUSED = "refused: no index"
    UNSUPPORTED = "not supported"


@dataclass(frozen=True, slots=True)
class CallFate:
    """One shape, how often it was seen, how it is served, by which index, and what to know about that."""

    shape: Shape
    calls: Calls
    served: Served
    index: str = ""
    note: str = ""


_WRITES_ONE = frozenset({"update", "delete"})
_EXAMPLES: dict[FieldType, Any] = {
    FieldType.STRING: "x",
    FieldType.NUMBER: 1,
    FieldType.DATE: DatetimeMS(0),
    FieldType.OBJECT_ID: ObjectId("000000000000000000000000"),
    FieldType.BOOL: True,
}


def fates_of(collection: Collection | None, shapes: Shapes) -> tuple[CallFate, ...]:
    """Every shape, the most frequent first. Without a collection nothing is served."""
    ordered = sorted(shapes.items(), key=lambda entry: (-entry[1].count, repr(entry[0])))
    return tuple(_fate(collection, shape, calls) for shape, calls in ordered)


def described(shape: Shape) -> str:
    """A shape in words: `find deployment_key =, next_available_at in bounds, sorted by next_available_at`."""
    parts = [f"{name} =" for name in shape.equal]
    parts += [f"{name} in bounds" for name in shape.ranged]
    parts += [name if name.startswith(("$", "(")) else f"{name} tested otherwise" for name in shape.other]
    parts += [f"sorted by {', '.join(name if way > 0 else f'-{name}' for name, way in shape.order)}"] * bool(
        shape.order
    )
    many = " many" if shape.is_multi else ""
    return f"{shape.verb}{many} {', '.join(parts)}".strip()


def _fate(collection: Collection | None, shape: Shape, calls: Calls) -> CallFate:
    if reason := _unsupported(shape):
        return CallFate(shape, calls, Served.UNSUPPORTED, note=reason)
    if shape.verb == "insert":
        return CallFate(shape, calls, Served.ONE, "key")
    if collection is None:
        return CallFate(shape, calls, Served.REFUSED, note="there is no key to serve it by")
    names = {field.name for field in collection.key_fields}
    if shape.verb in _WRITES_ONE and not names <= set(shape.equal):
        missing = ", ".join(sorted(names - set(shape.equal)))
        return CallFate(
            shape, calls, Served.UNSUPPORTED, note=f"a write must name the whole key: {missing} too"
        )
    return _planned(collection, shape, calls)


def _unsupported(shape: Shape) -> str:
    if shape.is_multi:
        return "a write of many documents: read their keys, then write each"
    if shape.verb in ("aggregate", "distinct"):
        return f"{shape.verb}: read the documents and compute in the service, or elsewhere"
    odd = [name for name in shape.other if name.startswith("$") and name not in ("$or", "$nor")]
    if odd and shape.verb != "aggregate":
        return f"the operator {odd[0]} of the whole query"
    return ""


def _planned(collection: Collection, shape: Shape, calls: Calls) -> CallFate:
    order = [Order(name, way > 0) for name, way in shape.order]
    try:
        found = plan(collection, And(tuple(_conditions(collection, shape))), order)
    except (BadRequest, Refused) as refused:
        return CallFate(shape, calls, Served.REFUSED, note=str(refused))
    assert found.index is not None  # no proposal allows scans
    if {field.name for field in collection.key_fields} <= set(shape.equal):
        return CallFate(shape, calls, Served.ONE, "key")
    served = {IndexKind.TABLE: Served.TABLE, IndexKind.LOCAL: Served.LOCAL, IndexKind.GLOBAL: Served.GLOBAL}
    return CallFate(
        shape,
        calls,
        served[found.index.kind],
        found.index.name,
        _caution(found.is_in_text_order, shape, found.index.kind),
    )


def _conditions(collection: Collection, shape: Shape) -> Iterator[Filter]:
    types = {field.name: field.type for field in collection.typed_fields}

    def example(name: str) -> Any:
        return _EXAMPLES[types.get(name, FieldType.STRING)]

    for name in shape.equal:
        yield Compare(name, Comparator.EQ, example(name))
    for name in shape.ranged:
        yield And(
            (Compare(name, Comparator.GTE, example(name)), Compare(name, Comparator.LTE, example(name)))
        )
    for name in shape.other:
        if not name.startswith(("$", "(")):
            yield Compare(name, Comparator.NE, example(name))


def _caution(is_in_text_order: bool, shape: Shape, kind: IndexKind) -> str:
    if kind is IndexKind.GLOBAL:
        return "late reads"
    if shape.verb == "count":
        return "counts by reading"
    return "" if is_in_text_order else "each page reads all that the query selects"


def share_by(fates: Sequence[CallFate]) -> dict[Served, float]:
    """The share of the recorded calls by how they are served."""
    total = sum(fate.calls.count for fate in fates)
    return {
        served: sum(fate.calls.count for fate in fates if fate.served is served) / total
        for served in Served
        if total
    }
