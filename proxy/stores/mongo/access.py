"""What the parts of the MongoDB store share: one collection, its codec, its names and its driver handles.

Reads that leave the store are of majority-committed data, so nothing that could be rolled back is mirrored.
Reads that only prepare a compare-and-set take the newest state.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from proxy.core.collection import Collection
from proxy.core.deadline import milliseconds_left
from proxy.core.errors import CrossfadeError, Fenced
from proxy.core.keys import Key
from proxy.core.ports import Limits
from proxy.core.version import Record
from proxy.stores.mongo.codec import RAW, RecordCodec, escape_name
from proxy.stores.mongo.expressions import Query, key_query
from proxy.stores.mongo.failures import DRIVER_ERRORS, VALIDATION_FAILED, Translated, code_of, translate
from proxy.stores.mongo.fence import MongoFence

MAJORITY_TIMEOUT = 5_000
"""Milliseconds that a write may wait for its majority before its outcome is called unknown."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a key held when it was read: the record, and the very bytes for a compare-and-set."""

    record: Record
    raw: RawBSONDocument


@dataclass(frozen=True, slots=True)
class Access:
    """One collection in MongoDB. `names` are the stored names of the key fields."""

    collection: Collection
    limits: Limits | None
    client: AsyncMongoClient[dict[str, Any]]
    codec: RecordCodec
    names: tuple[str, ...]
    newest: AsyncCollection[RawBSONDocument]
    committed: AsyncCollection[RawBSONDocument]
    fence: MongoFence

    def query(self, key: Key) -> Query:
        return key_query(self.names, key)

    async def read(self, key: Key) -> Held | None:
        """The newest state of a key, majority-committed or not."""
        with Translated():
            raw = await self.newest.find_one(self.query(key))
        return None if raw is None else Held(self.codec.decode(raw), raw)

    async def read_committed(self, key: Key) -> Record | None:
        """The newest majority-committed state of a key. MongoDB is told when the call must be answered."""
        with Translated():
            raw = await self.committed.find_one(self.query(key), max_time_ms=milliseconds_left())
        return None if raw is None else self.codec.decode(raw)


class Writing:
    """`async with Writing(access, epoch, op):` around driver calls that write.

    Translates their exceptions; a refusal by the validator is Fenced if the fence is what refuses the epoch.
    """

    __slots__ = ("_access", "_epoch", "_op")

    def __init__(self, access: Access, epoch: int, op: bytes) -> None:
        self._access = access
        self._epoch = epoch
        self._op = op

    async def __aenter__(self) -> None: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DRIVER_ERRORS):
            raise await self._translate(error) from error

    async def _translate(self, error: Exception) -> CrossfadeError:
        if code_of(error) == VALIDATION_FAILED and await self._access.fence.current() > self._epoch:
            return Fenced("MongoDB's fence refuses this epoch", op=self._op)
        return translate(error, self._op, is_write=True)


def access(client: AsyncMongoClient[dict[str, Any]], collection: Collection, limits: Limits | None) -> Access:
    """The handles of one collection; no I/O."""
    database = client.get_database(collection.mongo_database)
    newest: AsyncCollection[Any] = database.get_collection(
        collection.mongo_collection,
        codec_options=RAW,
        read_preference=ReadPreference.PRIMARY,
        write_concern=WriteConcern("majority", wtimeout=MAJORITY_TIMEOUT),
        read_concern=ReadConcern("local"),
    )
    return Access(
        collection=collection,
        limits=limits,
        client=client,
        codec=RecordCodec(collection),
        names=tuple(escape_name(field.name) for field in collection.key_fields),
        newest=newest,
        committed=newest.with_options(read_concern=ReadConcern("majority")),
        fence=MongoFence(database, collection.mongo_collection),
    )


async def pause(attempt: int) -> None:
    """Wait a little before going again: random, up to 1 ms at first, up to 64 ms later."""
    await asyncio.sleep(random.random() * 0.001 * 2 ** min(attempt, 6))
