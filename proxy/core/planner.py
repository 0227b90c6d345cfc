"""A query is planned once for both stores: the plan never misses a document, and both stores keep its order.

In order of preference: the whole key; the table or a local index, whichever the filter narrows more; a global
index where the collection allows late reads; a scan where it allows scans. A local or global index leaves out
documents without its fields, so it serves only filters that no such document satisfies.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.core.advice import refusal
from proxy.core.collection import Collection, Index, IndexKind, KeyField
from proxy.core.filter import Filter
from proxy.core.keyrange import key_range
from proxy.core.keytext import encode_partition
from proxy.core.narrowing import Knowledge, Narrowing, fixed, know, lacking
from proxy.core.query import Freshness, Order, Plan


def plan(collection: Collection, filter: Filter, order: Sequence[Order] = ()) -> Plan:
    """How to serve a query. The filter has passed `check_filter`.

    An empty order is that of the index chosen. Raises Refused (NO_INDEX) naming the index that is missing,
    and BadRequest (KEY_TOO_LONG) for an equality that no key can satisfy.
    """
    known = know(collection, filter)
    found = _best(_candidates(collection, filter, order, known)) or _scan(collection, filter, order, known)
    if found is None:
        raise refusal(collection, filter, order, known)
    if found.index is not None:
        encode_partition(found.index, found.partition)
        key_range(found)
    return found


def _candidates(
    collection: Collection, filter: Filter, order: Sequence[Order], known: Knowledge
) -> list[Plan]:
    whole_key = fixed(collection.key_fields, known)
    if len(whole_key) == len(collection.key_fields):
        return [_plan_on(collection.key, filter, known, ascending=True)]
    plans = []
    for index in (collection.key, *collection.indexes):
        ascending = _direction(collection, index.sort, order, known)
        if ascending is not None and _serves(collection, index, known):
            plans.append(_plan_on(index, filter, known, ascending=ascending))
    return plans


def _serves(collection: Collection, index: Index, known: Knowledge) -> bool:
    """Whether all selected documents are in one partition of the index, and in the index at all."""
    if index.kind is IndexKind.GLOBAL and not collection.settings.allow_eventual:
        return False
    return len(fixed(index.partition, known)) == len(index.partition) and not lacking(
        collection, index, known
    )


def _plan_on(index: Index, filter: Filter, known: Knowledge, *, ascending: bool) -> Plan:
    leading = fixed(index.sort, known)
    narrowing = _next_narrowing(index, len(leading), known)
    is_last = len(leading) == len(index.sort) - 1
    return Plan(
        index=index,
        partition=fixed(index.partition, known),
        sort_prefix=leading,
        lower=narrowing.lower if is_last and not narrowing.text else None,
        upper=narrowing.upper if is_last and not narrowing.text else None,
        text_prefix=narrowing.text or None,
        filter=filter,
        ascending=ascending,
        freshness=Freshness.EVENTUAL if index.kind is IndexKind.GLOBAL else Freshness.STRONG,
    )


def _next_narrowing(index: Index, place: int, known: Knowledge) -> Narrowing:
    return known[index.sort[place].name] if place < len(index.sort) else Narrowing()


def _direction(
    collection: Collection, sort: Sequence[KeyField], order: Sequence[Order], known: Knowledge
) -> bool | None:
    """The direction in which rows by `sort` and then the key are in the order asked for; None if neither.

    True is ascending. Fields that the filter fixes order nothing; nor does anything after the whole key.
    """
    served = _varying([field.name for field in (*sort, *collection.key_fields)], known)
    wanted = _varying([entry.path for entry in order], known)[: len(served)]
    if wanted != served[: len(wanted)]:
        return None
    directions = {_first_direction(order, path) for path in wanted}
    return None if len(directions) > 1 else all(directions)


def _first_direction(order: Sequence[Order], path: str) -> bool:
    return next(entry.ascending for entry in order if entry.path == path)


def _varying(names: Sequence[str], known: Knowledge) -> list[str]:
    return [name for name in dict.fromkeys(names) if name not in known or known[name].equal is None]


def _best(plans: Sequence[Plan]) -> Plan | None:
    """Strong before late, then the narrowest, then the first declared."""
    return max(plans, key=_merit, default=None)


def _merit(plan: Plan) -> tuple[bool, int, int]:
    bounds = 2 if plan.text_prefix else (plan.lower is not None) + (plan.upper is not None)
    return plan.freshness is Freshness.STRONG, len(plan.sort_prefix), bounds


def _scan(collection: Collection, filter: Filter, order: Sequence[Order], known: Knowledge) -> Plan | None:
    ascending = _direction(collection, (), order, known)
    if ascending is None or not collection.settings.allow_scan:
        return None
    return Plan(None, (), (), None, None, None, filter, ascending)
