"""What may stand in the way of a move, each kind with its severity, its meaning and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """BLOCKS: no move before it is mended. CARE: a person has to decide. NOTE: good to know."""

    BLOCKS = "blocks"
    CARE = "care"
    NOTE = "note"


class Verdict(Enum):
    """READY to move as it is, AFTER_CHANGES that the findings name, or not at all (CANNOT)."""

    READY = "ready"
    AFTER_CHANGES = "after changes"
    CANNOT = "cannot"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a collection as a whole; `is_final` where no change of the collection helps."""

    kind: str
    severity: Severity
    text: str
    remedy: str = ""
    is_final: bool = False


class Fault(Enum):
    """What DynamoDB cannot hold as it is, in a document."""

    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    KEY_MISSING = "key_missing"
    KEY_TYPE = "key_type"
    KEY_TOO_LONG = "key_too_long"
    INDEX_TYPE = "index_type"
    INDEX_TOO_LONG = "index_too_long"
    NAME_TOO_LONG = "name_too_long"
    UNREADABLE = "unreadable"
    DUPLICATE_NAMES = "duplicate_names"
    INVALID_UTF8 = "invalid_utf8"
    OUTDATED_TYPE = "outdated_type"
    ODD_BYTES = "odd_bytes"
    EMPTY_KEY = "empty_key"
    EMPTY_NAME = "empty_name"
    DEEP = "deep"
    NUMBER_RANGE = "number_range"


@dataclass(frozen=True, slots=True)
class Meaning:
    severity: Severity
    text: str
    remedy: str


_KEPT = "nothing: the document reads back to the byte from either store"
_RAW = "it carries a copy of its own BSON, so it counts twice in size; mend it when convenient"

MEANINGS: dict[Fault, Meaning] = {
    Fault.TOO_LARGE: Meaning(
        Severity.BLOCKS,
        "larger than the 400 KB of an item, its entries in local indexes included",
        "split the document, or move its large parts to another store",
    ),
    Fault.TOO_DEEP: Meaning(
        Severity.BLOCKS, "nested deeper than 100 levels", "flatten it, or store the depth as text"
    ),
    Fault.KEY_MISSING: Meaning(
        Severity.BLOCKS, "without a field of the proposed key", "give it the field, or choose another key"
    ),
    Fault.KEY_TYPE: Meaning(
        Severity.BLOCKS,
        "with a key field of another type than declared, or a value that no key can hold",
        "convert the field, or choose another key",
    ),
    Fault.KEY_TOO_LONG: Meaning(
        Severity.BLOCKS,
        "with a key longer than 2,048 bytes (partition) or 1,024 bytes (sort)",
        "shorten the key, or choose another",
    ),
    Fault.INDEX_TYPE: Meaning(
        Severity.BLOCKS,
        "with an index field of another type than declared (null counts): DynamoDB refuses the whole item",
        "convert the field, unset it, or leave the index out",
    ),
    Fault.INDEX_TOO_LONG: Meaning(
        Severity.BLOCKS,
        "with an index field longer than an index key may be",
        "shorten the field, or leave the index out",
    ),
    Fault.NAME_TOO_LONG: Meaning(
        Severity.BLOCKS, "with a field name of 64 KB or more", "rename the field: names are no place for data"
    ),
    Fault.UNREADABLE: Meaning(
        Severity.BLOCKS,
        "that cannot be decoded at all",
        "look at it with `validate`, then rewrite or delete it",
    ),
    Fault.DUPLICATE_NAMES: Meaning(Severity.CARE, "with the same field name twice on one level", _RAW),
    Fault.INVALID_UTF8: Meaning(Severity.CARE, "with text that is not UTF-8", _RAW),
    Fault.OUTDATED_TYPE: Meaning(
        Severity.CARE, "with a BSON type that is out of use (undefined, symbol, dbpointer)", _RAW
    ),
    Fault.ODD_BYTES: Meaning(Severity.CARE, "whose bytes differ from what any driver would write", _RAW),
    Fault.EMPTY_KEY: Meaning(
        Severity.NOTE,
        "with an empty string as a key, which DynamoDB refuses",
        "nothing: the key is stored as U+0000 and reads back as an empty string",
    ),
    Fault.EMPTY_NAME: Meaning(Severity.NOTE, "with an empty field name, stored as `_`", _KEPT),
    Fault.DEEP: Meaning(
        Severity.NOTE,
        "nested deeper than DynamoDB's 32 levels: what is below is kept as BSON",
        _KEPT,
    ),
    Fault.NUMBER_RANGE: Meaning(
        Severity.NOTE,
        "with numbers that DynamoDB cannot hold (NaN, infinite, or outside 1e-130 to 1e126), kept as text",
        _KEPT,
    ),
}
