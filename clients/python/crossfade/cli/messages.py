"""The contract's messages as tables and lines for people, and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from crossfade.cli.alarms import feed_of, feed_state
from crossfade.cli.jobs import job_cell, job_kind, job_text, latest
from crossfade.cli.stories import rehearsal_line
from crossfade.cli.tables import Cell, Facts, Table, Tone, Toned
from crossfade.cli.wording import (
    milliseconds,
    name_of,
    seconds,
    stage_name,
    step_name,
    store_name,
    time_of,
    words,
)
from crossfade.codec import read_document
from crossfade.v1 import migration_pb2 as pb


def as_json(message: Message) -> dict[str, Any]:
    """The message in proto3's JSON, with the contract's field names: int64 as strings, bytes in base64."""
    data: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return data


def collections_table(collections: Sequence[pb.Collection]) -> Table:
    return Table(
        (
            "collection",
            "stage",
            "epoch",
            "mirror",
            "lag",
            "backfill",
            "verify",
            "change",
        ),
        [
            (
                collection.name,
                stage_name(collection.stage),
                str(collection.epoch),
                _mirror(collection.mirror),
                _behind(collection),
                job_cell(latest(collection, pb.JOB_KIND_BACKFILL)),
                job_cell(latest(collection, pb.JOB_KIND_VERIFY)),
                _change(collection),
            )
            for collection in collections
        ],
        "no collections are configured",
    )


def collection_facts(collection: pb.Collection) -> Facts:
    """All about one collection, a fact a line."""
    mirror, settings = collection.mirror, collection.settings
    return Facts(
        [
            ("collection", collection.name),
            ("stage", f"{stage_name(collection.stage)} (epoch {collection.epoch}){_since(collection)}"),
            ("primary", store_name(collection.primary)),
            ("mirror", store_name(mirror.store)),
            ("change", _change(collection)),
            ("MongoDB", collection.mongo_namespace),
            ("DynamoDB", collection.dynamo_table),
            ("key", f"{'/'.join(collection.partition_key)} | {'/'.join(collection.sort_key) or '-'}"),
            *(("index", _index(index)) for index in collection.indexes),
            ("breaker", _breaker(mirror)),
            ("mirror writes", f"{mirror.applied} applied, {mirror.deferred} deferred"),
            ("lag", f"{_lag(mirror)}, {mirror.pending} documents wait"),
            ("bypass writes", _bypass(collection)),
            ("last error", _last_error(mirror)),
            *_counts(collection.counts),
            *((job_kind(job), job_text(job)) for job in collection.jobs),
            ("rehearsal", rehearsal_line(collection.rehearsal)),
            ("shadow rate", f"{settings.shadow_rate:g}"),
            ("mirror timeout", seconds(settings.mirror_timeout)),
        ]
    )


def checks_table(checks: Iterable[pb.Check]) -> Table:
    return Table(
        ("check", "result", "evidence"),
        [(check.name, _result(check), check.evidence) for check in checks],
        "no checks apply",
    )


def dry_run_line(response: pb.MoveStageResponse, is_safe: bool) -> str:
    """What would become of a move."""
    return f"{_where(response)}; the move is {'safe' if is_safe else 'not safe'}; nothing was changed"


def move_line(response: pb.MoveStageResponse, is_there: bool) -> str:
    """What became of a move; one that is not there was aborted on the way."""
    held = f"; writes were held for {milliseconds(response.hold)}"
    if not is_there:
        return f"the move was aborted: {_where(response)}{held}"
    if not response.moved:
        return f"{_where(response)} already; nothing was changed"
    if not response.hold.ToNanoseconds():
        return f"{_where(response)}; no write had to wait"
    steps = ", ".join(
        f"{step_name(timing.step)} {milliseconds(timing.duration)}" for timing in response.steps
    )
    return f"{_where(response)}{held}" + (f" ({steps})" if steps else "")


def divergences_table(divergences: Sequence[pb.Divergence]) -> Table:
    return Table(
        ("id", "collection", "key", "kind", "state", "primary", "mirror", "seen", "last seen", "what"),
        [
            (
                divergence.id,
                divergence.collection,
                key_text(divergence),
                name_of(pb.DivergenceKind, divergence.kind, "DIVERGENCE_KIND_"),
                _divergence_state(divergence.state),
                version_text(divergence, "primary_version"),
                version_text(divergence, "mirror_version"),
                str(divergence.occurrences),
                time_of(divergence.last_seen_time),
                divergence.description,
            )
            for divergence in divergences
        ],
        "no divergences",
    )


def replicas_table(replicas: Sequence[pb.Replica]) -> Table:
    return Table(
        ("replica", "address", "version", "alive", "heartbeat", "started", "epochs"),
        [
            (
                replica.id,
                replica.address,
                replica.version,
                Toned("yes", Tone.GOOD) if replica.alive else Toned("no", Tone.BAD),
                time_of(replica.heartbeat_time),
                time_of(replica.start_time),
                " ".join(
                    f"{known.collection}={known.epoch}{' held' if known.held else ''}"
                    for known in replica.collections
                ),
            )
            for replica in replicas
        ],
        "no replicas are registered",
    )


def _where(response: pb.MoveStageResponse) -> str:
    collection = response.collection
    return f"{collection.name} is at {stage_name(collection.stage)} (epoch {collection.epoch})"


def _breaker(mirror: pb.MirrorHealth) -> str:
    if mirror.breaker == pb.MirrorHealth.BREAKER_UNSPECIFIED:
        return "-"
    return words(name_of(pb.MirrorHealth.Breaker, mirror.breaker))


def _lag(mirror: pb.MirrorHealth) -> str:
    return seconds(mirror.lag) if mirror.HasField("lag") else "-"


def _last_error(mirror: pb.MirrorHealth) -> str:
    return f"{mirror.last_error} ({time_of(mirror.last_error_time)})" if mirror.last_error else "-"


def _mirror(mirror: pb.MirrorHealth) -> Cell:
    name = store_name(mirror.store)
    if mirror.breaker in (pb.MirrorHealth.BREAKER_UNSPECIFIED, pb.MirrorHealth.CLOSED):
        return name
    return Toned(f"{name}, breaker {_breaker(mirror)}", Tone.BAD)


def _behind(collection: pb.Collection) -> Cell:
    """How far the reconciler is behind; how its feed stands, where that is the trouble."""
    state = feed_state(collection)
    if state in ("-", "running"):
        return _lag(collection.mirror)
    return Toned(f"feed {state}", Tone.BAD)


def _bypass(collection: pb.Collection) -> str:
    """How many writes that bypassed the proxy the reconciler has seen."""
    feed = feed_of(collection)
    return str(feed.counts.get("bypass", 0)) if feed else "-"


def _change(collection: pb.Collection) -> Cell:
    if not collection.HasField("change"):
        return "-"
    change = collection.change
    return Toned(f"to {stage_name(change.to_stage)}: {step_name(change.step)}", Tone.BUSY)


def _index(index: pb.Index) -> str:
    kind = words(name_of(pb.Index.Kind, index.kind))
    return f"{index.name} ({kind}): {'/'.join(index.partition_key)} | {'/'.join(index.sort_key) or '-'}"


def _counts(counts: pb.Counts) -> list[tuple[str, str]]:
    mongo = counts.mongo_documents if counts.HasField("mongo_documents") else "unknown"
    dynamo = counts.dynamo_documents if counts.HasField("dynamo_documents") else "unknown"
    shadow = (
        f"{counts.shadow_compared} compared, {counts.shadow_matched} matched, {counts.shadow_dropped} dropped"
    )
    return [
        ("documents", f"about {mongo} in MongoDB, {dynamo} in DynamoDB"),
        ("shadow reads", shadow),
        ("divergences", f"{counts.open_divergences} open"),
    ]


def _result(check: pb.Check) -> Cell:
    name = words(name_of(pb.Check.Result, check.result))
    if check.result == pb.Check.PASSED:
        return Toned(name, Tone.GOOD)
    if check.result == pb.Check.NOT_APPLICABLE:
        return Toned(name, Tone.QUIET)
    return Toned(f"{name} (cannot be overridden)" if _is_final(check) else name, Tone.BAD)


def _is_final(check: pb.Check) -> bool:
    return check.result == pb.Check.FAILED and not check.overridable


def _divergence_state(state: pb.DivergenceState) -> Cell:
    name = name_of(pb.DivergenceState, state, "DIVERGENCE_STATE_")
    return Toned(name, Tone.QUIET if state == pb.DIVERGENCE_STATE_CLOSED else Tone.BAD)


def key_text(divergence: pb.Divergence) -> str:
    """The key fields of the document, or a dash where there is none."""
    key = read_document(divergence.key)
    return ", ".join(f"{name}={value}" for name, value in key.items()) or "-"


def version_text(divergence: pb.Divergence | pb.Explanation, field: str) -> str:
    """A version of the document in a word."""
    if not divergence.HasField(field):
        return "absent"
    version: pb.Version = getattr(divergence, field)
    return f"{version.epoch}.{version.revision}{' deleted' if version.tombstone else ''}"


def _since(collection: pb.Collection) -> str:
    return f" since {time_of(collection.stage_time)}" if collection.HasField("stage_time") else ""
