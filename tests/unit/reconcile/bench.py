"""Two memory stores of one collection and the records to put there, without a proxy around them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.core.collection import Collection, Index, IndexKind, KeyField, Settings
from proxy.core.document import Document
from proxy.core.errors import BadRequest, CrossfadeError, Reason
from proxy.core.flag import Flag
from proxy.core.keys import Key
from proxy.core.silence import SilentSignals
from proxy.core.stage import Published, Stage, StoreName
from proxy.core.version import LEGACY, Record, Stamp, Version
from proxy.reconcile.key import Pair
from proxy.reconcile.site import Site
from proxy.stores.memory.control import MemoryControl, MemoryDivergences
from proxy.stores.memory.feed import MemoryFeed
from proxy.stores.memory.store import MemoryStore, MemoryTable

KEY = Index("key", IndexKind.TABLE, (KeyField("a"),), (KeyField("b"),), "a", "b")
SETTINGS = Settings(recheck_delays=(0.005, 0.01, 0.02), tombstone_grace=0.02)
JOBS = Collection("jobs", "db", "jobs", "jobs", KEY, settings=SETTINGS)
EPOCH = 5
GONE = object()


class SteppingClock:
    """Real time, ops that count up, dice that never wait."""

    def __init__(self) -> None:
        self._ops = itertools.count(1000)

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def random(self) -> float:
        return 0.0

    def new_op(self) -> bytes:
        return next(self._ops).to_bytes(16, "big")


class NarrowStore(MemoryStore):
    """A store that refuses documents with a field `poison`, and spoils those with a field `fragile`."""

    async def apply(self, record: Record) -> Any:
        fields = record.document.fields if record.document else {}
        if "poison" in fields:
            raise BadRequest("it is poison", Reason.DOCUMENT_TOO_LARGE, field="poison")
        if "fragile" in fields:
            record = replace(record, document=Document({**fields, "fragile": "broken"}))
        return await super().apply(record)


class ShakyStore(MemoryStore):
    """A store whose calls fail while `error` is set, and run `before` first when that is set."""

    error: CrossfadeError | None = None
    before_get: Callable[[], None] | None = None
    before_apply: Callable[[], None] | None = None

    async def get(self, keys: Any) -> list[Record | None]:
        self._shake(self.before_get)
        return await super().get(keys)

    async def apply(self, record: Record) -> Any:
        self._shake(self.before_apply)
        return await super().apply(record)

    def _shake(self, action: Callable[[], None] | None) -> None:
        if action is not None:
            self.before_get = self.before_apply = None
            action()
        if self.error is not None:
            raise self.error


def key(name: str = "k") -> Key:
    return Key(("x", name))


def op(number: int) -> bytes:
    return number.to_bytes(16, "big")


def record(
    version: tuple[int, int] = (0, 0), content: Any = 1, *, made_by: int = 0, name: str = "k", **fields: Any
) -> Record:
    """A live record, or with `content` GONE its tombstone; legacy without a version."""
    at = Version(*version)
    mark = b"" if at == LEGACY else op(made_by or at.revision)
    document = None if content is GONE else Document({"a": "x", "b": name, "n": content, **fields})
    deleted_at = 1 if content is GONE else None
    return Record(key(name), at, mark, (mark,) if mark else (), document, deleted_at)


def tombstone(version: tuple[int, int], *, made_by: int = 0, name: str = "k", deleted_at: int = 1) -> Record:
    return replace(record(version, GONE, made_by=made_by, name=name), deleted_at=deleted_at)


@dataclass
class Bench:
    """MongoDB as primary and DynamoDB as mirror; `turned` exchanges them."""

    primary: MemoryStore = field(default_factory=lambda: ShakyStore(JOBS, StoreName.MONGODB))
    mirror: MemoryStore = field(default_factory=lambda: NarrowStore(JOBS, StoreName.DYNAMODB))
    clock: SteppingClock = field(default_factory=SteppingClock)
    epoch: int = EPOCH

    @property
    def pair(self) -> Pair:
        return Pair(self.primary, self.mirror, self.epoch, SETTINGS.tombstone_grace)

    def put(self, primary: Record | None, mirror: Record | None) -> None:
        for store, held in ((self.primary, primary), (self.mirror, mirror)):
            if held is not None:
                store.table.put(held.key, held)

    def bypass(self, name: str, content: Any, **fields: Any) -> None:
        """What a writer that knows nothing of versions does: the version stays, or there is none."""
        held = self.primary.table.records.get(key(name))
        if content is GONE:
            self.primary.table.put(key(name), None)
        elif held is None or held.is_tombstone:
            self.primary.table.put(key(name), record(content=content, name=name, **fields))
        else:
            changed = record(content=content, name=name, **fields).document
            self.primary.table.put(key(name), replace(held, document=changed))

    def held(self, name: str = "k") -> tuple[Record | None, Record | None]:
        return self.primary.table.records.get(key(name)), self.mirror.table.records.get(key(name))

    def stamp(self) -> Stamp:
        return Stamp(self.epoch, self.clock.new_op(), self.clock.now())

    def differences(self) -> list[str]:
        """The keys whose live documents or versions differ; empty when the stores are equal."""
        ours, theirs = self.primary.table.records, self.mirror.table.records
        return [
            str(one.values[1])
            for one in ours.keys() | theirs.keys()
            if not are_equal(ours.get(one), theirs.get(one))
        ]


def are_equal(ours: Record | None, theirs: Record | None) -> bool:
    """Both gone, or the same write with the same content."""
    ours = None if ours is None or ours.is_tombstone else ours
    theirs = None if theirs is None or theirs.is_tombstone else theirs
    if ours is None or theirs is None:
        return ours is theirs
    return ours.is_same_write(theirs) and ours.document == theirs.document


class OpenDoor:
    """A door that shows what was published last."""

    def __init__(self, published: Published) -> None:
        self.published = published

    async def enter_write(self) -> Published:
        return self.published

    def leave_write(self) -> None: ...

    async def enter_read(self) -> Published:
        return self.published

    async def learn_beyond(self, epoch: int) -> None: ...


@dataclass
class Yard:
    """A whole site in memory. `mongo` and `dynamo` are tables that outlive their stores."""

    stage: Stage = Stage.MONGO_PRIMARY
    mongo: MemoryTable = field(default_factory=MemoryTable)
    dynamo: MemoryTable = field(default_factory=MemoryTable)
    clock: SteppingClock = field(default_factory=SteppingClock)
    collection: Collection = JOBS

    def __post_init__(self) -> None:
        self.control = MemoryControl(self.clock.now)
        self.divergences = MemoryDivergences()
        self.door = OpenDoor(Published(EPOCH, self.stage))
        self.stores = {
            StoreName.MONGODB: ShakyStore(self.collection, StoreName.MONGODB, self.mongo),
            StoreName.DYNAMODB: NarrowStore(self.collection, StoreName.DYNAMODB, self.dynamo),
        }
        self.feeds = {
            StoreName.MONGODB: MemoryFeed(self.mongo, self.clock),
            StoreName.DYNAMODB: MemoryFeed(self.dynamo, self.clock),
        }

    async def open(self) -> None:
        flag = Flag(self.collection.name, EPOCH, self.stage, self.clock.now(), mirrored_since=EPOCH)
        await self.control.create(flag)

    async def publish(self, stage: Stage) -> None:
        flag = await self.control.flag(self.collection.name)
        swapped = await self.control.swap(flag, flag.publish(stage, self.clock.now()))
        assert swapped is not None
        self.door.published = swapped.published

    def site(self, replica: str = "r1") -> Site:
        return Site(
            self.collection,
            self.stores,
            self.feeds,
            self.control,
            self.divergences,
            self.clock,
            SilentSignals(),
            replica,
        )

    def bench(self) -> Bench:
        """The stores in the roles of the stage."""
        stage = self.door.published.stage
        assert stage.mirror is not None
        return Bench(
            self.stores[stage.primary], self.stores[stage.mirror], self.clock, self.door.published.epoch
        )


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout: float = 10.0) -> None:
    """Wait for what nobody signals; fails with a TimeoutError."""
    async with asyncio.timeout(timeout):
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            await asyncio.sleep(0.002)
