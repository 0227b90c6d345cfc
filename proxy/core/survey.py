"""What is known of a MongoDB deployment before anything moves: facts about it, never a document's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Place(Enum):
    """What a name in a MongoDB database stands for."""

    COLLECTION = "collection"
    VIEW = "view"
    TIME_SERIES = "timeseries"


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """One index of MongoDB: its fields with 1, -1 or a word (`hashed`, `text`, ...), and its options.

    `only` is a partial index's filter and `collation` a locale, both as text, empty where there is none;
    `expires` is a TTL index's age in seconds.
    """

    name: str
    fields: tuple[tuple[str, int | str], ...]
    is_unique: bool = False
    is_sparse: bool = False
    only: str = ""
    collation: str = ""
    expires: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.fields)

    @property
    def words(self) -> tuple[str, ...]:
        """What makes it other than an ordered index: `text`, `2dsphere`, `hashed`, `wildcard`, ..."""
        kinds = [kind for _, kind in self.fields if isinstance(kind, str)]
        return tuple(kinds + ["wildcard" for name in self.names if name.endswith("$**")])

    @property
    def is_plain_unique(self) -> bool:
        """Whether it names at most one document for every combination of its values, missing ones too."""
        is_id = self.names == ("_id",)
        return (self.is_unique or is_id) and not (self.is_sparse or self.only or self.collation or self.words)


@dataclass(frozen=True, slots=True)
class ValidatorFacts:
    """A validator, as JSON text; `obstacle` is the sentence by which a fence beside it is refused, or ''."""

    text: str
    level: str
    action: str
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """One collection: sizes in bytes as MongoDB counts them, its options and its indexes."""

    database: str
    name: str
    place: Place = Place.COLLECTION
    documents: int = 0
    data_bytes: int = 0
    storage_bytes: int = 0
    index_bytes: int = 0
    indexes: tuple[IndexFacts, ...] = ()
    is_capped: bool = False
    is_sharded: bool = False
    is_encrypted: bool = False
    collation: str = ""
    validator: ValidatorFacts | None = None

    @property
    def namespace(self) -> str:
        return f"{self.database}.{self.name}"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind of call asks, without its values: the fields that it fixes, bounds, and tests otherwise.

    `other` names fields tested by what no index serves, and operators that belong to no field (`$or`).
    """

    verb: str
    equal: tuple[str, ...] = ()
    ranged: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    order: tuple[tuple[str, int], ...] = ()
    is_multi: bool = False


@dataclass(frozen=True, slots=True)
class Calls:
    """How often a shape was seen, and what it cost: documents returned and examined, milliseconds."""

    count: int = 0
    returned: int = 0
    examined: int = 0
    milliseconds: int = 0

    def plus(self, returned: int, examined: int, milliseconds: int) -> Calls:
        return Calls(
            self.count + 1,
            self.returned + returned,
            self.examined + examined,
            self.milliseconds + milliseconds,
        )


Shapes = Mapping[Shape, Calls]


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """What a database's profiler recorded, by collection name; `told` says in words whether it is on."""

    told: str
    shapes: Mapping[str, Shapes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rates:
    """Calls a second, and where the figures are from. An update may be any write but an insert or delete."""

    reads: float
    inserts: float
    updates: float
    deletes: float
    source: str

    @property
    def writes(self) -> float:
        return self.inserts + self.updates + self.deletes


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The deployment as a whole; `uptime` in seconds."""

    version: str
    is_replica_set: bool
    is_sharded: bool
    uptime: float

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes that a document takes in DynamoDB: the item, and its entry in each index (0 where in none)."""

    item: int
    entries: tuple[int, ...] = ()
