"""MongoDB as an assessment reads it (`assess.ports.Source`): names, options, indexes, counters, documents.

Nothing is ever written. What MongoDB does not tell this user (counters, the profiler) counts as not told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from bson import json_util
from pymongo import AsyncMongoClient
from pymongo.errors import CursorNotFound, OperationFailure

from proxy.core.elements import elements, join
from proxy.core.errors import Refused
from proxy.core.survey import (
    CollectionFacts,
    IndexFacts,
    Place,
    ProfileFacts,
    Rates,
    ServerFacts,
    ValidatorFacts,
)
from proxy.stores.mongo.codec import META, is_meta
from proxy.stores.mongo.failures import MAX_TIME_EXPIRED, Translated, code_of
from proxy.stores.mongo.fence import MongoFence, check_own
from proxy.stores.mongo.profile import read_profile
from proxy.stores.mongo.store import MongoStores

APP_NAME = "crossfade assess"
_OWN_DATABASES = frozenset({"admin", "local", "config"})
_META_ELEMENT = b"\x03_cf\0"


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """How gently to read: documents a batch, seconds for one question, seconds of server time for a scan."""

    batch: int = 1_000
    patience: float = 30.0
    scan: float | None = None


class MongoSurvey:
    """One deployment, only read. `async with`, or `close()` at the end."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], limits: ReadingLimits, control: str) -> None:
        self._client = client
        self._limits = limits
        self._hidden = _OWN_DATABASES | {control}

    @classmethod
    def open(cls, uri: str, limits: ReadingLimits, *, control: str, preference: str | None = None) -> Self:
        """Reads from a secondary where there is one, unless the URI or `preference` says otherwise."""
        wanted = preference or (None if "readpreference=" in uri.lower() else "secondaryPreferred")
        options: dict[str, Any] = {"readPreference": wanted} if wanted else {}
        return cls(MongoStores.open(uri, appname=APP_NAME, **options).client, limits, control)

    async def server(self) -> ServerFacts:
        with Translated():
            hello = await self._client.admin.command("hello")
            build = await self._client.admin.command("buildInfo")
            status = await self._asked("serverStatus") or {}
        is_router = hello.get("msg") == "isdbgrid"
        return ServerFacts(
            build["version"], "setName" in hello or is_router, is_router, float(status.get("uptime", 0))
        )

    async def databases(self) -> Sequence[str]:
        with Translated():
            names = await self._client.list_database_names()
        return sorted(name for name in names if name not in self._hidden)

    async def collections(self, database: str) -> Sequence[CollectionFacts]:
        with Translated():
            cursor = await self._client[database].list_collections()
            found = sorted(await cursor.to_list(), key=lambda each: str(each["name"]))
            return [await self._facts(database, each) for each in found if not _is_hidden(each["name"])]

    async def profile(self, database: str) -> ProfileFacts:
        with Translated():
            return await read_profile(self._client[database], APP_NAME, self._limits.patience)

    async def rates(self) -> dict[str, Rates]:
        """From `top`, since the server's start, so an average over nights and days."""
        with Translated():
            status = await self._asked("serverStatus")
            top = await self._asked("top")
        if not status or not top or not status.get("uptime"):
            return {}
        uptime = float(status["uptime"])
        source = f"mongod's own counters over the {_span(uptime)} since its start"
        totals = {name: each for name, each in top["totals"].items() if isinstance(each, Mapping)}
        return {name: _rates(each, uptime, source) for name, each in totals.items()}

    async def documents(self, facts: CollectionFacts, sample: int | None) -> AsyncIterator[list[bytes]]:
        with Translated():
            try:
                async for batch in await self._batches(facts, sample):
                    yield [clean for raw in split(batch) if (clean := without_metadata(raw)) is not None]
            except CursorNotFound:
                return
            except OperationFailure as error:
                if code_of(error) != MAX_TIME_EXPIRED:
                    raise

    async def close(self) -> None:
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _batches(self, facts: CollectionFacts, sample: int | None) -> Any:
        collection = self._client[facts.database][facts.name]
        options: dict[str, Any] = {"batch_size": self._limits.batch, "comment": APP_NAME}
        if self._limits.scan is not None:
            options["max_time_ms" if sample is None else "maxTimeMS"] = int(self._limits.scan * 1000)
        if sample is None:
            return collection.find_raw_batches({}, **options)
        stages = [{"$sample": {"size": sample}}]
        return await collection.aggregate_raw_batches(stages, allowDiskUse=True, **_batch_named(options))

    async def _asked(self, command: str) -> Mapping[str, Any] | None:
        """What a command of the admin database says, or None where this user or server has none such."""
        try:
            reply: Mapping[str, Any] = await self._client.admin.command(
                command, maxTimeMS=int(self._limits.patience * 1000)
            )
        except OperationFailure:
            return None
        return reply

    async def _facts(self, database: str, found: Mapping[str, Any]) -> CollectionFacts:
        options = found.get("options", {})
        place = Place(found["type"])
        facts = CollectionFacts(
            database,
            found["name"],
            place,
            is_capped=bool(options.get("capped")),
            is_encrypted="encryptedFields" in options,
            collation=_locale(options.get("collation")),
        )
        if place is not Place.COLLECTION:
            return facts
        return await self._measured(facts, "validator" in options)

    async def _measured(self, facts: CollectionFacts, has_validator: bool) -> CollectionFacts:
        database = self._client[facts.database]
        cursor = await database[facts.name].list_indexes()
        indexes = [_index(each) for each in await cursor.to_list()]
        stats = await self._stats(facts)
        return CollectionFacts(
            facts.database,
            facts.name,
            facts.place,
            documents=int(stats.get("count", 0)),
            data_bytes=int(stats.get("size", 0)),
            storage_bytes=int(stats.get("storageSize", 0)),
            index_bytes=int(stats.get("totalIndexSize", 0)),
            indexes=tuple(index for index in indexes if index.names != ("_cf.del",)),
            is_capped=facts.is_capped,
            is_sharded=bool(stats.get("sharded")),
            is_encrypted=facts.is_encrypted,
            collation=facts.collation,
            validator=await self._validator(facts) if has_validator else None,
        )

    async def _stats(self, facts: CollectionFacts) -> Mapping[str, Any]:
        """Sizes by `collStats`; where that is not allowed, the count at least."""
        database = self._client[facts.database]
        try:
            stats: Mapping[str, Any] = await database.command("collStats", facts.name)
        except OperationFailure:
            return {"count": await database[facts.name].estimated_document_count()}
        return stats

    async def _validator(self, facts: CollectionFacts) -> ValidatorFacts | None:
        """The user's own, without a fence; what a fence cannot stand beside is an obstacle."""
        own = (await MongoFence(self._client[facts.database], facts.name).read()).own
        if not own.validator:
            return None
        obstacle = ""
        try:
            check_own(own)
        except Refused as refused:
            obstacle = refused.message
        return ValidatorFacts(json_util.dumps(own.validator), own.level, own.action, obstacle)


