"""A write command as one findOneAndUpdate, where that does exactly what `core.write.effect` would do.

What it selects leaves out everything that needs a decision: absent and deleted documents, newer epochs,
repeated ops, other versions than an etag's, and documents too large to be sure of DynamoDB's limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.core.document import Document
from proxy.core.filter import EVERYTHING
from proxy.core.update import Update, paths
from proxy.core.version import Record, Stamp
from proxy.core.write import Command, Delete, Modify, Replace, WriteResult
from proxy.stores.mongo.access import Access
from proxy.stores.mongo.expressions import (
    Operators,
    Pipeline,
    Query,
    all_of,
    operators_of,
    query_of,
    replacement_pipeline,
    smaller_query,
    stored_fields,
    tombstone_pipeline,
    version_query,
    writable_query,
)

SURELY_SMALL = 100_000
"""Bytes of BSON below which a document is less than half of what DynamoDB can hold, type sidecar included;
what `Limits.admits` speaks of."""


@dataclass(frozen=True, slots=True)
class Native:
    """A findOneAndUpdate: what it selects, what it does, and which image it returns."""

    query: Query
    change: Operators | Pipeline
    returns_before: bool


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles the commands of one collection."""

    access: Access
    fixed: frozenset[str] = field(init=False)  # top-level fields that the engine alone may touch

    def __post_init__(self) -> None:
        names = {"_id", *(field.name for field in self.access.collection.key_fields)}
        object.__setattr__(self, "fixed", frozenset(names))

    def compile(self, command: Command, stamp: Stamp) -> Native | None:
        """The native form; None where there is none. Raises BadRequest for a filter that is none."""
        if isinstance(command, Modify):
            return self._modify(command, stamp)
        if isinstance(command, Replace):
            return self._replace(command, stamp)
        if isinstance(command, Delete):
            tombstone = tombstone_pipeline(self.access.names, command.key, stamp)
            return Native(self._query(command, stamp), tombstone, returns_before=True)
        return None

    def result(self, command: Command, image: Record, stamp: Stamp) -> WriteResult:
        """What the command did, from the image that its native form returned."""
        if isinstance(command, Modify):
            return WriteResult(matched=True, after=image)
        document = None
        if isinstance(command, Replace) and image.document is not None:
            document = Document({**command.document.fields, "_id": image.document.fields["_id"]})
        return WriteResult(matched=True, before=image, after=image.follow(stamp, document))

    def _modify(self, command: Modify, stamp: Stamp) -> Native | None:
        if command.wants_before or self._touches_identity(command.update):
            return None
        limits = self.access.limits
        if limits is not None and not limits.admits(command.update):
            return None
        change = operators_of(command.update, stamp)
        guard = {} if limits is None else smaller_query(SURELY_SMALL)
        return None if change is None else Native(self._query(command, stamp, guard), change, False)

    def _replace(self, command: Replace, stamp: Stamp) -> Native | None:
        """Only for documents that a pipeline can hold, that begin with their `_id`, and keep their key."""
        fields = command.document.fields
        if command.document.raw is not None or next(iter(fields), "") != "_id":
            return None
        if self.access.codec.key_of(fields) != command.key:
            return None
        same_id = {"_id": {"$eq": fields["_id"]}}
        change = replacement_pipeline(stored_fields(fields), stamp)
        return Native(self._query(command, stamp, same_id), change, returns_before=True)

    def _query(self, command: Replace | Modify | Delete, stamp: Stamp, *more: Query) -> Query:
        query = self.access.query(command.key) | writable_query(stamp)
        condition = command.precondition
        if condition.filter != EVERYTHING:
            more = (*more, query_of(condition.filter))
        if condition.etag is not None:
            more = (*more, version_query(*condition.etag))
        return all_of(query, *more)

    def _touches_identity(self, update: Update) -> bool:
        return any(path.partition(".")[0] in self.fixed for path in paths(update))
