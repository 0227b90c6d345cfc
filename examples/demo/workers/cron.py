"""Workers on cron jobs: they reserve the next due job, run it for a moment, and report."""

from __future__ import annotations

import asyncio
import time

from crossfade import Outcome
from examples.cron_jobs import CronJobs, Reservation
from examples.demo.data import QUEUE
from examples.demo.ledger import Journal, Owned
from examples.demo.workers.desk import Desk

RESERVED_FOR = 8_000
"""Milliseconds: longer than writes may be held."""

PERIOD = 400
"""Milliseconds between two runs of a job."""


class CronWorker:
    """One of several daemons on the same queue."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = CronJobs(desk.client)

    async def step(self) -> None:
        asked = _now()
        reserve = self._store.reserve(QUEUE, int(asked), RESERVED_FOR)
        _, reservation = await self._desk.write("cron_jobs", reserve)
        if reservation is None:
            return
        told = _now()
        self._desk.ledger.remember("cron_jobs")
        await asyncio.sleep(self._desk.chance.random() * 0.02)  # the job runs
        released = await self._report(reservation)
        name = ("cron_jobs", *reservation.name.key.values())
        self._desk.ledger.owned.append(Owned(name, asked, told, released, reservation.until))

    async def _report(self, reservation: Reservation) -> float:
        """When the job was given back."""
        journal, token = self._journal(reservation), next(self._desk.tokens)
        began = _now()
        complete = self._store.complete(reservation, int(began) + PERIOD, token)
        outcome, still_owned = await self._desk.write("cron_jobs", complete)
        if outcome is Outcome.NOT_APPLIED:
            return reservation.until
        if outcome is Outcome.UNKNOWN:
            journal.unknown += 1
        elif still_owned:
            journal.acknowledged.append(token)
            self._desk.ledger.remember("cron_jobs")
        elif began < reservation.until:
            self._desk.complain(f"{reservation.name} was taken from its owner")
        return began

    def _journal(self, reservation: Reservation) -> Journal:
        entry = self._desk.ledger.entries["cron_jobs", *reservation.name.key.values()]
        assert isinstance(entry, Journal)
        return entry


def _now() -> float:
    return time.time() * 1000
