"""A version orders all writes of one document, across both stores and every change of the primary.

Versions are ordered by (epoch, revision) and tie-checked by `op`. A revision rises by one with every write of
the primary; an insert seeds it from the clock (milliseconds * 2^20), so that it stays above anything the key
ever had, even after its tombstone is gone.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass, replace
from typing import NamedTuple

from proxy.core.document import Document
from proxy.core.errors import BadRequest, Reason
from proxy.core.keys import Key

RING = 8
"""How many request ids a document remembers: repeats of the last eight writes are recognised."""

_ETAG = struct.Struct(">QQ")


class Version(NamedTuple):
    """Where a document stands: compare with `<` and `==`."""

    epoch: int
    revision: int


LEGACY = Version(0, 0)
"""The version of a document that no proxied write has touched yet."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one proxied write puts on a document.

    `op` is the request id where the client sent one, else 16 random bytes; `now` is milliseconds since 1970.
    """

    epoch: int
    op: bytes
    now: int

    @property
    def seed(self) -> int:
        """The revision of an insert: above any revision that the key had before."""
        return self.now << 20


@dataclass(frozen=True, slots=True)
class Record:
    """What a store holds under one key: a document, or the tombstone of one (`document` is None)."""

    key: Key
    version: Version
    op: bytes
    ops: tuple[bytes, ...]
    document: Document | None
    deleted_at: int | None = None

    @property
    def is_tombstone(self) -> bool:
        return self.document is None

    @property
    def is_legacy(self) -> bool:
        return self.version == LEGACY

    def holds_op(self, op: bytes) -> bool:
        """True when the write that `op` names has been applied to this key."""
        return self.op == op or op in self.ops

    def is_same_write(self, other: Record) -> bool:
        """True when both are the result of one and the same write."""
        return self.version == other.version and self.op == other.op

    def follow(self, stamp: Stamp, document: Document | None) -> Record:
        """The record after this one: the next revision under the stamp; None for `document` deletes.

        Raises nothing; the caller has checked that the stamp's epoch is not older than the record's.
        """
        revision = self.version.revision + 1
        if self.is_tombstone:
            revision = max(revision, stamp.seed)
        return Record(
            key=self.key,
            version=Version(stamp.epoch, revision),
            op=stamp.op,
            ops=(*self.ops, stamp.op)[-RING:],
            document=document,
            deleted_at=stamp.now if document is None else None,
        )

    def restamped(self, stamp: Stamp, revision: int) -> Record:
        """The same content under the stamp and a revision; the epoch never falls."""
        version = Version(max(stamp.epoch, self.version.epoch), revision)
        return replace(self, version=version, op=stamp.op, ops=(*self.ops, stamp.op)[-RING:])


def first_record(key: Key, stamp: Stamp, document: Document) -> Record:
    """The record of an insert under a key that the store knows nothing of."""
    return Record(key, Version(stamp.epoch, stamp.seed), stamp.op, (stamp.op,), document)


def etag_of(record: Record) -> str:
    """An opaque token for this very version of the document."""
    return base64.urlsafe_b64encode(_ETAG.pack(*record.version) + record.op).decode().rstrip("=")


def parse_etag(text: str) -> tuple[Version, bytes]:
    """The version and op that an etag names. Raises BadRequest naming the field `etag`."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        epoch, revision = _ETAG.unpack_from(data)
    except (ValueError, struct.error) as error:
        raise BadRequest("etag is not one that Crossfade gave", Reason.INVALID_FIELD, field="etag") from error
    return Version(epoch, revision), data[_ETAG.size :]
