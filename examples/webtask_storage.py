"""Webtask storage: a document per webtask, written only over the version that the writer has read."""

from __future__ import annotations

from typing import Any

from crossfade import AsyncClient, ReturnDocument
from examples.webtasks import TaskName


class StorageConflict(Exception):
    """Somebody else has written since the version was read."""


class WebtaskStorage:
    """What a webtask remembers between its runs."""

    def __init__(self, client: AsyncClient) -> None:
        self._storage = client["webtask_storage"]

    async def read(self, name: TaskName) -> tuple[Any, int]:
        """The data and its version; (None, 0) if nothing was ever stored."""
        found = await self._storage.find_one(name.key)
        return (found["data"], found["version"]) if found else (None, 0)

    async def write(self, name: TaskName, data: Any, expected_version: int) -> int:
        """Store data over the expected version; the new version. Raises StorageConflict."""
        if expected_version == 0:
            return await self._create(name, data)
        stored = await self._storage.find_one_and_update(
            {**name.key, "version": expected_version},
            {"$set": {"data": data}, "$inc": {"version": 1}},
            return_document=ReturnDocument.AFTER,
        )
        if stored is None:
            raise StorageConflict(f"{name} is no longer at version {expected_version}")
        return int(stored["version"])

    async def _create(self, name: TaskName, data: Any) -> int:
        result = await self._storage.update_one(
            name.key, {"$setOnInsert": {"data": data, "version": 1}}, upsert=True
        )
        if not result.upserted and not result.was_repeated:
            raise StorageConflict(f"{name} has been stored by somebody else")
        return 1
