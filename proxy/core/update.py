"""An update changes a document exactly as MongoDB's own update operators would, to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from proxy.core.document import Value
from proxy.core.filter import Filter


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
