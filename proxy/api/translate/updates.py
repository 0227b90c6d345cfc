"""Update operators from protobuf; one without a kind is refused, for it must not be skipped."""

from __future__ import annotations

from collections.abc import Callable

from crossfade.v1 import storage_pb2 as pb
from proxy.api.translate.fault import fault, inside, within
from proxy.api.translate.filters import check_path, read_element_filter
from proxy.api.translate.values import read_value, read_values
from proxy.core import update as core
from proxy.core.errors import BadRequest, Reason

_TYPES = {
    pb.CurrentDate.TYPE_UNSPECIFIED: False,
    pb.CurrentDate.DATE: False,
    pb.CurrentDate.TIMESTAMP: True,
}


def read_update(message: pb.Update) -> core.Update:
    """The operators of a message, at least one. Raises BadRequest (INVALID_UPDATE, CONFLICTING_PATHS)."""
    found: list[core.Operator] = []
    try:
        for operator in message.operators:
            found.append(_read_operator(operator))
    except BadRequest as error:
        raise within(f"operators[{len(found)}]", error)  # noqa: B904 - it is the same error
    if not found:
        text = "an update has at least one operator"
        raise fault(text, Reason.INVALID_UPDATE, "operators")
    update = tuple(found)
    _check(update)
    return update


def _check(update: core.Update) -> None:
    """What the core refuses, located: the core names a path, the client wants its operator."""
    try:
        core.check(update)
    except BadRequest as error:
        places = [i for i, operator in enumerate(update) if operator.path == error.field]
        error.field = f"operators[{places[-1]}]" if places else "operators"
        raise


def _read_operator(message: pb.UpdateOperator) -> core.Operator:
    kind = message.WhichOneof("kind")
    if kind is None:
        text = "the operator has no kind that this server knows"
        raise fault(text, Reason.INVALID_UPDATE)
    try:
        check_path(message.path, Reason.INVALID_UPDATE)
    except BadRequest as error:
        raise within("path", error)  # noqa: B904 - it is the same error
    try:
        return _READERS[kind](message.path, message)
    except BadRequest as error:
        raise within(kind, error)  # noqa: B904 - it is the same error


def _read_push(path: str, message: pb.UpdateOperator) -> core.Operator:
    push = message.push
    with inside("values"):
        values = tuple(read_values(push.values))
    position = push.position if push.HasField("position") else None
    kept = push.slice if push.HasField("slice") else None
    if not values and kept is None:
        raise fault("a push without a slice has values", Reason.INVALID_UPDATE, "values")
    return core.Push(path, values, position, kept)


def _read_add_to_set(path: str, message: pb.UpdateOperator) -> core.Operator:
    with inside("values"):
        return core.AddToSet(path, tuple(read_values(message.add_to_set.values)))


def _read_pull(path: str, message: pb.UpdateOperator) -> core.Operator:
    pull = message.pull
    if pull.HasField("where") == bool(pull.values):
        text = "exactly one of `values` and `where` is given"
        raise fault(text, Reason.INVALID_UPDATE)
    if pull.HasField("where"):
        with inside("where"):
            return core.PullWhere(path, read_element_filter(pull.where))
    with inside("values"):
        return core.Pull(path, tuple(read_values(pull.values)))


def _read_pop(path: str, message: pb.UpdateOperator) -> core.Operator:
    end = message.pop.end
    if end not in (pb.Pop.FIRST, pb.Pop.LAST):
        text = f"the end {end} is not one that this server knows"
        raise fault(text, Reason.INVALID_UPDATE, "end")
    return core.Pop(path, first=end == pb.Pop.FIRST)


def _read_current_date(path: str, message: pb.UpdateOperator) -> core.Operator:
    as_timestamp = _TYPES.get(message.current_date.type)
    if as_timestamp is None:
        text = f"the type {message.current_date.type} is not one that this server knows"
        raise fault(text, Reason.INVALID_UPDATE, "type")
    return core.CurrentDate(path, as_timestamp)


def _read_rename(path: str, message: pb.UpdateOperator) -> core.Operator:
    check_path(message.rename, Reason.INVALID_UPDATE)
    return core.Rename(path, message.rename)


_READERS: dict[str, Callable[[str, pb.UpdateOperator], core.Operator]] = {
    "set": lambda path, message: core.Set(path, read_value(message.set)),
    "unset": lambda path, message: core.Unset(path),
    "inc": lambda path, message: core.Inc(path, read_value(message.inc)),
    "mul": lambda path, message: core.Mul(path, read_value(message.mul)),
    "min": lambda path, message: core.Min(path, read_value(message.min)),
    "max": lambda path, message: core.Max(path, read_value(message.max)),
    "rename": _read_rename,
    "set_on_insert": lambda path, message: core.SetOnInsert(path, read_value(message.set_on_insert)),
    "push": _read_push,
    "add_to_set": _read_add_to_set,
    "pull": _read_pull,
    "pop": _read_pop,
    "current_date": _read_current_date,
}
