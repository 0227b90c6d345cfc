"""What a collection needs in MongoDB: indexes, post-images, a validator that lets tombstones pass.

Creates what is missing and changes nothing else; what cannot be served it refuses with one sentence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, OperationFailure

from proxy.core.errors import Reason, Refused
from proxy.stores.mongo.access import Access
from proxy.stores.mongo.codec import escape_name
from proxy.stores.mongo.failures import NAMESPACE_EXISTS, Translated, code_of
from proxy.stores.mongo.ranges import pattern

_IMAGES = {"changeStreamPreAndPostImages": {"enabled": True}}
_CONFLICTING_INDEX = frozenset({85, 86})

Pattern = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Prepares one collection."""

    access: Access

    async def prepare(self) -> tuple[str, ...]:
        with Translated(is_write=True):
            return tuple([line async for line in self._steps()])

    async def _steps(self) -> AsyncIterator[str]:
        if await self._create():
            yield f"created the MongoDB collection {self._name} with pre- and post-images"
        options = await self._options()
        self._check(options)
        if not options.get("changeStreamPreAndPostImages", {}).get("enabled"):
            await self._modify(_IMAGES)
            yield f"enabled pre- and post-images on {self._name}"
        if await self.access.fence.exempt_tombstones():
            yield f"exempted tombstones from the validator of {self._name}"
        existing = await self._indexes()
        self._check_unique(existing)
        async for line in self._create_indexes(existing):
            yield line

    async def _create(self) -> bool:
        try:
            await self._database.create_collection(self._name, check_exists=False, **_IMAGES)
        except OperationFailure as error:
            if code_of(error) != NAMESPACE_EXISTS:
                raise
            return False
        return True

    async def _options(self) -> Mapping[str, Any]:
        reply = await self._database.command("listCollections", filter={"name": self._name})
        found = reply["cursor"]["firstBatch"][0]
        if found["type"] != "collection":
            raise self._refusal(f"is a {found['type']}, and only plain collections can be moved")
        options: Mapping[str, Any] = found["options"]
        return options

    def _check(self, options: Mapping[str, Any]) -> None:
        if options.get("capped"):
            raise self._refusal("is capped: DynamoDB has nothing like it")
        if options.get("collation", {}).get("locale", "simple") != "simple":
            raise self._refusal("has a collation, and DynamoDB compares strings by their bytes only")

    def _check_unique(self, existing: Mapping[Pattern, Mapping[str, Any]]) -> None:
        """Tombstones lack all other fields, so the second would be a duplicate in a full index."""
        allowed = {(("_id", 1),), self._key_pattern}
        for fields, index in existing.items():
            exempt = index.get("sparse") or index.get("partialFilterExpression")
            if index.get("unique") and fields not in allowed and not exempt:
                raise self._refusal(
                    f"has the unique index {index['name']} on other fields than the key, which DynamoDB "
                    "cannot enforce and tombstones would violate: make it sparse or partial first"
                )

    async def _create_indexes(self, existing: Mapping[Pattern, Mapping[str, Any]]) -> AsyncIterator[str]:
        key = existing.get(self._key_pattern)
        if key is not None and not _is_plain_unique(key):
            raise self._refusal(
                f"has the index {key['name']} on the key fields, but not plain and unique: drop it first"
            )
        if key is None and self._key_pattern != (("_id", 1),):
            await self._create_index(self._key_pattern, unique=True)
            yield f"created the unique index on {self._names(self._key_pattern)} of {self._name}"
        for fields in self._secondary_patterns():
            if fields not in existing:
                await self._create_index(fields)
                yield f"created the index on {self._names(fields)} of {self._name}"
        async for line in self._create_ttl(existing.get(_TOMBSTONES)):
            yield line

    async def _create_ttl(self, existing: Mapping[str, Any] | None) -> AsyncIterator[str]:
        seconds = int(self.access.collection.settings.tombstone_ttl)
        if existing is None:
            await self._create_index(_TOMBSTONES, expireAfterSeconds=seconds)
            yield f"created the index that removes tombstones of {self._name} after {seconds} s"
        elif existing.get("expireAfterSeconds") != seconds:
            await self._modify({"index": {"name": existing["name"], "expireAfterSeconds": seconds}})
            yield f"tombstones of {self._name} are now removed after {seconds} s"

    async def _create_index(self, fields: Pattern, **options: Any) -> None:
        try:
            await self.access.newest.create_index(list(fields), **options)
        except DuplicateKeyError as error:
            raise self._refusal(
                f"has documents that share a key ({self._names(fields)}): remove the duplicates first"
            ) from error
        except OperationFailure as error:
            if code_of(error) in _CONFLICTING_INDEX:
                raise self._refusal(
                    f"has another index in the way of {self._names(fields)}: {error}"
                ) from error
            raise

    async def _indexes(self) -> dict[Pattern, Mapping[str, Any]]:
        """The indexes by their fields; those with a collation serve nobody here."""
        cursor = await self._plain.list_indexes()
        found = await cursor.to_list()
        return {tuple(index["key"].items()): index for index in found if "collation" not in index}

    async def _modify(self, change: Mapping[str, Any]) -> None:
        await self._database.command("collMod", self._name, **change, writeConcern={"w": "majority"})

    def _secondary_patterns(self) -> Sequence[Pattern]:
        collection = self.access.collection
        return [_pattern(pattern(collection, index)) for index in collection.indexes]

    def _refusal(self, why: str) -> Refused:
        return Refused(f"the MongoDB collection {self._name} {why}", Reason.STORE_REJECTED)

    def _names(self, fields: Pattern) -> str:
        return ", ".join(name for name, _ in fields)

    @property
    def _key_pattern(self) -> Pattern:
        return _pattern(self.access.names)

    @property
    def _name(self) -> str:
        return self.access.collection.mongo_collection

    @property
    def _database(self) -> Any:
        return self._plain.database

    @property
    def _plain(self) -> AsyncCollection[dict[str, Any]]:
        """The collection with decoded replies."""
        collection = self.access.collection
        return self.access.client[collection.mongo_database][collection.mongo_collection]


_TOMBSTONES: Pattern = (("_cf.del", 1),)


def _pattern(names: Sequence[str]) -> Pattern:
    return tuple((escape_name(name), 1) for name in names)


def _is_plain_unique(index: Mapping[str, Any]) -> bool:
    is_id = tuple(index["key"].items()) == (("_id", 1),)
    partial = index.get("sparse") or index.get("partialFilterExpression")
    return is_id or (bool(index.get("unique")) and not partial)
