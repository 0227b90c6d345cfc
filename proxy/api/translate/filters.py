"""Filters from protobuf; one without a kind is refused, for it must not match everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crossfade.v1 import storage_pb2 as pb
from proxy.api.translate.fault import fault, inside, within
from proxy.api.translate.values import read_value, read_values
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import (
    And,
    Comparator,
    Compare,
    Contains,
    Exists,
    Filter,
    In,
    Not,
    Or,
    Prefix,
    check_filter,
)

_COMPARATORS = {
    pb.Comparison.EQ: Comparator.EQ,
    pb.Comparison.NE: Comparator.NE,
    pb.Comparison.LT: Comparator.LT,
    pb.Comparison.LTE: Comparator.LTE,
    pb.Comparison.GT: Comparator.GT,
    pb.Comparison.GTE: Comparator.GTE,
}


def read_filter(message: pb.Filter) -> Filter:
    """The filter of a message. Raises BadRequest (INVALID_FILTER) naming the field below it."""
    return _read(message, _check)


def read_element_filter(message: pb.Filter) -> Filter:
    """The filter of `Pull.where`: like any, but an empty path is the element itself."""
    return _read(message, _trust)


def check_path(path: str, reason: Reason) -> None:
    """Raises BadRequest for what is no dotted path in any store; `field` is left to the caller."""
    if not path:
        raise fault("a path is required", reason)
    if "\0" in path or path.startswith("$"):
        raise fault(f"{path!r} is not a path", reason)


Check = Callable[[Filter, str], None]


def _read(message: pb.Filter, check: Check) -> Filter:
    kind = message.WhichOneof("kind")
    if kind is None:
        text = "the filter has no kind that this server knows"
        raise fault(text, Reason.INVALID_FILTER)
    try:
        return _READERS[kind](message, check)
    except BadRequest as error:
        raise within(kind, error)  # noqa: B904 - it is the same error


def _check(filter: Filter, path: str) -> None:
    try:
        check_path(path, Reason.INVALID_FILTER)
    except BadRequest as error:
        raise within("path", error)  # noqa: B904 - it is the same error
    try:
        check_filter(filter)
    except BadRequest as error:
        error.field = ""
        raise


def _trust(filter: Filter, path: str) -> None:
    """`Pull.where` is checked with its update, by the core."""


def _read_comparison(message: pb.Filter, check: Check) -> Filter:
    comparison = message.comparison
    comparator = _COMPARATORS.get(comparison.operator)
    if comparator is None:
        text = f"the operator {comparison.operator} is not one that this server knows"
        raise fault(text, Reason.INVALID_FILTER, "operator")
    try:
        value = read_value(comparison.value)
    except BadRequest as error:
        raise within("value", error)  # noqa: B904 - it is the same error
    result = Compare(comparison.path, comparator, value)
    check(result, comparison.path)
    return result


def _read_in(message: pb.Filter, check: Check) -> Filter:
    path = message.in_values.path
    with inside("values"):
        values = tuple(read_values(message.in_values.values))
    result = In(path, values)
    check(result, path)
    return result


def _read_prefix(message: pb.Filter, check: Check) -> Filter:
    result = Prefix(message.prefix.path, message.prefix.prefix)
    check(result, result.path)
    return result


def _read_exists(message: pb.Filter, check: Check) -> Filter:
    result = Exists(message.exists.path, message.exists.exists)
    check(result, result.path)
    return result


def _read_contains(message: pb.Filter, check: Check) -> Filter:
    with inside("value"):
        value = read_value(message.contains.value)
    result = Contains(message.contains.path, value)
    check(result, result.path)
    return result


def _read_all(message: pb.Filter, check: Check) -> Filter:
    return And(_read_list(message.all_of.filters, check))


def _read_any(message: pb.Filter, check: Check) -> Filter:
    return Or(_read_some(message.any_of.filters, check))


def _read_none(message: pb.Filter, check: Check) -> Filter:
    filters = _read_some(message.none_of.filters, check)
    return Not(filters[0] if len(filters) == 1 else Or(filters))


def _read_some(messages: Iterable[pb.Filter], check: Check) -> tuple[Filter, ...]:
    filters = _read_list(messages, check)
    if not filters:
        raise fault("at least one filter is required", Reason.INVALID_FILTER, "filters")
    return filters


def _read_list(messages: Iterable[pb.Filter], check: Check) -> tuple[Filter, ...]:
    found: list[Filter] = []
    try:
        for message in messages:
            found.append(_read(message, check))
    except BadRequest as error:
        raise within(f"filters[{len(found)}]", error)  # noqa: B904 - it is the same error
    return tuple(found)


_READERS: dict[str, Callable[[pb.Filter, Check], Filter]] = {
    "comparison": _read_comparison,
    "in_values": _read_in,
    "prefix": _read_prefix,
    "exists": _read_exists,
    "contains": _read_contains,
    "all_of": _read_all,
    "any_of": _read_any,
    "none_of": _read_none,
}
