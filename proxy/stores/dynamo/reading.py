"""Reading items by key, by a range of an index, or all of them; consistent wherever DynamoDB can be."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable, Sequence
from itertools import count, repeat
from typing import Any

from proxy.core.collection import IndexKind
from proxy.core.confirmed import Write
from proxy.core.errors import Overloaded, Reason
from proxy.core.exchange import Segment
from proxy.core.keyrange import KeyRange
from proxy.core.keys import Key
from proxy.core.query import Plan
from proxy.core.version import Record
from proxy.stores.dynamo.codec import VERSION_PARTS, Codec
from proxy.stores.dynamo.layout import META, Part
from proxy.stores.dynamo.transport import Request, Transport
from proxy.stores.dynamo.values import Attribute, Item

BATCH = 100
"""Keys that one BatchGetItem takes."""

MOST_AT_ONCE = 1000
"""Items that one Query or Scan is asked for at most."""

WHOLE = Segment()

EVERYTHING: Request = {}
"""The projection that leaves nothing out."""

PATIENCE = 8
"""Times that keys which DynamoDB left unprocessed are asked for again."""


class Reader:
    """Reads one table."""

    def __init__(self, transport: Transport, codec: Codec) -> None:
        self._transport = transport
        self._codec = codec
        self._layout = codec.layout
        self._table = codec.collection.table
        self._only_versions = _only_versions([part.attribute for part in self._layout.key_parts])

    async def get(self, key: Key) -> Record | None:
        """The record of one key, tombstones included."""
        item = await self._get_item(self._layout.key_item(key))
        return None if item is None else self._codec.decode(item)

    async def get_all(self, keys: Sequence[Key]) -> list[Record | None]:
        """One record a key, in the order given."""
        if len(keys) == 1:
            return [await self.get(keys[0])]
        items = [self._layout.key_item(key) for key in keys]
        found = await self.items(items)
        decoded = {identity: self._codec.decode(item) for identity, item in found.items()}
        return [decoded.get(self.identity(item)) for item in items]

    async def versions(self, keys: Sequence[Key]) -> list[Write | None]:
        """The last write of each key, in the order given. DynamoDB bills it as it bills whole items."""
        items = [self._layout.key_item(key) for key in keys]
        found = await self.items(items, self._only_versions)
        return [self._codec.write_in(found.get(self.identity(item))) for item in items]

    async def items(self, keys: Iterable[Item], shown: Request = EVERYTHING) -> dict[tuple[str, ...], Item]:
        """The items of any number of keys, by identity; those that are not there are left out.

        `shown` is a projection that leaves the key in.
        """
        wanted = list({self.identity(key): key for key in keys}.values())
        pieces = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
        found = await asyncio.gather(*(self._batch_get(piece, shown) for piece in pieces))
        return {self.identity(item): item for piece in found for item in piece}

    def identity(self, item: Item) -> tuple[str, ...]:
        """What tells the item's key from all others."""
        return tuple([item[part.attribute][part.kind] for part in self._layout.key_parts])

    async def query(
        self, plan: Plan, keys: KeyRange, first: int, after: Key | None = None, keys_only: bool = False
    ) -> AsyncGenerator[list[Item], None]:
        """The items of a plan's index within a range, in its direction: `first` of them, then more at once.

        A global index tells the keys; the items are then read consistently, and left out where they have
        moved in the index since. With `keys_only` the items may hold no more than the index does.
        """
        request = self._query_request(plan, keys, keys_only)
        is_hydrated = plan.index is not None and plan.index.kind is IndexKind.GLOBAL and not keys_only
        limits = (min(first << round_, MOST_AT_ONCE) for round_ in count())
        async for items in self._pages("Query", request, limits, after):
            yield await self._current(items, plan) if is_hydrated else items

    async def scan(
        self, segment: Segment = WHOLE, after: Key | None = None
    ) -> AsyncGenerator[list[Item], None]:
        """Every item of a segment, in DynamoDB's own order, which `after` resumes."""
        request: Request = {"TableName": self._table, "ConsistentRead": True}
        if segment.total > 1:
            request |= {"Segment": segment.index, "TotalSegments": segment.total}
        async for items in self._pages("Scan", request, repeat(MOST_AT_ONCE), after):
            yield items

    async def _pages(
        self, operation: str, request: Request, limits: Iterable[int], after: Key | None
    ) -> AsyncGenerator[list[Item], None]:
        """The items that a Query or Scan reads, a list for each call, until there are no more."""
        start = self._layout.key_item(after) if after is not None else None
        for limit in limits:
            more = {"ExclusiveStartKey": start} if start else {}
            answer = await self._transport.call(operation, {**request, "Limit": limit, **more})
            yield answer["Items"]
            start = answer.get("LastEvaluatedKey")
            if start is None:
                return

    async def _get_item(self, key: Item) -> Item | None:
        request = {"TableName": self._table, "Key": key, "ConsistentRead": True}
        answer = await self._transport.call("GetItem", request)
        return answer.get("Item")

    async def _batch_get(self, keys: list[Item], shown: Request) -> list[Item]:
        """At most BATCH keys; what DynamoDB leaves unprocessed is asked for again. Raises Overloaded."""
        found: list[Item] = []
        asked: Any = {self._table: {"Keys": keys, "ConsistentRead": True, **shown}}
        for attempt in range(PATIENCE):
            answer = await self._transport.call("BatchGetItem", {"RequestItems": asked})
            found += answer["Responses"].get(self._table, [])
            asked = answer.get("UnprocessedKeys")
            if not asked:
                return found
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise Overloaded("DynamoDB leaves keys of a batch unread", Reason.STORE_THROTTLED)

    def _query_request(self, plan: Plan, keys: KeyRange, keys_only: bool) -> Request:
        assert plan.index is not None
        is_table, is_late = plan.index.kind is IndexKind.TABLE, plan.index.kind is IndexKind.GLOBAL
        partition, sort = self._layout.parts_of(plan.index)
        request: Request = {"TableName": self._table, "ScanIndexForward": plan.ascending}
        request |= _key_condition(partition, sort, partition.encode(plan.partition), keys)
        if not is_table:
            request["IndexName"] = plan.index.name
            request["Select"] = "ALL_PROJECTED_ATTRIBUTES" if is_late or keys_only else "ALL_ATTRIBUTES"
        if not is_late:
            request["ConsistentRead"] = True
        return request

    async def _current(self, rows: list[Item], plan: Plan) -> list[Item]:
        """The items behind a global index's rows, where they still are where the index says."""
        assert plan.index is not None
        names = self._layout.key_attributes
        found = await self.items({name: row[name] for name in names} for row in rows)
        indexed = [part.attribute for part in self._layout.parts_of(plan.index) if part]
        pairs = [(row, found.get(self.identity(row))) for row in rows]
        return [item for row, item in pairs if item and all(item.get(n) == row[n] for n in indexed)]


