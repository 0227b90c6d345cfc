"""What the reading of a collection's documents shows, whatever their number in the same memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.assess.findings import Fault
from proxy.assess.inspection import identity, inspect
from proxy.assess.ports import Scales
from proxy.assess.tally import Distinct, Examples, Heavy, Histogram
from proxy.core.collection import Collection
from proxy.core.document import Document
from proxy.core.errors import BadRequest, Reason
from proxy.core.keys import Key, key_of

WRITE_UNIT, READ_UNIT = 1024, 4096

_BY_REASON: Mapping[Reason, Fault] = {
    Reason.KEY_FIELD_MISSING: Fault.KEY_MISSING,
    Reason.KEY_FIELD_TYPE: Fault.KEY_TYPE,
    Reason.DOCUMENT_TOO_LARGE: Fault.TOO_LARGE,
    Reason.DOCUMENT_TOO_DEEP: Fault.TOO_DEEP,
    Reason.INDEX_FIELD_TYPE: Fault.INDEX_TYPE,
    Reason.INVALID_FIELD: Fault.NAME_TOO_LONG,
}


@dataclass(slots=True)
class Entries:
    """What one index holds of the documents: entries, their bytes, and the write units of putting each."""

    count: int = 0
    bytes: int = 0
    units: int = 0

    def add(self, size: int) -> None:
        if size:
            self.count += 1
            self.bytes += size
            self.units += _units(size, WRITE_UNIT)


@dataclass(slots=True)
class Evidence:
    """Sizes in bytes: `documents` as BSON, `items` as DynamoDB counts them; units of writing and reading."""

    documents: Histogram = field(default_factory=Histogram)
    items: Histogram = field(default_factory=Histogram)
    write_units: int = 0
    read_units: int = 0
    entries: list[Entries] = field(default_factory=list)
    faults: dict[Fault, Examples] = field(default_factory=dict)
    partitions: Distinct = field(default_factory=Distinct)
    heaviest: Heavy = field(default_factory=Heavy)

    @property
    def read(self) -> int:
        return self.documents.number

    def note(self, fault: Fault, raw: bytes) -> None:
        self.faults.setdefault(fault, Examples()).add(identity(raw))


class Examiner:
    """Looks at one document after another. Without a collection, at what needs no key."""

    def __init__(self, collection: Collection | None, scales: Scales) -> None:
        self._collection = collection
        self._scales = scales
        self.evidence = Evidence(entries=[Entries() for _ in collection.indexes] if collection else [])

    def examine(self, raw: bytes) -> None:
        found = inspect(raw)
        evidence = self.evidence
        evidence.documents.add(len(raw))
        for fault in found.faults:
            evidence.note(fault, raw)
        if found.document is not None:
            key = self._key_of(found.document, raw)
            self._check(key, found.document, raw)
            self._weigh(key, found.document)

    def _key_of(self, document: Document, raw: bytes) -> Key | None:
        if self._collection is None:
            return None
        try:
            key = key_of(self._collection, document.fields)
        except BadRequest as refused:
            self.evidence.note(_BY_REASON.get(refused.reason, Fault.KEY_TOO_LONG), raw)
            return None
        if "" in key.values:
            self.evidence.note(Fault.EMPTY_KEY, raw)
        return key

    def _check(self, key: Key | None, document: Document, raw: bytes) -> None:
        if key is None:
            return
        try:
            self._scales.check(key, document)
        except BadRequest as refused:
            is_index = refused.reason is Reason.KEY_TOO_LONG
            self.evidence.note(Fault.INDEX_TOO_LONG if is_index else _BY_REASON[refused.reason], raw)

    def _weigh(self, key: Key | None, document: Document) -> None:
        weight = self._scales.weigh(key, document)
        evidence = self.evidence
        evidence.items.add(weight.item)
        evidence.write_units += _units(weight.item, WRITE_UNIT)
        evidence.read_units += _units(weight.item, READ_UNIT)
        for entries, size in zip(evidence.entries, weight.entries, strict=False):
            entries.add(size)
        if key is not None and self._collection is not None:
            partition = repr(key.values[: len(self._collection.key.partition)])
            evidence.partitions.add(partition)
            evidence.heaviest.add(partition, weight.item)


def _units(size: int, unit: int) -> int:
    return -(-size // unit)
