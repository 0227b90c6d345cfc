"""Core's dataclasses as plain MongoDB documents, by their field names.

A field that a document lacks has its default, one that the class lacks is ignored: so proxies of
neighbouring versions can share one control store.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_row(value: Any) -> Any:
    """The value as BSON: enums by value, dataclasses and mappings as documents, tuples as arrays."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {field.name: to_row(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: to_row(inner) for name, inner in value.items()}
    return [to_row(inner) for inner in value] if isinstance(value, tuple | list) else value


def from_row(kind: type[T], row: Mapping[str, Any]) -> T:
    """The dataclass that a row was made of. Raises TypeError where a field without default is missing."""
    hints = _hints(cast(Hashable, kind))
    return kind(**{name: _read(hints[name], value) for name, value in row.items() if name in hints})


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    alternatives = [kind for kind in get_args(hint) if kind is not NoneType]
    if NoneType in get_args(hint) and len(alternatives) == 1:
        return _read(alternatives[0], value)
    if get_origin(hint) is tuple:
        return tuple(_read(alternatives[0], inner) for inner in value)
    return _read_plain(hint, value)


def _read_plain(hint: Any, value: Any) -> Any:
    if not isinstance(hint, type):
        return value
    if issubclass(hint, Enum):
        return hint(value)
    if dataclasses.is_dataclass(hint):
        return from_row(hint, value)
    if issubclass(hint, tuple):  # a NamedTuple
        whole: Any = hint
        return whole(*map(int, value))
    return int(value) if hint is int else value
