"""BSON's total order of values, as MongoDB 6.0 sorts and compares them without a collation.

Invariants: `compare` is antisymmetric and total over the value model; numbers of all types compare by their
exact value; NaN equals NaN and is less than every other number; -0.0 equals 0. Documents compare field by
field in stored order, by type, then name, then value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import cmp_to_key
from typing import Any, Final

from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

from proxy.core.document import Value


class Missing(Enum):
    """The one value of a field that is not there: like null, but less than it."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

MIN_KEY, ABSENT, NULL, NUMBER, STRING, OBJECT, ARRAY, BINARY, OBJECT_ID, BOOL, DATE, TIMESTAMP = range(12)
REGEX, CODE, CODE_WITH_SCOPE, MAX_KEY = range(12, 16)
"""The brackets that MongoDB sorts types into, in order."""

_RANKS: dict[type, int] = {
    MinKey: MIN_KEY,
    Missing: ABSENT,
    type(None): NULL,
    int: NUMBER,
    Int64: NUMBER,
    float: NUMBER,
    Decimal128: NUMBER,
    str: STRING,
    dict: OBJECT,
    DBRef: OBJECT,
    list: ARRAY,
    bytes: BINARY,
    Binary: BINARY,
    ObjectId: OBJECT_ID,
    bool: BOOL,
    DatetimeMS: DATE,
    Timestamp: TIMESTAMP,
    Regex: REGEX,
    MaxKey: MAX_KEY,
}
_OLD_BINARY = 2
_FLAGS = ((re.I, "i"), (re.L, "l"), (re.M, "m"), (re.S, "s"), (re.U, "u"), (re.X, "x"))


def rank(value: Value) -> int:
    """The bracket of a value's type: no value equals one of another bracket, or is in its ranges."""
    found = _RANKS.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Code):
        return CODE if value.scope is None else CODE_WITH_SCOPE
    raise TypeError(f"{type(value).__name__} is not a BSON value of the value model")


def compare(left: Value, right: Value) -> int:
    """Negative, zero or positive, as `left` sorts before, with or after `right`."""
    bracket = rank(left)
    difference = bracket - rank(right)
    return difference or _COMPARISONS[bracket](left, right)


def equal(left: Value, right: Value) -> bool:
    """Whether MongoDB holds the values to be equal: 1 and 1.0 are, {x, y} and {y, x} are not."""
    if type(left) is type(right) is str:
        return bool(left == right)
    return compare(left, right) == 0


sort_key = cmp_to_key(compare)
"""A key for `sorted` that orders as `compare` does."""


def is_nan(value: Value) -> bool:
    """Whether a value is one of the numbers that are none."""
    if isinstance(value, Decimal128):
        return bool(value.to_decimal().is_nan())
    return isinstance(value, float) and value != value


def _three_way(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _numbers(left: Any, right: Any) -> int:
    if isinstance(left, Decimal128) or isinstance(right, Decimal128):
        return _with_decimal(left, right)
    if left == right:
        return 0
    if left < right:
        return -1
    return 1 if left > right else _with_nan(left, right)


def _with_nan(left: Any, right: Any) -> int:
    return int(is_nan(right)) - int(is_nan(left))


def _with_decimal(left: Any, right: Any) -> int:
    if is_nan(left) or is_nan(right):
        return _with_nan(left, right)
    return _three_way(_exact(left), _exact(right))


def _exact(number: Any) -> Decimal:
    return number.to_decimal() if isinstance(number, Decimal128) else Decimal(number)


def _objects(left: Any, right: Any) -> int:
    left, right = _plain(left), _plain(right)
    for (left_name, left_value), (right_name, right_value) in zip(left.items(), right.items(), strict=False):
        found = (
            rank(left_value) - rank(right_value)
            or _three_way(left_name, right_name)
            or compare(left_value, right_value)
        )
        if found:
            return found
    return len(left) - len(right)


def _plain(value: Any) -> Mapping[str, Value]:
    document: Mapping[str, Value] = value.as_doc() if isinstance(value, DBRef) else value
    return document


def _arrays(left: Any, right: Any) -> int:
    for left_element, right_element in zip(left, right, strict=False):
        found = compare(left_element, right_element)
        if found:
            return found
    return len(left) - len(right)


def _binaries(left: Any, right: Any) -> int:
    return _three_way(_binary_key(left), _binary_key(right))


def _binary_key(value: bytes) -> tuple[int, int, bytes]:
    """Length, subtype, bytes; the old subtype 2 stores its length a second time."""
    subtype = value.subtype if isinstance(value, Binary) else 0
    return len(value) + 4 * (subtype == _OLD_BINARY), subtype, bytes(value)


def _dates(left: Any, right: Any) -> int:
    return _three_way(int(left), int(right))


def _timestamps(left: Any, right: Any) -> int:
    return _three_way((left.time, left.inc), (right.time, right.inc))


def _regexes(left: Any, right: Any) -> int:
    return _three_way(_regex_key(left), _regex_key(right))


def _regex_key(value: Any) -> tuple[bytes, str]:
    pattern = value.pattern if isinstance(value.pattern, bytes) else value.pattern.encode()
    return pattern, "".join(letter for flag, letter in _FLAGS if value.flags & flag)


def _codes(left: Any, right: Any) -> int:
    return _three_way(str(left), str(right))


def _scoped_codes(left: Any, right: Any) -> int:
    return _codes(left, right) or _objects(left.scope, right.scope)


def _alike(left: Any, right: Any) -> int:
    return 0


_COMPARISONS: tuple[Callable[[Any, Any], int], ...] = (
    _alike,
    _alike,
    _alike,
    _numbers,
    _three_way,
    _objects,
    _arrays,
    _binaries,
    _three_way,
    _three_way,
    _dates,
    _timestamps,
    _regexes,
    _codes,
    _scoped_codes,
    _alike,
)
