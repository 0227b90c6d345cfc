"""A record becomes an item that people can read and DynamoDB can index, and comes back to the byte.

The item holds the document's fields as natural attributes (`values`), the key and index attributes
(`layout`), and Crossfade's own: `_cf` {e epoch, r revision, op, ops, del (ms, tombstones), t (the hints as
JSON), b (the BSON of a document that its fields cannot reproduce)} and `_ttl` (epoch seconds, tombstones).
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any

import orjson

from proxy.core.collection import Collection, FieldType
from proxy.core.confirmed import Write
from proxy.core.document import Document, Fields, Value
from proxy.core.errors import Broken
from proxy.core.keys import Key, fields_of, typed
from proxy.core.version import LEGACY, Record, Version
from proxy.stores.dynamo.decoding import decode_fields
from proxy.stores.dynamo.encoding import encode_fields
from proxy.stores.dynamo.layout import META, TTL, Layout, Part
from proxy.stores.dynamo.values import Attribute, Hint, Item, to_base64

VERSION_PARTS = ("e", "r", "op")
"""What of `_cf` tells the last write."""

_NO_OP: Attribute = {"B": ""}
_NO_OPS: Attribute = {"L": []}


class Codec:
    """Records of one collection to items and back; compiled once per collection."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.layout = Layout(collection)
        self._ttl = int(collection.settings.tombstone_ttl)
        self._odd_naturals = [part for part in self.layout.natural if _is_odd(part)]
        self._key_types = [(field.name, field.type) for field in collection.key_fields]

    def encode(self, record: Record) -> Item:
        """The whole item of a record. Raises BadRequest where a key or index text is too long."""
        if record.document is None:
            return self._encode_tombstone(record)
        item, hints = self._encode_fields(record.document.fields)
        for part in self.layout.synthetic:
            attribute = part.encode_from(record.document.fields)
            if attribute is not None:
                item[part.attribute] = attribute
        item[META] = {"M": _meta(record, hints, record.document.raw)}
        return item

    def decode(self, item: Item) -> Record:
        """The record of an item, whoever wrote it: without `_cf` it is a legacy record.

        Raises Broken where the key cannot be read.
        """
        meta: dict[str, Any] = item.get(META, {}).get("M") or {}
        is_tombstone = "del" in meta
        if "b" in meta:
            document = Document.from_bson(a2b_base64(meta["b"]["B"]))
        else:
            document = Document(self._decode_fields(item, meta))
        key = self._key_of(item, document.fields)
        if "r" not in meta:
            return Record(key, LEGACY, b"", (), document)
        return Record(
            key=key,
            version=Version(int(meta["e"]["N"]), int(meta["r"]["N"])),
            op=a2b_base64(meta.get("op", _NO_OP)["B"]),
            ops=tuple([a2b_base64(op["B"]) for op in meta.get("ops", _NO_OPS)["L"]]),
            document=None if is_tombstone else document,
            deleted_at=int(meta["del"]["N"]) if is_tombstone else None,
        )

    @staticmethod
    def write_in(item: Item | None) -> Write | None:
        """The write that left an item, of which VERSION_PARTS suffice; None where no proxied write did."""
        meta: dict[str, Any] = (item or {}).get(META, {}).get("M") or {}
        version = Version(int(meta["e"]["N"]), int(meta["r"]["N"])) if "r" in meta else LEGACY
        return None if version == LEGACY else (version, a2b_base64(meta.get("op", _NO_OP)["B"]))

    def _encode_tombstone(self, record: Record) -> Item:
        """Key attributes and the key's own fields, but nothing that a secondary index would list."""
        fields = fields_of(self.collection, record.key)
        for part in self.layout.natural:
            if part.attribute not in self.layout.key_attributes:
                fields.pop(part.attribute, None)
        item, hints = self._encode_fields(fields)
        item |= self.layout.key_item(record.key)
        meta = _meta(record, hints, None)
        deleted_at = record.deleted_at or 0
        meta["del"] = {"N": str(deleted_at)}
        item[TTL] = {"N": str(deleted_at // 1000 + self._ttl)}
        item[META] = {"M": meta}
        return item

    def _encode_fields(self, fields: Mapping[str, Value]) -> tuple[Item, dict[str, Hint]]:
        item, hints = encode_fields(fields, self.layout.escape)
        for part in self._odd_naturals:
            if _needs_escape(item.get(part.attribute)):
                item[part.attribute] = part.encode_from(fields) or item[part.attribute]
        return item, hints

    def _decode_fields(self, item: Item, meta: Mapping[str, Attribute]) -> Fields:
        hidden = self.layout.hidden
        attributes = {name: value for name, value in item.items() if name not in hidden}
        for part in self._odd_naturals:
            if _needs_escape(attributes.get(part.attribute)):
                attributes[part.attribute] = _unescaped(part, attributes[part.attribute])
        hints = orjson.loads(meta["t"]["S"]) if "t" in meta else {}
        return decode_fields(attributes, hints, self.layout.unescape)

    def _key_of(self, item: Item, fields: Mapping[str, Value]) -> Key:
        values = tuple([typed(kind, fields.get(name)) for name, kind in self._key_types])
        if None not in values:
            return Key(values)
        try:
            return self.layout.key_of_item(item)
        except (LookupError, ValueError) as error:
            raise Broken(f"an item of {self.collection.table} has a key that is none of ours") from error


def _is_odd(part: Part) -> bool:
    """Whether a natural key attribute may differ from the field's plain attribute."""
    return part.fields[0].type in (FieldType.STRING, FieldType.BOOL)


def _needs_escape(attribute: Attribute | None) -> bool:
    """Few do: bools, which are no key type, and texts that keys escape (core.keytext)."""
    if attribute is None:
        return False
    return "BOOL" in attribute or attribute.get("S", "-")[:1] in ("", "~", "\0")


def _unescaped(part: Part, attribute: Attribute) -> Attribute:
    try:
        (value,) = part.decode(attribute)
    except (LookupError, ValueError):
        return attribute  # not written by us
    return {"BOOL": value} if isinstance(value, bool) else {"S": value}


def _meta(record: Record, hints: Mapping[str, Hint], raw: bytes | None) -> Item:
    meta: Item = {
        "e": {"N": str(record.version.epoch)},
        "r": {"N": str(record.version.revision)},
        "op": {"B": to_base64(record.op)},
        "ops": {"L": [{"B": to_base64(op)} for op in record.ops]},
    }
    if raw is not None:
        meta["b"] = {"B": to_base64(raw)}
    elif hints:
        meta["t"] = {"S": orjson.dumps(hints, option=orjson.OPT_SORT_KEYS).decode()}
    return meta
