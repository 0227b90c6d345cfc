"""Which updates cannot take a document over DynamoDB's limits, told from the update alone.

A bound on what the operators add, for a document of at most half the limit. When in doubt it says no; the
caller then computes the result and checks that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import bson

from proxy.core.collection import Collection, FieldType, Index, KeyField
from proxy.core.document import OPTIONS, Value
from proxy.core.keys import typed
from proxy.core.update import (
    AddToSet,
    CurrentDate,
    Inc,
    Max,
    Min,
    Operator,
    Push,
    Rename,
    Set,
    SetOnInsert,
    Unset,
    Update,
)

ROOM = 16_384
"""Bytes of BSON that an update may add: with eight times that a document of half the limit stays in it."""

DEEPEST = 50
"""Levels that an update may reach: far from the limit for documents as well as for what is set in them."""

_NARROW = (int, float, bool, type(None))
_NARROWEST = 16  # bytes of BSON that no value of those types exceeds, a document around it included

_PADDING = 5  # bytes of a null that an index beyond an array's end creates


class Widening:
    """Judges the updates of one collection."""

    def __init__(self, collection: Collection) -> None:
        self._keys = {field.name for field in collection.key_fields}
        self._indexed = {field.name: field for field in collection.typed_fields}
        self._composed = _composed(collection)

    def is_bounded(self, update: Update) -> bool:
        """True when the result of the update on a document of half the limit is within all limits."""
        return sum(map(_added, update)) <= ROOM and all(map(self._is_harmless, update))

    def _is_harmless(self, operator: Operator) -> bool:
        """Whether it neither nests too deep nor gives a key or index field a value it cannot have."""
        if max(_depth(value) for value in _operands(operator)) + operator.path.count(".") > DEEPEST:
            return False
        target = operator.new_path if isinstance(operator, Rename) else operator.path
        if isinstance(operator, Rename) and operator.path.partition(".")[0] in self._keys:
            return False
        root, _, rest = target.partition(".")
        if root not in self._indexed:
            return True
        return root not in self._keys and not rest and self._suits(self._indexed[root], operator)

    def _suits(self, field: KeyField, operator: Operator) -> bool:
        if isinstance(operator, Unset):
            return True
        if isinstance(operator, CurrentDate):
            return field.type is FieldType.DATE and not operator.as_timestamp
        if isinstance(operator, Inc):
            return field.type is FieldType.NUMBER and _is_moderate(operator.amount)
        if isinstance(operator, Set | SetOnInsert | Min | Max):
            return typed(field.type, operator.value) is not None and self._is_short(field, operator.value)
        return False

    def _is_short(self, field: KeyField, value: Value) -> bool:
        """A string next to others in one key may be too long with them."""
        return field.type is not FieldType.STRING or (field.name not in self._composed and len(value) < 250)


def _composed(collection: Collection) -> set[str]:
    indexes: Iterable[Index] = (collection.key, *collection.indexes)
    parts = [part for index in indexes for part in (index.partition, index.sort)]
    return {field.name for part in parts if len(part) > 1 for field in part}


def _added(operator: Operator) -> int:
    """BSON bytes that an operator can add, roughly: its paths, its values, and what they pad arrays with."""
    added = sum(map(_size, _operands(operator)))
    for path in (operator.path, operator.new_path) if isinstance(operator, Rename) else (operator.path,):
        steps = [step for step in path.split(".") if step.isascii() and step.isdigit()]
        added += len(path) * 4 + 16 + sum(map(int, steps)) * _PADDING
    return added


def _operands(operator: Operator) -> tuple[Value, ...]:
    """The values that the operator puts into the document; those it only compares with put nothing."""
    if isinstance(operator, Push | AddToSet):
        return (*operator.values, None)
    if isinstance(operator, Set | SetOnInsert | Min | Max):
        return (operator.value,)
    return (None,)


def _size(value: Value) -> int:
    if type(value) in _NARROW:
        return _NARROWEST
    if type(value) is str:
        return _NARROWEST + 4 * len(value)
    return len(bson.encode({"": value}, codec_options=OPTIONS))


def _depth(value: Value) -> int:
    if isinstance(value, Mapping):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _is_moderate(amount: Value) -> bool:
    """A number whose sum with an indexed number is one that an index can hold."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return False
    return isinstance(amount, int) or not amount or 1e-100 <= abs(amount) <= 1e100
