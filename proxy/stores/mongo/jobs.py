"""Jobs that many workers share, in MongoDB: the state of each by compare-and-set, its ranges by lease.

A range belongs to whoever raised its serial last; leases go by the clock of MongoDB's primary.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from bson.datetime_ms import DatetimeMS
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from proxy.core.flag import Job, JobRange
from proxy.stores.mongo.failures import Translated
from proxy.stores.mongo.rows import from_row, to_row

_FREE = DatetimeMS(0)
_DUPLICATE = 11_000

Row = dict[str, Any]


class SharedJobs:
    """What a control store does for jobs and their ranges (see `core.ports.Control`)."""

    def __init__(self, jobs: AsyncCollection[Row], ranges: AsyncCollection[Row]) -> None:
        self._job_rows = jobs
        self._range_rows = ranges

    async def swap_job(self, old: Job, new: Job) -> bool:
        stand = {"state": old.state, "position": old.position, "updated_at": old.updated_at}
        query: Row = {"_id": {"$eq": job_id(old.collection, old.kind)}}
        query |= {name: {"$eq": value} for name, value in stand.items()}
        with Translated(is_write=True):
            result = await self._job_rows.replace_one(query, to_row(new))
        return result.matched_count == 1

    async def running_jobs(self) -> list[Job]:
        with Translated():
            rows = await self._job_rows.find({"state": "running"}).to_list()
        return [from_row(Job, row) for row in rows]

    async def lay_out(self, collection: str, kind: str, run: str, total: int) -> None:
        ranges = [JobRange(collection, kind, run, number) for number in range(total)]
        rows = [{"_id": _range_id(one), "until": _FREE, **to_row(one)} for one in ranges]
        others = {**_named(collection, kind), "run": {"$ne": run}}
        with Translated(is_write=True):
            await self._range_rows.delete_many(others)
            with contextlib.suppress(_AlreadyThere):
                await self._insert(rows)

    async def claim_range(
        self, collection: str, kind: str, run: str, holder: str, seconds: float
    ) -> JobRange | None:
        query: Row = {
            **_named(collection, kind, run),
            "is_done": False,
            "$expr": {"$lte": ["$until", "$$NOW"]},
        }
        change = [{"$set": {"holder": {"$literal": holder}, **_held(seconds)}}]
        return await self._change(query, change)

    async def save_range(self, saved: JobRange, seconds: float) -> JobRange | None:
        query = {"_id": {"$eq": _range_id(saved)}, "serial": {"$eq": saved.serial}}
        kept = {"position": saved.position, "is_done": saved.is_done, "holder": saved.holder}
        literal: Row = {name: {"$literal": value} for name, value in kept.items()}
        # Not by $set alone: it would merge into the counts that are stored.
        counts = {
            "$setField": {"field": "counts", "input": "$$ROOT", "value": {"$literal": dict(saved.counts)}}
        }
        change = [{"$replaceWith": counts}, {"$set": {**literal, **_held(seconds)}}]
        return await self._change(query, change)

    async def ranges(self, collection: str, kind: str, run: str) -> list[JobRange]:
        pipeline: list[Row] = [
            {"$match": _named(collection, kind, run)},
            {"$sort": {"number": 1}},
            {"$set": {"is_held": {"$gt": ["$until", "$$NOW"]}}},
        ]
        with Translated():
            rows = await (await self._range_rows.aggregate(pipeline)).to_list()
        return [from_row(JobRange, row) for row in rows]

    async def _change(self, query: Row, change: list[Row]) -> JobRange | None:
        with Translated(is_write=True):
            row = await self._range_rows.find_one_and_update(
                query, change, sort=[("number", 1)], return_document=ReturnDocument.AFTER
            )
        return None if row is None else replace(from_row(JobRange, row), is_held=True)

    async def _insert(self, rows: list[Row]) -> None:
        try:
            await self._range_rows.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            failures = (error.details or {}).get("writeErrors", [])
            if not failures or any(failure.get("code") != _DUPLICATE for failure in failures):
                raise
            raise _AlreadyThere from None


class _AlreadyThere(Exception):
    """Somebody else laid out the same run."""


def job_id(collection: str, kind: str) -> Row:
    return {"collection": collection, "kind": kind}


def _named(collection: str, kind: str, run: str | None = None) -> Row:
    names = {"collection": {"$eq": collection}, "kind": {"$eq": kind}}
    return names if run is None else {**names, "run": {"$eq": run}}


def _range_id(one: JobRange) -> Row:
    return {"collection": one.collection, "kind": one.kind, "run": one.run, "number": one.number}


def _held(seconds: float) -> Row:
    until = {"$add": ["$$NOW", int(seconds * 1000)]}
    return {"until": until, "serial": {"$add": ["$serial", 1]}}
