"""Filters and updates in MongoDB's own language, such that nothing a client sends is read as an operator.

Paths are checked and escaped, values stand behind `$eq` and the like or inside `$literal`. What MongoDB
cannot be asked natively compiles to None: the caller then decides in the proxy's own engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from bson.regex import Regex

from proxy.core.document import Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import (
    And,
    Comparator,
    Compare,
    Contains,
    Exists,
    Filter,
    In,
    Not,
    Or,
    Prefix,
    is_about_element,
    prefix_pattern,
)
from proxy.core.keys import Key
from proxy.core.update import (
    AddToSet,
    CurrentDate,
    Inc,
    Max,
    Min,
    Mul,
    Operator,
    Pop,
    Pull,
    PullWhere,
    Push,
    Rename,
    Set,
    SetOnInsert,
    Unset,
    Update,
)
from proxy.core.version import LEGACY, RING, Record, Stamp, Version
from proxy.stores.mongo.codec import escape_name, escape_path

Query: TypeAlias = dict[str, Any]
Operators: TypeAlias = dict[str, dict[str, Any]]
Pipeline: TypeAlias = list[dict[str, Any]]
PathForm: TypeAlias = Callable[[str], str]

LIVE: Query = {"_cf.del": {"$exists": False}}
TOMBSTONE: Query = {"_cf.del": {"$exists": True}}
NEVER: Query = {"$nor": [{}]}
_INEXPRESSIBLE: Any = object()


def query_of(filter: Filter, path_form: PathForm = escape_path) -> Query:
    """The query that selects what the filter selects. Raises BadRequest (INVALID_FILTER) for no path."""
    if isinstance(filter, And):
        return _joined("$and", filter.filters, path_form) if filter.filters else {}
    if isinstance(filter, Or):
        return _joined("$or", filter.filters, path_form) if filter.filters else NEVER
    if isinstance(filter, Not):
        return {"$nor": [query_of(filter.filter, path_form)]}
    path = _checked(filter.path, path_form)
    if isinstance(filter, In) and any(isinstance(value, dict | Regex) for value in filter.values):
        return {"$or": [{path: {"$eq": value}} for value in filter.values]}
    return {path: _condition(filter)}


def all_of(*queries: Query) -> Query:
    """The conjunction, leaving out what is always true."""
    parts = [query for query in queries if query]
    return parts[0] if len(parts) == 1 else {"$and": parts} if parts else {}


def key_query(names: Sequence[str], key: Key) -> Query:
    """Selects one key; `names` are the stored names of the key fields."""
    return {name: {"$eq": value} for name, value in zip(names, key.values, strict=True)}


def keys_query(names: Sequence[str], keys: Sequence[Key]) -> Query:
    """Selects several keys, those that share all but the last field by one `$in`."""
    groups: dict[tuple[Value, ...], list[Value]] = {}
    for key in keys:
        groups.setdefault(key.values[:-1], []).append(key.values[-1])
    queries = [
        key_query(names[:-1], Key(leading)) | {names[-1]: {"$in": last}} for leading, last in groups.items()
    ]
    return queries[0] if len(queries) == 1 else {"$or": queries}


def version_query(version: Version, op: bytes) -> Query:
    """Selects the very version of a record; for a legacy one, that it has none yet."""
    if version == LEGACY and not op:
        return {"_cf.r": {"$exists": False}}
    return {
        "_cf.e": {"$eq": Int64(version.epoch)},
        "_cf.r": {"$eq": Int64(version.revision)},
        "_cf.op": {"$eq": op},
    }


def older_query(record: Record) -> Query:
    """Selects what an arriving record may replace: an older version, or none."""
    epoch, revision = (Int64(part) for part in record.version)
    return {
        "$or": [
            {"_cf.e": {"$lt": epoch}},
            {"_cf.e": {"$eq": epoch}, "_cf.r": {"$lt": revision}},
            {"_cf.r": {"$exists": False}},
        ]
    }


def writable_query(stamp: Stamp) -> Query:
    """Selects a live document that the stamp may change: of no newer epoch, and not by this op already."""
    return {**LIVE, "_cf.e": {"$not": {"$gt": Int64(stamp.epoch)}}, "_cf.ops": {"$ne": stamp.op}}


def smaller_query(limit: int) -> Query:
    """Selects documents of less than `limit` bytes of BSON."""
    return {"$expr": {"$lt": [{"$bsonSize": "$$ROOT"}, limit]}}


def stamping(stamp: Stamp) -> Operators:
    """The operators that give a document its next version."""
    return {
        "$inc": {"_cf.r": Int64(1)},
        "$set": {"_cf.e": Int64(stamp.epoch), "_cf.op": stamp.op},
        "$push": {"_cf.ops": {"$each": [stamp.op], "$slice": -RING}},
    }


def operators_of(update: Update, stamp: Stamp) -> Operators | None:
    """The update and the stamp as one MongoDB update; None when the engine has to do it."""
    combined = stamping(stamp)
    for operator in update:
        name, path, operand = _NATIVE[type(operator)](operator)
        known, path = combined.setdefault(name, {}), escape_path(path)
        if operand is _INEXPRESSIBLE or not _is_plain_path(operator) or path in known:
            return None
        known[path] = operand
    return combined


def tombstone_pipeline(names: Sequence[str], key: Key, stamp: Stamp) -> Pipeline:
    """Turns a document into its tombstone: `_id`, the key fields and the next version are all that stays."""
    kept = {name: {"$literal": value} for name, value in zip(names, key.values, strict=True)}
    meta = _next_meta(stamp) | {"del": DatetimeMS(stamp.now)}
    return [{"$replaceWith": {"_id": "$_id", **kept, "_cf": meta}}]


def replacement_pipeline(fields: Mapping[str, Value], stamp: Stamp) -> Pipeline:
    """Replaces all but `_id` by the given stored fields, under the next version."""
    literal = {"$literal": {name: value for name, value in fields.items() if name != "_id"}}
    parts = [{"_id": "$_id"}, literal, {"_cf": _next_meta(stamp)}]
    return [{"$replaceWith": {"$mergeObjects": parts}}]


def stored_fields(fields: Mapping[str, Value]) -> dict[str, Value]:
    """A document's fields under their stored names."""
    return {escape_name(name): value for name, value in fields.items()}