def _is_hidden(name: str) -> bool:
    """Whether it is MongoDB's own, or a running proxy's."""
    return name.startswith(("system.", "crossfade."))


def split(batch: bytes) -> list[bytes]:
    """The BSON documents of a raw batch."""
    documents, at = [], 0
    while at < len(batch):
        end = at + int.from_bytes(batch[at : at + 4], "little")
        documents.append(batch[at:end])
        at = end
    return documents


def without_metadata(raw: bytes) -> bytes | None:
    """The user's own document; None for a tombstone. Crossfade may be at work here already."""
    if _META_ELEMENT not in raw:
        return raw
    import bson

    kept = []
    for element in elements(raw):
        if element.name == META.encode() and raw[element.start] == 0x03:
            meta = bson.decode(raw[element.value : element.end])
            if isinstance(meta.get("op"), bytes) and is_meta({**meta, "del": None}):
                if "del" in meta:
                    return None
                continue
        kept.append(raw[element.start : element.end])
    return join(kept)


def _batch_named(options: dict[str, Any]) -> dict[str, Any]:
    return {"batchSize" if name == "batch_size" else name: value for name, value in options.items()}


def _index(found: Mapping[str, Any]) -> IndexFacts:
    weights = found.get("weights", {})
    fields = tuple(found["key"].items()) if not weights else tuple((name, "text") for name in weights)
    return IndexFacts(
        found["name"],
        tuple((name, kind if isinstance(kind, str) else -1 if kind < 0 else 1) for name, kind in fields),
        is_unique=bool(found.get("unique")),
        is_sparse=bool(found.get("sparse")),
        only=json_util.dumps(found["partialFilterExpression"]) if "partialFilterExpression" in found else "",
        collation=_locale(found.get("collation")),
        expires=found.get("expireAfterSeconds"),
    )


def _locale(collation: Mapping[str, Any] | None) -> str:
    locale = str((collation or {}).get("locale", "simple"))
    return "" if locale == "simple" else locale


def _rates(total: Mapping[str, Any], uptime: float, source: str) -> Rates:
    """A findAndModify counts as a command; the write lock that it takes tells."""
    count = {name: float(total.get(name, {}).get("count", 0)) for name in _COUNTED}
    writes = max(count["writeLock"], count["insert"] + count["update"] + count["remove"])
    updates = writes - count["insert"] - count["remove"]
    return Rates(
        reads=count["queries"] / uptime,
        inserts=count["insert"] / uptime,
        updates=updates / uptime,
        deletes=count["remove"] / uptime,
        source=source,
    )


_COUNTED = ("queries", "writeLock", "insert", "update", "remove")


def _span(seconds: float) -> str:
    for size, word in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} seconds"
