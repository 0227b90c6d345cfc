"""What a sample of documents tells about their top-level fields: presence, types, and how values repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from proxy.core.collection import FieldType
from proxy.core.document import Document, Value

MOST_FIELDS = 500
"""Fields that are told apart; documents with names made of data have any number."""

_WORDS: dict[type, str] = {
    str: FieldType.STRING.value,
    bool: FieldType.BOOL.value,
    DatetimeMS: FieldType.DATE.value,
    ObjectId: FieldType.OBJECT_ID.value,
    type(None): "null",
    list: "array",
    dict: "object",
    Decimal128: "decimal128",
    bytes: "binary",
    Binary: "binary",
    Code: "code",
}
_KEY_WORDS = {kind.value: kind for kind in FieldType}


@dataclass(slots=True)
class FieldProfile:
    """One field: in how many documents it is, and of which types, by the words of the collections file."""

    present: int = 0
    types: Counter[str] = field(default_factory=Counter)

    @property
    def type(self) -> FieldType | None:
        """The type that most values have, if keys and indexes can have it."""
        common = self.types.most_common(1)
        return _KEY_WORDS.get(common[0][0]) if common else None

    @property
    def is_uniform(self) -> bool:
        """Whether all but one in a hundred values are of one type."""
        return bool(self.present) and self.types.most_common(1)[0][1] >= 0.99 * self.present


class Sample:
    """Some documents of a collection, held in memory: the only ones that ever are."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents = list(documents)
        self.fields: dict[str, FieldProfile] = {}
        for document in self.documents:
            self._add(document)

    def __len__(self) -> int:
        return len(self.documents)

    def type_of(self, name: str) -> FieldType | None:
        """None where the field never occurs, or mostly holds what no key can hold."""
        profile = self.fields.get(name)
        return profile.type if profile else None

    def is_always_there(self, name: str) -> bool:
        profile = self.fields.get(name)
        return not self.documents or (profile is not None and profile.present >= 0.99 * len(self))

    def largest_share(self, names: Sequence[str]) -> float:
        """The share of bytes under the most frequent combination of these fields' values."""
        sizes: Counter[str] = Counter()
        for document in self.documents:
            sizes[repr([document.fields.get(name) for name in names])] += len(document.to_bson())
        return max(sizes.values()) / total if (total := sum(sizes.values())) else 0.0

    def _add(self, document: Document) -> None:
        for name, value in document.fields.items():
            profile = self.fields.get(name)
            if profile is None:
                if len(self.fields) >= MOST_FIELDS:
                    continue
                profile = self.fields[name] = FieldProfile()
            profile.present += 1
            profile.types[word_of(value)] += 1


def word_of(value: Value) -> str:
    word = _WORDS.get(type(value))
    if word is None:
        return FieldType.NUMBER.value if isinstance(value, int | float) else type(value).__name__.lower()
    return word
