"""The key of a collection's canary: a document of ours that goes through both stores before a cutover.

Whoever follows a feed passes it over: it comes and goes in both stores on purpose.
"""

from __future__ import annotations

from bson import DatetimeMS, ObjectId

from proxy.core.collection import Collection, FieldType
from proxy.core.document import Value
from proxy.core.keys import Key, checked_key

_VALUES: dict[FieldType, Value] = {
    FieldType.STRING: "crossfade-canary",
    FieldType.NUMBER: -1,
    FieldType.DATE: DatetimeMS(0),
    FieldType.OBJECT_ID: ObjectId(b"crossfade\0\0\0"),
    FieldType.BOOL: False,
}


def canary_key(collection: Collection) -> Key:
    """A key that no application would choose."""
    return checked_key(collection, [_VALUES[field.type] for field in collection.key_fields])
