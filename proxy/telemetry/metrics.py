"""The one table of every metric, and the names that leave the proxy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SECONDS = (
    0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05,
    0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Bucket bounds of every duration: fine where a proxy's calls are, coarse where something is wrong."""


class MetricKind(Enum):
    COUNTER = "counter"
    DURATION = "histogram of seconds"
    GAUGE = "gauge"


class Unit(Enum):
    """Units as OpenTelemetry writes them; what stands in braces is for people."""

    NUMBER = "1"
    SECONDS = "s"
    BYTES = "By"
    DOCUMENTS = "{document}"
    CONNECTIONS = "{connection}"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `attributes` are the short names that callers use (see ATTRIBUTES)."""

    name: str
    kind: MetricKind
    attributes: tuple[str, ...]
    description: str
    unit: Unit = Unit.NUMBER

    @property
    def page_name(self) -> str:
        """The name on a Prometheus page, without the endings of a histogram's series."""
        words = [self.name.replace(".", "_"), _PAGE_UNITS.get(self.unit, "")]
        return "_".join([*filter(None, words), *(["total"] if self.kind is MetricKind.COUNTER else [])])


_PAGE_UNITS = {Unit.SECONDS: "seconds", Unit.BYTES: "bytes"}


def _counter(name: str, attributes: tuple[str, ...], description: str, unit: Unit = Unit.NUMBER) -> Metric:
    return Metric(name, MetricKind.COUNTER, attributes, description, unit)


def _duration(name: str, attributes: tuple[str, ...], description: str) -> Metric:
    return Metric(name, MetricKind.DURATION, attributes, description, Unit.SECONDS)


def _gauge(name: str, attributes: tuple[str, ...], description: str, unit: Unit = Unit.NUMBER) -> Metric:
    return Metric(name, MetricKind.GAUGE, attributes, description, unit)


CALL_DURATION = "rpc.server.call.duration"
CALL_ADDED = "crossfade.call.added"
STORE_DURATION = "db.client.operation.duration"

