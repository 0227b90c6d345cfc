"""The divergence log in MongoDB: one row a divergence, counted and updated by every replica that sees it."""

from __future__ import annotations

from typing import Any

from pymongo import DESCENDING, AsyncMongoClient
from pymongo.errors import DuplicateKeyError

from proxy.core.divergence import Divergence
from proxy.core.document import OPTIONS
from proxy.core.exchange import DivergenceQuery
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

    async def counts(self, collection: str, state: str = "open") -> dict[str, int]:
        chosen = {"collection": {"$eq": collection}, "state": {"$eq": state}}
        pipeline: list[Row] = [{"$match": chosen}, {"$group": {"_id": "$kind", "rows": {"$sum": 1}}}]
        with Translated():
            cursor = await self._rows.aggregate(pipeline)
            return {row["_id"]: row["rows"] for row in await cursor.to_list()}

    async def close(self, divergence_id: str, evidence: str) -> bool:
        query = {"_id": {"$eq": divergence_id}, "state": {"$eq": "open"}}
        with Translated(is_write=True):
            result = await self._rows.update_one(query, {"$set": {"state": "closed", "evidence": evidence}})
        return result.modified_count == 1

    async def _count(self, divergence: Divergence) -> None:
        first_look = to_row(divergence)
        moving = {name: first_look.pop(name) for name in ("last_seen", "count", "state")}
        change = {
            "$setOnInsert": first_look,
            "$max": {"last_seen": moving["last_seen"]},
            "$inc": {"count": moving["count"]},
            "$set": {"state": moving["state"]},
        }
        await self._rows.update_one({"_id": {"$eq": divergence.id}}, change, upsert=True)


def _selection(query: DivergenceQuery) -> Row:
    wanted = {"collection": query.collection, "kind": query.kind, "state": query.state}
    selection: Row = {name: {"$eq": value} for name, value in wanted.items() if value}
    if query.before is not None:
        last_seen, identity = query.before
        earlier = {"last_seen": {"$lt": last_seen}}
        selection["$or"] = [earlier, {"last_seen": {"$eq": last_seen}, "_id": {"$lt": identity}}]
    return selection
