"""A collection as both stores see it: names, key, indexes, types and settings; immutable once loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class FieldType(Enum):
    """The single declared type of a key or index field.

    NUMBER covers int32, int64 and double; a collection whose indexed field mixes doubles with Decimal128
    cannot be served exactly by both stores, so Decimal128 is not offered.
    """

    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    OBJECT_ID = "object_id"
    BOOL = "bool"


class IndexKind(Enum):
    """TABLE is the key itself; LOCAL shares the table's partition; GLOBAL has its own and reads late."""

    TABLE = "table"
    LOCAL = "local"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class KeyField:
    """One top-level field that takes part in a key or an index."""

    name: str
    type: FieldType = FieldType.STRING


@dataclass(frozen=True, slots=True)
class Index:
    """A key or secondary index: components of the partition key, then of the sort key (maybe none).

    `partition_attribute` and `sort_attribute` are the DynamoDB attributes. A part of one field whose name
    equals the attribute is stored naturally; several fields are joined by `/` into a synthetic attribute.
    """

    name: str
    kind: IndexKind
    partition: tuple[KeyField, ...]
    sort: tuple[KeyField, ...]
    partition_attribute: str
    sort_attribute: str | None

    @property
    def fields(self) -> tuple[KeyField, ...]:
        return self.partition + self.sort


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be tuned per collection without changing its stage. Durations in seconds."""

    shadow_rate: float = 1.0  # share of reads whose outcome is compared, 0..1
    mirror_timeout: float = 1.0  # how long a reply may wait for the mirror in MONGO_PRIMARY
    page_size: int = 100
    max_page_size: int = 1000
    scan_budget: int = 10_000  # documents one call may read to find its matches
    allow_scan: bool = False
    allow_eventual: bool = False  # may a query be served by a global index, which reads late
    tombstone_ttl: float = 7 * 86_400.0
    tombstone_grace: float = 5.0  # MongoDB as primary keeps a mirrored tombstone this long
    redact: tuple[str, ...] = ()  # dotted paths whose values the divergence log never shows; "*" for all
    recheck_delays: tuple[float, ...] = (0.05, 0.2, 0.8, 5.0)
    shadow_queue: int = 1000  # documents that were read and wait to be compared; more are dropped
    recheck_queue: int = 1000  # rows that differed and wait to be looked at again; more are dropped
    report_queue: int = 1000  # divergences that wait to be recorded; more are counted alone
    purge_queue: int = 10_000  # tombstones that wait for their grace; more are left to the reconciler


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection of the application, as declared in the collections file."""

    name: str
    mongo_database: str
    mongo_collection: str
    table: str
    key: Index
    indexes: tuple[Index, ...] = ()
    settings: Settings = field(default_factory=Settings)

    @property
    def key_fields(self) -> tuple[KeyField, ...]:
        return self.key.fields

    @property
    def typed_fields(self) -> tuple[KeyField, ...]:
        """Every field of the key and the indexes once: those with a declared type."""
        fields = (field for index in (self.key, *self.indexes) for field in index.fields)
        return tuple({field.name: field for field in fields}.values())

    def index_named(self, name: str) -> Index | None:
        return next((index for index in (self.key, *self.indexes) if index.name == name), None)