def _next_meta(stamp: Stamp) -> dict[str, Any]:
    ops = {"$concatArrays": [{"$ifNull": ["$_cf.ops", []]}, [stamp.op]]}
    return {
        "e": Int64(stamp.epoch),
        "r": {"$add": [{"$ifNull": ["$_cf.r", Int64(0)]}, Int64(1)]},
        "op": stamp.op,
        "ops": {"$slice": [ops, -RING]},
    }


def _joined(operator: str, filters: Sequence[Filter], path_form: PathForm) -> Query:
    return {operator: [query_of(inner, path_form) for inner in filters]}


def _condition(filter: Compare | In | Prefix | Exists | Contains) -> dict[str, Any]:
    if isinstance(filter, Compare):
        if filter.comparator is Comparator.NE:
            return {"$not": {"$eq": filter.value}}
        return {f"${filter.comparator.value}": filter.value}
    if isinstance(filter, In):
        return {"$in": list(filter.values)}
    if isinstance(filter, Prefix):
        return {"$regex": prefix_pattern(filter.text)}
    if isinstance(filter, Exists):
        return {"$exists": filter.exists}
    return {"$elemMatch": {"$eq": filter.value}}


def _checked(path: str, path_form: PathForm) -> str:
    if not path or path.startswith("$") or "\0" in path:
        raise BadRequest(f"{path!r} is not a path", Reason.INVALID_FILTER, field=path)
    return path_form(path)


def _is_plain_path(operator: Operator) -> bool:
    """False for paths that MongoDB would read as positional operators, or refuse."""
    if isinstance(operator, Rename):
        return _is_plain(operator.path) and _is_plain(operator.new_path)
    return _is_plain(operator.path)


@lru_cache(4096)  # an application's updates share a few paths
def _is_plain(path: str) -> bool:
    return all(part and part[0] != "$" and "\0" not in part for part in path.split("."))


def _push(operator: Push) -> dict[str, Any]:
    modifiers: dict[str, Any] = {"$each": list(operator.values)}
    if operator.position is not None:
        modifiers["$position"] = operator.position
    if operator.slice is not None:
        modifiers["$slice"] = operator.slice
    return modifiers


def _pull_condition(where: Filter) -> Any:
    """The condition on elements that are documents, or one simple condition on the element itself."""
    if not is_about_element(where):
        return query_of(where, path_form=str)
    if isinstance(where, Compare) and where.comparator is not Comparator.NE:
        return _condition(where)
    return _INEXPRESSIBLE


Native: TypeAlias = tuple[str, str, Any]

_NATIVE: dict[type, Callable[[Any], Native]] = {
    Set: lambda o: ("$set", o.path, o.value),
    Unset: lambda o: ("$unset", o.path, ""),
    Inc: lambda o: ("$inc", o.path, o.amount),
    Mul: lambda o: ("$mul", o.path, o.factor),
    Min: lambda o: ("$min", o.path, o.value),
    Max: lambda o: ("$max", o.path, o.value),
    Rename: lambda o: ("$rename", o.path, escape_path(o.new_path)),
    SetOnInsert: lambda o: ("$setOnInsert", o.path, o.value),
    Push: lambda o: ("$push", o.path, _push(o)),
    AddToSet: lambda o: ("$addToSet", o.path, {"$each": list(o.values)}),
    Pull: lambda o: ("$pullAll", o.path, list(o.values)),
    PullWhere: lambda o: ("$pull", o.path, _pull_condition(o.where)),
    Pop: lambda o: ("$pop", o.path, -1 if o.first else 1),
    CurrentDate: lambda o: ("$currentDate", o.path, {"$type": "timestamp" if o.as_timestamp else "date"}),
}
