"""How many bytes a document will take in DynamoDB, as an item and in each index: measured, not estimated."""

from __future__ import annotations

from proxy.core.collection import Collection, IndexKind
from proxy.core.document import Document
from proxy.core.errors import BadRequest
from proxy.core.keys import Key
from proxy.core.survey import Weight
from proxy.core.version import Record, Version
from proxy.stores.dynamo.codec import Codec
from proxy.stores.dynamo.encoding import encode_fields
from proxy.stores.dynamo.limits import ITEM_LIMIT, DynamoLimits
from proxy.stores.dynamo.size import item_size
from proxy.stores.dynamo.values import Item

_USUAL = Version(4, 2**60)  # a version of the length that versions have
_OPS = (bytes(16),) * 2
_META = 110  # bytes of the metadata that goes with it


class Scales:
    """The scales of one collection: DynamoDB's limits, and the size of each document."""

    item_limit = ITEM_LIMIT

    def __init__(self, collection: Collection) -> None:
        self._codec = Codec(collection)
        self._limits = DynamoLimits(collection)
        self._entries = self._entry_names(collection)

    def check(self, key: Key, document: Document) -> None:
        """Raises BadRequest where DynamoDB cannot hold the document (`core.ports.Limits`)."""
        self._limits.check(key, document)

    def weigh(self, key: Key | None, document: Document) -> Weight:
        """The size with the metadata of a mirrored document; one that has no key is weighed without one."""
        if key is None:
            return Weight(self._unkeyed(document), (0,) * len(self._entries))
        try:
            item = self._codec.encode(Record(key, _USUAL, bytes(16), _OPS, document))
        except BadRequest:
            return Weight(self._unkeyed(document), (0,) * len(self._entries))
        return Weight(item_size(item), tuple(_entry(item, names) for names in self._entries))

    def _unkeyed(self, document: Document) -> int:
        item, _ = encode_fields(document.fields)
        return item_size(item) + _META + len(document.raw or b"")

    def _entry_names(self, collection: Collection) -> list[tuple[frozenset[str], frozenset[str]]]:
        """By index: the attributes of an entry (all project keys only), and those that must be there."""
        table = self._codec.layout.key_attributes
        own = []
        for index in collection.indexes:
            needed = {index.sort_attribute} if index.sort_attribute else set()
            if index.kind is IndexKind.GLOBAL:
                needed.add(index.partition_attribute)
            own.append((table | needed | {index.partition_attribute}, frozenset(needed)))
        return [(frozenset(names), needed) for names, needed in own]


def _entry(item: Item, names: tuple[frozenset[str], frozenset[str]]) -> int:
    held, needed = names
    if not needed <= item.keys():
        return 0
    return item_size({name: item[name] for name in held if name in item})
