"""What the seed application does, and what it must see: the same in every stage of the migration.

Each scenario works in a deployment of its own, and returns what it saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from crossfade import AlreadyExists, AsyncClient, ObjectId
from examples.cron_jobs import CronJobs, Reservation
from examples.modules import Modules
from examples.webtask_storage import StorageConflict, WebtaskStorage
from examples.webtasks import TaskName, Webtasks

Seen: TypeAlias = dict[str, Any]
Scenario: TypeAlias = Callable[[AsyncClient, str], Awaitable[Seen]]

ODD_NAMES = ("a/b", "a~1b", "~", "Ünï", "容器", " ", "a.b", "$c")
DATA = {
    "z": 1,
    "a": 1.0,
    "big": 2**40,
    "none": None,
    "bytes": b"\x00\xff",
    "at": datetime(1969, 12, 31, 23, 59, 59, 123000, tzinfo=UTC),
    "id": ObjectId(bytes.fromhex("5f5b0c6e9b1e8a3d4c2f1a00")),
    "nested": [{"": []}, [1, [2.5]], {"a.b": True, "$c": ""}],
}


async def use_webtasks(client: AsyncClient, deployment: str) -> Seen:
    """Create, read, update, delete, list."""
    store = Webtasks(client)
    first, second, other = (TaskName(deployment, c, n) for c, n in (("a", "t2"), ("a", "t1"), ("ab", "t")))
    for name in (first, second, other):
        await store.create(name, f"code of {name.name}", {"owner": "me"})
    seen: Seen = {
        "created twice": await _was_refused(store.create(first, "again")),
        "listed": await _codes(store, deployment, "a"),
        "updated": await store.update(first, "new"),
        "updated what is not there": await store.update(TaskName(deployment, "a", "none"), "x"),
    }
    found = await store.read(first)
    seen["read"] = found and (found["code"], found["revision"], found["meta"])
    seen["deleted"] = await store.delete(first)
    seen["deleted twice"] = await store.delete(first)
    seen["read after deletion"] = await store.read(first)
    seen["listed after deletion"] = await _codes(store, deployment, "a")
    await store.create(first, "reborn")
    found = await store.read(first)
    seen["reborn"] = found and (found["code"], found["revision"])
    return seen


async def use_odd_names(client: AsyncClient, deployment: str) -> Seen:
    """Names with separators, escapes and wide characters are told apart, and listed in order."""
    store = Webtasks(client)
    names = [TaskName(deployment, container, name) for container in ODD_NAMES for name in ODD_NAMES]
    await asyncio.gather(*(store.create(name, f"{name.container}|{name.name}") for name in names))
    listed = {container: await _codes(store, deployment, container) for container in ODD_NAMES}
    found = [await store.read(name) for name in names]
    return {"listed": listed, "read": [document and document["code"] for document in found]}


async def use_storage(client: AsyncClient, deployment: str) -> Seen:
    """Writes over the version that was read, and conflicts over any other."""
    store, name = WebtaskStorage(client), TaskName(deployment, "a", "t")
    seen: Seen = {"nothing yet": await store.read(name)}
    seen["written"] = [await store.write(name, {"n": 1}, 0), await store.write(name, DATA, 1)]
    seen["conflicts"] = [await _conflicts(store, name, version) for version in (0, 1, 3)]
    data, version = await store.read(name)
    seen["read"] = (data, [type(value).__name__ for value in data.values()], list(data), version)
    return seen


async def contend_for_storage(client: AsyncClient, deployment: str) -> Seen:
    """Many add to one document at the same time; nothing is lost, no version is given twice."""
    store, name = WebtaskStorage(client), TaskName(deployment, "a", "shared")
    versions: list[int] = []

    async def add(token: str) -> None:
        while True:
            data, version = await store.read(name)
            try:
                versions.append(await store.write(name, [*(data or []), token], version))
            except StorageConflict:
                continue
            return

    tokens = [f"{worker}-{number}" for worker in range(5) for number in range(4)]
    await asyncio.gather(*(add(token) for token in tokens))
    data, version = await store.read(name)
    return {"all there": sorted(data) == sorted(tokens), "versions": sorted(versions), "version": version}


async def use_cron_jobs(client: AsyncClient, deployment: str) -> Seen:
    """The queue: the job that has been due for longest first, reserved, completed, or taken over."""
    jobs = CronJobs(client)
    names = [TaskName(deployment, "c", name) for name in ("late", "early", "far")]
    for name, at in zip(names, (20, 10, 10_000), strict=True):
        await jobs.create(name, "* * * * *", at)
    seen: Seen = {
        "due too early": await jobs.next_due(deployment, 5),
        "due first": _name(await jobs.next_due(deployment, 50)),
        "listed": [_name(job) for job in await jobs.list(deployment, "c")],
    }
    reserved = [await jobs.reserve(deployment, 50, 100) for _ in range(3)]
    seen["reserved"] = [_name(one.job) if one else None for one in reserved]
    early, late = reserved[0], reserved[1]
    assert early is not None
    assert late is not None
    seen["completed"] = await jobs.complete(early, 500, "ok")
    seen["taken over"] = await _take_over(jobs, deployment, late)
    seen["rescheduled"] = await jobs.reschedule(names[2], "@daily", 7)
    seen["due then"] = _name(await jobs.next_due(deployment, 7))
    seen["deleted"] = [await jobs.delete(names[2]), await jobs.delete(names[2])]
    seen["due no more"] = await jobs.next_due(deployment, 7)
    job = await jobs.read(names[1])
    seen["history"] = job and (job["history"], "reservation" in job, job["next_available_at"])
    return seen


async def race_for_jobs(client: AsyncClient, deployment: str) -> Seen:
    """Workers that reserve at the same time never get the same job, and every due job is got."""
    jobs = CronJobs(client)
    for number in range(16):
        await jobs.create(TaskName(deployment, "c", f"job-{number:02d}"), "* * * * *", 100 + number)
    got: list[str] = []

    async def work() -> None:
        while reservation := await jobs.reserve(deployment, 1_000, 60_000):
            got.append(reservation.name.name)

    await asyncio.gather(*(work() for _ in range(4)))
    return {"each once": sorted(got) == [f"job-{number:02d}" for number in range(16)]}


async def use_modules(client: AsyncClient, deployment: str) -> Seen:
    """Queue once, record builds, keep the last twenty."""
    modules = Modules(client)
    seen: Seen = {"queued": [await modules.queue(deployment, "lodash", v) for v in ("2", "10", "2")]}
    seen["no artifact yet"] = await modules.artifact(deployment, "lodash", "2")
    await modules.record_build(deployment, "lodash", "2", "broke", None)
    found = await modules.read(deployment, "lodash", "2")
    seen["failed"] = found and (found["status"], found["builds"])
    for number in range(22):
        await modules.record_build(deployment, "lodash", "2", f"log {number}", f"s3://{number}")
    found = await modules.read(deployment, "lodash", "2")
    seen["built"] = found and (found["status"], [build["log"] for build in found["builds"]])
    seen["artifact"] = await modules.artifact(deployment, "lodash", "2")
    listed = await modules.versions(deployment, "lodash")
    seen["versions"] = [(document["module_version"], document["status"]) for document in listed]
    return seen


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        use_webtasks,
        use_odd_names,
        use_storage,
        contend_for_storage,
        use_cron_jobs,
        race_for_jobs,
        use_modules,
    )
}


async def _take_over(jobs: CronJobs, deployment: str, late: Reservation) -> list[Any]:
    """Another worker gets a job whose reservation ran out; the first owner's report is refused."""
    taken = await jobs.reserve(deployment, late.until, 100)
    assert taken is not None
    return [
        _name(taken.job),
        await jobs.complete(late, 600, "too late"),
        await jobs.complete(taken, 600, "ok"),
    ]


async def _codes(store: Webtasks, deployment: str, container: str) -> list[tuple[str, str]]:
    listed = await store.list(deployment, container)
    return [(document["webtask_name"], document["code"]) for document in listed]


async def _was_refused(call: Awaitable[None]) -> bool:
    try:
        await call
    except AlreadyExists:
        return True
    return False


async def _conflicts(store: WebtaskStorage, name: TaskName, version: int) -> bool:
    try:
        await store.write(name, "never", version)
    except StorageConflict:
        return True
    return False


def _name(job: Any) -> str | None:
    return job and str(job["webtask_name"])
