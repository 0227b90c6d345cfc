"""Whether DynamoDB can hold a document, decided before the primary is written, whichever store that is.

Most documents are let through by bounds that need no encoding: none grows by more than GROWTH on its way from
BSON to an item, few by as much as `bound` allows for, and none of less than SHALLOW bytes is too deep.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

from proxy.core.collection import Collection, IndexKind
from proxy.core.document import Document, Fields, Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.keys import Key, index_values, typed
from proxy.core.keytext import SORT_LIMIT
from proxy.core.update import Update
from proxy.core.version import RING, Record, Version
from proxy.stores.dynamo.bound import most_bytes
from proxy.stores.dynamo.codec import Codec
from proxy.stores.dynamo.size import item_size
from proxy.stores.dynamo.values import Item
from proxy.stores.dynamo.widening import Widening

ITEM_LIMIT = 409_600
"""Bytes of an item, names included, together with its entries in local indexes (400 KB)."""

DEPTH_LIMIT = 100
"""Levels of documents and arrays that MongoDB takes; deeper than 31, the codec keeps them as BSON."""

NAME_LIMIT = 65_535
"""UTF-8 bytes of an attribute's name."""

GROWTH = 8
SHALLOW = DEPTH_LIMIT * 7  # a level takes 7 bytes of BSON: a length, a type, the end of a name, an end
_ATTRIBUTE = 2304  # bytes of the longest key attribute: 2048, and 255 of its name
_META = 1024  # bytes of the largest metadata without hints, generously


class DynamoLimits:
    """DynamoDB's limits for one collection: item size, depth, key lengths, and types of index fields."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._codec = Codec(collection)
        self._widening = Widening(collection)
        self._local = self._local_entries()
        parts = self._codec.layout.parts
        most_fields = max(len(part.fields) for part in parts.values())
        self._short = SORT_LIMIT // (4 * most_fields) - 40  # characters: a key of such strings is in bounds
        copies = _ATTRIBUTE * (len(parts) + 3 * len(self._local))
        self._room = ITEM_LIMIT - _META - copies
        self._small = self._room // GROWTH
        names = {field.name for field in collection.key_fields}
        self._index_fields = [(f.name, f.type) for f in collection.typed_fields if f.name not in names]

    def check(self, key: Key, document: Document) -> None:
        """Raises BadRequest naming the field: size, depth, key length or the type of an index field."""
        fields = document.fields
        if any(map(self._is_long, key.values)):
            self._codec.layout.key_item(key)
            self._check_indexes(fields)
        for name, kind in self._index_fields:
            if name in fields and (typed(kind, fields[name]) is None or self._is_long(fields[name])):
                self._check_indexes(fields)
        size = len(document.to_bson())
        if size >= SHALLOW:
            _check_shape(fields)
        if size > self._small and not self._surely_fits(document):
            self._check_size(key, document)

    def admits(self, update: Update) -> bool:
        """True when no result of the update on a document of at most half the limit can break a limit.

        Half the limit in BSON; a document made of little but dates and numbers under short names may take
        twice its BSON in DynamoDB, so a store that cannot check the result first may still meet a refusal.
        """
        return self._widening.is_bounded(update)

    def _check_indexes(self, fields: Fields) -> None:
        """Each by its own limits: one attribute may be the partition of one and the sort key of another, and
        DynamoDB minds it even where the rest of the index is absent."""
        for index in self._collection.indexes:
            index_values(index, fields)
            for part in filter(None, self._codec.layout.parts_of(index)):
                part.encode_from(fields)

    def _surely_fits(self, document: Document) -> bool:
        most = most_bytes(document)
        return most is not None and most <= self._room

    def _check_size(self, key: Key, document: Document) -> None:
        """Measured under the largest metadata that the document may come to carry."""
        item = self._codec.encode(Record(key, _LARGEST, bytes(16), (bytes(16),) * RING, document))
        size = item_size(item) + sum(_entry_size(item, names) for names in self._local)
        if size > ITEM_LIMIT:
            message = f"the document takes {size} bytes in DynamoDB, and {ITEM_LIMIT} is the limit"
            raise BadRequest(message, Reason.DOCUMENT_TOO_LARGE, field=self._largest_field(item))

    def _largest_field(self, item: Item) -> str:
        layout = self._codec.layout
        sizes = {name: item_size({name: item[name]}) for name in item.keys() - layout.hidden}
        return layout.unescape(max(sizes.items(), key=itemgetter(1))[0])

    def _local_entries(self) -> list[tuple[str, ...]]:
        """The attributes of each local index's entries, which count as part of the item."""
        layout = self._codec.layout
        local = [index for index in self._collection.indexes if index.kind is IndexKind.LOCAL]
        keys = [index.sort_attribute for index in local if index.sort_attribute]
        return [(*layout.key_attributes, key) for key in keys]

    def _is_long(self, value: Value) -> bool:
        return isinstance(value, str) and len(value) > self._short


_LARGEST = Version(2**31 - 1, 2**63 - 1)


def _entry_size(item: Item, names: tuple[str, ...]) -> int:
    if names[-1] not in item:
        return 0
    return item_size({name: item[name] for name in names})


def _check_shape(fields: Mapping[str, Value]) -> None:
    for name, value in fields.items():
        if len(name) > NAME_LIMIT // 4 and len(name.encode()) >= NAME_LIMIT:
            message = f"a field's name takes {len(name.encode())} bytes, and {NAME_LIMIT} is the limit"
            raise BadRequest(message, Reason.INVALID_FIELD, field=name[:100])
        if type(value) is dict or type(value) is list:
            _check_depth(value, name)


def _check_depth(value: Value, field: str) -> None:
    level: list[Value] = [value]
    for _ in range(DEPTH_LIMIT):
        level = [inner for outer in level for inner in _children(outer) if type(inner) in (dict, list)]
        if not level:
            return
    message = f"the field {field} nests more than {DEPTH_LIMIT} levels of documents and arrays"
    raise BadRequest(message, Reason.DOCUMENT_TOO_DEEP, field=field)


def _children(value: Value) -> list[Value]:
    return list(value.values()) if type(value) is dict else value
