"""What is fuzzed over the wire: whole calls by their grammar, bytes at random, and page tokens."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import grpc
from hypothesis import strategies as st

from crossfade.v1 import migration_pb2
from crossfade.v1 import storage_pb2 as pb
from tests.fuzz import grammar
from tests.fuzz.twins import DYNAMO, MONGO, Answer, Twins, refusal

NEVER = frozenset(
    ("INTERNAL", "bare INTERNAL", "bare UNKNOWN", "bare CANCELLED", "DEADLINE", "STORE_REJECTED")
)
"""Reasons that no request of a client may have."""

METHODS = [
    f"/{service.full_name}/{method.name}"
    for file in (pb.DESCRIPTOR, migration_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
]

NOT_APPLIED = 1


class Found(AssertionError):
    """Something that must not be."""


class Calls:
    """Asks both twins alike; counts what they answered."""

    def __init__(self, twins: Twins) -> None:
        self._twins = twins
        self.answers: Counter[str] = Counter()
        self._stored: Any = None

    def check(self, *calls: tuple[str, grammar.Make]) -> None:
        """Raises Found where the twins differ, one fails, or a refusal left a trace; begins with nothing."""
        self._twins.clear()
        self._stored = self._twins.stored()
        for method, make in calls:
            self._check(method, make)

    def _check(self, method: str, make: grammar.Make) -> None:
        requests = {name: make(name) for name in (MONGO, DYNAMO)}
        answers = {name: self._twins.ask(method, request) for name, request in requests.items()}
        for name, answer in answers.items():
            self.answers[f"{method} {answer.reason or 'ok'}"] += 1
            if answer.reason in NEVER:
                raise Found(f"{name} fails: {answer}\n{requests[name]}")
        if answers[MONGO] != answers[DYNAMO]:
            raise Found(f"the stores differ: {answers[MONGO]}\n{answers[DYNAMO]}\n{requests[MONGO]}")
        self._check_trace(method, answers[MONGO], requests[MONGO])

    def _check_trace(self, method: str, answer: Answer, request: Any) -> None:
        if method not in grammar.WRITES:
            return
        stored = self._twins.stored()
        if answer.reason and answer.outcome == NOT_APPLIED and stored != self._stored:
            raise Found(f"refused, and yet written: {answer}\n{request}")
        self._stored = stored


class Bytes:
    """Sends bytes to every method, which may only refuse them or take them for a good request."""

    def __init__(self, twins: Twins) -> None:
        self._twins = twins
        self.answers: Counter[str] = Counter()

    def check(self, path: str, data: bytes) -> None:
        call = self._twins.channel.unary_unary(path, _same, _same)
        try:
            call(data, timeout=30)
            reason = "ok"
        except grpc.RpcError as failure:
            reason = refusal(failure).reason
        self.answers[reason] += 1
        if reason in NEVER:
            raise Found(f"{path} fails with {reason} for {data!r}")


def _same(data: bytes) -> bytes:
    return data


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A method and bytes: a good request of some method with a few bytes changed, or anything."""
    path = draw(st.sampled_from(METHODS))
    if not draw(st.integers(0, 4)):
        return path, draw(st.binary(max_size=60))
    method = draw(st.sampled_from(sorted(grammar.requests)))
    name = draw(st.sampled_from((MONGO, DYNAMO, "$where", "")))
    data = bytearray(draw(grammar.requests[method])(name).SerializeToString())
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return draw(st.sampled_from((path, f"/crossfade.v1.StorageService/{method}"))), bytes(data)


class Tokens:
    """Good page tokens, bent, cut, and replayed where they do not belong: each must be refused by name."""

    def __init__(self, twins: Twins) -> None:
        self._twins = twins
        self.answers: Counter[str] = Counter()
        for number in range(3):
            fields = {"tenant": "t", "area": "b", "name": "page", "part": number, "_id": number, "due": 1}
            for name in (MONGO, DYNAMO):
                twins.ask("Insert", pb.InsertRequest(collection=name, document=grammar.document_of(fields)))
        self._tokens = {name: self._first(name) for name in (MONGO, DYNAMO)}

    def check(self, name: str, place: int, bit: int, twist: str) -> None:
        token = self._tokens[name]
        request = self._request(name, token)
        if twist == "bend":
            data = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            data[place % len(data)] ^= 1 << bit
            request.page_token = base64.urlsafe_b64encode(bytes(data)).decode().rstrip("=")
        elif twist == "cut":
            request.page_token = token[: place % len(token)] or "A"
        elif twist == "add":
            request.page_token = token + "A" * (1 + place % 40)
        elif twist == "elsewhere":
            request.collection = DYNAMO if name == MONGO else MONGO
        elif twist == "other filter":
            request.filter.all_of.filters[2].comparison.value.CopyFrom(grammar.value_of(f"x{place}"))
        elif twist == "other order":
            request.order[0].direction = pb.DIRECTION_DESCENDING
        answer = self._twins.ask("Query", request)
        self.answers[f"{twist}: {answer.reason or 'ok'}"] += 1
        wanted = "" if twist == "none" else "INVALID_PAGE_TOKEN"
        if answer.reason != wanted:
            raise Found(f"a token ({twist}, byte {place}, bit {bit}) of {name}: {answer}")

    def _first(self, name: str) -> str:
        token: str = self._twins.stub.Query(self._request(name, "")).next_page_token
        if not token:
            raise Found("three documents in pages of one, and no token")
        return token

    def _request(self, name: str, token: str) -> Any:
        wanted = {"tenant": "t", "area": "b", "name": "page"}
        equal = [grammar.equal(path, value) for path, value in wanted.items()]
        return pb.QueryRequest(
            collection=name,
            filter=pb.Filter(all_of=pb.FilterList(filters=equal)),
            order=[pb.Order(path="part", direction=pb.DIRECTION_ASCENDING)],
            page_size=1,
            page_token=token,
        )


TWISTS = ("none", "bend", "bend", "bend", "cut", "add", "elsewhere", "other filter", "other order")
twists = st.tuples(
    st.sampled_from((MONGO, DYNAMO)), st.integers(0, 200), st.integers(0, 7), st.sampled_from(TWISTS)
)
one_call = st.sampled_from((*grammar.requests, *grammar.WRITES, "Insert")).flatmap(
    lambda method: st.tuples(st.just(method), grammar.requests[method])
)
calls = st.lists(one_call, min_size=1, max_size=12)
