"""MongoDB's filter documents, as PyMongo takes them, translated to the contract's filters.

A filter means in the proxy exactly what it means in MongoDB. What the contract has no word for is
refused here with Unsupported, naming the operator; nothing is ever left out silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crossfade.codec import write_value
from crossfade.errors import InvalidDocument, InvalidFilter, Reason, Unsupported
from crossfade.v1 import storage_pb2 as pb

Add = Callable[[], pb.Filter]

SUPPORTED = (
    "$eq $ne $lt $lte $gt $gte $in $nin $all $regex (a literal prefix) $exists $elemMatch (with $eq) $not "
    "$and $or $nor"
)

_META = frozenset(".^$*+?{}[]|()")
_TEXT_FLAGS = re.UNICODE


def write_filter(target: pb.Filter, condition: Mapping[str, Any]) -> None:
    """Fill a message. Raises InvalidFilter, Unsupported, or InvalidDocument for an operand."""
    if not isinstance(condition, Mapping):
        raise _invalid(f"a filter is a mapping, not {type(condition).__name__}")
    target.all_of.SetInParent()
    _write_conditions(target.all_of.filters.add, condition)


def write_element_filter(target: pb.Filter, operators: Mapping[str, Any]) -> None:
    """Fill a message with operators on an array's element itself: `{"$gte": 3}`."""
    target.all_of.SetInParent()
    _write_operators(target.all_of.filters.add, "", operators)


def is_operators(value: object) -> bool:
    """True of `{"$gt": 1}`: a mapping whose first name begins with `$`."""
    return isinstance(value, Mapping) and str(next(iter(value), "")).startswith("$")


def literal_prefix(pattern: str) -> str:
    """The text that `^text` stands for. Raises Unsupported for any other regular expression."""
    body = pattern.removeprefix("\\A") if pattern.startswith("\\A") else pattern.removeprefix("^")
    text = _unescape(body.removesuffix(".*")) if body != pattern else None
    if text is None:
        raise Unsupported(
            f"the regular expression {pattern!r} is more than a literal prefix",
            Reason.UNIMPLEMENTED,
            hint='only "^text" is served by both stores',
        )
    return text


def _unescape(body: str) -> str | None:
    """The literal text of a pattern, or None if it has a metacharacter."""
    text, escaped = [], False
    for character in body:
        if escaped and character.isalnum():
            return None
        if not escaped and character in _META:
            return None
        escaped = character == "\\" and not escaped
        if not escaped:
            text.append(character)
    return None if escaped else "".join(text)


def _write_conditions(add: Add, condition: Mapping[str, Any]) -> None:
    for name, value in condition.items():
        if not isinstance(name, str):
            raise _invalid(f"a field's path is a string, not {name!r}")
        if name in _LOGICAL:
            _LOGICAL[name](add, _filters_of(name, value))
        elif name.startswith("$"):
            raise _unsupported(name, "")
        elif is_operators(value):
            _write_operators(add, name, value)
        elif isinstance(value, re.Pattern):
            _write_pattern(add, name, value)
        else:
            _write_comparison(add, name, pb.Comparison.EQ, value)


def _write_operators(add: Add, path: str, operators: Mapping[str, Any]) -> None:
    for name, operand in operators.items():
        if name in _COMPARISONS:
            _write_comparison(add, path, _COMPARISONS[name], operand)
        elif name == "$options":
            _check_options(path, operators)
        elif name in _OPERATORS:
            _OPERATORS[name](add, path, operand)
        elif str(name).startswith("$"):
            raise _unsupported(name, path)
        else:
            raise _invalid(f"{path!r} mixes operators with the field {name!r}", path)


def _write_comparison(add: Add, path: str, operator: pb.Comparison.Operator, operand: object) -> None:
    comparison = add().comparison
    comparison.path = path
    comparison.operator = operator
    _write_operand(comparison.value, path, operand)


def _write_operand(slot: Any, path: str, operand: object) -> None:
    try:
        write_value(slot, operand)
    except InvalidDocument as error:
        raise _invalid(f"the operand for {path!r}: {error}", path) from error
    except (TypeError, ValueError) as error:
        raise _invalid(f"the operand for {path!r}: {error}", path) from error


def _write_in(add: Add, path: str, operand: object) -> None:
    condition = add().in_values
    condition.path = path
    for value in _list_of("$in", path, operand):
        if isinstance(value, re.Pattern):
            raise _unsupported("$in with a regular expression", path)
        _write_operand(condition.values.add(), path, value)


def _write_not_in(add: Add, path: str, operand: object) -> None:
    _write_in(add().none_of.filters.add, path, operand)


