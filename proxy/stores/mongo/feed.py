"""MongoDB's change stream as a feed: every majority-committed event of one collection, by key.

The stream is opened on the database, so that marks, small documents in a collection of our own, pass through
it in commit order with everything else. Positions are resume tokens: they outlive this process and any
change of MongoDB's primary. Keys come from the pre- and post-images that `prepare` enables; a hard delete
without a pre-image names no key and is counted as blind. The removal of a tombstone is no event.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from bson import json_util
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from bson.objectid import ObjectId
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from proxy.core.collection import Collection
from proxy.core.confirmed import Write, note_event, told_writes
from proxy.core.document import LENIENT
from proxy.core.errors import BadRequest
from proxy.core.exchange import FeedBatch, FeedLost
from proxy.core.keys import Key, key_of
from proxy.core.version import LEGACY
from proxy.stores.mongo.codec import META, escape_name, is_meta, version_in
from proxy.stores.mongo.failures import Translated

_log = logging.getLogger("crossfade.feed")

MARKS = "crossfade.marks"
MARK_LIFE = 3600
"""Seconds after which MongoDB itself removes a mark."""
BATCH = 500
IDLE = 0.5
"""Seconds that MongoDB may think before it answers that nothing has happened."""
LINGER = 0.05
"""Seconds between two reads of a busy stream, so that a batch is worth its round trip; none after a full
batch, nor while a mark of ours is on its way, for somebody waits for it."""
LONGEST_PAUSE = 1.0

_LOST = frozenset({286, 280, 260, 9, 15, 40647, 50811, 50854})  # history or stream gone, or no token at all
_TORN = frozenset({"drop", "rename", "dropDatabase", "invalidate"})
_META_PARTS = ("e", "r", "op", "del")

Event = Mapping[str, Any]
Token = Mapping[str, Any]


class MongoFeed:
    """See `core.ports.Feed`. Raises the errors of `core.errors` from `tip` and `mark`."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], collection: Collection) -> None:
        self._client = client
        self._collection = collection
        self._database = client.get_database(
            collection.mongo_database,
            codec_options=LENIENT,
            read_preference=ReadPreference.PRIMARY,
            write_concern=WriteConcern("majority", wtimeout=5000),
        )
        self._names = {escape_name(one.name): one.name for one in collection.key_fields}
        self._pipeline = _pipeline(collection.mongo_collection, list(self._names))
        self._marks_expire = False
        self._mark = ""  # the last that we left
        self._is_marked = asyncio.Event()  # from then on, until it is read

    async def tip(self) -> str:
        """Everything committed before it is majority-committed, and so readable, when this returns."""
        with Translated():
            async with self._client.start_session(causal_consistency=False) as session:
                stream = await self._open(session, None)
                await stream.close()
        await self.mark()
        return _text(stream.token)

    async def mark(self) -> str:
        name = f"{self._collection.mongo_collection}:{ObjectId()}"
        with Translated(is_write=True):
            marks = self._database[MARKS]
            if not self._marks_expire:
                await marks.create_index("at", expireAfterSeconds=MARK_LIFE)
                self._marks_expire = True
            await self._leave(name)
        return name

    async def _leave(self, name: str) -> None:
        """The mark may be read before this returns."""
        self._mark = name
        self._is_marked.set()
        try:
            await self._database[MARKS].insert_one(
                {"_id": name, "at": DatetimeMS(time.time_ns() // 1_000_000)}
            )
        except BaseException:
            self._is_marked.clear()  # it may never come
            raise

    async def follow(self, position: str) -> AsyncIterator[FeedBatch]:
        self._is_marked.clear()  # a mark left earlier may lie before the position
        token: Token = json_util.loads(position)
        pause = 0.0
        while True:
            try:
                async with self._client.start_session(causal_consistency=False) as session:
                    stream = await self._open(session, token)
                    async with contextlib.aclosing(self._read(stream)) as batches:
                        async for batch in batches:
                            token, pause = stream.token, 0.0
                            yield batch
            except PyMongoError as error:
                _raise_if_lost(error)
                pause = min(pause * 2 or 0.05, LONGEST_PAUSE)
                _log.info("change stream of %s interrupted: %s", self._collection.name, error)
                await asyncio.sleep(pause)

    async def _read(self, stream: _Stream) -> AsyncGenerator[FeedBatch]:
        try:
            events = stream.first
            while True:
                batch = await self._batch_of(events, _text(stream.token))
                yield batch
                if batch.keys and len(events) < BATCH:
                    await self._linger()
                events = await stream.more()
        finally:
            await stream.close()

    async def _linger(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._is_marked.wait()

    async def _open(self, session: AsyncClientSession, token: Token | None) -> _Stream:
        stage: dict[str, Any] = {
            "fullDocument": "whenAvailable",
            "fullDocumentBeforeChange": "whenAvailable",
        }
        if token is not None:
            stage["resumeAfter"] = token
        command = {
            "aggregate": 1,
            "pipeline": [{"$changeStream": stage}, *self._pipeline],
            "cursor": {"batchSize": BATCH},
            "readConcern": {"level": "majority"},
        }
        reply = await self._database.command(command, session=session, codec_options=LENIENT)
        return _Stream(self._database, session, reply["cursor"])

    async def _batch_of(self, events: Sequence[Event], position: str) -> FeedBatch:
        gathered = _Gathered()
        for event in events:
            self._gather(event, gathered)
        if gathered.nameless:
            await self._look_up(gathered)
        return FeedBatch(
            keys=tuple(gathered.keys),
            position=position,
            markers=frozenset(gathered.markers),
            committed_at=max(map(_time_of, events), default=0),
            blind=gathered.blind,
            buried=frozenset(gathered.buried),
            written=told_writes(gathered.written),
        )

    def _gather(self, event: Event, gathered: _Gathered) -> None:
        kind = event["operationType"]
        ours = event.get("ns", {}).get("coll") == self._collection.mongo_collection
        if kind in _TORN:
            if ours or kind in ("dropDatabase", "invalidate"):
                raise FeedLost(f"the MongoDB collection of {self._collection.name} was hit by a {kind}")
        elif not ours:
            self._gather_mark(event, gathered)
        elif kind in ("insert", "update", "replace", "delete"):
            self._gather_document(event, gathered)

    def _gather_mark(self, event: Event, gathered: _Gathered) -> None:
        name = event.get("documentKey", {}).get("_id")
        if isinstance(name, str) and name.startswith(f"{self._collection.mongo_collection}:"):
            gathered.markers.add(name)
            if name == self._mark:
                self._is_marked.clear()

    def _gather_document(self, event: Event, gathered: _Gathered) -> None:
        before, after = event.get("fullDocumentBeforeChange"), event.get("fullDocument")
        if event["operationType"] == "delete" and before is not None and _is_tombstone(before):
            return
        images = [image for image in (before, after) if image is not None]
        if not images:
            if event["operationType"] == "delete":
                gathered.blind += 1
            else:
                gathered.nameless.append(event["documentKey"]["_id"])
        named = {key for image in images if (key := self._name(image, gathered))}
        gathered.note_write(named, _write_of(event["operationType"], before, after))
        gathered.buried -= named
        if after is not None and _is_tombstone(after):
            gathered.buried |= named

    async def _look_up(self, gathered: _Gathered) -> None:
        """Changed before images were enabled; a document that is gone again has a later event of its own."""
        projection = dict.fromkeys(("_id", *self._names), 1)
        found = self._database[self._collection.mongo_collection].find(
            {"_id": {"$in": gathered.nameless}}, projection
        )
        async for image in found:
            self._name(image, gathered)

    def _name(self, image: Mapping[str, Any], gathered: _Gathered) -> Key | None:
        fields = {name: image[stored] for stored, name in self._names.items() if stored in image}
        try:
            key = key_of(self._collection, fields)
        except BadRequest as refusal:
            gathered.blind += 1
            _log.warning("a document of %s has no key: %s", self._collection.name, refusal)
            return None
        gathered.keys[key] = None
        return key


@dataclass(slots=True)
class _Gathered:
    """What a batch of events comes down to; `keys` is an ordered set."""

    keys: dict[Key, None] = field(default_factory=dict)
    markers: set[str] = field(default_factory=set)
    nameless: list[Any] = field(default_factory=list)
    blind: int = 0
    buried: set[Key] = field(default_factory=set)
    written: dict[Key, Write | None] = field(default_factory=dict)

    def note_write(self, named: Set[Key], write: Write | None) -> None:
        """Take down one event; where it moved a document from key to key, both are to be looked at."""
        for key in named:
            note_event(self.written, key, write if len(named) == 1 else None)


class _Stream:
    """An open cursor: `first` are its first events, `token` resumes after everything read so far."""

    def __init__(self, database: Any, session: AsyncClientSession, cursor: Mapping[str, Any]) -> None:
        self._database = database
        self._session = session
        self._cursor = int(cursor["id"])
        self.first: list[Event] = cursor["firstBatch"]
        self.token: Token = cursor["postBatchResumeToken"]

    async def more(self) -> list[Event]:
        """The next events; none after `IDLE` seconds without any."""
        command = {
            "getMore": Int64(self._cursor),
            "collection": "$cmd.aggregate",
            "batchSize": BATCH,
            "maxTimeMS": int(IDLE * 1000),
        }
        reply = await self._database.command(command, session=self._session, codec_options=LENIENT)
        cursor = reply["cursor"]
        self._cursor = int(cursor["id"])
        self.token = cursor["postBatchResumeToken"]
        events: list[Event] = cursor["nextBatch"]
        if not self._cursor and not events:
            raise FeedLost("MongoDB closed the change stream")
        return events

    async def close(self) -> None:
        if self._cursor:
            command = {"killCursors": "$cmd.aggregate", "cursors": [Int64(self._cursor)]}
            self._cursor = 0
            with contextlib.suppress(PyMongoError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._database.command(command, session=self._session)


def _pipeline(collection: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Only our events, and of their images only what names the key and tells a tombstone."""
    wanted = [*names, *(f"{META}.{part}" for part in _META_PARTS)]
    shown = ["operationType", "ns", "clusterTime", "wallTime", "documentKey"]
    shown += [f"{image}.{name}" for image in ("fullDocument", "fullDocumentBeforeChange") for name in wanted]
    torn = {"operationType": {"$in": ["dropDatabase", "invalidate"]}}
    return [
        {"$match": {"$or": [{"ns.coll": {"$in": [collection, MARKS]}}, torn]}},
        {"$project": dict.fromkeys(shown, 1)},
    ]


def _write_of(kind: str, before: Event | None, after: Event | None) -> Write | None:
    """The write that a proxy made of a document that was there; None for anything else, inserts among it."""
    if kind not in ("update", "replace") or before is None or after is None:
        return None
    old, new = _meta_in(before), _meta_in(after)
    if new is None or _is_tombstone(after) or _is_tombstone(before):
        return None
    version, since = version_in(new), version_in(old) if old else LEGACY
    return (version, new["op"]) if version > since else None


def _meta_in(image: Event) -> Mapping[str, Any] | None:
    meta = image.get(META)
    return meta if meta is not None and is_meta(meta) else None


def _is_tombstone(image: Mapping[str, Any]) -> bool:
    meta = _meta_in(image)
    return meta is not None and meta.get("del") is not None


def _time_of(event: Event) -> int:
    wall = event.get("wallTime")
    return int(wall) if isinstance(wall, DatetimeMS) else event["clusterTime"].time * 1000


def _text(token: Token) -> str:
    return json_util.dumps(token)


def _raise_if_lost(error: PyMongoError) -> None:
    if isinstance(error, OperationFailure) and (
        error.code in _LOST or error.has_error_label("NonResumableChangeStreamError")
    ):
        raise FeedLost(f"MongoDB no longer holds the position: {error}") from error
