"""A finding is a difference that survived rechecking; described, it is a row of the divergence log.

The same difference has the same id whoever finds it: replicas, shadow reads and verify count one row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import json_util
from bson.codec_options import DatetimeConversion

from proxy.core.collection import Collection
from proxy.core.comparison import Kind
from proxy.core.divergence import REDACTED, Divergence, FieldDifference, diff
from proxy.core.keys import Key, typed
from proxy.core.version import Record

_WRITING = json_util.RELAXED_JSON_OPTIONS
_READING = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED,
    tz_aware=False,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that survived; `key` is None when it belongs to a query rather than to one document.

    `operation` is what was asked of the stores: get, query, verify, reconcile. With a `message` it is shown
    instead of a comparison of the documents.
    """

    kind: Kind
    key: Key | None
    operation: str
    epoch: int
    primary: Record | None
    mirror: Record | None
    message: str = ""
    trace_id: str = ""


def describe(collection: Collection, finding: Finding, replica: str, now: int) -> Divergence:
    """The finding as a row of the log; `now` in milliseconds since 1970."""
    return Divergence(
        id=identify(collection, finding.kind, finding.key, finding.message),
        collection=collection.name,
        kind=finding.kind,
        key=key_text(collection, finding.key),
        operation=finding.operation,
        epoch=finding.epoch,
        primary_version=finding.primary.version if finding.primary else None,
        mirror_version=finding.mirror.version if finding.mirror else None,
        differences=_differences(collection, finding),
        first_seen=now,
        last_seen=now,
        replica=replica,
        trace_id=finding.trace_id,
    )


def identify(collection: Collection, kind: Kind, key: Key | None, message: str = "") -> str:
    """A row's id: by kind and key, hidden ones too; the message tells apart what has no key."""
    values = [str(value) for value in key.values] if key else [message]
    text = json.dumps([collection.name, kind.value, key is None, values])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def key_text(collection: Collection, key: Key | None) -> str:
    """A key as JSON, by field name, redacted where configured; empty for None."""
    if key is None:
        return ""
    hidden = collection.settings.redact
    names = [field.name for field in collection.key_fields]
    shown = {
        name: REDACTED if name in hidden or "*" in hidden else value
        for name, value in zip(names, key.values, strict=True)
    }
    return json_util.dumps(shown, json_options=_WRITING, ensure_ascii=False)


def key_named(collection: Collection, text: str) -> Key | None:
    """The key that `key_text` wrote; None where it does not tell, as in a redacted one."""
    try:
        fields: Any = json_util.loads(text, json_options=_READING)
    except (ValueError, TypeError):
        return None
    if not isinstance(fields, Mapping) or REDACTED in fields.values():
        return None
    values = [typed(field.type, fields.get(field.name)) for field in collection.key_fields]
    return None if None in values else Key(tuple(values))


def _differences(collection: Collection, finding: Finding) -> tuple[FieldDifference, ...]:
    if finding.message:
        return (FieldDifference("", finding.message, None),)
    primary = finding.primary.document if finding.primary else None
    mirror = finding.mirror.document if finding.mirror else None
    return diff(primary, mirror, collection.settings.redact)
