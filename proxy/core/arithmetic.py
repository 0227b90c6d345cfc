"""MongoDB's arithmetic on BSON numbers: the result's type is the wider one, and int64 never wraps round.

int32 grows to int64 where it overflows; an int64 that overflows has no result; a double with an integer
gives a double; a Decimal128 with anything gives a Decimal128 (a double enters it with 15 digits). NaN stays
NaN with its sign and payload, that of the operand before that of the present value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64
from bson.decimal128 import create_decimal128_context

from proxy.core.document import Value
from proxy.core.ordering import is_nan

Function = Callable[[Any, Any], Any]

_DECIMAL128 = create_decimal128_context()
_DOUBLE, _DOUBLE_BITS = struct.Struct("<d"), struct.Struct("<Q")
_QUIET_NAN = 0x7C << 120
_PAYLOADS = 10**33
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


def is_number(value: Value) -> bool:
    """Whether a value is an int32, int64, double or Decimal128 (a bool is not)."""
    return isinstance(value, int | float | Decimal128) and not isinstance(value, bool)


def add(present: Value, operand: Value) -> Value:
    """The sum of two numbers, as `$inc` makes it. Raises OverflowError beyond int64."""
    return _calculate(present, operand, lambda left, right: left + right, _DECIMAL128.add)


def multiply(present: Value, operand: Value) -> Value:
    """The product of two numbers, as `$mul` makes it. Raises OverflowError beyond int64."""
    return _calculate(present, operand, lambda left, right: left * right, _DECIMAL128.multiply)


def _calculate(present: Any, operand: Any, function: Function, in_decimal: Function) -> Value:
    if isinstance(present, Decimal128) or isinstance(operand, Decimal128):
        nan = _nan_among(operand, present)
        if nan is not None:
            return _decimal_nan(nan)
        return Decimal128(in_decimal(_decimal(present), _decimal(operand)))
    if isinstance(present, float) or isinstance(operand, float):
        nan = _nan_among(operand, present)
        return function(float(present), float(operand)) if nan is None else nan + 0.0
    return _integer(function(present, operand), _is_int64(present) or _is_int64(operand))


def _nan_among(*numbers: Value) -> Any:
    return next(filter(is_nan, numbers), None)


def _decimal_nan(number: Any) -> Decimal128:
    """A quiet NaN with the sign and payload of this one; a payload too long for it becomes 0."""
    if isinstance(number, Decimal128):
        bits = int.from_bytes(number.bid, "little")
        sign, payload = bits >> 127, bits & (2**110 - 1)
    else:
        (bits,) = _DOUBLE_BITS.unpack(_DOUBLE.pack(number))
        sign, payload = bits >> 63, (bits & (2**51 - 1)) << 59
    kept = payload if payload < _PAYLOADS else 0
    return Decimal128.from_bid((sign << 127 | _QUIET_NAN | kept).to_bytes(16, "little"))


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
