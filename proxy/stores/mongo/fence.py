"""The fence: a collection validator by which MongoDB itself refuses writes of older epochs.

`{_cf.e: {$gte: epoch}}`, strict, and'ed with the user's own validator, from which tombstones are exempt (they
are no documents of the user's). The user's own options travel in the validator's `$comment`, so that they can
be restored whatever happened in between. Invariants: `raise_to` never lowers what it has read; from its
return on no write of an older epoch enters, by a majority. It cannot stop hard deletes, and documents that do
not match stay readable. collMod knows no condition, so two processes must not raise one fence at once: the
control store lets one change of a collection run at a time, what was read too long ago is read again before
anything is installed, and whoever publishes an epoch checks `current` first (docs/decisions/0005).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson import json_util
from bson.int64 import Int64
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure, PyMongoError

from proxy.core.errors import Contended, Reason, Refused
from proxy.faultpoint import faultpoint
from proxy.stores.mongo.failures import LOCK_TIMEOUT, MAX_TIME_EXPIRED, Translated

LOCK_PATIENCE = 250
"""Milliseconds that one attempt may queue behind open transactions, stalling all writers behind it."""
DEADLINE = 5.0
FRESH = 1.0
"""Seconds after which what was read of a fence is no ground to install another: this process stood still."""
_PAUSE = 0.1
_MARK = "crossfade "
_BUSY = frozenset({MAX_TIME_EXPIRED, LOCK_TIMEOUT, 46, 64, 112})
_TOMBSTONE = {"_cf.del": {"$exists": True}}


@dataclass(frozen=True, slots=True)
class Validation:
    """A collection's validation options."""

    validator: Mapping[str, Any]
    level: str = "strict"
    action: str = "error"

    @property
    def is_enforced(self) -> bool:
        return bool(self.validator) and self.level != "off" and self.action == "error"

    def options(self) -> dict[str, Any]:
        return {
            "validator": dict(self.validator),
            "validationLevel": self.level,
            "validationAction": self.action,
        }


@dataclass(frozen=True, slots=True)
class Fencing:
    """What a collection's validator is made of: the user's own, and the epoch we demand (0: none)."""

    own: Validation
    epoch: int

    def combined(self) -> Validation:
        """The validator to install. Raises Refused for options that have no strict equivalent."""
        check_own(self.own)
        clauses = list(self._clauses())
        if not clauses:
            return self.own
        comment = _MARK + json_util.dumps(self.own.options(), json_options=json_util.CANONICAL_JSON_OPTIONS)
        return Validation({"$comment": comment, "$and": clauses})

    def _clauses(self) -> Iterator[dict[str, Any]]:
        if self.epoch > 0:
            yield {"_cf.e": {"$gte": Int64(self.epoch)}}
        if self.own.is_enforced:
            yield {"$or": [_TOMBSTONE, dict(self.own.validator)]}


Change = Callable[[Fencing], Validation]


class MongoFence:
    """The fence of one collection (`core.ports.Fence`)."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], collection: str) -> None:
        self._database = database
        self._collection = collection

    async def raise_to(self, epoch: int) -> None:
        """Refuse all epochs below; confirms by a majority even what is there already.

        Raises Contended when open transactions kept the collection locked for five seconds.
        """
        await self._install(lambda now: Fencing(now.own, max(now.epoch, epoch)).combined())

    async def current(self) -> int:
        return (await self.read()).epoch

    async def lift(self) -> None:
        await self._install(lambda now: now.own)

    async def exempt_tombstones(self) -> bool:
        """Let tombstones pass the user's own validator, if there is one; True if that took a change."""
        now = await self.read()
        if not now.own.is_enforced or now.combined().validator == (await self._options()).get("validator"):
            return False
        await self._install(lambda now: now.combined())
        return True

    async def read(self) -> Fencing:
        """What is installed. Raises Refused when there is no such collection."""
        options = await self._options()
        level = options.get("validationLevel", "strict")
        action = options.get("validationAction", "error")
        return _parse(Validation(options.get("validator", {}), level, action))

    async def _options(self) -> Mapping[str, Any]:
        with Translated():
            reply = await self._database.command("listCollections", filter={"name": self._collection})
        found = reply["cursor"]["firstBatch"]
        if not found:
            raise Refused(f"there is no collection {self._collection} in MongoDB", Reason.STORE_REJECTED)
        options: Mapping[str, Any] = found[0]["options"]
        return options

    async def _install(self, change: Change) -> None:
        deadline = time.monotonic() + DEADLINE
        while not await self._try(change):
            if time.monotonic() > deadline:
                raise Contended(
                    f"open transactions keep {self._collection} from being fenced", Reason.CONTENTION
                )
            await asyncio.sleep(_PAUSE)

    async def _try(self, change: Change) -> bool:
        """One attempt, on the ground of what is installed now; False when there is to be another."""
        began = time.monotonic()
        wanted = change(await self.read())
        await faultpoint("fence.before_install")
        return time.monotonic() - began < FRESH and await self._try_install(wanted)

    async def _try_install(self, wanted: Validation) -> bool:
        with Translated(is_write=True):
            try:
                await self._database.command(
                    "collMod",
                    self._collection,
                    **wanted.options(),
                    maxTimeMS=LOCK_PATIENCE,
                    writeConcern={"w": "majority"},
                )
            except PyMongoError as error:
                if isinstance(error, OperationFailure) and error.code in _BUSY:
                    return False
                raise
        return True


def check_own(own: Validation) -> None:
    """Raises Refused for a user's validator that we cannot keep while fencing."""
    if not own.is_enforced:
        return
    if own.level != "strict":
        raise Refused(
            f"the collection's own validator is at level {own.level!r}, which cannot be kept beside a fence: "
            "make it strict first (collMod validationLevel: 'strict')",
            Reason.STORE_REJECTED,
        )
    if _forbids_metadata(own.validator):
        raise Refused(
            "the collection's own $jsonSchema allows no more properties: add `_cf: {}` to its properties",
            Reason.STORE_REJECTED,
        )


def _forbids_metadata(validator: Mapping[str, Any]) -> bool:
    schema = validator.get("$jsonSchema", {})
    if schema.get("additionalProperties") is False and "_cf" not in schema.get("properties", {}):
        return not schema.get("patternProperties")
    return any(_forbids_metadata(clause) for clause in validator.get("$and", ()))


def _parse(installed: Validation) -> Fencing:
    comment = installed.validator.get("$comment", "")
    if not isinstance(comment, str) or not comment.startswith(_MARK):
        return Fencing(installed, 0)
    own = json_util.loads(comment.removeprefix(_MARK))
    epochs = [clause["_cf.e"]["$gte"] for clause in installed.validator["$and"] if "_cf.e" in clause]
    validation = Validation(own["validator"], own["validationLevel"], own["validationAction"])
    return Fencing(validation, int(epochs[0]) if epochs else 0)
