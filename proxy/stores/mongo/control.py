"""The control store in MongoDB: flags, replicas, leases, jobs and the audit trail.

A flag changes only by compare-and-set on its serial, by a majority, and is read linearizably. Ages and leases
go by the clock of MongoDB's primary, never by a replica's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from bson.datetime_ms import DatetimeMS
from pymongo import DESCENDING, AsyncMongoClient, ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from proxy.core.document import OPTIONS
from proxy.core.errors import CrossfadeError, NotFound, Outcome, Reason, Unavailable
from proxy.core.flag import AuditEntry, Flag, Job, Replica
from proxy.stores.mongo.access import MAJORITY_TIMEOUT, pause
from proxy.stores.mongo.failures import Translated
from proxy.stores.mongo.jobs import SharedJobs, job_id
from proxy.stores.mongo.rows import from_row, to_row

DATABASE = "crossfade"
FORGOTTEN = 3600
"""Seconds after its last heartbeat when a replica that has not left the registry is forgotten."""
_TOKENS = 8
_ATTEMPTS = 8
_AWAIT = 1_000  # milliseconds that the server may hold back an empty batch of the change stream
_LONG_AGO = DatetimeMS(0)
_POLL = 0.2  # seconds between looks while there is no change stream

Row = dict[str, Any]


class MongoControl(SharedJobs):
    """See `core.ports.Control`."""

    def __init__(self, client: AsyncMongoClient[Row], database: str = DATABASE) -> None:
        durable = WriteConcern("majority", wtimeout=MAJORITY_TIMEOUT)
        self._client = client
        self._database = client.get_database(database, codec_options=OPTIONS, write_concern=durable)
        self._flags = self._named("flags", ReadConcern("linearizable"))
        self._published = self._named("flags", ReadConcern("majority"))
        self._replicas = self._named("replicas")
        self._acknowledged = self._replicas.with_options(write_concern=WriteConcern(1))
        self._leases = self._named("leases")
        self._jobs = self._named("jobs", ReadConcern("majority"))
        self._audit = self._named("audit", ReadConcern("majority"))
        super().__init__(self._jobs, self._named("ranges", ReadConcern("majority")))

    async def prepare(self) -> None:
        with Translated(is_write=True):
            await self._audit.create_index([("at", DESCENDING)])
            await self._audit.create_index([("collection", 1), ("at", DESCENDING)])
            await self._replicas.create_index("beat_at", expireAfterSeconds=FORGOTTEN)

    async def create(self, flag: Flag) -> Flag:
        with Translated(is_write=True):
            try:
                await self._flags.insert_one({"_id": flag.collection, **to_row(flag)})
            except DuplicateKeyError:
                return await self.flag(flag.collection)
        return flag

    async def flags(self) -> list[Flag]:
        with Translated():
            rows = await self._flags.find(sort=[("_id", 1)], max_time_ms=MAJORITY_TIMEOUT).to_list()
        return [from_row(Flag, row) for row in rows]

    async def flag(self, collection: str) -> Flag:
        return from_row(Flag, await self._row(collection))

    async def swap(self, old: Flag, new: Flag) -> Flag | None:
        """Every swap leaves a token, by which it finds itself again even if others came after it."""
        stored, token = replace(new, serial=old.serial + 1), secrets.token_bytes(8)
        for attempt in range(_ATTEMPTS):
            try:
                return stored if await self._swap_row(old, stored, token) else None
            except CrossfadeError as error:
                if error.outcome is not Outcome.UNKNOWN:
                    raise
            row = await self._row(old.collection)
            if token in row.get("tokens", ()):
                return stored
            if row["serial"] != old.serial:
                return None
            await pause(attempt)
        raise Unavailable("the control store does not confirm the change", outcome=Outcome.UNKNOWN)

    async def watch(self) -> AsyncIterator[Flag]:
        """Begins with all flags as they are, so that nothing is missed between a read and the first event."""
        serials: dict[str, int] = {}
        while True:
            try:
                async with aclosing(self._watch_once()) as flags:
                    async for flag in flags:
                        if flag.serial > serials.get(flag.collection, -1):
                            serials[flag.collection] = flag.serial
                            yield flag
            except (PyMongoError, CrossfadeError):
                pass  # looked at again below, by a new change stream or without one
            await asyncio.sleep(_POLL)

    async def beat(self, replica: Replica) -> None:
        row = {name: value for name, value in to_row(replica).items() if name != "age"}
        change = [
            {"$replaceWith": {"$mergeObjects": [{"$literal": row}, {"_id": "$_id", "beat_at": "$$NOW"}]}}
        ]
        with Translated(is_write=True):
            await self._replicas.update_one({"_id": {"$eq": replica.id}}, change, upsert=True)

    async def acknowledge(self, replica: Replica) -> None:
        row = to_row(replica)
        change = {"$set": {name: row[name] for name in ("seen", "held", "compared")}}
        with Translated(is_write=True):
            await self._acknowledged.update_one({"_id": {"$eq": replica.id}}, change)

    async def retire(self, replica_id: str) -> None:
        with Translated(is_write=True):
            await self._replicas.delete_one({"_id": {"$eq": replica_id}})

    async def replicas(self) -> list[Replica]:
        age = {"$max": [0, {"$divide": [{"$subtract": ["$$NOW", "$beat_at"]}, 1000]}]}
        with Translated():
            cursor = await self._replicas.aggregate([{"$set": {"age": age}}, {"$sort": {"_id": 1}}])
            return [from_row(Replica, row) for row in await cursor.to_list()]

    async def now(self) -> int:
        with Translated():
            hello = await self._database.command("hello", codec_options=OPTIONS)
        return int(hello["localTime"])

    async def record_audit(self, entry: AuditEntry) -> None:
        with Translated(is_write=True):
            await self._audit.insert_one(to_row(entry))

    async def audit(self, collection: str, limit: int, until: int | None = None) -> list[AuditEntry]:
        query: Row = {"collection": {"$eq": collection}} if collection else {}
        if until is not None:
            query["at"] = {"$lte": until}
        newest_first = [("at", DESCENDING), ("_id", DESCENDING)]
        with Translated():
            rows = await self._audit.find(query, sort=newest_first, limit=limit).to_list()
        return [from_row(AuditEntry, row) for row in rows]

    async def save_job(self, job: Job) -> None:
        identity = job_id(job.collection, job.kind)
        with Translated(is_write=True):
            await self._jobs.replace_one({"_id": {"$eq": identity}}, to_row(job), upsert=True)

    async def job(self, collection: str, kind: str) -> Job | None:
        with Translated():
            row = await self._jobs.find_one({"_id": {"$eq": job_id(collection, kind)}})
        return None if row is None else from_row(Job, row)

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> bool:
        ours = {"$literal": holder}
        is_over = {"$lte": [{"$ifNull": ["$until", _LONG_AGO]}, "$$NOW"]}
        is_taken = {"$or": [{"$eq": ["$holder", ours]}, is_over]}
        lease = {"holder": ours, "until": {"$add": ["$$NOW", int(seconds * 1000)]}}
        change = [{"$replaceWith": {"$cond": [is_taken, {"$mergeObjects": ["$$ROOT", lease]}, "$$ROOT"]}}]
        with Translated(is_write=True):
            try:
                row = await self._leases.find_one_and_update(
                    {"_id": {"$eq": name}}, change, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:  # somebody else made the first lease of this name at the same moment
                return False
        return row is not None and row["holder"] == holder

    async def release_lease(self, name: str, holder: str) -> None:
        with Translated(is_write=True):
            await self._leases.delete_one({"_id": {"$eq": name}, "holder": {"$eq": holder}})

    async def _swap_row(self, old: Flag, stored: Flag, token: bytes) -> bool:
        query = {"_id": {"$eq": old.collection}, "serial": {"$eq": old.serial}}
        tokens = {"$slice": [{"$concatArrays": [{"$ifNull": ["$tokens", []]}, [token]]}, -_TOKENS]}
        literal = {"$literal": {"_id": old.collection, **to_row(stored)}}
        change = [{"$replaceWith": {"$mergeObjects": [literal, {"tokens": tokens}]}}]
        with Translated(is_write=True):
            row = await self._flags.find_one_and_update(query, change, return_document=ReturnDocument.AFTER)
        return row is not None

    async def _row(self, collection: str) -> Row:
        with Translated():
            row = await self._flags.find_one({"_id": {"$eq": collection}}, max_time_ms=MAJORITY_TIMEOUT)
        if row is None:
            raise NotFound(f"there is no flag of {collection!r}", Reason.UNKNOWN_COLLECTION)
        return row

    async def _watch_once(self) -> AsyncGenerator[Flag]:
        """All flags, then each as it changes, until the change stream fails.

        Every start looks at all flags behind the opening of the stream: no resume position is needed.
        """
        try:
            stream = await self._published.watch(full_document="updateLookup", max_await_time_ms=_AWAIT)
        except PyMongoError:
            for flag in await self.flags():
                yield flag
            raise
        async with stream:
            for flag in await self.flags():
                yield flag
            async for event in stream:
                if event.get("fullDocument"):
                    yield from_row(Flag, event["fullDocument"])

    def _named(self, name: str, concern: ReadConcern | None = None) -> AsyncCollection[Row]:
        return self._database.get_collection(name, read_concern=concern)