METRICS = (
    # Calls, and what of their time went where.
    _duration(
        CALL_DURATION,
        ("method", "code", "collection"),
        "Time from the arrival of a call's message to its answer.",
    ),
    _duration(
        CALL_ADDED,
        ("method", "collection"),
        "Time of a call that no store took: the proxy's own work, and waiting for a hold to end.",
    ),
    _duration(
        STORE_DURATION,
        ("role", "operation", "store", "collection", "error"),
        "Time of one operation on a store, as the proxy sees it, by the store's role in the call.",
    ),
    _gauge(
        "db.client.connection.count",
        ("pool", "state"),
        "Connections to a store, used or idle; of DynamoDB those in use are known.",
        Unit.CONNECTIONS,
    ),
    _gauge(
        "db.client.connection.max",
        ("pool",),
        "Connections that the pool of a store may have.",
        Unit.CONNECTIONS,
    ),
    _gauge(
        "db.client.connection.pending_requests",
        ("pool",),
        "Operations that wait for a connection to a store.",
    ),
    _counter(
        "crossfade.dynamodb.capacity",
        ("collection", "access"),
        "Capacity units that DynamoDB bills for its answers, of everything that the proxy does there.",
    ),
    _counter(
        "crossfade.shed",
        ("work",),
        "What gave way because there was too much to do: calls refused as OVERLOADED, shadow reads dropped, "
        "steps of backfills and verifies slowed.",
    ),
    _counter("process.cpu.time", ("mode",), "CPU time that this process has used.", Unit.SECONDS),
    _gauge("process.memory.usage", (), "Memory of this process that is resident.", Unit.BYTES),
    # What becomes of mirror writes and shadow reads.
    _counter(
        "crossfade.mirror.writes",
        ("collection", "outcome"),
        "Mirror writes tried inline: applied, deferred to the reconciler, or unconfirmed.",
    ),
    _counter(
        "crossfade.mirror.deferred",
        ("collection", "reason"),
        "Mirror writes left to the reconciler, by the reason.",
    ),
    _gauge(
        "crossfade.breaker.state",
        ("collection", "state"),
        "1 for the state that the breaker of inline mirror writes is in on this replica, 0 for the others.",
    ),
    _counter(
        "crossfade.shadow.outcomes",
        ("collection", "outcome"),
        "Shadow reads by what the comparison found, DROPPED, OVERTAKEN and UNCOPIED ones included.",
    ),
    _gauge(
        "crossfade.queue.length",
        ("collection", "queue"),
        "What waits on this replica: documents to be compared, rows that differed to be looked at again, "
        "divergences to be recorded, tombstones to be purged.",
    ),
    _gauge(
        "crossfade.divergences.open",
        ("collection", "kind"),
        "Divergences that are recorded and neither healed nor closed.",
    ),
    _counter(
        "crossfade.tombstones.purged",
        ("collection",),
        "Tombstones removed from MongoDB once the mirror had them.",
    ),
    # The feed and the reconciler.
    _gauge(
        "crossfade.feed.leading",
        ("collection",),
        "1 on the replica whose reconciler follows the collection's feed, 0 on the others; "
        "not told without a mirror.",
    ),
    _gauge(
        "crossfade.feed.lag",
        ("collection",),
        "How far the reconciler is behind the primary; from the replica that follows the feed.",
        Unit.SECONDS,
    ),
    _gauge(
        "crossfade.feed.waiting",
        ("collection",),
        "Changes that the reconciler has read from the feed and not settled yet.",
        Unit.DOCUMENTS,
    ),
    _gauge(
        "crossfade.feed.quarantined",
        ("collection",),
        "Documents that the mirror cannot hold, as this reconciler has met them.",
        Unit.DOCUMENTS,
    ),
    _gauge(
        "crossfade.feed.gap",
        ("collection",),
        "1 while the mirror may lack changes because a feed was lost and no full verify has looked since.",
    ),
    _counter(
        "crossfade.feed.lost",
        ("collection",),
        "Feed positions that the store no longer held: an alarm, mended by a full verify.",
    ),
    _counter(
        "crossfade.reconcile.keys",
        ("collection", "outcome"),
        "Documents that the reconciler looked at, by what it found or did.",
    ),
    _counter(
        "crossfade.reconcile.bypassed",
        ("collection",),
        "Documents changed by writers that bypass the proxy, taken up by the reconciler.",
    ),
    # Backfills and verifies.
    _counter(
        "crossfade.backfill.documents",
        ("collection", "outcome"),
        "Documents that backfills have seen, by what became of them.",
    ),
    _counter(
        "crossfade.verify.documents",
        ("collection", "outcome"),
        "Documents that verifies and samples compared (documents) or looked for in the primary (extras).",
    ),
    _counter(
        "crossfade.verify.divergences",
        ("collection", "outcome"),
        "Differences that verifies found and that survived rechecking, by kind.",
    ),
    _gauge(
        "crossfade.job.state",
        ("collection", "job", "state"),
        "1 for the state that the last backfill or verify of a collection is in.",
    ),
    _gauge(
        "crossfade.job.progress",
        ("collection", "job"),
        "The share, from 0 to 1, of its documents that the last backfill or verify has looked at.",
    ),
    _gauge(
        "crossfade.job.rate",
        ("collection", "job"),
        "Documents a second that a backfill or verify looks at of late; 0 once it has ended.",
    ),
    _gauge(
        "crossfade.job.documents",
        ("collection", "job", "outcome"),
        "Documents that the last backfill or verify of a collection has counted, by outcome.",
        Unit.DOCUMENTS,
    ),
    # Stages and their changes.
    _gauge(
        "crossfade.collection.stage",
        ("collection", "stage", "primary"),
        "1 for the stage, and with it the primary, that this replica acts upon.",
    ),
    _gauge(
        "crossfade.collection.epoch",
        ("collection",),
        "The epoch that this replica acts upon; replicas that differ for long are out of step.",
    ),
    _gauge(
        "crossfade.collection.holding",
        ("collection",),
        "1 while this replica holds the collection's writes.",
    ),
    _counter(
        "crossfade.cutover.moves",
        ("collection", "stage", "outcome"),
        "Changes of stage that this replica has driven, by the stage asked for: published or aborted.",
    ),
    _counter(
        "crossfade.fence.restored",
        ("collection",),
        "Times that MongoDB's fence was found lower than it must be, and raised again: run a verify.",
    ),
    _duration(
        "crossfade.cutover.hold",
        ("collection",),
        "How long a change of the primary held writes.",
    ),
    _duration(
        "crossfade.cutover.step",
        ("collection", "step"),
        "How long each step of a change of stage took.",
    ),
    _gauge(
        "crossfade.replicas",
        ("state",),
        "Replicas in the registry: alive, or dead and not forgotten yet, an hour after the last heartbeat.",
    ),
)

METRICS_BY_NAME = {metric.name: metric for metric in METRICS}

ATTRIBUTES = {
    "method": "rpc.method",
    "code": "rpc.response.status_code",
    "collection": "crossfade.collection",
    "store": "db.system.name",
    "operation": "db.operation.name",
    "error": "error.type",
    "role": "crossfade.role",
    "pool": "db.client.connection.pool.name",
    "state": "crossfade.state",
    "mode": "cpu.mode",
    "outcome": "crossfade.outcome",
    "reason": "crossfade.reason",
    "access": "crossfade.access",
    "work": "crossfade.work",
    "queue": "crossfade.queue",
    "kind": "crossfade.kind",
    "job": "crossfade.job",
    "stage": "crossfade.stage",
    "primary": "crossfade.primary",
    "step": "crossfade.step",
}
"""Short names in code, and the names that leave the proxy: the semantic conventions' where they exist."""

_SYSTEMS = {"dynamodb": "aws.dynamodb"}


def public(attributes: dict[str, str]) -> dict[str, str]:
    """Attributes under the names, and stores under the values, that leave the proxy."""
    renamed = {ATTRIBUTES.get(name, name): value for name, value in attributes.items()}
    store = attributes.get("store", "")
    if store in _SYSTEMS:
        renamed["db.system.name"] = _SYSTEMS[store]
    return renamed
