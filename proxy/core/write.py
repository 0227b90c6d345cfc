"""What a client wants written, and what that does to a record: a pure function, the same for all stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import bson

from proxy.core.document import OPTIONS, Document, Fields, Value
from proxy.core.errors import AlreadyExists, BadRequest, Contended, Fenced, Reason
from proxy.core.filter import EVERYTHING, Filter
from proxy.core.keys import Key
from proxy.core.matching import matches
from proxy.core.modification import modify
from proxy.core.ordering import MISSING, equal
from proxy.core.patching import id_first, patch, settle, with_id
from proxy.core.update import Update
from proxy.core.version import Record, Stamp, Version, first_record


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
    """The whole document anew. Keeps the stored `_id` where the new document has none; another is refused.

    An upsert that inserts a document without `_id` gives it `new_id`.
    """

    key: Key
    document: Document
    precondition: Precondition = ALWAYS
    upsert: bool = False
    new_id: Value = None


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


@dataclass(frozen=True, slots=True)
class Effect:
    """What a command does to one record: the answer, and the record to store (None: nothing to store)."""

    result: WriteResult
    put: Record | None = None


NO_EFFECT = Effect(NOT_MATCHED)


def effect(command: Command, current: Record | None, stamp: Stamp, *, key_fields: Sequence[str]) -> Effect:
    """Decide a command on what the store holds; the store puts `put` only if it still holds that.

    Raises Fenced when the record has seen a newer epoch than the stamp's, Contended for another etag,
    AlreadyExists for a live document in the way of an insert or upsert, BadRequest where the result would
    have another key or `_id`, or MongoDB would refuse the update.
    """
    if current is not None and current.version.epoch > stamp.epoch:
        raise Fenced("the document has been written in a newer epoch", op=stamp.op)
    if current is not None and current.holds_op(stamp.op):
        return Effect(WriteResult(matched=True, after=current, repeated=True))
    _check_etag(command, current, stamp)
    if current is None or current.document is None:
        return _on_absent(command, current, stamp, key_fields)
    return _on_live(command, current, current.document, stamp, key_fields)


def _check_etag(command: Command, current: Record | None, stamp: Stamp) -> None:
    if isinstance(command, Insert) or command.precondition.etag is None:
        return
    live = current is not None and not current.is_tombstone
    if not live or current is None or (current.version, current.op) != command.precondition.etag:
        message = "the document is no longer the one that the etag names"
        raise Contended(message, Reason.ETAG_MISMATCH, field="etag", op=stamp.op)


def _on_absent(command: Command, tombstone: Record | None, stamp: Stamp, key_fields: Sequence[str]) -> Effect:
    document = _new_document(command, stamp, key_fields)
    if document is None:
        return NO_EFFECT
    _check_key(document, command.key, key_fields)
    follows = tombstone.follow(stamp, document) if tombstone else None
    after = follows or first_record(command.key, stamp, document)
    return Effect(WriteResult(matched=True, after=after, inserted=True), after)


def _new_document(command: Command, stamp: Stamp, key_fields: Sequence[str]) -> Document | None:
    """What the command makes where there is no live document."""
    if isinstance(command, Insert):
        return settle(command.document, stamp.now)
    if isinstance(command, Replace) and command.upsert:
        document = settle(command.document, stamp.now)
        has_id = "_id" in document.fields or command.new_id is None
        return document if has_id else with_id(document, command.new_id)
    if not isinstance(command, Modify) or not command.upsert:
        return None
    seed = command.seed or Document(dict(zip(key_fields, command.key.values, strict=True)))
    fields = modify(command.update, seed.fields, inserting=True, now=stamp.now)
    return id_first(patch(seed, fields))


def _on_live(
    command: Command, current: Record, present: Document, stamp: Stamp, key_fields: Sequence[str]
) -> Effect:
    if isinstance(command, Insert):
        raise AlreadyExists("a document with this key exists", op=stamp.op)
    if not matches(command.precondition.filter, present.fields):
        return _mismatch(command, stamp)
    document = _next_document(command, present, stamp)
    if document is not None:
        _check_key(document, command.key, key_fields)
    after = current.follow(stamp, document)
    return Effect(WriteResult(matched=True, before=current, after=after), after)


def _mismatch(command: Replace | Modify | Delete, stamp: Stamp) -> Effect:
    """A document that the filter does not select: in the way of an upsert, else an outcome."""
    if not isinstance(command, Delete) and command.upsert:
        raise AlreadyExists("a document with this key exists, but the filter is not true of it", op=stamp.op)
    return NO_EFFECT


def _next_document(command: Replace | Modify | Delete, present: Document, stamp: Stamp) -> Document | None:
    """What follows a live document; None after a delete."""
    if isinstance(command, Delete):
        return None
    if isinstance(command, Replace):
        return _replacement(settle(command.document, stamp.now), present)
    fields = modify(command.update, present.fields, inserting=False, now=stamp.now)
    _require_same_id(present.fields, fields)
    return patch(present, fields)


def _replacement(document: Document, present: Document) -> Document:
    """The new document, with the stored `_id` unless it brings an equal one."""
    stored = present.fields.get("_id", MISSING)
    given = document.fields.get("_id", MISSING)
    if stored is MISSING or (given is not MISSING and equal(stored, given)):
        return document
    if given is not MISSING:
        raise _id_changed()
    return with_id(document, stored)


def _require_same_id(before: Fields, after: Fields) -> None:
    """MongoDB lets operators touch `_id` only where they leave it as it is, its type included."""
    stored, left = before.get("_id", MISSING), after.get("_id", MISSING)
    if stored is left or stored is MISSING:
        return
    if left is MISSING or _encoded(stored) != _encoded(left):
        raise _id_changed()


def _encoded(value: Value) -> bytes:
    return bson.encode({"": value}, codec_options=OPTIONS)


def _id_changed() -> BadRequest:
    return BadRequest("`_id` cannot be changed", Reason.INVALID_FIELD, field="_id")


def _check_key(document: Document, key: Key, key_fields: Sequence[str]) -> None:
    for name, value in zip(key_fields, key.values, strict=True):
        if not equal(document.fields.get(name, MISSING), value):
            message = f"the key field {name!r} must keep the value that names the document"
            raise BadRequest(message, Reason.KEY_FIELD_CHANGED, field=name)
