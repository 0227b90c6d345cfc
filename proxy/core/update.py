"""An update changes a document exactly as MongoDB's own update operators would, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from proxy.core.arithmetic import is_number
from proxy.core.document import Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import Filter, check_where


@dataclass(frozen=True, slots=True)
class Set:
    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class Unset:
    path: str


@dataclass(frozen=True, slots=True)
class Inc:
    path: str
    amount: Value


@dataclass(frozen=True, slots=True)
class Mul:
    path: str
    factor: Value


@dataclass(frozen=True, slots=True)
class Min:
    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class Max:
    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class Rename:
    path: str
    new_path: str


@dataclass(frozen=True, slots=True)
class SetOnInsert:
    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class Push:
    """`$push` with `$each`; `position` and `slice` as in MongoDB, None when not given."""

    path: str
    values: tuple[Value, ...]
    position: int | None = None
    slice: int | None = None


@dataclass(frozen=True, slots=True)
class AddToSet:
    path: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Pull:
    """Remove the elements equal to one of `values` (`$pullAll`)."""

    path: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class PullWhere:
    """Remove the elements that are documents selected by `where` (`$pull: {path: query}`)."""

    path: str
    where: Filter


@dataclass(frozen=True, slots=True)
class Pop:
    """`$pop`: the first or the last element."""

    path: str
    first: bool


@dataclass(frozen=True, slots=True)
class CurrentDate:
    """`$currentDate`: the clock of whoever applies the update; `as_timestamp` for a BSON timestamp."""

    path: str
    as_timestamp: bool = False


Operator: TypeAlias = (
    Set
    | Unset
    | Inc
    | Mul
    | Min
    | Max
    | Rename
    | SetOnInsert
    | Push
    | AddToSet
    | Pull
    | PullWhere
    | Pop
    | CurrentDate
)

Update: TypeAlias = tuple[Operator, ...]


def check(update: Update) -> None:
    """Refuse what MongoDB would refuse of any document: call it once, before `modify`.

    Raises BadRequest naming the path: CONFLICTING_PATHS where two operators meet on one path or a part of it,
    INVALID_UPDATE for an empty update, a path that is none, and a number that is none.
    """
    if not update:
        raise BadRequest("an update needs at least one operator", Reason.INVALID_UPDATE)
    for operator in update:
        _check_operator(operator)
    _check_conflicts(update)


def application_order(update: Update) -> Sequence[Operator]:
    """The operators in the order in which MongoDB applies them: that of the paths they write to."""
    return update if len(update) == 1 else sorted(update, key=lambda operator: _order_key(target(operator)))


def target(operator: Operator) -> str:
    """The path that an operator writes to."""
    return operator.new_path if isinstance(operator, Rename) else operator.path


def paths(update: Update) -> tuple[str, ...]:
    """Every path that an update touches, those that a rename empties included."""
    renamed = [operator.path for operator in update if type(operator) is Rename]
    return (*map(target, update), *renamed)


def _order_key(path: str) -> tuple[tuple[int, int, str], ...]:
    return tuple(_part_key(part) for part in path.split("."))


def _part_key(part: str) -> tuple[int, int, str]:
    """By bytes; of two beginning with a digit other than 0 the longer is greater, as if both were numbers."""
    if "1" <= part < ":":
        return 1, len(part.encode()), part
    return 0 if part < "1" else 2, 0, part


def _check_operator(operator: Operator) -> None:
    _check_path(operator.path)
    if isinstance(operator, Rename):
        _check_path(operator.new_path)
    elif isinstance(operator, Inc):
        _check_number(operator.path, operator.amount)
    elif isinstance(operator, Mul):
        _check_number(operator.path, operator.factor)
    elif isinstance(operator, PullWhere):
        check_where(operator.where)


@lru_cache(4096)  # an application's updates share a few paths; one that is refused is looked at again
def _check_path(path: str) -> None:
    parts = path.split(".")
    if not all(parts):
        raise _refusal(path, "has an empty part" if path else "is empty, and no path")
    if path.startswith("$"):
        raise _refusal(path, "begins with `$`")
    if any(map(_is_positional, parts)):
        raise _refusal(path, "has a positional operator, which is not offered")
    if "\0" in path:
        raise _refusal(path, "holds U+0000, which no field's name can")


def _is_positional(part: str) -> bool:
    return part == "$" or (part.startswith("$[") and part.endswith("]"))


def _check_number(path: str, value: Value) -> None:
    if not is_number(value):
        raise _refusal(path, f"cannot be changed by {value!r}, which is not a number")


def _check_conflicts(update: Update) -> None:
    if len(update) == 1 and not isinstance(update[0], Rename):
        return
    ordered = sorted(path.split(".") for path in paths(update))
    for first, second in pairwise(ordered):
        if second[: len(first)] == first:
            path = ".".join(second)
            raise BadRequest(f"two operators meet at {path!r}", Reason.CONFLICTING_PATHS, field=path)


def _refusal(path: str, why: str) -> BadRequest:
    return BadRequest(f"the path {path!r} {why}", Reason.INVALID_UPDATE, field=path)
