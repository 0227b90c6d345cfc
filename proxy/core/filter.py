"""A filter selects documents, and means in every store exactly what it means in MongoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import TypeAlias

from bson import Regex

from proxy.core.document import Value
from proxy.core.errors import BadRequest, Reason


class Comparator(Enum):
    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"


@dataclass(frozen=True, slots=True)
class Compare:
    """MongoDB's `{path: {$eq|$ne|$lt|...: value}}`: null matches missing, arrays match by element too."""

    path: str
    comparator: Comparator
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """`{path: {$in: values}}`."""

    path: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """A string that begins with `text`: `{path: /^text/}` with the text quoted."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Exists:
    """`{path: {$exists: exists}}`."""

    path: str
    exists: bool


@dataclass(frozen=True, slots=True)
class Contains:
    """An array with an element equal to `value`: `{path: {$elemMatch: {$eq: value}}}`."""

    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class And:
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Every document that `filter` does not select: `{$nor: [filter]}`."""

    filter: Filter


Leaf: TypeAlias = Compare | In | Prefix | Exists | Contains
Filter: TypeAlias = Leaf | And | Or | Not

EVERYTHING = And(())


def check_filter(filter: Filter) -> None:
    """Raises BadRequest (INVALID_FILTER) naming the path, where MongoDB would not take the filter."""
    for leaf in _leaves(filter):
        _check_path(leaf.path)
        _check_operands(leaf)


def check_where(where: Filter) -> None:
    """As `check_filter`, for the condition of a `PullWhere`, in which the empty path is the element itself.

    Refuses a condition that speaks of the element and of fields in it: no MongoDB query does.
    """
    about_element = is_about_element(where)
    for leaf in _leaves(where):
        if not about_element:
            _check_path(leaf.path)
        _check_operands(leaf)


def is_about_element(where: Filter) -> bool:
    """Whether a `PullWhere` speaks of the element itself (empty paths) and not of fields in it."""
    if isinstance(where, And | Or):
        return bool(where.filters) and all(map(is_about_element, where.filters))
    if isinstance(where, Not):
        return is_about_element(where.filter)
    return where.path == ""


def prefix_pattern(text: str) -> str:
    """The regular expression of a `Prefix`, in which every character of the text stands for itself."""
    return "^" + "".join(map(_quote, text))


def _quote(character: str) -> str:
    if character == "\0":  # a BSON regex cannot hold it
        return r"\x00"
    return character if character.isalnum() or not character.isascii() else "\\" + character


def _leaves(filter: Filter) -> Iterator[Leaf]:
    """The conditions on fields that a filter is made of. Raises BadRequest for an `or` of nothing."""
    if isinstance(filter, Or) and not filter.filters:
        raise BadRequest("`or` needs at least one filter", Reason.INVALID_FILTER)
    if isinstance(filter, And | Or):
        yield from chain.from_iterable(map(_leaves, filter.filters))
    elif isinstance(filter, Not):
        yield from _leaves(filter.filter)
    else:
        yield filter


def _check_path(path: str) -> None:
    if not path:
        raise BadRequest("the path of a filter is empty", Reason.INVALID_FILTER)
    if path.startswith("$") or "\0" in path:
        raise BadRequest(f"{path!r} is not a path", Reason.INVALID_FILTER, field=path)


def _check_members(filter: In) -> None:
    if any(map(_looks_like_operator, filter.values)):
        message = "MongoDB takes no document that begins with a `$` name as one of several values"
        raise BadRequest(message, Reason.INVALID_FILTER, field=filter.path)


def _looks_like_operator(value: Value) -> bool:
    """What MongoDB takes for an operator in the list of an `$in`; references are let through."""
    if not isinstance(value, dict) or not next(iter(value), "").startswith("$"):
        return False
    return not {"$ref", "$id"} <= value.keys()


def _check_operands(filter: Leaf) -> None:
    operands: tuple[Value, ...] = ()
    if isinstance(filter, In):
        operands = filter.values
        _check_members(filter)
    elif isinstance(filter, Compare | Contains):
        operands = (filter.value,)
    if any(isinstance(operand, Regex) for operand in operands):
        raise BadRequest(
            "a regular expression is not a value to compare with", Reason.INVALID_FILTER, field=filter.path
        )
