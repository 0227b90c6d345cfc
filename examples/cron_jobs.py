"""Cron jobs: create, read, update, delete, list; the next due job, reserved by exactly one worker."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from crossfade import AsyncClient, Document, ReturnDocument
from examples.webtasks import TaskName


@dataclass(frozen=True, slots=True)
class Reservation:
    """A job that this worker owns until `until` (milliseconds since 1970)."""

    job: Document
    token: str
    until: int

    @property
    def name(self) -> TaskName:
        return TaskName(self.job["deployment_key"], self.job["webtask_container"], self.job["webtask_name"])


class CronJobs:
    """Scheduled webtasks; `next_available_at` is milliseconds since 1970."""

    def __init__(self, client: AsyncClient) -> None:
        self._jobs = client["cron_jobs"]

    async def create(self, name: TaskName, schedule: str, next_available_at: int) -> None:
        await self._jobs.insert_one(
            {**name.key, "schedule": schedule, "next_available_at": next_available_at, "history": []}
        )

    async def read(self, name: TaskName) -> Document | None:
        return await self._jobs.find_one(name.key)

    async def reschedule(self, name: TaskName, schedule: str, next_available_at: int) -> bool:
        change = {"schedule": schedule, "next_available_at": next_available_at}
        return (await self._jobs.update_one(name.key, {"$set": change})).matched_count == 1

    async def delete(self, name: TaskName) -> bool:
        return (await self._jobs.delete_one(name.key)).deleted_count == 1

    async def list(self, deployment: str, container: str) -> list[Document]:
        """All jobs of a container, by name."""
        return await self._jobs.find({"deployment_key": deployment, "webtask_container": container}).to_list()

    async def next_due(self, deployment: str, now: int) -> Document | None:
        """The job that has been due for longest, without reserving it."""
        due = {"deployment_key": deployment, "next_available_at": {"$lte": now}}
        return await self._jobs.find_one(due, sort=[("next_available_at", 1)])

    async def reserve(self, deployment: str, now: int, lease: int) -> Reservation | None:
        """Take one due job for `lease` milliseconds; None if none is due. No two workers get the same."""
        token = uuid.uuid4().hex
        job = await self._jobs.find_one_and_update(
            {"deployment_key": deployment, "next_available_at": {"$lte": now}},
            {"$set": {"next_available_at": now + lease, "reservation": token}},
            sort=[("next_available_at", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return Reservation(job, token, now + lease) if job else None

    async def complete(self, reservation: Reservation, next_available_at: int, result: str) -> bool:
        """Report a run and schedule the next; False if the reservation ran out and another took the job."""
        entry = {"at": next_available_at, "result": result}
        done = await self._jobs.update_one(
            {**reservation.name.key, "reservation": reservation.token},
            {
                "$set": {"next_available_at": next_available_at},
                "$unset": {"reservation": ""},
                "$push": {"history": {"$each": [entry], "$slice": -10}},
            },
        )
        return done.matched_count == 1
