"""What a filter says of one declared field: everything here is implied by the filter, nothing is guessed.

Only the conditions that every selected document must satisfy are read; the field has its declared type in
every document that has it at all, as the limits enforce. An operand of another type narrows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TypeAlias

from proxy.core.collection import Collection, FieldType, Index, KeyField
from proxy.core.document import Value
from proxy.core.filter import Comparator, Compare, Filter, In, Prefix
from proxy.core.keys import conjuncts, typed
from proxy.core.ordering import BOOL, DATE, NUMBER, OBJECT_ID, STRING, rank
from proxy.core.query import Bound


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The values left to a field: one (`equal`), those within bounds, those that begin with `text`.

    `is_present`: a selected document has the field, of its declared type. `is_mistyped`: some operand is not
    of the declared type. Values are normalised; None where nothing is known.
    """

    equal: Value = None
    lower: Bound | None = None
    upper: Bound | None = None
    text: str | None = None
    is_present: bool = False
    is_mistyped: bool = False


Knowledge: TypeAlias = Mapping[str, Narrowing]
"""What a filter says of every declared field, by name."""


def know(collection: Collection, filter: Filter) -> Knowledge:
    """What a filter says of the collection's key and index fields."""
    conditions = list(conjuncts(filter))
    return {field.name: narrow(field, conditions) for field in collection.typed_fields}


def fixed(fields: Sequence[KeyField], known: Knowledge) -> tuple[Value, ...]:
    """The values of the leading fields that the filter demands to be equal to one."""
    equal = [known[field.name].equal for field in fields]
    return tuple(takewhile(lambda value: value is not None, equal))


def lacking(collection: Collection, index: Index, known: Knowledge) -> list[str]:
    """The fields of an index that a selected document may be without, and so not be in the index."""
    always = {field.name for field in collection.key_fields}
    names = [field.name for field in index.fields if field.name not in always]
    return [name for name in names if not known[name].is_present]


def narrow(field: KeyField, conditions: Iterable[Filter]) -> Narrowing:
    """What conditions that all hold say of a field."""
    known = Narrowing()
    for condition in conditions:
        if isinstance(condition, Compare | In | Prefix) and condition.path == field.name:
            known = _learn(known, field.type, condition)
    return known


def _learn(known: Narrowing, kind: FieldType, condition: Compare | In | Prefix) -> Narrowing:
    if isinstance(condition, Prefix):
        return _learn_prefix(known, kind, condition.text)
    if isinstance(condition, In):
        return _learn_in(known, kind, condition.values)
    if condition.comparator is Comparator.NE:
        return known
    if rank(condition.value) != _BRACKETS[kind]:
        return replace(known, is_mistyped=True)
    known = replace(known, is_present=True)
    value = typed(kind, condition.value)
    return known if value is None else _LEARN[condition.comparator](known, value)


def _learn_prefix(known: Narrowing, kind: FieldType, text: str) -> Narrowing:
    if kind is not FieldType.STRING:
        return replace(known, is_mistyped=True)
    return replace(known, is_present=True, text=text if known.text is None else known.text)


def _learn_in(known: Narrowing, kind: FieldType, operands: Sequence[Value]) -> Narrowing:
    if any(rank(operand) != _BRACKETS[kind] for operand in operands):
        return replace(known, is_mistyped=True)
    known = replace(known, is_present=True)
    values = [value for value in (typed(kind, operand) for operand in operands) if value is not None]
    if len(set(values)) == 1:
        return _learn_equal(known, values[0])
    if not values:
        return known
    return _raise_lower(_drop_upper(known, Bound(max(values), True)), Bound(min(values), True))


def _learn_equal(known: Narrowing, value: Value) -> Narrowing:
    return known if known.equal is not None else replace(known, equal=value)


def _raise_lower(known: Narrowing, bound: Bound) -> Narrowing:
    """Keep the narrower of two lower bounds."""
    if known.lower and (known.lower.value, not known.lower.inclusive) >= (bound.value, not bound.inclusive):
        return known
    return replace(known, lower=bound)


def _drop_upper(known: Narrowing, bound: Bound) -> Narrowing:
    """Keep the narrower of two upper bounds."""
    if known.upper and (known.upper.value, known.upper.inclusive) <= (bound.value, bound.inclusive):
        return known
    return replace(known, upper=bound)


_LEARN: dict[Comparator, Callable[[Narrowing, Value], Narrowing]] = {
    Comparator.EQ: _learn_equal,
    Comparator.GT: lambda known, value: _raise_lower(known, Bound(value, False)),
    Comparator.GTE: lambda known, value: _raise_lower(known, Bound(value, True)),
    Comparator.LT: lambda known, value: _drop_upper(known, Bound(value, False)),
    Comparator.LTE: lambda known, value: _drop_upper(known, Bound(value, True)),
}

_BRACKETS = {
    FieldType.STRING: STRING,
    FieldType.NUMBER: NUMBER,
    FieldType.DATE: DATE,
    FieldType.OBJECT_ID: OBJECT_ID,
    FieldType.BOOL: BOOL,
}
