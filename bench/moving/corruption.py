"""Fourteen ways to spoil a mirror that no feed tells of, planted in DynamoDB past the proxy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from bench.moving.documents import document, key_of, name_of
from proxy.core.collection import Collection
from proxy.core.document import Document
from proxy.core.keys import Key
from proxy.core.keys import key_of as key_in
from proxy.core.version import Record, Version
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.store import DynamoStore

OTHER_OP = b"another write..."

CHANGES: dict[str, Any] = {
    "text": "another text",
    "count": -1,
    "total": Int64(-(1 << 50)),
    "share": -0.5,
    "price": Decimal128("0.01"),
    "enabled": None,  # negated
    "created": DatetimeMS(1),
    "owner": ObjectId(b"twelve bytes"),
    "token": Binary(b"other bytes"),
    "tags": ["blue"],
    "meta": {"region": "eu", "tier": {"name": "free", "level": 9}},
    "error": "not null",
}
"""One changed field of each type."""


@dataclass(slots=True)
class Saboteur:
    """Spoils documents, a number each; `planted` has the kind by the name of the document it is found at."""

    dynamo: DynamoStores
    collection: Collection
    store: DynamoStore
    planted: dict[str, str]

    async def plant(self, numbers: list[int], total: int) -> None:
        """Every kind at least once; needs `NEEDED` numbers of documents that are in both stores."""
        left = iter(numbers)
        for field in CHANGES:
            await self._note("changed_field", next(left), self._change(field))
        for kind, spoil in self._kinds(total).items():
            await self._note(kind, next(left), spoil)

    def _kinds(self, total: int) -> dict[str, Callable[[Record], Awaitable[None]]]:
        def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Record], Awaitable[None]]:
            async def spoil(record: Record) -> None:
                assert record.document is not None
                fields = dict(record.document.fields)
                change(fields)
                await self._put(replace(record, document=Document(fields)))

            return spoil

        async def extra(record: Record) -> None:
            await self._put(self._named(record, total + 1))
            self._move(record, total + 1)

        async def misplaced(record: Record) -> None:
            await self._forget(record.key)
            await self._put(self._named(record, total + 2))
            self.planted[name_of(total + 2)] = "wrong_key"

        async def stale(record: Record) -> None:
            await self._put(
                replace(record, version=Version(record.version.epoch, record.version.revision - 1))
            )

        async def newer(record: Record) -> None:
            later = Version(record.version.epoch, record.version.revision + (1 << 40))
            await self._put(replace(record, version=later))

        return {
            "missing": lambda record: self._forget(record.key),
            "extra": extra,
            "removed_field": edit(lambda fields: fields.pop("price")),
            "added_field": edit(lambda fields: fields.update(surplus=1)),
            "changed_type": edit(lambda fields: fields.update(count=str(fields["count"]))),
            "changed_number_type": edit(lambda fields: fields.update(count=float(fields["count"]))),
            "reordered_list": edit(lambda fields: fields.update(tags=fields["tags"][::-1])),
            "truncated_string": edit(lambda fields: fields.update(text=fields["text"][:-1])),
            "stale_version": stale,
            "newer_version": newer,
            "other_write": lambda record: self._put(replace(record, op=OTHER_OP)),
            "wrong_key": misplaced,
        }

    def _change(self, field: str) -> Callable[[Record], Awaitable[None]]:
        async def spoil(record: Record) -> None:
            assert record.document is not None
            fields = dict(record.document.fields)
            fields[field] = CHANGES[field] if field != "enabled" else not fields["enabled"]
            await self._put(replace(record, document=Document(fields)))

        return spoil

    async def resurrect(self, number: int, before: Record) -> None:
        """Put back what was deleted through the proxy, as it was before."""
        await self._put(before)
        self.planted[name_of(number)] = "resurrected_delete"

    async def record(self, number: int) -> Record:
        [held] = await self.store.get([self.key(number)])
        assert held is not None
        return held

    def key(self, number: int) -> Key:
        return key_in(self.collection, key_of(number))

    async def _note(self, kind: str, number: int, spoil: Callable[[Record], Awaitable[None]]) -> None:
        self.planted[name_of(number)] = kind
        await spoil(await self.record(number))

    def _move(self, record: Record, number: int) -> None:
        """What was spoilt is found at another document."""
        self.planted[name_of(number)] = self.planted.pop(str(record.key.values[-1]))

    def _named(self, record: Record, number: int) -> Record:
        """The record under the key of another number."""
        assert record.document is not None
        fields = {**record.document.fields, **key_of(number), "_id": document(number)["_id"]}
        return replace(record, key=self.key(number), document=Document(fields))

    async def _put(self, record: Record) -> None:
        item = self.store.codec.encode(record)
        await self.dynamo.transport.call("PutItem", {"TableName": self.collection.table, "Item": item})

    async def _forget(self, key: Key) -> None:
        item = self.store.codec.layout.key_item(key)
        await self.dynamo.transport.call("DeleteItem", {"TableName": self.collection.table, "Key": item})


NEEDED = len(CHANGES) + 12
KINDS = 14
