"""Recorded divergences to protobuf: values are shown as they were kept, shortened and redacted."""

from __future__ import annotations

import json

from bson import json_util
from bson.json_util import JSONOptions

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.operations import KINDS, STATES, moment
from proxy.api.translate.values import TooDeep, write_fields, write_value
from proxy.core.divergence import REDACTED, Divergence, FieldDifference
from proxy.core.document import OPTIONS, Value
from proxy.core.version import Version

SOURCES = {
    "reconcile": pb.DIVERGENCE_SOURCE_RECONCILER,
    "verify": pb.DIVERGENCE_SOURCE_VERIFY,
}
"""What found a divergence, by the name of its operation; any other operation is a client's, shadowed."""

_JSON = JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    document_class=dict,
    datetime_representation=json_util.DatetimeRepresentation.NUMBERLONG,
    uuid_representation=OPTIONS.uuid_representation,
    datetime_conversion=OPTIONS.datetime_conversion,
)


def write_divergence(target: pb.Divergence, divergence: Divergence) -> None:
    """Fill in a divergence. Its message, where it has one, stands as the difference of the empty path."""
    target.id = divergence.id
    target.collection = divergence.collection
    target.kind = KINDS.get(divergence.kind, pb.DIVERGENCE_KIND_UNSPECIFIED)
    target.state = STATES.get(divergence.state, pb.DIVERGENCE_STATE_UNSPECIFIED)
    target.source = SOURCES.get(divergence.operation, pb.DIVERGENCE_SOURCE_SHADOW_READ)
    target.description = _describe(divergence)
    target.first_seen_time.CopyFrom(moment(divergence.first_seen))
    target.last_seen_time.CopyFrom(moment(divergence.last_seen))
    target.occurrences = divergence.count
    target.trace_id = divergence.trace_id
    if divergence.key:
        write_fields(target.key.fields.add, json.loads(divergence.key))
    for step in divergence.history:
        told = target.history.add(state=STATES[step.state], replica=step.who, evidence=step.evidence)
        told.time.CopyFrom(moment(step.at))
    _write_version(target.primary_version, divergence.primary_version)
    _write_version(target.mirror_version, divergence.mirror_version)
    for difference in divergence.differences:
        if difference.path:
            write_difference(target.differences.add(), difference)


def _describe(divergence: Divergence) -> str:
    where = f"{divergence.operation} on replica {divergence.replica} in epoch {divergence.epoch}"
    messages = [d.primary for d in divergence.differences if not d.path and d.primary]
    return f"{where}: {'; '.join(messages)}" if messages else where


def _write_version(target: pb.Version, version: Version | None) -> None:
    if version is not None:
        target.SetInParent()
        target.epoch, target.revision = version


def write_difference(target: pb.FieldDifference, difference: FieldDifference) -> None:
    target.path = difference.path
    if REDACTED in (difference.primary, difference.mirror):
        target.redacted = True
        return
    if difference.primary is not None:
        write_value(target.primary, _parse(difference.primary))
    if difference.mirror is not None:
        write_value(target.mirror, _parse(difference.mirror))


def _parse(text: str) -> Value:
    """The value of extended JSON, or the text itself where it was shortened or cannot be shown otherwise."""
    try:
        value = json_util.loads(text, json_options=_JSON)
        write_value(pb.FieldDifference().primary, value)
    except (ValueError, TypeError, KeyError, TooDeep, RecursionError):
        return text
    return value
