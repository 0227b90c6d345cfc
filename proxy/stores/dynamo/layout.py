"""How a collection's key and indexes lie in DynamoDB: which attributes, of which type, made of which fields.

A natural attribute is a field of the document under its own name; a synthetic one is made of fields and
never read back into the document. User fields named like a synthetic or a reserved attribute (however many
underscores they begin with) carry one underscore more in the store, so that no name of ours is ever a user's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.core.collection import Collection, FieldType, Index, KeyField
from proxy.core.document import Value
from proxy.core.keys import Key, split_key, typed
from proxy.core.keytext import (
    KeyText,
    decode_partition,
    decode_sort,
    encode_partition,
    encode_sort,
)
from proxy.stores.dynamo.values import Attribute, Item, escape_blank, unescape_blank

META = "_cf"
TTL = "_ttl"


@dataclass(frozen=True, slots=True)
class Part:
    """One key attribute of the table or of an index: the partition or the sort part."""

    attribute: str
    index: Index
    is_sort: bool

    @property
    def fields(self) -> tuple[KeyField, ...]:
        return self.index.sort if self.is_sort else self.index.partition

    @property
    def is_natural(self) -> bool:
        return len(self.fields) == 1 and self.fields[0].name == self.attribute

    @property
    def kind(self) -> str:
        """DynamoDB's type of the attribute: `S` or `N`."""
        is_number = len(self.fields) == 1 and self.fields[0].type is FieldType.NUMBER
        return "N" if is_number else "S"

    def encode(self, values: Sequence[Value]) -> Attribute:
        """The attribute of normalised values, one a field. Raises BadRequest (KEY_TOO_LONG)."""
        return self.wrap(self.text(values))

    def text(self, values: Sequence[Value]) -> KeyText:
        """What `encode` puts into the attribute. Raises BadRequest (KEY_TOO_LONG)."""
        return (encode_sort if self.is_sort else encode_partition)(self.index, values)

    def wrap(self, text: KeyText) -> Attribute:
        return {self.kind: str(text)}

    def decode(self, attribute: Attribute) -> tuple[Value, ...]:
        """The normalised values; raises ValueError where no value has this attribute."""
        return (decode_sort if self.is_sort else decode_partition)(self.index, attribute[self.kind])

    def encode_from(self, fields: Mapping[str, Value]) -> Attribute | None:
        """The attribute of a document; None where a field is absent or not of its declared type."""
        values = [typed(field.type, fields.get(field.name)) for field in self.fields]
        return None if None in values else self.encode(values)


class Layout:
    """The attributes of one collection. Raises ValueError for names that would collide."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.partition, self.sort = _parts(collection.key)
        self.indexes = {index.name: _parts(index) for index in collection.indexes}
        self.key_parts = tuple(filter(None, (self.partition, self.sort)))
        self.parts = self._by_attribute()
        self.natural = [part for part in self.parts.values() if part.is_natural]
        self.synthetic = [part for part in self.parts.values() if not part.is_natural]
        self.key_attributes = frozenset(part.attribute for part in self.key_parts)
        self.hidden = frozenset({META, TTL, *(part.attribute for part in self.synthetic)})
        self._ours = frozenset(part.attribute for part in self.synthetic)
        stems = {META.lstrip("_"), TTL.lstrip("_"), *(name.lstrip("_") for name in self._ours)}
        if len(stems) != len(self._ours) + 2:
            raise ValueError(f"{collection.name}: key attributes differ only by underscores")
        alternatives = "|".join(map(re.escape, sorted(self._ours | {META, TTL})))
        self._escaped = re.compile(f"_*(?:{alternatives})")
        self._unescaped = re.compile(f"_+(?:{alternatives})")
        for part in self.natural:
            if self.escape(part.attribute) != part.attribute:
                raise ValueError(f"{collection.name}: {part.attribute} cannot be a key attribute")

    def parts_of(self, index: Index) -> tuple[Part, Part | None]:
        """The partition and sort part of the table or of a secondary index."""
        return self.indexes.get(index.name) or (self.partition, self.sort)

    def escape(self, name: str) -> str:
        """The attribute that a top-level field is stored under."""
        if name[:1] not in ("_", "") and name not in self._ours:
            return name
        return "_" + name if self._escaped.fullmatch(name) else escape_blank(name)

    def unescape(self, name: str) -> str:
        """The inverse of `escape`."""
        if name[0] != "_":
            return name
        return name[1:] if self._unescaped.fullmatch(name) else unescape_blank(name)

    def key_item(self, key: Key) -> Item:
        """The key attributes of a key: what GetItem asks for."""
        partition, sort = split_key(self.collection, key)
        item = {self.partition.attribute: self.partition.encode(partition)}
        if self.sort:
            item[self.sort.attribute] = self.sort.encode(sort)
        return item

    def key_of_item(self, item: Item) -> Key:
        """The key that an item's key attributes say. Raises ValueError where they say none."""
        values = [value for part in self.key_parts for value in part.decode(item[part.attribute])]
        return Key(tuple(values))

    def _by_attribute(self) -> dict[str, Part]:
        parts: dict[str, Part] = {}
        for pair in ((self.partition, self.sort), *self.indexes.values()):
            for part in filter(None, pair):
                known = parts.setdefault(part.attribute, part)
                if known.fields != part.fields:
                    raise ValueError(
                        f"{self.collection.name}: the attribute {part.attribute} is declared twice,"
                        " and not alike"
                    )
        return parts


def _parts(index: Index) -> tuple[Part, Part | None]:
    partition = Part(index.partition_attribute, index, is_sort=False)
    if index.sort_attribute is None:
        return partition, None
    return partition, Part(index.sort_attribute, index, is_sort=True)
