"""The table of a collection: created as declared, completed where that is possible, else refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, TypeGuard

from proxy.core.collection import Index, IndexKind
from proxy.core.errors import BadRequest, Reason, Refused, Unavailable
from proxy.stores.dynamo.layout import TTL, Layout, Part
from proxy.stores.dynamo.transport import Transport

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}

PATIENCE = 600.0
"""Seconds that a table or a global index may take to become active: an index is filled from the table."""

FRESH = 10.0
"""Seconds for which a count is good: the service counts every six hours, and DynamoDB Local counts anew
whenever it is asked, which keeps it from everything else."""

_POLL = 0.5


class TableKeeper:
    """Creates and checks the table of one collection."""

    def __init__(self, transport: Transport, layout: Layout) -> None:
        self._transport = transport
        self._layout = layout
        self._table = layout.collection.table
        self._count, self._count_until = 0, 0.0
        self._counting = asyncio.Lock()

    async def prepare(self) -> tuple[str, ...]:
        """Bring the table to what is declared; a line for each thing done. Raises Refused if it differs."""
        done: list[str] = []
        table = await self._describe()
        if table is None and await self._create():
            done.append(f"created the DynamoDB table {self._table} with {_count_indexes(self._layout)}")
        table = table if _is_active(table) else await self._when_active()
        self._refuse_differences(table)
        done += [await self._add_global(index) for index in self._missing_global(table)]
        if not _has_stream(table) and await self._switch_stream_on():
            done.append(f"switched on the stream of {self._table}")
        if await self._set_ttl():
            done.append(f"set the time to live of {self._table} to {TTL}")
        return tuple(done)

    async def estimate(self) -> int:
        """How many items there were when DynamoDB last counted, asked at most once in FRESH seconds however
        many want to know. Raises Refused where there is no table."""
        async with self._counting:
            if time.monotonic() >= self._count_until:
                answer = await self._transport.call("DescribeTable", {"TableName": self._table})
                self._count = int(answer["Table"].get("ItemCount", 0))
                self._count_until = time.monotonic() + FRESH
            return self._count

    def definition(self) -> dict[str, Any]:
        """The CreateTable request."""
        return definition_of(self._layout)

    async def _create(self) -> bool:
        """False where another replica was quicker."""
        try:
            await self._transport.call("CreateTable", self.definition(), timeout=30)
        except Refused:
            if await self._describe() is None:
                raise
            return False
        return True

    async def _switch_stream_on(self) -> bool:
        """False where another replica was quicker."""
        try:
            await self._update({"StreamSpecification": STREAM})
        except (BadRequest, Refused):
            if not _has_stream(await self._when_active()):
                raise
            return False
        return True

    async def _describe(self) -> dict[str, Any] | None:
        try:
            answer = await self._transport.call("DescribeTable", {"TableName": self._table})
        except Refused:
            return None
        table: dict[str, Any] = answer["Table"]
        return table

    async def _when_active(self) -> dict[str, Any]:
        """The table once it and its global indexes are. Raises Unavailable after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            table = await self._describe()
            if _is_active(table):
                return table
            await asyncio.sleep(_POLL)
        raise Unavailable(f"the DynamoDB table {self._table} does not become active")

    async def _update(self, change: dict[str, Any]) -> None:
        await self._transport.call("UpdateTable", {"TableName": self._table, **change}, timeout=30)
        await self._when_active()

    def _refuse_differences(self, table: dict[str, Any]) -> None:
        self._refuse_unless("its key", table["KeySchema"], _schema(self._layout.partition, self._layout.sort))
        types = {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
        for part in self._layout.parts.values():
            present_type = types.get(part.attribute, part.kind)
            self._refuse_unless(f"the type of {part.attribute}", present_type, part.kind)
        present = {entry["IndexName"]: entry["KeySchema"] for entry in _indexes_of(table)}
        for index in self._layout.collection.indexes:
            schema = _schema(*self._layout.indexes[index.name])
            if index.name in present or index.kind is IndexKind.LOCAL:
                self._refuse_unless(f"the index {index.name}", present.get(index.name), schema)
        if _has_stream(table):
            present_view = table["StreamSpecification"].get("StreamViewType")
            self._refuse_unless("its stream", present_view, STREAM["StreamViewType"])

    def _refuse_unless(self, what: str, present: object, declared: object) -> None:
        if present != declared:
            raise Refused(
                f"the DynamoDB table {self._table} exists, but {what} is {present or 'missing'}"
                f" and not {declared}, which cannot be changed: declare it as it is, or use another table",
                Reason.STORE_REJECTED,
            )

    def _missing_global(self, table: dict[str, Any]) -> list[Index]:
        present = {entry["IndexName"] for entry in _indexes_of(table)}
        return [index for index in self._layout.collection.indexes if index.name not in present]

    async def _add_global(self, index: Index) -> str:
        await self._update(
            {
                "AttributeDefinitions": [_definition(part) for part in self._layout.parts.values()],
                "GlobalSecondaryIndexUpdates": [{"Create": _index(self._layout, index)}],
            }
        )
        return f"added the global index {index.name} to {self._table}"

    async def _set_ttl(self) -> bool:
        """Let DynamoDB remove tombstones; True if that was not so already."""
        if await self._has_ttl():
            return False
        specification = {"Enabled": True, "AttributeName": TTL}
        request = {"TableName": self._table, "TimeToLiveSpecification": specification}
        try:
            await self._transport.call("UpdateTimeToLive", request)
        except BadRequest:
            if not await self._has_ttl():
                raise
            return False  # another replica was quicker
        return True

    async def _has_ttl(self) -> bool:
        answer = await self._transport.call("DescribeTimeToLive", {"TableName": self._table})
        present = answer["TimeToLiveDescription"]
        if present.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
            return False
        self._refuse_unless("its time to live attribute", present.get("AttributeName"), TTL)
        return True


def definition_of(layout: Layout) -> dict[str, Any]:
    """The CreateTable request of a collection's table."""
    indexes = layout.collection.indexes
    local = [_index(layout, index) for index in indexes if index.kind is IndexKind.LOCAL]
    late = [_index(layout, index) for index in indexes if index.kind is IndexKind.GLOBAL]
    return {
        "TableName": layout.collection.table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [_definition(part) for part in layout.parts.values()],
        "KeySchema": _schema(layout.partition, layout.sort),
        "StreamSpecification": STREAM,
        **({"LocalSecondaryIndexes": local} if local else {}),
        **({"GlobalSecondaryIndexes": late} if late else {}),
    }


def _index(layout: Layout, index: Index) -> dict[str, Any]:
    """Keys only: whole documents would count twice towards an item's size, and cost a write each."""
    return {
        "IndexName": index.name,
        "KeySchema": _schema(*layout.indexes[index.name]),
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def _schema(partition: Part, sort: Part | None) -> list[dict[str, str]]:
    keys = [{"AttributeName": partition.attribute, "KeyType": "HASH"}]
    return [*keys, {"AttributeName": sort.attribute, "KeyType": "RANGE"}] if sort else keys


def _definition(part: Part) -> dict[str, str]:
    return {"AttributeName": part.attribute, "AttributeType": part.kind}


def _indexes_of(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from table.get("LocalSecondaryIndexes", ())
    yield from table.get("GlobalSecondaryIndexes", ())


def _has_stream(table: dict[str, Any]) -> bool:
    return bool(table.get("StreamSpecification", {}).get("StreamEnabled"))


def _is_active(table: dict[str, Any] | None) -> TypeGuard[dict[str, Any]]:
    """Whether it is there, and its global indexes are."""
    if table is None:
        return False
    late = table.get("GlobalSecondaryIndexes", ())
    statuses = [table["TableStatus"], *(entry.get("IndexStatus", "ACTIVE") for entry in late)]
    return all(status == "ACTIVE" for status in statuses)


def _count_indexes(layout: Layout) -> str:
    names = ", ".join(layout.indexes)
    return f"the indexes {names}" if names else "no indexes"
