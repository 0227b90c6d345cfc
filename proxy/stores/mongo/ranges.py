"""A plan as a range of MongoDB index entries, so that every page reads exactly its part of one index.

A range is an index, an inclusive lower and an exclusive upper bound over all its fields. Bounds are not
typed: they hold whatever values documents have, and a position goes on behind any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.errors import OperationFailure

from proxy.core.collection import Collection, Index, KeyField
from proxy.core.deadline import milliseconds_left
from proxy.core.document import Value
from proxy.core.filter import Comparator, Compare, Filter, Prefix
from proxy.core.keys import Key, conjuncts, typed
from proxy.core.query import Plan, Position
from proxy.stores.mongo.access import Access, Held
from proxy.stores.mongo.codec import escape_name
from proxy.stores.mongo.expressions import LIVE, Query, all_of, query_of
from proxy.stores.mongo.failures import EMPTY_RANGE, Translated, code_of

_LOWEST, _HIGHEST = MinKey(), MaxKey()


def pattern(collection: Collection, index: Index) -> tuple[str, ...]:
    """The fields of an index in MongoDB: its own, then those of the key, so that no two entries tie."""
    fields = (*index.fields, *collection.key_fields)
    return tuple(dict.fromkeys(field.name for field in fields))


@dataclass(frozen=True, slots=True)
class Range:
    """Entries of an index in one direction: `lower` included, `upper` excluded; None leaves an end open."""

    names: tuple[str, ...]
    lower: tuple[Value, ...] | None
    upper: tuple[Value, ...] | None
    ascending: bool = True

    def cursor(
        self, documents: AsyncCollection[RawBSONDocument], query: Query, **options: Any
    ) -> AsyncCursor[RawBSONDocument]:
        """The documents of the range that the query selects, in order. No I/O yet."""
        stored = [escape_name(name) for name in self.names]
        direction = 1 if self.ascending else -1
        if self.lower is not None:
            options["min"] = dict(zip(stored, self.lower, strict=True))
        if self.upper is not None:
            options["max"] = dict(zip(stored, self.upper, strict=True))
        order = [(name, direction) for name in stored]
        return documents.find(query, sort=order, hint=[(name, 1) for name in stored], **options)

    def after(self, place: tuple[Value, ...]) -> Range:
        """What comes behind an entry; ascending, the entry itself is still in it."""
        return replace(self, lower=place) if self.ascending else replace(self, upper=place)

    def until(self, place: tuple[Value, ...]) -> Range:
        """What comes before an entry; descending, the entry itself is still in it."""
        return replace(self, upper=place) if self.ascending else replace(self, lower=place)


def is_point(collection: Collection, plan: Plan) -> bool:
    """True when the plan's equalities name one key."""
    return plan.index is not None and len(plan.partition + plan.sort_prefix) == len(
        pattern(collection, plan.index)
    )


def range_of(collection: Collection, plan: Plan) -> Range:
    """The entries that a plan reads. A point needs no bounds: its filter has them all."""
    names = pattern(collection, plan.index or collection.key)
    if plan.index is None or is_point(collection, plan):
        return Range(names, None, None, plan.ascending)
    leading = plan.partition + plan.sort_prefix
    lower = _filled(leading, *_lower_end(plan), len(names))
    upper = _filled(leading, *_upper_end(plan, is_last=len(leading) + 1 == len(names)), len(names))
    return Range(names, lower, upper, plan.ascending)


def place_of(collection: Collection, plan: Plan, position: Position) -> tuple[Value, ...]:
    """The index entry of a position."""
    index = plan.index or collection.key
    known = dict(zip((field.name for field in index.partition), plan.partition, strict=False))
    known |= zip((field.name for field in index.sort), position.sort_values, strict=False)
    known |= zip((field.name for field in collection.key_fields), position.key.values, strict=True)
    return tuple(known[name] for name in pattern(collection, index))


def position_of(plan: Plan, key: Key, fields: Mapping[str, Value]) -> Position:
    """Where a row stands in the plan's order."""
    if plan.index is None:
        return Position((), key)
    return Position(tuple(_sort_value(field, fields.get(field.name)) for field in plan.index.sort), key)


def reads_only_matches(plan: Plan) -> bool:
    """True when every live document in the plan's range satisfies its filter: reading one finds one."""
    return plan.index is not None and all(_is_in_range(plan, part) for part in conjuncts(plan.filter))


