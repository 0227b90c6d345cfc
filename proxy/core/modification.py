"""What an update makes of a document, to the byte what MongoDB 6.0 makes of it.

Operators apply one after the other in the order of their paths (by name, numbers by value), whatever their
order in the update; so new fields are appended in that order. The document given is never changed: what lies
on a path is copied, all else is shared with the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bson import DatetimeMS, Timestamp

from proxy.core.arithmetic import add, is_number, multiply
from proxy.core.document import Fields, Value
from proxy.core.matching import matches_element
from proxy.core.ordering import MISSING, compare, equal, is_nan
from proxy.core.update import (
    AddToSet,
    CurrentDate,
    Inc,
    Max,
    Min,
    Mul,
    Pop,
    Pull,
    PullWhere,
    Push,
    Rename,
    Set,
    SetOnInsert,
    Unset,
    Update,
    application_order,
)
from proxy.core.walking import child_of, descend, name_of, place, refusal, require_way


def modify(update: Update, fields: Fields, *, inserting: bool, now: int) -> Fields:
    """The fields after the update; `now` in milliseconds since 1970 is for `CurrentDate`.

    The update has passed `check`. Raises BadRequest (INVALID_UPDATE) naming the path, where MongoDB refuses.
    """
    result = dict(fields)
    for operator in application_order(update):
        if isinstance(operator, CurrentDate):
            _set(result, Set(operator.path, _moment(operator, now)))
        elif inserting or not isinstance(operator, SetOnInsert):
            _APPLICATIONS[type(operator)](result, operator)
    return result


Change = Callable[[Value], Value]
"""From the value at a path, or MISSING, to the value that takes its place."""


def _write(root: Fields, path: str, change: Change) -> None:
    """Change the value at a path, creating what is missing on the way to it."""
    parts = path.split(".")
    container, index = descend(root, parts)
    require_way(container, parts[index], path)
    present = child_of(container, parts[index]) if index + 1 == len(parts) else MISSING
    value = change(present)
    for part in reversed(parts[index + 1 :]):
        value = {part: value}
    place(container, parts[index], value, path)


def _reduce(root: Fields, path: str, change: Change) -> None:
    """Change the value at a path. Without one nothing changes, but the path must be able to lead to one."""
    parts = path.split(".")
    container, index = descend(root, parts)
    require_way(container, parts[index], path)
    present = child_of(container, parts[index])
    if present is not MISSING:
        place(container, parts[index], change(present), path)


def _moment(operator: CurrentDate, now: int) -> Value:
    return Timestamp(now // 1000, 1) if operator.as_timestamp else DatetimeMS(now)


def _set(root: Fields, operator: Set | SetOnInsert) -> None:
    _write(root, operator.path, lambda _: operator.value)


def _unset(root: Fields, operator: Unset) -> None:
    parts = operator.path.split(".")
    container, index = descend(root, parts)
    if index + 1 < len(parts) or child_of(container, parts[-1]) is MISSING:
        return
    if type(container) is dict:
        del container[parts[-1]]
    else:
        place(container, parts[-1], None, operator.path)


def _inc(root: Fields, operator: Inc) -> None:
    def change(present: Value) -> Value:
        if present is MISSING:
            return operator.amount
        return _calculate(add, present, operator.amount, operator.path)

    _write(root, operator.path, change)


def _mul(root: Fields, operator: Mul) -> None:
    def change(present: Value) -> Value:
        return _calculate(multiply, 0 if present is MISSING else present, operator.factor, operator.path)

    _write(root, operator.path, change)


def _calculate(function: Callable[[Value, Value], Value], present: Value, operand: Value, path: str) -> Value:
    if not is_number(present):
        raise refusal(path, f"is {name_of(present)}, not a number")
    try:
        result = function(present, operand)
    except OverflowError as error:
        raise refusal(path, "would no longer fit into 64 bits") from error
    return present if _is_unchanged(present, result) else result


def _is_unchanged(present: Value, result: Value) -> bool:
    """MongoDB does not write an equal number of the same type: -0.0 plus 0.0 stays -0.0."""
    return type(present) is type(result) and compare(present, result) == 0 and not is_nan(result)


def _min(root: Fields, operator: Min) -> None:
    def change(present: Value) -> Value:
        return operator.value if present is MISSING or compare(operator.value, present) < 0 else present

    _write(root, operator.path, change)


def _max(root: Fields, operator: Max) -> None:
    def change(present: Value) -> Value:
        return operator.value if present is MISSING or compare(operator.value, present) > 0 else present

    _write(root, operator.path, change)


def _push(root: Fields, operator: Push) -> None:
    def change(present: Value) -> Value:
        elements = _array(present, operator.path)
        position = len(elements) if operator.position is None else operator.position
        elements[position:position] = operator.values
        return elements if operator.slice is None else _slice(elements, operator.slice)

    _write(root, operator.path, change)


def _slice(elements: list[Value], count: int) -> list[Value]:
    return elements[:count] if count >= 0 else elements[count:]


def _add_to_set(root: Fields, operator: AddToSet) -> None:
    def change(present: Value) -> Value:
        elements = _array(present, operator.path)
        for value in operator.values:
            if not any(equal(value, element) for element in elements):
                elements.append(value)
        return elements

    _write(root, operator.path, change)


def _pull(root: Fields, operator: Pull) -> None:
    def is_pulled(element: Value) -> bool:
        return any(equal(element, value) for value in operator.values)

    _cull(root, operator.path, is_pulled)


def _pull_where(root: Fields, operator: PullWhere) -> None:
    _cull(root, operator.path, lambda element: matches_element(operator.where, element))


def _cull(root: Fields, path: str, is_pulled: Callable[[Value], bool]) -> None:
    _reduce(root, path, lambda present: [e for e in _array(present, path) if not is_pulled(e)])


def _pop(root: Fields, operator: Pop) -> None:
    def change(present: Value) -> Value:
        elements = _array(present, operator.path)
        return elements[1:] if operator.first else elements[:-1]

    _reduce(root, operator.path, change)


def _array(present: Value, path: str) -> list[Value]:
    """A copy of the array to change; a missing one is empty."""
    if present is MISSING:
        return []
    if type(present) is not list:
        raise refusal(path, f"is {name_of(present)}, not an array")
    return present.copy()


def _rename(root: Fields, operator: Rename) -> None:
    value = _locate(root, operator.path, must_exist=True)
    if value is not MISSING:
        _locate(root, operator.new_path, must_exist=False)
        _set(root, Set(operator.new_path, value))
        _unset(root, Unset(operator.path))


def _locate(root: Fields, path: str, *, must_exist: bool) -> Value:
    """The value at one end of a rename. Refuses an element of an array; one to rename must also be there."""
    value: Value = root
    enters_array = False
    for part in path.split("."):
        require_way(value, part, path)
        enters_array = enters_array or type(value) is list
        value = child_of(value, part)
        if value is MISSING:
            break
    if enters_array and not (must_exist and value is MISSING):
        raise refusal(path, "is an element of an array, which can be no end of a rename")
    return value


_APPLICATIONS: dict[type, Callable[[Fields, Any], None]] = {
    Set: _set,
    SetOnInsert: _set,
    Unset: _unset,
    Inc: _inc,
    Mul: _mul,
    Min: _min,
    Max: _max,
    Push: _push,
    AddToSet: _add_to_set,
    Pull: _pull,
    PullWhere: _pull_where,
    Pop: _pop,
    Rename: _rename,
}
