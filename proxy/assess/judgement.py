"""What is judged of a collection as a whole, from the facts, the proposal and the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proxy.assess.calls import CallFate, Served
from proxy.assess.costs import Costs
from proxy.assess.evidence import Evidence
from proxy.assess.findings import MEANINGS, Finding, Severity, Verdict
from proxy.assess.proposal import Proposal
from proxy.core.collection import IndexKind
from proxy.core.survey import CollectionFacts, IndexFacts, Place, ServerFacts

PARTITION_LIMIT = 10 * 2.0**30
PARTITION_WRITES, PARTITION_READS = 1_000, 3_000


def of_deployment(server: ServerFacts) -> Iterator[Finding]:
    if not server.is_replica_set:
        yield Finding(
            "standalone",
            Severity.BLOCKS,
            "MongoDB is no replica set: it has no change streams",
            "make it one (a single member will do)",
        )
    if server.major < 6:
        yield Finding(
            "old_version",
            Severity.BLOCKS,
            f"MongoDB is {server.version}: pre- and post-images need 6.0",
            "upgrade it first",
        )


def of_collection(facts: CollectionFacts, proposal: Proposal) -> Iterator[Finding]:
    yield from _of_options(facts)
    yield from _of_validator(facts)
    if facts.place is Place.COLLECTION:
        yield from _of_key(facts, proposal)
        for index in facts.indexes:
            yield from _of_index(index, proposal)


def of_evidence(proposal: Proposal, evidence: Evidence, costs: Costs, scale: float) -> Iterator[Finding]:
    """`scale` is how many documents one that was read stands for."""
    collection = proposal.collection
    if collection is None or evidence.read < 100:
        return
    share = evidence.heaviest.share
    heaviest = evidence.heaviest.heaviest * scale
    if any(index.kind is IndexKind.LOCAL for index in collection.indexes) and heaviest > PARTITION_LIMIT / 2:
        yield Finding(
            "large_partition",
            Severity.CARE if heaviest < PARTITION_LIMIT else Severity.BLOCKS,
            f"one partition holds about {heaviest / 2**30:.1f} GB, and with a local index 10 GB is the limit",
            "a longer partition, and global indexes instead of local ones",
        )
    if costs.traffic and costs.traffic.write_units * share > PARTITION_WRITES / 2:
        yield Finding(
            "hot_partition",
            Severity.CARE,
            f"one partition takes about {costs.traffic.write_units * share:,.0f} write units a second on "
            f"average, and {PARTITION_WRITES:,} are the limit",
            "a longer partition",
        )
    elif share > 0.5 and evidence.read >= 1_000:
        yield Finding(
            "uneven_partitions",
            Severity.NOTE,
            f"one partition holds {share:.0%} of the bytes; DynamoDB takes {PARTITION_WRITES:,} write and "
            f"{PARTITION_READS:,} read units a second for one",
            "nothing while its traffic stays well below",
        )


def of_calls(fates: Sequence[CallFate]) -> Iterator[Finding]:
    for served, kind, text in (
        (Served.UNSUPPORTED, "unsupported_calls", "recorded calls do what the proxy does not offer"),
        (Served.REFUSED, "unserved_calls", "recorded calls are served by no index"),
    ):
        number = sum(fate.calls.count for fate in fates if fate.served is served)
        if number:
            yield Finding(
                kind, Severity.CARE, f"{number:,} {text}", "see the table of calls: change them first"
            )


def verdict_of(findings: Sequence[Finding], evidence: Evidence) -> Verdict:
    if any(finding.is_final for finding in findings):
        return Verdict.CANNOT
    blocks = any(finding.severity is Severity.BLOCKS for finding in findings)
    if blocks or any(MEANINGS[fault].severity is Severity.BLOCKS for fault in evidence.faults):
        return Verdict.AFTER_CHANGES
    return Verdict.READY


def _of_options(facts: CollectionFacts) -> Iterator[Finding]:
    if facts.place is Place.VIEW:
        yield Finding("view", Severity.BLOCKS, "it is a view", "move what it is made of", is_final=True)
    if facts.place is Place.TIME_SERIES:
        yield Finding(
            "time_series",
            Severity.BLOCKS,
            "it is a time series, which has no change stream",
            "copy it into a plain collection",
            is_final=True,
        )
    if facts.is_capped:
        yield Finding(
            "capped",
            Severity.BLOCKS,
            "it is capped: DynamoDB has nothing like it",
            "copy it into a plain collection; a TTL index bounds age",
            is_final=True,
        )
    if facts.collation:
        yield Finding(
            "collation",
            Severity.BLOCKS,
            f"it compares strings by the collation {facts.collation}; DynamoDB by bytes",
            "copy it into a collection without one, with folded copies of what is searched",
            is_final=True,
        )
    if facts.is_encrypted:
        yield Finding(
            "encrypted",
            Severity.BLOCKS,
            "it uses queryable encryption, which DynamoDB cannot query",
            "decrypt in a copy, or leave it in MongoDB",
            is_final=True,
        )
    if facts.is_sharded:
        yield Finding(
            "sharded",
            Severity.CARE,
            "it is sharded: its unique index must contain the shard key, and moves "
            "were tried on replica sets only",
            "rehearse it on a copy",
        )


def _of_validator(facts: CollectionFacts) -> Iterator[Finding]:
    if facts.validator is None:
        return
    if facts.validator.obstacle:
        yield Finding("validator", Severity.BLOCKS, facts.validator.obstacle, "collMod, as it says")
        return
    yield Finding(
        "validator",
        Severity.CARE,
        f"it has a validator ({facts.validator.level}, {facts.validator.action}): kept beside the fence "
        "while MongoDB takes part; DynamoDB checks nothing",
        "check in the service what the validator checks, before DYNAMO_ONLY",
    )


def _of_key(facts: CollectionFacts, proposal: Proposal) -> Iterator[Finding]:
    if proposal.collection is None:
        yield Finding(
            "no_key",
            Severity.BLOCKS,
            "no unique index can be the key: " + "; ".join(proposal.refused_keys),
            "create a plain unique index on fields of one type each that every document has",
        )
        return
    names = tuple(field.name for field in proposal.collection.key_fields)
    twin = next((each for each in facts.indexes if each.names == names and not each.is_plain_unique), None)
    if twin is not None:
        yield Finding(
            "key_index",
            Severity.BLOCKS,
            f"the index {twin.name} has the key's fields, but is not plain and unique",
            "drop it",
        )


def _of_index(index: IndexFacts, proposal: Proposal) -> Iterator[Finding]:
    if index.expires is not None and index.names != ("_cf.del",):
        yield Finding(
            "ttl",
            Severity.CARE,
            f"the TTL index {index.name} deletes documents after {index.expires:,.0f} s: it goes on while "
            "MongoDB is primary, and its deletions are mirrored; nothing deletes with DynamoDB as primary",
            "let a service delete what is due, before DYNAMO_PRIMARY",
        )
    is_key = proposal.collection is not None and index.names == tuple(
        field.name for field in proposal.collection.key_fields
    )
    if index.is_unique and not is_key and index.names != ("_id",):
        yield from _of_unique(index)


def _of_unique(index: IndexFacts) -> Iterator[Finding]:
    is_exempt = index.is_sparse or bool(index.only)
    yield Finding(
        "unique_index",
        Severity.CARE if is_exempt else Severity.BLOCKS,
        f"DynamoDB cannot keep {', '.join(index.names)} unique ({index.name})"
        + ("" if is_exempt else ", and tombstones, which lack the fields, would violate it"),
        "let the service see to it, or make it the key"
        + ("" if is_exempt else "; make the index sparse or partial before the move"),
    )
