"""The way that an update's path takes through a document: what is there, what could be, what cannot.

A number in a path is an index of an array, zeros before it allowed; of a document it is a name. The way is
copied as it is walked, so that the document it started from never changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.core.document import Fields, Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.ordering import MISSING

MAX_PADDING = 1_500_000
"""How many nulls MongoDB will put before an element set far beyond an array's end."""

_MAX_INDEX_DIGITS = 10


def descend(root: Fields, parts: Sequence[str]) -> tuple[Value, int]:
    """Copy what the path passes through, as far as it exists.

    Returns the deepest value reached, and which part leads on from it: the last, if all its parents exist.
    """
    container: Value = root
    for index in range(len(parts) - 1):
        child = child_of(container, parts[index])
        if child is MISSING:
            return container, index
        if type(child) not in (dict, list):
            return child, index + 1
        copy = child.copy()
        place(container, parts[index], copy, "")
        container = copy
    return container, len(parts) - 1


def child_of(container: Value, part: str) -> Value:
    """The field or element of that name, or MISSING."""
    if type(container) is dict:
        return container.get(part, MISSING)
    position = _position(part)
    if type(container) is list and position is not None and position < len(container):
        return container[position]
    return MISSING


def place(container: Value, part: str, value: Value, path: str) -> None:
    """Put a field or element, with nulls before an element that lies beyond the array's end."""
    if type(container) is dict:
        container[part] = value
        return
    position = _position(part)
    assert position is not None  # `require_way` has seen to it
    missing = position - len(container)
    if missing > MAX_PADDING:
        raise refusal(path, f"lies more than {MAX_PADDING} elements beyond the array's end")
    container.extend([None] * (missing + 1))
    container[position] = value


def _position(part: str) -> int | None:
    """The index that a part of a path is in an array, or None: as in MongoDB, it has 32 bits at most."""
    digits = part.lstrip("0") or part[:1]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _MAX_INDEX_DIGITS:
        return None
    position = int(digits)
    return position if position < 2**32 else None


def _leads_on(container: Value, part: str) -> bool:
    return type(container) is dict or (type(container) is list and _position(part) is not None)


def require_way(container: Value, part: str, path: str) -> None:
    """Refuse a path whose next part could not be in the value it has come to."""
    if not _leads_on(container, part):
        raise refusal(path, f"cannot be reached: there is no field {part!r} in {name_of(container)}")


def name_of(value: Value) -> str:
    """What a value is, for a sentence."""
    return {list: "an array", type(None): "null"}.get(type(value), f"a value of type {type(value).__name__}")


def refusal(path: str, why: str) -> BadRequest:
    """MongoDB's refusal of an update, which names the path."""
    return BadRequest(f"{path!r} {why}", Reason.INVALID_UPDATE, field=path)
