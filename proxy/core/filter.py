"""A filter selects documents, and means in every store exactly what it means in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from proxy.core.document import Value


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


Filter: TypeAlias = Compare | In | Prefix | Exists | Contains | And | Or | Not

EVERYTHING = And(())
