"""MongoDB's update documents, as PyMongo takes them, translated to the contract's update operators.

What the contract has no word for is refused here with Unsupported, naming the operator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crossfade.codec import write_value
from crossfade.errors import InvalidDocument, InvalidUpdate, Reason, Unsupported
from crossfade.filters import is_operators, write_element_filter, write_filter
from crossfade.v1 import storage_pb2 as pb

SUPPORTED = (
    "$set $unset $inc $mul $min $max $rename $setOnInsert $push ($each $position $slice) $addToSet ($each) "
    "$pull $pullAll $pop $currentDate"
)


def write_update(target: pb.Update, update: Mapping[str, Any]) -> None:
    """Fill a message. Raises InvalidUpdate or Unsupported."""
    if not isinstance(update, Mapping):
        raise Unsupported("an update by pipeline is not supported", Reason.UNIMPLEMENTED)
    if not update:
        raise _invalid("an update has at least one operator")
    for name, changes in update.items():
        _write_changes(target, name, changes)


def _write_changes(target: pb.Update, name: str, changes: object) -> None:
    if not str(name).startswith("$"):
        raise _invalid(f"{name!r} is not an operator; to replace the document use replace_one")
    write = _OPERATORS.get(name)
    if write is None:
        raise _unsupported(name)
    if not isinstance(changes, Mapping):
        raise _invalid(f"{name} takes a mapping from fields to operands")
    for path, operand in changes.items():
        operator = target.operators.add()
        try:
            operator.path = path
            write(operator, operand)
        except InvalidDocument as error:
            raise _invalid(f"{name} of {path!r}: {error}", path) from error
        except (TypeError, ValueError) as error:
            raise _invalid(f"{name} of {path!r}: {error}", str(path)) from error


def _write_operand(attribute: str) -> Callable[[pb.UpdateOperator, Any], None]:
    return lambda operator, operand: write_value(getattr(operator, attribute), operand)


def _write_number(attribute: str) -> Callable[[pb.UpdateOperator, Any], None]:
    def write(operator: pb.UpdateOperator, operand: Any) -> None:
        slot = getattr(operator, attribute)
        write_value(slot, operand)
        if slot.WhichOneof("kind") not in _NUMBERS:
            raise ValueError(f"{operand!r} is not a number")

    return write


def _write_unset(operator: pb.UpdateOperator, operand: Any) -> None:
    operator.unset.SetInParent()


def _write_rename(operator: pb.UpdateOperator, operand: Any) -> None:
    operator.rename = operand


def _write_push(operator: pb.UpdateOperator, operand: Any) -> None:
    push = operator.push
    push.SetInParent()
    modifiers = _modifiers("$push", operand, {"$each", "$position", "$slice"})
    _write_values(push.values, modifiers["$each"])
    if "$position" in modifiers:
        push.position = modifiers["$position"]
    if "$slice" in modifiers:
        push.slice = modifiers["$slice"]


def _write_add_to_set(operator: pb.UpdateOperator, operand: Any) -> None:
    operator.add_to_set.SetInParent()
    _write_values(operator.add_to_set.values, _modifiers("$addToSet", operand, {"$each"})["$each"])


def _modifiers(name: str, operand: Any, known: set[str]) -> Mapping[str, Any]:
    """The modifiers of $push and $addToSet; a plain operand is one element."""
    if not is_operators(operand):
        return {"$each": [operand]}
    for modifier in operand:
        if modifier not in known:
            raise _unsupported(f"{name} with {modifier}")
    if not isinstance(operand.get("$each"), list | tuple):
        raise ValueError("$each takes a list, and the other modifiers go with it")
    return dict(operand)


def _write_pull(operator: pb.UpdateOperator, operand: Any) -> None:
    where = operator.pull.where
    if is_operators(operand):
        write_element_filter(where, operand)
    elif isinstance(operand, re.Pattern):
        write_element_filter(where, {"$regex": operand})
    elif isinstance(operand, Mapping):
        write_filter(where, operand)
    else:
        _write_values(operator.pull.values, [operand])


def _write_pull_all(operator: pb.UpdateOperator, operand: Any) -> None:
    if not isinstance(operand, list | tuple):
        raise ValueError("it takes a list")
    operator.pull.SetInParent()
    _write_values(operator.pull.values, operand)


def _write_pop(operator: pb.UpdateOperator, operand: Any) -> None:
    if operand not in (1, -1):
        raise ValueError("it takes 1 (the last element) or -1 (the first)")
    operator.pop.end = pb.Pop.LAST if operand == 1 else pb.Pop.FIRST


def _write_current_date(operator: pb.UpdateOperator, operand: Any) -> None:
    kind = operand.get("$type") if isinstance(operand, Mapping) else "date" if operand else None
    if kind not in _DATE_TYPES:
        raise ValueError("it takes True, {'$type': 'date'} or {'$type': 'timestamp'}")
    operator.current_date.type = _DATE_TYPES[kind]


def _write_values(values: Any, elements: Iterable[Any]) -> None:
    for element in elements:
        write_value(values.add(), element)


def _invalid(message: str, path: str = "") -> InvalidUpdate:
    return InvalidUpdate(message, Reason.INVALID_UPDATE, field=path)


def _unsupported(operator: str) -> Unsupported:
    return Unsupported(
        f"the update operator {operator} is not supported",
        Reason.UNIMPLEMENTED,
        hint=f"supported are {SUPPORTED}",
    )


_NUMBERS = frozenset({"int32_value", "int64_value", "double_value", "decimal_value"})

_DATE_TYPES: dict[object, pb.CurrentDate.Type] = {
    "date": pb.CurrentDate.DATE,
    "timestamp": pb.CurrentDate.TIMESTAMP,
}

_OPERATORS: dict[str, Callable[[pb.UpdateOperator, Any], None]] = {
    "$set": _write_operand("set"),
    "$unset": _write_unset,
    "$inc": _write_number("inc"),
    "$mul": _write_number("mul"),
    "$min": _write_operand("min"),
    "$max": _write_operand("max"),
    "$rename": _write_rename,
    "$setOnInsert": _write_operand("set_on_insert"),
    "$push": _write_push,
    "$addToSet": _write_add_to_set,
    "$pull": _write_pull,
    "$pullAll": _write_pull_all,
    "$pop": _write_pop,
    "$currentDate": _write_current_date,
}