def _write_all(add: Add, path: str, operand: object) -> None:
    values = _list_of("$all", path, operand)
    if not values:
        add().in_values.path = path  # an empty $all matches nothing, and so does an empty In
    for value in values:
        if is_operators(value) or isinstance(value, re.Pattern):
            raise _unsupported("$all with a condition", path)
        _write_comparison(add, path, pb.Comparison.EQ, value)


def _write_regex(add: Add, path: str, operand: object) -> None:
    if isinstance(operand, re.Pattern):
        _write_pattern(add, path, operand)
    elif isinstance(operand, str):
        _write_prefix(add, path, literal_prefix(operand))
    else:
        raise _invalid("$regex takes a string", path)


def _write_pattern(add: Add, path: str, pattern: re.Pattern[Any]) -> None:
    if not isinstance(pattern.pattern, str) or pattern.flags & ~_TEXT_FLAGS:
        raise _unsupported("$regex with flags or of bytes", path)
    _write_prefix(add, path, literal_prefix(pattern.pattern))


def _write_prefix(add: Add, path: str, text: str) -> None:
    prefix = add().prefix
    prefix.path = path
    prefix.prefix = text


def _check_options(path: str, operators: Mapping[str, Any]) -> None:
    if "$regex" not in operators:
        raise _invalid("$options goes with $regex", path)
    if operators["$options"]:
        raise _unsupported(f"$options {operators['$options']!r}", path)


def _write_exists(add: Add, path: str, operand: object) -> None:
    exists = add().exists
    exists.path = path
    exists.exists = bool(operand)


def _write_elem_match(add: Add, path: str, operand: object) -> None:
    if not isinstance(operand, Mapping) or set(operand) != {"$eq"}:
        raise _unsupported("$elemMatch with more than $eq", path)
    contains = add().contains
    contains.path = path
    _write_operand(contains.value, path, operand["$eq"])


def _write_not(add: Add, path: str, operand: object) -> None:
    negated = add().none_of.filters.add()
    if isinstance(operand, re.Pattern):
        _write_pattern(lambda: negated, path, operand)
    elif isinstance(operand, Mapping) and is_operators(operand):
        negated.all_of.SetInParent()
        _write_operators(negated.all_of.filters.add, path, operand)
    else:
        raise _invalid("$not takes operators, as in {'$not': {'$gt': 1}}", path)


def _write_and(add: Add, conditions: Sequence[Mapping[str, Any]]) -> None:
    for condition in conditions:
        _write_conditions(add, condition)


def _write_or(add: Add, conditions: Sequence[Mapping[str, Any]]) -> None:
    alternatives = add().any_of.filters
    for condition in conditions:
        write_filter(alternatives.add(), condition)


def _write_nor(add: Add, conditions: Sequence[Mapping[str, Any]]) -> None:
    alternatives = add().none_of.filters
    for condition in conditions:
        write_filter(alternatives.add(), condition)


def _filters_of(name: str, value: object) -> Sequence[Mapping[str, Any]]:
    filters = _list_of(name, "", value)
    if not filters or not all(isinstance(entry, Mapping) for entry in filters):
        raise _invalid(f"{name} takes a list of filters that is not empty")
    return filters


def _list_of(name: str, path: str, value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise _invalid(f"{name} takes a list", path)
    return value


def _invalid(message: str, path: str = "") -> InvalidFilter:
    return InvalidFilter(message, Reason.INVALID_FILTER, field=path)


def _unsupported(operator: str, path: str) -> Unsupported:
    return Unsupported(
        f"the filter operator {operator} is not supported",
        Reason.UNIMPLEMENTED,
        field=path,
        hint=f"supported are {SUPPORTED}",
    )


_LOGICAL: dict[str, Callable[[Add, Sequence[Mapping[str, Any]]], None]] = {
    "$and": _write_and,
    "$or": _write_or,
    "$nor": _write_nor,
}

_COMPARISONS: dict[str, pb.Comparison.Operator] = {
    "$eq": pb.Comparison.EQ,
    "$ne": pb.Comparison.NE,
    "$lt": pb.Comparison.LT,
    "$lte": pb.Comparison.LTE,
    "$gt": pb.Comparison.GT,
    "$gte": pb.Comparison.GTE,
}

_OPERATORS: dict[str, Callable[[Add, str, object], None]] = {
    "$in": _write_in,
    "$nin": _write_not_in,
    "$all": _write_all,
    "$regex": _write_regex,
    "$exists": _write_exists,
    "$elemMatch": _write_elem_match,
    "$not": _write_not,
}
