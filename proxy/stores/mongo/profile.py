"""What MongoDB's profiler has recorded, reduced to shapes: which fields calls fix, bound and sort by.

No value of a query leaves this module. At most RECORDS of the newest records are read, and SHAPES told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo import ReadPreference
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from proxy.core.survey import Calls, ProfileFacts, Shape

RECORDS = 20_000
SHAPES = 500
_EQUAL = frozenset({"$eq", "$in"})
_RANGED = frozenset({"$gt", "$gte", "$lt", "$lte"})
_VERBS = frozenset({"find", "findAndModify", "aggregate", "count", "distinct"})
_PLAIN_STAGES = frozenset({"$match", "$sort", "$limit", "$skip", "$project"})
_IGNORED = frozenset({"$comment"})


async def read_profile(
    database: AsyncDatabase[dict[str, Any]], own_name: str, patience: float
) -> ProfileFacts:
    """The shapes by collection. `own_name` is the application's name whose calls are left out."""
    level, slow = await _level(database)
    primary = database.with_options(read_preference=ReadPreference.PRIMARY_PREFERRED)
    try:
        cursor = primary["system.profile"].find(
            {"appName": {"$ne": own_name}}, limit=RECORDS, max_time_ms=int(patience * 1000)
        )
        records = await cursor.sort("$natural", -1).to_list()
    except OperationFailure:
        return ProfileFacts("the profiler's records may not be read by this user")
    return ProfileFacts(_told(level, slow, len(records)), shapes_of(database.name, records))


def shapes_of(database: str, records: Sequence[Mapping[str, Any]]) -> dict[str, dict[Shape, Calls]]:
    """Records of `system.profile` by collection and shape."""
    found: dict[str, dict[Shape, Calls]] = defaultdict(dict)
    for record in records:
        name = str(record.get("ns", "")).removeprefix(f"{database}.")
        shape = None if name.startswith(("system.", "$")) else shape_of(record)
        calls = found[name] if shape else {}
        if shape is not None and (shape in calls or len(calls) < SHAPES):
            calls[shape] = calls.get(shape, Calls()).plus(
                int(record.get("nreturned", 0)),
                int(record.get("docsExamined", 0)),
                int(record.get("millis", 0)),
            )
    return dict(found)


def shape_of(record: Mapping[str, Any]) -> Shape | None:
    """The shape of one record; None for what neither finds nor changes documents (getMore, commands)."""
    command = record.get("command", {})
    if not isinstance(command, Mapping):
        return None
    kind = record.get("op")
    if kind == "insert":
        return Shape("insert")
    if kind == "update":
        return _shape("update", command.get("q"), is_multi=bool(command.get("multi")))
    if kind == "remove":
        return _shape("delete", command.get("q"), is_multi=command.get("limit") == 0)
    if "$truncated" in command:
        return Shape(str(kind), other=("(too long for the profiler)",))
    verb = next((name for name in _VERBS if name in command), None)
    return None if verb is None else _of_command(verb, command)


def _of_command(verb: str, command: Mapping[str, Any]) -> Shape:
    if verb == "aggregate":
        return _of_pipeline(command.get("pipeline", []))
    wanted = command.get("filter") if verb == "find" else command.get("query")
    return _shape(verb, wanted, command.get("sort"))


def _of_pipeline(pipeline: Sequence[Mapping[str, Any]]) -> Shape:
    """A pipeline that only matches, sorts and limits is a find; anything else stays an aggregation."""
    stages = [(name, body) for stage in pipeline for name, body in stage.items()]
    wanted = [body for name, body in stages if name == "$match"]
    order = next((body for name, body in stages if name == "$sort"), None)
    odd = tuple(sorted({name for name, _ in stages} - _PLAIN_STAGES))
    shape = _shape("aggregate" if odd else "find", {"$and": wanted} if wanted else {}, order)
    return Shape(shape.verb, shape.equal, shape.ranged, shape.other + odd, shape.order)


def _shape(verb: str, query: Any, order: Any = None, *, is_multi: bool = False) -> Shape:
    sorts: dict[str, set[str]] = {"equal": set(), "ranged": set(), "other": set()}
    for kind, name in _conditions(query if isinstance(query, Mapping) else {}):
        sorts[kind].add(name)
    ranged = sorts["ranged"] - sorts["equal"]
    other = sorts["other"] - sorts["equal"] - ranged
    return Shape(
        verb,
        tuple(sorted(sorts["equal"])),
        tuple(sorted(ranged)),
        tuple(sorted(other)),
        _order(order),
        is_multi,
    )


def _conditions(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, condition in query.items():
        if name == "$and" and isinstance(condition, Sequence):
            for clause in condition:
                yield from _conditions(clause)
        elif name not in _IGNORED:
            yield _kind(name, condition), name


def _kind(name: str, condition: Any) -> str:
    if name.startswith("$"):
        return "other"
    if not isinstance(condition, Mapping):
        return "equal" if not hasattr(condition, "pattern") else "other"
    operators = {operator for operator in condition if operator.startswith("$")}
    if not operators or operators & _EQUAL:
        return "equal"
    return "ranged" if operators <= _RANGED else "other"


def _order(order: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(order, Mapping):
        return ()
    return tuple((name, 1 if way == 1 else -1) for name, way in order.items() if isinstance(way, int | float))


async def _level(database: AsyncDatabase[dict[str, Any]]) -> tuple[int, int]:
    """The profiler's level and, at level 1, its threshold in milliseconds; -1 where it is not told."""
    try:
        reply = await database.command("profile", -1)
    except OperationFailure:
        return -1, 0
    return int(reply["was"]), int(reply.get("slowms", 0))


def _told(level: int, slow: int, records: int) -> str:
    words = {
        0: "off",
        1: f"on for calls slower than {slow} ms",
        2: "on for all calls",
    }
    state = words.get(level, "in a state that this user may not know")
    return f"the profiler is {state}; {records} records were read"