def _only_versions(key: Sequence[str]) -> Request:
    """The projection on the key, and on version and op."""
    names = {f"#k{place}": name for place, name in enumerate(key)}
    meta = {"#m": META} | {f"#{part}": part for part in VERSION_PARTS}
    shown = [*names, *(f"#m.#{part}" for part in VERSION_PARTS)]
    return {"ProjectionExpression": ",".join(shown), "ExpressionAttributeNames": names | meta}


def _key_condition(partition: Part, sort: Part | None, value: Attribute, keys: KeyRange) -> Request:
    expressions, values = ["#p = :p"], {":p": value}
    names = {"#p": partition.attribute}
    condition, texts = _sort_condition(keys)
    if sort is not None and condition:
        expressions.append(condition)
        names["#s"] = sort.attribute
        values |= {name: sort.wrap(text) for name, text in texts.items() if text is not None}
    return {
        "KeyConditionExpression": " AND ".join(expressions),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _sort_condition(keys: KeyRange) -> tuple[str, dict[str, Any]]:
    """The one condition on a sort key that DynamoDB takes, and its values."""
    if keys.equal is not None:
        return "#s = :s", {":s": keys.equal}
    if keys.begins is not None:
        return "begins_with(#s, :s)", {":s": keys.begins}
    if keys.lower is not None and keys.upper is not None:
        return "#s BETWEEN :l AND :u", {":l": keys.lower, ":u": keys.upper}
    if keys.lower is not None:
        return "#s >= :l", {":l": keys.lower}
    return ("#s <= :u", {":u": keys.upper}) if keys.upper is not None else ("", {})
