"""Why no index serves a query, and what to declare or change so that one does."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.core.collection import Collection, Index, IndexKind
from proxy.core.errors import Reason, Refused
from proxy.core.filter import Comparator, Compare, Filter, In, Prefix
from proxy.core.keys import conjuncts
from proxy.core.narrowing import Knowledge, fixed, lacking
from proxy.core.query import Order


def refusal(collection: Collection, filter: Filter, order: Sequence[Order], known: Knowledge) -> Refused:
    """The error for a query that no index serves (NO_INDEX)."""
    remedies = [*_mistyped(collection, known), *_near_misses(collection, order, known)]
    remedies = remedies or [_declaration(collection, filter, order)]
    if not order and not collection.settings.allow_scan:
        remedies.append("set allow_scan")
    message = f"no index of {collection.name} serves {_asked(filter, order)}; {', or '.join(remedies)}"
    return Refused(message, Reason.NO_INDEX, field="order" if order else "filter")


def _asked(filter: Filter, order: Sequence[Order]) -> str:
    equal, ranged = _equal_paths(filter), _ranged_paths(filter)
    parts = [f"equality on {_listed(equal)}"] if equal else []
    parts += [f"a range of {_listed(ranged)}"] if ranged else []
    conditions = " and ".join(parts) or "a filter that fixes no declared field"
    return f"{conditions} with order by {_listed(_directed(order))}" if order else conditions


def _directed(order: Sequence[Order]) -> list[str]:
    return [entry.path if entry.ascending else f"{entry.path} descending" for entry in order]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(names))


def _equal_paths(filter: Filter) -> list[str]:
    equal = Comparator.EQ
    return [c.path for c in conjuncts(filter) if isinstance(c, Compare) and c.comparator is equal]


def _ranged_paths(filter: Filter) -> list[str]:
    return [c.path for c in conjuncts(filter) if isinstance(c, Compare | In | Prefix) and _is_range(c)]


def _is_range(condition: Compare | In | Prefix) -> bool:
    return not isinstance(condition, Compare) or condition.comparator in _RANGES


_RANGES = (Comparator.LT, Comparator.LTE, Comparator.GT, Comparator.GTE)


def _mistyped(collection: Collection, known: Knowledge) -> list[str]:
    return [
        f"compare {field.name} with a {field.type.value}, as it is declared"
        for field in collection.typed_fields
        if known[field.name].is_mistyped
    ]


def _near_misses(collection: Collection, order: Sequence[Order], known: Knowledge) -> list[str]:
    """What else would make an index serve that the filter gives a partition of."""
    usable = [i for i in collection.indexes if len(fixed(i.partition, known)) == len(i.partition)]
    if len({entry.ascending for entry in order}) > 1:
        return ["order all fields in one direction"]
    remedies = (_remedy(collection, index, known) for index in usable if _is_wanted(index, order))
    return [remedy for remedy in remedies if remedy]


def _is_wanted(index: Index, order: Sequence[Order]) -> bool:
    return not order or (bool(index.sort) and index.sort[0].name == order[0].path)


def _remedy(collection: Collection, index: Index, known: Knowledge) -> str | None:
    missing = lacking(collection, index, known)
    if missing:
        lack = f"the index {index.name} leaves out documents without {_listed(missing)}"
        return f"bound {_listed(missing)} in the filter ({lack})"
    if index.kind is IndexKind.GLOBAL and not collection.settings.allow_eventual:
        return f"set allow_eventual (the index {index.name} is global and reads late)"
    return None


def _declaration(collection: Collection, filter: Filter, order: Sequence[Order]) -> str:
    """The index to declare, or the equality that any index needs."""
    equal = list(dict.fromkeys(_equal_paths(filter)))
    partition = [field.name for field in collection.key.partition]
    sort = [entry.path for entry in order][:1] or _ranged_paths(filter)[:1]
    if any("." in name for name in (*equal, *sort)):
        return "indexes hold top-level fields only"
    if set(partition) <= set(equal):
        rest = sort or [name for name in equal if name not in partition]
        return f"declare a local index (partition {'/'.join(partition)}, sort {'/'.join(rest)})"
    if equal:
        named = f"partition {'/'.join(equal)}" + (f", sort {sort[0]}" if sort else "")
        return f"declare a {IndexKind.GLOBAL.value} index ({named}) and set allow_eventual"
    return f"add equality on {_listed(partition)}"
