"""NPM modules available to webtasks: their status, build history and where the built artifact lies."""

from __future__ import annotations

from typing import Any

from crossfade import AsyncClient, Document


class Modules:
    """One document per module and version of a deployment; every question names the module."""

    def __init__(self, client: AsyncClient) -> None:
        self._modules = client["modules"]

    async def queue(self, deployment: str, module: str, version: str) -> bool:
        """Ask for a build; False if that version is already known."""
        result = await self._modules.update_one(
            _key(deployment, module, version),
            {"$setOnInsert": {"status": "queued", "builds": [], "artifact": None}},
            upsert=True,
        )
        return result.upserted

    async def record_build(
        self, deployment: str, module: str, version: str, log: str, artifact: str | None
    ) -> None:
        """Add a build to the history; an artifact location means that it succeeded."""
        await self._modules.update_one(
            _key(deployment, module, version),
            {
                "$set": {"status": "available" if artifact else "failed", "artifact": artifact},
                "$push": {"builds": {"$each": [{"log": log, "artifact": artifact}], "$slice": -20}},
            },
        )

    async def read(self, deployment: str, module: str, version: str) -> Document | None:
        return await self._modules.find_one(_key(deployment, module, version))

    async def versions(self, deployment: str, module: str) -> list[Document]:
        """All known versions of a module, in text order of the version."""
        return await self._modules.find({"deployment_key": deployment, "module_name": module}).to_list()

    async def artifact(self, deployment: str, module: str, version: str) -> str | None:
        """Where the built module lies; None while there is no successful build."""
        found = await self.read(deployment, module, version)
        return found["artifact"] if found else None


def _key(deployment: str, module: str, version: str) -> dict[str, Any]:
    return {"deployment_key": deployment, "module_name": module, "module_version": version}
