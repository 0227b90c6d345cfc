"""What operators may ask, and what nobody should: requests of every method, made from the contract itself.

Moves and rehearsals are dry runs; jobs find no mirror. So nothing that is sent here may change anything.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from crossfade.v1 import migration_pb2
from tests.fuzz.calls import NEVER, Found
from tests.fuzz.grammar import WICKED, mostly, texts
from tests.fuzz.twins import DYNAMO, MONGO, Twins, refusal

SERVICE = migration_pb2.DESCRIPTOR.services_by_name["MigrationService"]

ALWAYS = {"dry_run": True}
"""Fields that have one value, whatever else is asked."""

_names = mostly(st.sampled_from((MONGO, DYNAMO)), st.sampled_from(("", "made-up", "fuzz", *WICKED)), 3)
_tokens = st.sampled_from(("", "", "AQID", "!", base64.urlsafe_b64encode(b'[1, "a"]').decode(), "x" * 500))
_wholes = st.sampled_from((0, 0, 1, 2, 100, 1001, -1, 2**31 - 1, -(2**31)))
_larger = st.sampled_from((0, 1, 2, -1, 2**63 - 1, -(2**63)))
_reals = st.sampled_from((0.0, 0.5, 1.0, 1e-300, -1.0, 2.0, 1e308, float("inf"), float("nan")))

_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: _wholes,
    FieldDescriptor.TYPE_INT64: _larger,
    FieldDescriptor.TYPE_DOUBLE: _reals,
    FieldDescriptor.TYPE_STRING: texts,
}


def field(one: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of one field; what it is called tells what is worth trying."""
    if one.name in ALWAYS:
        return st.just(ALWAYS[one.name])
    if one.name in ("collection", "name"):
        return _names
    if one.name == "page_token":
        return _tokens
    if one.enum_type is not None:
        return st.sampled_from((*(value.number for value in one.enum_type.values), 99))
    single = _SCALARS[one.type] if one.message_type is None else messages(one.message_type)
    return st.lists(single, max_size=3) if one.is_repeated else single


def messages(kind: Descriptor) -> st.SearchStrategy[Any]:
    """Messages of a kind, with any of their fields."""
    given = {one.name: field(one) for one in kind.fields}
    kept = {name: made for name, made in given.items() if name in ALWAYS}
    free = {name: made for name, made in given.items() if name not in ALWAYS}
    make: Callable[..., Any] = GetMessageClass(kind)
    return st.fixed_dictionaries(kept, optional=free).map(lambda fields: make(**fields))


requests = st.sampled_from(tuple(SERVICE.methods)).flatmap(
    lambda method: st.tuples(st.just(method.name), messages(method.input_type))
)


class Operators:
    """Asks; whatever the answer is, nothing may have changed by it."""

    def __init__(self, twins: Twins) -> None:
        self._twins = twins
        self.answers: Counter[str] = Counter()
        self._before = self._state()

    def check(self, method: str, request: Any) -> None:
        call = self._twins.channel.unary_unary(
            f"/{SERVICE.full_name}/{method}", type(request).SerializeToString, bytes
        )
        try:
            call(request, timeout=30)
            reason = "ok"
        except grpc.RpcError as failure:
            reason = refusal(failure).reason
        self.answers[f"{method} {reason}"] += 1
        if reason in NEVER:
            raise Found(f"{method} fails with {reason}\n{request}")
        if self._state() != self._before:
            raise Found(f"{method} has changed something\n{request}")

    def _state(self) -> Any:
        """What is stored, and in which stage and epoch both are."""
        return self._twins.stored(), self._twins.stages()
