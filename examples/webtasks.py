"""Webtasks: create, read, update, delete, and list a container, by a compound key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crossfade import AsyncClient, AsyncCollection, Document


@dataclass(frozen=True, slots=True)
class TaskName:
    """What names a webtask: unique within a deployment's container."""

    deployment: str
    container: str
    name: str

    @property
    def key(self) -> dict[str, Any]:
        return {
            "deployment_key": self.deployment,
            "webtask_container": self.container,
            "webtask_name": self.name,
        }


class Webtasks:
    """The code, encrypted configuration and metadata of webtasks."""

    def __init__(self, client: AsyncClient) -> None:
        self._tasks: AsyncCollection = client["webtasks"]

    async def create(self, name: TaskName, code: str, meta: dict[str, Any] | None = None) -> None:
        """Raises crossfade.AlreadyExists if the name is taken."""
        await self._tasks.insert_one({**name.key, "code": code, "meta": meta or {}, "revision": 1})

    async def read(self, name: TaskName) -> Document | None:
        return await self._tasks.find_one(name.key)

    async def update(self, name: TaskName, code: str) -> bool:
        """New code; False if there is no such webtask."""
        result = await self._tasks.update_one(name.key, {"$set": {"code": code}, "$inc": {"revision": 1}})
        return result.matched_count == 1

    async def delete(self, name: TaskName) -> bool:
        return (await self._tasks.delete_one(name.key)).deleted_count == 1

    async def list(self, deployment: str, container: str) -> list[Document]:
        """All webtasks of a container, by name."""
        scope = {"deployment_key": deployment, "webtask_container": container}
        return await self._tasks.find(scope).to_list()
