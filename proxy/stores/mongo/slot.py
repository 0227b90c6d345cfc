"""One key's place in a collection: compare-and-set of the whole document, whatever happened to it since.

What is compared is the version and, up to 4 MB, the content: so a writer that bypasses the proxy, and changes
a document without giving it a new version, is not overwritten either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bson.objectid import ObjectId
from pymongo.errors import DuplicateKeyError, OperationFailure

from proxy.core.document import Document
from proxy.core.errors import AlreadyExists, Contended
from proxy.core.version import Record
from proxy.stores.mongo.access import Access, Held, Writing
from proxy.stores.mongo.codec import Stored, holds_zero_timestamp, with_identity
from proxy.stores.mongo.expressions import TOMBSTONE, Query, version_query
from proxy.stores.mongo.failures import IMMUTABLE_FIELD, code_of, violated_index

_CONTENT_LIMIT = 4 * 2**20
_NOWHERE: Query = {"_cf.r": {"$lt": 0}}


@dataclass(frozen=True, slots=True)
class Slot:
    """Compare-and-set on the keys of one collection."""

    access: Access

    async def swap(self, held: Held | None, put: Record) -> bool:
        """Store `put` if the key still holds `held` (None: nothing); False if it does not.

        Raises Fenced, BadRequest (the user's validator), AlreadyExists (another unique index).
        """
        if held is None:
            return await self.insert(put)
        return await self.replace(self.still(held), put)

    def still(self, held: Held) -> Query:
        """Selects the document only if it is what was read."""
        query = self.access.query(held.record.key)
        same = version_query(held.record.version, held.record.op)
        if len(held.raw.raw) > _CONTENT_LIMIT:
            return query | same
        content: Query = {"$expr": {"$eq": ["$$ROOT", {"$literal": held.raw}]}}
        return query | content if held.record.is_legacy else query | same | content

    async def insert(self, put: Record) -> bool:
        """Store a record under a key that has none; False if it has one."""
        if _is_filled_in_by_the_server(put.document):
            return await self.replace(self.access.query(put.key) | _NOWHERE, put, upsert=True)
        document = self.access.codec.encode(put)
        async with Writing(self.access, put.version.epoch, put.op):
            try:
                await self.access.newest.insert_one(document)
            except DuplicateKeyError as error:
                return await self._may_retry(error, put, lambda _: True) and await self.insert(put)
        return True

    async def replace(self, query: Query, put: Record, *, upsert: bool = False) -> bool:
        """Store a record over the one that `query` selects; False if it selects none."""
        async with Writing(self.access, put.version.epoch, put.op):
            try:
                return await self._put(query, put, upsert)
            except DuplicateKeyError as error:
                if not await self._may_retry(
                    error, put, lambda found: upsert and found.version >= put.version
                ):
                    return False
                return await self.replace(query, put, upsert=upsert)
            except OperationFailure as error:
                if code_of(error) != IMMUTABLE_FIELD:
                    raise
        return await self._exchange(query, put)

    async def _put(self, query: Query, put: Record, upsert: bool) -> bool:
        document = self.access.codec.encode(put)
        if _is_filled_in_by_the_server(put.document) or _is_refused_as_replacement(put.document):
            literal = [{"$replaceWith": {"$literal": document}}]
            result = await self.access.newest.update_one(query, literal, upsert=upsert)
        else:
            result = await self.access.newest.replace_one(query, document, upsert=upsert)
        return bool(result.matched_count) or result.upserted_id is not None

    async def _exchange(self, query: Query, put: Record) -> bool:
        """Delete and insert in one transaction: `_id` cannot be changed in place."""
        try:
            return await self._delete_and_insert(query, self.access.codec.encode(put), put)
        except Contended:
            return False

    async def _may_retry(
        self, error: DuplicateKeyError, put: Record, is_in_the_way: Callable[[Record], bool]
    ) -> bool:
        """Whether a duplicate has been cleared out of the way: `_id` held by the tombstone of another key.

        False when what the key holds is in the way, whichever index MongoDB names. Raises AlreadyExists for
        a duplicate in any other unique index.
        """
        violated = violated_index(error)
        if set(violated) == set(self.access.names):
            return False
        held = await self.access.read(put.key)
        if held is not None and is_in_the_way(held.record):
            return False
        if violated == ("_id",) and await self._free_identity(put):
            return True
        raise AlreadyExists(f"another document has the same {', '.join(violated)}", op=put.op) from error

    async def _free_identity(self, put: Record) -> bool:
        """Give the tombstone that has a new document's `_id` another one; False if it is no tombstone."""
        assert put.document is not None
        query = {"_id": {"$eq": put.document.fields["_id"]}, **TOMBSTONE}
        found = await self.access.newest.find_one(query)
        if found is None:
            return False
        tombstone = self.access.codec.decode(found)
        moved = with_identity(self.access.codec.encode(tombstone), ObjectId())
        return await self._delete_and_insert(
            query | version_query(tombstone.version, tombstone.op), moved, tombstone
        )

    async def _delete_and_insert(self, query: Query, document: Stored, put: Record) -> bool:
        async with (
            Writing(self.access, put.version.epoch, put.op),
            self.access.client.start_session() as session,
            await session.start_transaction(),
        ):
            deleted = await self.access.newest.delete_one(query, session=session)
            if deleted.deleted_count:
                await self.access.newest.insert_one(document, session=session)
            return bool(deleted.deleted_count)


def _is_filled_in_by_the_server(document: Document | None) -> bool:
    """True where a plain insert or replace would put the time in place of a timestamp of zero.

    The pipeline that avoids it cannot hold what only raw bytes can.
    """
    return document is not None and document.raw is None and holds_zero_timestamp(document)


def _is_refused_as_replacement(document: Document | None) -> bool:
    """True where MongoDB would take a field's name for an operator."""
    return document is not None and document.raw is None and any(n.startswith("$") for n in document.fields)
