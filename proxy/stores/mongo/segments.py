"""The parts that a collection is scanned in: ranges of its key's index, the same for everyone who asks.

Where the parts of one division meet is sampled once and kept in MongoDB, so that a scan resumed by another
process, days later, goes on in the same part. Stale bounds cost balance, never completeness.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from proxy.core.document import OPTIONS, Value
from proxy.core.exchange import Segment
from proxy.stores.mongo.access import Access
from proxy.stores.mongo.failures import Translated
from proxy.stores.mongo.ranges import Range

COLLECTION = "crossfade.segments"
"""Beside the collection it divides, so that both live and die together."""
_SAMPLES_EACH = 20


@dataclass(frozen=True, slots=True)
class Segments:
    """The divisions of one collection."""

    access: Access

    async def bounds(self, segment: Segment) -> Range | None:
        """The range of one part; None when it is empty, as there are fewer documents than parts."""
        names = tuple(field.name for field in self.access.collection.key_fields)
        if segment.total == 1:
            return Range(names, None, None)
        cuts = await self._cuts(segment.total)
        if segment.index > len(cuts):
            return None
        lower = cuts[segment.index - 1] if segment.index > 0 else None
        upper = cuts[segment.index] if segment.index < len(cuts) else None
        return Range(names, lower, upper)

    async def _cuts(self, total: int) -> list[tuple[Value, ...]]:
        """Where one part ends and the next begins: at most `total - 1` keys, ascending."""
        identity = f"{self.access.collection.mongo_collection}/{total}"
        with Translated():
            stored = await self._kept.find_one({"_id": identity})
            if stored is None:
                stored = await self._keep(identity, await self._sample(total))
        cuts = bson.decode(stored.raw, OPTIONS)["cuts"]
        return [tuple(cut) for cut in cuts]

    async def _keep(self, identity: str, cuts: list[list[Value]]) -> RawBSONDocument:
        """Whoever keeps a division first has decided it."""
        with contextlib.suppress(DuplicateKeyError):
            await self._kept.insert_one({"_id": identity, "cuts": cuts})
        found: RawBSONDocument | None = await self._kept.find_one({"_id": identity})
        assert found is not None
        return found

    async def _sample(self, total: int) -> list[list[Value]]:
        """Keys that divide a sample into equal parts, none twice; MongoDB itself sorts them."""
        names = self.access.names
        pipeline = [
            {"$sample": {"size": total * _SAMPLES_EACH}},
            {"$project": {"_id": 0} | dict.fromkeys(names, 1)},
            {"$sort": dict.fromkeys(names, 1)},
        ]
        cursor = await self.access.newest.aggregate(pipeline)
        rows = [bson.decode(raw.raw, OPTIONS) for raw in await cursor.to_list()]
        keys = [[row.get(name) for name in names] for row in rows]
        cuts = [keys[len(keys) * part // total] for part in range(1, total)] if keys else []
        return [cut for place, cut in enumerate(cuts) if place == 0 or cut != cuts[place - 1]]

    @property
    def _kept(self) -> AsyncCollection[Any]:
        return self.access.committed.database.get_collection(
            COLLECTION,
            codec_options=self.access.committed.codec_options,
            write_concern=self.access.newest.write_concern,
            read_concern=self.access.committed.read_concern,
        )
