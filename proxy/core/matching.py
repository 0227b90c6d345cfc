"""Whether a document satisfies a filter, exactly as MongoDB 6.0 decides it without a collation.

A path that meets an array goes on into those of its elements that are documents, and a number in a path is
also an index. A comparison is satisfied by an array if any element satisfies it or the array as a whole does.
A missing field equals null. Ranges stay within the operand's type bracket; MinKey and MaxKey bound them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from bson import Regex

from proxy.core.document import Fields, Value
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
    is_about_element,
    prefix_pattern,
)
from proxy.core.ordering import MAX_KEY, MIN_KEY, MISSING, NUMBER, compare, equal, is_nan, rank

MAX_INDEX_DIGITS = 10
"""More than any array's length has."""

Test: TypeAlias = Callable[[Value], bool]


def matches(filter: Filter, fields: Fields) -> bool:
    """Whether the filter selects a document of these fields. The filter has passed `check_filter`."""
    return _MATCHERS[type(filter)](filter, fields)


def matches_element(where: Filter, element: Value) -> bool:
    """Whether a `PullWhere` selects an array's element.

    Empty paths stand for the element itself; any other path starts in the element, which must be a document.
    """
    if is_about_element(where):
        return matches(where, {"": element})
    return type(element) is dict and matches(where, element)


def _matches_compare(filter: Compare, fields: Fields) -> bool:
    if filter.comparator is Comparator.NE:
        return not _any_value(fields, filter.path, _equals(filter.value))
    if filter.comparator is Comparator.EQ:
        return _any_value(fields, filter.path, _equals(filter.value))
    return _any_value(fields, filter.path, _stands(filter.comparator, filter.value))


def _matches_in(filter: In, fields: Fields) -> bool:
    tests = [_equals(value) for value in filter.values]
    return _any_value(fields, filter.path, lambda value: any(test(value) for test in tests))


def _matches_prefix(filter: Prefix, fields: Fields) -> bool:
    return _any_value(fields, filter.path, _begins(filter.text))


def _matches_exists(filter: Exists, fields: Fields) -> bool:
    return filter.exists is _any_whole(fields, filter.path, lambda value: value is not MISSING)


def _matches_contains(filter: Contains, fields: Fields) -> bool:
    test = _equals(filter.value)
    return _any_whole(fields, filter.path, lambda value: type(value) is list and any(map(test, value)))


def _matches_and(filter: And, fields: Fields) -> bool:
    return all(matches(part, fields) for part in filter.filters)


def _matches_or(filter: Or, fields: Fields) -> bool:
    return any(matches(part, fields) for part in filter.filters)


def _matches_not(filter: Not, fields: Fields) -> bool:
    return not matches(filter.filter, fields)


_MATCHERS: dict[type, Callable[[Any, Fields], bool]] = {
    Compare: _matches_compare,
    In: _matches_in,
    Prefix: _matches_prefix,
    Exists: _matches_exists,
    Contains: _matches_contains,
    And: _matches_and,
    Or: _matches_or,
    Not: _matches_not,
}


def _equals(operand: Value) -> Test:
    if operand is None:
        return lambda value: value is None or value is MISSING
    return lambda value: value is not MISSING and equal(value, operand)


def _begins(text: str) -> Test:
    """What `/^text/` is true of; MongoDB also lets a regex match the stored value of the same regex."""
    itself = Regex(prefix_pattern(text)) if "\0" not in text else None

    def test(value: Value) -> bool:
        return value.startswith(text) if type(value) is str else itself is not None and value == itself

    return test


def _stands(comparator: Comparator, operand: Value) -> Test:
    """The test of a range: within one bracket by order, across brackets only up to MinKey and MaxKey."""
    bracket = rank(operand)
    allows_equal = comparator in (Comparator.LTE, Comparator.GTE)
    sign = -1 if comparator in (Comparator.LT, Comparator.LTE) else 1

    def test(value: Value) -> bool:
        if value is MISSING and operand is None:
            return allows_equal
        if rank(value) != bracket:
            return bracket == (MAX_KEY if sign < 0 else MIN_KEY)
        if bracket == NUMBER and (is_nan(value) or is_nan(operand)):
            return allows_equal and is_nan(value) and is_nan(operand)
        order = compare(value, operand) * sign
        return order > 0 or (order == 0 and allows_equal)

    return test


def _any_value(fields: Fields, path: str, test: Test) -> bool:
    """Whether anything that the path leads to passes: where it ends at an array, its elements count too."""
    if "." not in path:
        return _each_and_whole(fields.get(path, MISSING), test)
    return _search(fields, path.split("."), 0, test, _each_and_whole)


def _any_whole(fields: Fields, path: str, test: Test) -> bool:
    """Whether anything that the path leads to passes: an array at its end counts as a whole only."""
    return _search(fields, path.split("."), 0, test, _as_whole)


Ending: TypeAlias = Callable[[Value, Test], bool]


def _each_and_whole(value: Value, test: Test) -> bool:
    return test(value) or (type(value) is list and any(map(test, value)))


def _as_whole(value: Value, test: Test) -> bool:
    return test(value)


def _search(fields: Fields, parts: Sequence[str], start: int, test: Test, ending: Ending) -> bool:
    value: Value = fields
    for index in range(start, len(parts)):
        if type(value) is list:
            return _search_array(value, parts, index, test, ending)
        value = value.get(parts[index], MISSING) if type(value) is dict else MISSING
    return ending(value, test)


def _search_array(array: list[Value], parts: Sequence[str], index: int, test: Test, ending: Ending) -> bool:
    """Go on into elements that are documents, and to the element that the next part numbers.

    An element reached by its number is taken as a whole at the end of the path; a scalar met before the end
    leads nowhere, not even to a missing field.
    """
    for element in array:
        if type(element) is dict and _search(element, parts, index, test, ending):
            return True
    position = _position(parts[index])
    if position is None or position >= len(array):
        return False
    element = array[position]
    if index + 1 == len(parts):
        return test(element)
    return type(element) in (dict, list) and _search(element, parts, index + 1, test, ending)


def _position(part: str) -> int | None:
    """The index that a part of a path is, or None: MongoDB compares it with the index's own spelling."""
    if not (part.isascii() and part.isdigit()) or (part[0] == "0" and part != "0"):
        return None
    return int(part) if len(part) <= MAX_INDEX_DIGITS else None
