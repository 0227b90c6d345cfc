"""The conditions that every write of ours carries: nothing is written over what was not expected there."""

from __future__ import annotations

from typing import Any, TypeAlias

from proxy.core.version import LEGACY, Record, Version
from proxy.stores.dynamo.layout import META
from proxy.stores.dynamo.values import to_base64

Condition: TypeAlias = dict[str, Any]
"""The part of a write request that makes it conditional and returns what is stored when it fails."""

_VERSION_NAMES = {"#cf": META, "#e": "e", "#r": "r"}
_REVISION_NAME = {"#cf": META, "#r": "r"}
_SAME = "#cf.#e = :e AND #cf.#r = :r AND #cf.#o = :o"
_RETURN_STORED = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def nothing_at(partition_attribute: str) -> Condition:
    """True while there is no item under the key."""
    return {
        "ConditionExpression": "attribute_not_exists(#k)",
        "ExpressionAttributeNames": {"#k": partition_attribute},
        **_RETURN_STORED,
    }


def still(record: Record, partition_attribute: str) -> Condition:
    """True while the item is the very version that was read; a legacy item may be without our metadata."""
    expression, names = _SAME, {**_VERSION_NAMES, "#o": "op"}
    if record.is_legacy:
        expression = f"attribute_exists(#k) AND (attribute_not_exists(#cf.#r) OR ({_SAME}))"
        names["#k"] = partition_attribute
    values = {**_version_values(record.version), ":o": {"B": to_base64(record.op)}}
    return {
        "ConditionExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        **_RETURN_STORED,
    }


def older_than(version: Version) -> Condition:
    """True over an older version, over an item without one, and over nothing. Nothing is older than a legacy
    document, of which a backfill writes many."""
    if version == LEGACY:
        return {
            "ConditionExpression": "attribute_not_exists(#cf.#r)",
            "ExpressionAttributeNames": _REVISION_NAME,
            **_RETURN_STORED,
        }
    return {
        "ConditionExpression": "attribute_not_exists(#cf.#r) OR #cf.#e < :e OR (#cf.#e = :e AND #cf.#r < :r)",
        "ExpressionAttributeNames": _VERSION_NAMES,
        "ExpressionAttributeValues": _version_values(version),
        **_RETURN_STORED,
    }


def _version_values(version: Version) -> Condition:
    return {":e": {"N": str(version.epoch)}, ":r": {"N": str(version.revision)}}
