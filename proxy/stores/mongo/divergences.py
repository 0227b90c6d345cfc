"""The divergence log in MongoDB: one row a divergence, counted and updated by every replica that sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo import DESCENDING, AsyncMongoClient
from pymongo.errors import DuplicateKeyError

from proxy.core.divergence import Divergence
from proxy.core.document import OPTIONS
from proxy.core.exchange import DivergenceQuery
from proxy.core.life import MOST_STEPS, UNCLOSED, Event, State, sources_of, target_of
from proxy.stores.mongo.control import DATABASE
from proxy.stores.mongo.failures import Translated
from proxy.stores.mongo.rows import from_row, to_row

Row = dict[str, Any]
_NEWEST_FIRST = [("last_seen", DESCENDING), ("_id", DESCENDING)]


class MongoDivergences:
    """See `core.ports.DivergenceLog`."""

    def __init__(self, client: AsyncMongoClient[Row], database: str = DATABASE) -> None:
        self._rows = client.get_database(database, codec_options=OPTIONS)["divergences"]

    async def prepare(self) -> None:
        """Create the indexes that listing needs, idempotently."""
        with Translated(is_write=True):
            await self._rows.create_index(_NEWEST_FIRST)
            await self._rows.create_index([("collection", 1), ("state", 1), *_NEWEST_FIRST])

    async def record(self, divergence: Divergence) -> None:
        with Translated(is_write=True):
            try:
                await self._count(divergence)
            except DuplicateKeyError:  # somebody else added it at the same moment
                await self._count(divergence)

    async def list(self, query: DivergenceQuery) -> list[Divergence]:
        with Translated():
            rows = await self._rows.find(_selection(query), sort=_NEWEST_FIRST, limit=query.limit).to_list()
        return [from_row(Divergence, row) for row in rows]

    async def get(self, ids: Sequence[str]) -> dict[str, Divergence]:
        with Translated():
            rows = await self._rows.find({"_id": {"$in": list(ids)}}).to_list()
        return {row["_id"]: from_row(Divergence, row) for row in rows}

    async def counts(self, collection: str, state: str = "") -> dict[str, int]:
        chosen = _selection(DivergenceQuery(collection, state=state, is_unclosed=not state))
        pipeline: list[Row] = [{"$match": chosen}, {"$group": {"_id": "$kind", "rows": {"$sum": 1}}}]
        with Translated():
            cursor = await self._rows.aggregate(pipeline)
            return {row["_id"]: row["rows"] for row in await cursor.to_list()}

    async def move(self, divergence_id: str, event: Event, who: str, evidence: str) -> State | None:
        query = {"_id": {"$eq": divergence_id}, "state": {"$in": [one.value for one in sources_of(event)]}}
        with Translated(is_write=True):
            result = await self._rows.update_one(query, [{"$set": _step(event, who, evidence)}])
        return target_of(event) if result.matched_count == 1 else None

    async def close(self, divergence_id: str, evidence: str) -> bool:
        return await self.move(divergence_id, Event.AGREE, "", evidence) is not None

    async def _count(self, divergence: Divergence) -> None:
        first_look = to_row(divergence)
        moving: Row = {
            "last_seen": {"$max": ["$last_seen", divergence.last_seen]},
            "count": {"$add": [{"$ifNull": ["$count", 0]}, divergence.count]},
            **_step(Event.SEE, divergence.replica, divergence.operation),
        }
        row = {"$mergeObjects": [{"$literal": first_look}, "$$ROOT", moving]}
        await self._rows.update_one({"_id": {"$eq": divergence.id}}, [{"$replaceWith": row}], upsert=True)


def _step(event: Event, who: str, evidence: str) -> Row:
    """What an event sets: the state and, where that is another one, a step of the history."""
    state = target_of(event).value
    step: Row = {
        "at": {"$toLong": "$$NOW"},
        "state": state,
        "who": {"$literal": who},
        "evidence": {"$literal": evidence},
    }
    kept: Row = {"$ifNull": ["$history", []]}
    longer: Row = {"$slice": [{"$concatArrays": [kept, [step]]}, -MOST_STEPS]}
    is_same: Row = {"$in": [{"$ifNull": ["$state", state]}, [state]]}
    return {"state": state, "history": {"$cond": [is_same, kept, longer]}}


def _selection(query: DivergenceQuery) -> Row:
    wanted = {"collection": query.collection, "kind": query.kind, "state": query.state}
    selection: Row = {name: {"$eq": value} for name, value in wanted.items() if value}
    if query.is_unclosed:
        selection.setdefault("state", {"$in": [state.value for state in UNCLOSED]})
    if query.since:
        selection["last_seen"] = {"$gte": query.since}
    if query.before is not None:
        last_seen, identity = query.before
        earlier = {"last_seen": {"$lt": last_seen}}
        selection["$or"] = [earlier, {"last_seen": {"$eq": last_seen}, "_id": {"$lt": identity}}]
    return selection