async def first_documents(access: Access, plan: Plan, limit: int) -> list[Held]:
    """The newest state of the first documents of a plan, for a compare-and-set."""
    query = all_of(query_of(plan.filter), LIVE)
    cursor = range_of(access.collection, plan).cursor(access.newest, query, limit=limit)
    return [Held(access.codec.decode(raw), raw) for raw in await fetch(cursor)]


async def fetch(cursor: AsyncCursor[RawBSONDocument]) -> list[RawBSONDocument]:
    """All documents of a cursor, within the deadline of the call; an empty range, which MongoDB refuses, has
    none."""
    cursor.max_time_ms(milliseconds_left())
    with Translated():
        try:
            return await cursor.to_list()
        except OperationFailure as error:
            if code_of(error) != EMPTY_RANGE:
                raise
            return []


End: TypeAlias = tuple[tuple[Value, ...], MinKey | MaxKey]
"""The value of the field behind the leading ones, if any, and what fills up the fields after it."""


def _filled(
    leading: tuple[Value, ...], values: tuple[Value, ...], filler: Value, width: int
) -> tuple[Value, ...]:
    known = leading + values
    return known + (filler,) * (width - len(known))


def _lower_end(plan: Plan) -> End:
    if plan.text_prefix is not None:
        return (plan.text_prefix,), _LOWEST
    if plan.lower is not None:
        return (plan.lower.value,), _LOWEST if plan.lower.inclusive else _HIGHEST
    return (() if plan.upper is None else (_smallest_like(plan.upper.value),)), _LOWEST


def _upper_end(plan: Plan, *, is_last: bool) -> End:
    if plan.text_prefix is not None:
        beyond = _text_beyond(plan.text_prefix)
        return ((), _HIGHEST) if beyond is None else ((beyond,), _LOWEST)
    if plan.upper is not None and plan.upper.inclusive and is_last:
        return (_just_above(plan.upper.value),), _HIGHEST
    if plan.upper is not None:
        return (plan.upper.value,), _HIGHEST if plan.upper.inclusive else _LOWEST
    return (), _HIGHEST


def _smallest_like(value: Value) -> Value:
    """The smallest value in the type bracket of an upper bound: a range finds no other types."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return float("-inf")
    if isinstance(value, str):
        return ""
    if isinstance(value, DatetimeMS):
        return DatetimeMS(-(2**63))
    return ObjectId(bytes(12)) if isinstance(value, ObjectId) else _LOWEST


def _just_above(value: Value) -> Value:
    """A value above another, with nothing of its type between them: an inclusive bound made exclusive."""
    if isinstance(value, str):
        return value + "\0"
    if isinstance(value, bool):
        return _HIGHEST if value else True
    if isinstance(value, int) and abs(value) >= 2**53:
        return Int64(value + 1) if value < 2**63 - 1 else _HIGHEST
    if isinstance(value, int | float):
        return math.nextafter(value, math.inf)
    if isinstance(value, DatetimeMS):
        return DatetimeMS(int(value) + 1)
    return _HIGHEST if not isinstance(value, ObjectId) else _next_object_id(value)


def _next_object_id(value: ObjectId) -> Value:
    following = int.from_bytes(value.binary, "big") + 1
    return ObjectId(following.to_bytes(12, "big")) if following < 2**96 else _HIGHEST


def _text_beyond(prefix: str) -> str | None:
    """The smallest text above all that begin with `prefix`; None if there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)  # no surrogates in UTF-8


def _sort_value(field: KeyField, value: Value) -> Value:
    normal = typed(field.type, value)
    return value if normal is None else normal


def _is_in_range(plan: Plan, condition: Filter) -> bool:
    """Whether the bounds of the plan's range are all that this condition asks."""
    assert plan.index is not None
    if not isinstance(condition, Compare | Prefix):
        return False
    names = [field.name for field in plan.index.fields]
    fixed = names[: len(plan.partition) + len(plan.sort_prefix)]
    if isinstance(condition, Compare) and condition.comparator is Comparator.EQ:
        return condition.path in fixed
    is_next = names[len(fixed) : len(fixed) + 1] == [condition.path]
    if isinstance(condition, Prefix):
        return is_next and condition.text == plan.text_prefix
    bounded = plan.text_prefix is None and (plan.lower or plan.upper) is not None
    return is_next and bounded and condition.comparator is not Comparator.NE
