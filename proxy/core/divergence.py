"""A divergence is a recorded difference that survived rechecking; here is its shape and its field diff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import json_util

from proxy.core.comparison import Kind
from proxy.core.document import Document, Value
from proxy.core.life import State, Step
from proxy.core.version import Version

REDACTED = "(redacted)"
MAX_DIFFERENCES = 50
MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A dotted path whose values differ, as short extended JSON; None where that side lacks the field."""

    path: str
    primary: str | None
    mirror: str | None


@dataclass(frozen=True, slots=True)
class Divergence:
    """One difference between the stores. Times are milliseconds since 1970; versions None where absent.

    `id` is the same for every replica that sees the same kind of difference on the same key. `history` has
    the latest changes of `state` since it was first seen, oldest first.
    """

    id: str
    collection: str
    kind: Kind
    key: str
    operation: str
    epoch: int
    primary_version: Version | None
    mirror_version: Version | None
    differences: tuple[FieldDifference, ...]
    first_seen: int
    last_seen: int
    replica: str
    trace_id: str = ""
    count: int = 1
    state: State = State.OPEN
    history: tuple[Step, ...] = field(default=(), compare=False)


def diff(
    primary: Document | None, mirror: Document | None, redact: Sequence[str] = ()
) -> tuple[FieldDifference, ...]:
    """The fields that differ, at most 50, values shortened to 200 characters and redacted where configured.

    `redact` holds dotted paths; a path covers everything below it, and `*` covers all. Where a whole embedded
    document or a list differs that has a redacted path in it, all of it is hidden.
    """
    left = primary.fields if primary else {}
    right = mirror.fields if mirror else {}
    found = []
    for path, ours, theirs in _walk("", left, right):
        hidden = any(_covers(rule, path) for rule in redact)
        found.append(FieldDifference(path, _text(ours, hidden), _text(theirs, hidden)))
        if len(found) == MAX_DIFFERENCES:
            break
    return tuple(found)


_ABSENT: Any = object()


def _covers(rule: str, path: str) -> bool:
    return rule == "*" or f"{path}.".startswith(f"{rule}.") or rule.startswith(f"{path}.")


def _walk(prefix: str, left: dict[str, Value], right: dict[str, Value]) -> Iterator[tuple[str, Value, Value]]:
    for name in dict.fromkeys((*left, *right)):
        path = f"{prefix}{name}"
        ours, theirs = left.get(name, _ABSENT), right.get(name, _ABSENT)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            yield from _walk(path + ".", ours, theirs)
        elif not _is_same(ours, theirs):
            yield path, ours, theirs


def _is_same(ours: Value, theirs: Value) -> bool:
    if ours is _ABSENT or theirs is _ABSENT:
        return ours is theirs
    return Document({"": ours}) == Document({"": theirs})


def _text(value: Value, hidden: bool) -> str | None:
    if value is _ABSENT:
        return None
    if hidden:
        return REDACTED
    text = json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
