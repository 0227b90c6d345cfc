"""A write command says what a client wants; its effect on a record is a pure function, the same for all stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from proxy.core.document import Document
from proxy.core.filter import EVERYTHING, Filter
from proxy.core.keys import Key
from proxy.core.update import Update
from proxy.core.version import Record, Version


@dataclass(frozen=True, slots=True)
class Precondition:
    """What the live document must satisfy to be written: a filter, and the version of an etag if given.

    A filter that does not match is an outcome (matched=False); an etag that does not is an error (Contended,
    ETAG_MISMATCH).
    """

    filter: Filter = EVERYTHING
    etag: tuple[Version, bytes] | None = None


ALWAYS = Precondition()


@dataclass(frozen=True, slots=True)
class Insert:
    """A new document; AlreadyExists if a live one has the key."""

    key: Key
    document: Document


@dataclass(frozen=True, slots=True)
class Replace:
    """The whole document anew. Keeps the stored `_id` where the new document has none; another is refused."""

    key: Key
    document: Document
    precondition: Precondition = ALWAYS
    upsert: bool = False


@dataclass(frozen=True, slots=True)
class Modify:
    """Update operators on one document. With `upsert`, an absent key is created from `seed` (the equalities
    of the filter, key fields among them) and the operators. `wants_before` asks for the exact pre-image."""

    key: Key
    update: Update
    precondition: Precondition = ALWAYS
    upsert: bool = False
    seed: Document | None = None
    wants_before: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Leaves a tombstone. Not an error when there is no such document: matched=False."""

    key: Key
    precondition: Precondition = ALWAYS


Command: TypeAlias = Insert | Replace | Modify | Delete


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a primary write did.

    `matched` False: nothing was written, the other fields are empty. `before` is the live record that was
    replaced (None for inserts; for Modify on MongoDB only when `wants_before`), `after` the record now stored
    (a tombstone for deletes; any later version for a repeat). `inserted`: there was no live document.
    `repeated`: this op had been applied before, nothing was applied now.
    """

    matched: bool
    before: Record | None = None
    after: Record | None = None
    inserted: bool = False
    repeated: bool = False


NOT_MATCHED = WriteResult(matched=False)
