"""Readers of what the old application left: documents and lists that must be there in every stage."""

from __future__ import annotations

from collections.abc import Sequence

from examples.cron_jobs import CronJobs
from examples.demo.data import DEPLOYMENT, QUEUE, ExampleData, task_of
from examples.demo.ledger import Name
from examples.demo.workers.desk import Desk
from examples.modules import Modules
from examples.webtask_storage import WebtaskStorage
from examples.webtasks import Webtasks


class Reader:
    """Reads one thing a step, of any collection."""

    def __init__(self, desk: Desk, data: ExampleData) -> None:
        self._desk = desk
        self._names = {collection: data.names(collection) for collection in data.documents}
        self._webtasks = Webtasks(desk.client)
        self._storage = WebtaskStorage(desk.client)
        self._jobs = CronJobs(desk.client)
        self._modules = Modules(desk.client)
        self._turns = (
            self._read_webtask,
            self._list_webtasks,
            self._read_storage,
            self._read_job,
            self._list_jobs,
            self._look_at_queue,
            self._read_module,
            self._list_versions,
        )

    async def step(self) -> None:
        await self._desk.chance.choice(self._turns)()

    async def _read_webtask(self) -> None:
        name = self._any("webtasks")
        self._require(name, await self._desk.read("webtasks", self._webtasks.read(task_of(name))))

    async def _list_webtasks(self) -> None:
        task = task_of(name := self._any("webtasks"))
        call = self._webtasks.list(task.deployment, task.container)
        listed = await self._desk.read("webtasks", call)
        self._require(name, task.name in [document["webtask_name"] for document in listed])

    async def _read_storage(self) -> None:
        name = self._any("webtask_storage")
        _, version = await self._desk.read("webtask_storage", self._storage.read(task_of(name)))
        self._require(name, version)

    async def _read_job(self) -> None:
        name = self._any("cron_jobs")
        self._require(name, await self._desk.read("cron_jobs", self._jobs.read(task_of(name))))

    async def _list_jobs(self) -> None:
        task = task_of(name := self._any("cron_jobs"))
        listed = await self._desk.read("cron_jobs", self._jobs.list(task.deployment, task.container))
        self._require(name, task.name in [document["webtask_name"] for document in listed])

    async def _look_at_queue(self) -> None:
        await self._desk.read("cron_jobs", self._jobs.next_due(QUEUE, 2**53))

    async def _read_module(self) -> None:
        _, _, module, version = name = self._any("modules")
        call = self._modules.read(DEPLOYMENT, module, version)
        self._require(name, await self._desk.read("modules", call))

    async def _list_versions(self) -> None:
        _, _, module, version = name = self._any("modules")
        listed = await self._desk.read("modules", self._modules.versions(DEPLOYMENT, module))
        self._require(name, version in [document["module_version"] for document in listed])

    def _any(self, collection: str) -> Name:
        names: Sequence[Name] = self._names[collection]
        return self._desk.chance.choice(names)

    def _require(self, name: Name, found: object) -> None:
        if not found:
            self._desk.complain(f"{name} was not found")
