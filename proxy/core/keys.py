"""A key names one document in both stores: the normalised values of the collection's key fields.

Normalised means that values which MongoDB's unique index holds equal are one key: 1, 1.0 and Int64(1) are.
Booleans are not numbers. Numbers that DynamoDB cannot hold (NaN, infinities, magnitudes outside 1e-130 to
1e126) and dates outside the years 1 to 9999 are refused in keys and indexes.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from proxy.core.collection import Collection, FieldType, Index, KeyField
from proxy.core.document import Fields, Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import And, Comparator, Compare, Filter
from proxy.core.keytext import SORT_LIMIT, encode_partition, encode_sort


@dataclass(frozen=True, slots=True)
class Key:
    """The values of a collection's key fields, partition fields first, in declared order. Hashable."""

    values: tuple[Value, ...]


_INT64 = range(-(2**63), 2**63)
_SMALLEST, _LARGEST = 1e-130, 1e126
_DATES = range(-62_135_596_800_000, 253_402_300_800_000)


def typed(kind: FieldType, value: Value) -> Value:
    """The normal form of a value of a declared type, or None when it is not of that type or not storable."""
    return _NORMALISERS[kind](value)


def key_of(collection: Collection, fields: Mapping[str, Value]) -> Key:
    """The key in a document's fields.

    Raises BadRequest (KEY_FIELD_MISSING, KEY_FIELD_TYPE, KEY_TOO_LONG) naming the field.
    """
    return checked_key(collection, [_key_value(field, fields) for field in collection.key_fields])


def checked_key(collection: Collection, values: Iterable[Value]) -> Key:
    """The key of normalised values, within DynamoDB's lengths. Raises BadRequest (KEY_TOO_LONG)."""
    key = Key(tuple(values))
    if _is_surely_short(key.values):
        return key
    partition, sort = split_key(collection, key)
    encode_partition(collection.key, partition)
    if sort:
        encode_sort(collection.key, sort)
    return key


def _is_surely_short(values: tuple[Value, ...]) -> bool:
    """True for the keys that nearly all documents have: their texts need not be made to be measured.

    A character takes four bytes at most, escaped ones two, and a component three more for its escapes.
    """
    length = len(values)
    for value in values:
        if type(value) is not str:
            return False
        length += len(value)
    return length <= SORT_LIMIT // 4


def split_key(collection: Collection, key: Key) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """The key's partition values and sort values."""
    width = len(collection.key.partition)
    return key.values[:width], key.values[width:]


def fields_of(collection: Collection, key: Key) -> Fields:
    """The key as fields of a document, by name, in declared order."""
    names = (field.name for field in collection.key_fields)
    return dict(zip(names, key.values, strict=True))


def index_values(index: Index, fields: Mapping[str, Value]) -> tuple[Value, ...] | None:
    """The normalised values of an index's fields; None when one is absent, so that the index leaves it out.

    Raises BadRequest (INDEX_FIELD_TYPE) naming the field where a value is present but not of the declared
    type: DynamoDB refuses such an item altogether.
    """
    present = [field for field in index.fields if field.name in fields]
    values = [_index_value(index, field, fields[field.name]) for field in present]
    return tuple(values) if len(present) == len(index.fields) else None


def split_filter(collection: Collection, filter: Filter) -> tuple[Key | None, Filter]:
    """The key that a filter's equalities name, and the rest of the filter, which is then a precondition.

    None and the whole filter when a key field has no equality with a value of its type. Raises BadRequest
    (KEY_TOO_LONG).
    """
    rest = list(conjuncts(filter))
    values = [_take_equality(rest, field) for field in collection.key_fields]
    if any(value is None for value in values):
        return None, filter
    return checked_key(collection, values), rest[0] if len(rest) == 1 else And(tuple(rest))


def conjuncts(filter: Filter) -> Iterator[Filter]:
    """The conditions that a document must satisfy all of: nested `And`s flattened."""
    if isinstance(filter, And):
        for inner in filter.filters:
            yield from conjuncts(inner)
    else:
        yield filter


def equal_value(condition: Filter, path: str) -> Value:
    """What a condition demands a path to be equal to; None when it is no such condition."""
    if isinstance(condition, Compare) and condition.comparator is Comparator.EQ and condition.path == path:
        return condition.value
    return None


def _key_value(field: KeyField, fields: Mapping[str, Value]) -> Value:
    if field.name not in fields:
        message = f"the key field {field.name} is missing"
        raise BadRequest(message, Reason.KEY_FIELD_MISSING, field=field.name)
    value = typed(field.type, fields[field.name])
    if value is None:
        message = f"the key field {field.name} must be a {field.type.value}{_but(fields[field.name])}"
        raise BadRequest(message, Reason.KEY_FIELD_TYPE, field=field.name)
    return value


def _index_value(index: Index, field: KeyField, given: Value) -> Value:
    value = typed(field.type, given)
    if value is None:
        message = (
            f"the field {field.name} of the index {index.name} must be a {field.type.value}{_but(given)};"
            " leave it out to keep the document out of the index"
        )
        raise BadRequest(message, Reason.INDEX_FIELD_TYPE, field=field.name)
    return value


def _but(given: Value) -> str:
    if isinstance(given, str) and not isinstance(given, Code):
        return ", and this text is not valid Unicode"
    if isinstance(given, int | float | DatetimeMS) and not isinstance(given, bool):
        return f" that DynamoDB can hold in a key, and it is {given}"
    return f", and it is a {type(given).__name__}"


def _take_equality(rest: list[Filter], field: KeyField) -> Value:
    for place, condition in enumerate(rest):
        value = typed(field.type, equal_value(condition, field.name))
        if value is not None:
            del rest[place]
            return value
    return None


def _string(value: Value) -> str | None:
    if not isinstance(value, str) or isinstance(value, Code):
        return None
    return str(value) if value.isascii() or _is_utf8(value) else None


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _number(value: Value) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value):
        return None
    if isinstance(value, int) or (value.is_integer() and int(value) in _INT64):
        return int(value) if int(value) in _INT64 else None
    return value if _SMALLEST <= abs(value) < _LARGEST else None


def _date(value: Value) -> DatetimeMS | None:
    if not isinstance(value, DatetimeMS | datetime.datetime):
        return None
    date = DatetimeMS(value) if isinstance(value, datetime.datetime) else value
    return date if int(date) in _DATES else None


_NORMALISERS: dict[FieldType, Callable[[Value], Value]] = {
    FieldType.STRING: _string,
    FieldType.NUMBER: _number,
    FieldType.DATE: _date,
    FieldType.OBJECT_ID: lambda value: value if isinstance(value, ObjectId) else None,
    FieldType.BOOL: lambda value: value if isinstance(value, bool) else None,
}
