"""MongoDB's arithmetic on BSON numbers: the result's type is the wider one, and int64 never wraps round.

int32 grows to int64 where it overflows; an int64 that overflows has no result; a double with an integer
gives a double; a Decimal128 with anything gives a Decimal128 (a double enters it with 15 digits).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64
from bson.decimal128 import create_decimal128_context

from proxy.core.document import Value

_DECIMAL128 = create_decimal128_context()
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


def is_number(value: Value) -> bool:
    """Whether a value is an int32, int64, double or Decimal128 (a bool is not)."""
    return isinstance(value, int | float | Decimal128) and not isinstance(value, bool)


def add(left: Value, right: Value) -> Value:
    """The sum of two numbers, as `$inc` makes it. Raises OverflowError beyond int64."""
    if isinstance(left, Decimal128) or isinstance(right, Decimal128):
        return Decimal128(_DECIMAL128.add(_decimal(left), _decimal(right)))
    if isinstance(left, float) or isinstance(right, float):
        return float(left) + float(right)
    return _integer(left + right, _is_int64(left) or _is_int64(right))


def multiply(left: Value, right: Value) -> Value:
    """The product of two numbers, as `$mul` makes it. Raises OverflowError beyond int64."""
    if isinstance(left, Decimal128) or isinstance(right, Decimal128):
        return Decimal128(_DECIMAL128.multiply(_decimal(left), _decimal(right)))
    if isinstance(left, float) or isinstance(right, float):
        return float(left) * float(right)
    return _integer(left * right, _is_int64(left) or _is_int64(right))


def _is_int64(value: Any) -> bool:
    return isinstance(value, Int64) or value not in _INT32


def _integer(number: int, is_int64: bool) -> int:
    if number not in _INT64:
        raise OverflowError("the result does not fit into 64 bits")
    return Int64(number) if is_int64 else int(number)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal128):
        return value.to_decimal()
    return _from_double(value) if isinstance(value, float) else Decimal(int(value))


def _from_double(value: float) -> Decimal:
    """A double as MongoDB turns it into a Decimal128: 15 significant digits, trailing zeros kept."""
    return Decimal(f"{value:.14e}") if value - value == 0 and value else Decimal(value)
