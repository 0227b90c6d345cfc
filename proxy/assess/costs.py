"""What a collection costs in DynamoDB, reckoned from its documents' sizes and MongoDB's own counters.

Storage counts 100 bytes for each item and index entry beside their size, as DynamoDB bills. A write costs the
item's units and those of its index entries: an insert or delete touches every entry, an update is reckoned
to move each one (out and in again), which is the upper end. With DynamoDB as primary an update reads the item
first. Reads are strong and of one document each, or of as many as the profiler saw a call return.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.assess.evidence import Evidence
from proxy.assess.prices import Prices
from proxy.core.survey import CollectionFacts, Rates, Shapes

OVERHEAD = 100
JSON_GROWTH = 1.25
"""Bytes of an export's JSON for each of its items: the import from S3 is billed by the file before gzip."""
MONTH = 730.0  # hours
GB = 2.0**30


@dataclass(frozen=True, slots=True)
class Traffic:
    """Units a second, on average over the time that `source` names."""

    reads: float
    writes: float
    read_units: float
    write_units: float
    source: str


@dataclass(frozen=True, slots=True)
class Costs:
    """GB, units, and money: a month's in all lines but those that say otherwise.

    `traffic` is None where nothing is known of it; then only storage and what is paid once are reckoned, and
    `million_reads` and `million_writes` tell what traffic would cost.
    """

    gigabytes: float
    storage: float
    backup: float
    million_reads: float
    million_writes: float
    traffic: Traffic | None
    on_demand_reads: float
    on_demand_writes: float
    provisioned: float
    move_units: float
    move: float
    import_from_s3: float

    @property
    def month(self) -> float:
        """Storage, reads and writes on demand, without backups."""
        return self.storage + self.on_demand_reads + self.on_demand_writes


def reckon(
    facts: CollectionFacts, evidence: Evidence, rates: Rates | None, shapes: Shapes, prices: Prices
) -> Costs:
    """What was read stands for the whole collection, by its number of documents."""
    number = max(facts.documents, evidence.read)
    scale = number / evidence.read if evidence.read else 0.0
    entries = sum(each.bytes + OVERHEAD * each.count for each in evidence.entries)
    gigabytes = (evidence.items.total + OVERHEAD * evidence.read + entries) * scale / GB
    items_gb = evidence.items.total * scale / GB
    write, read = _means(evidence)
    index = _entry_units(evidence)
    traffic = _traffic(rates, write, read, index, _returned(shapes)) if rates else None
    move_units = (write + index) * number
    return Costs(
        gigabytes=gigabytes,
        storage=gigabytes * prices.gb_month,
        backup=gigabytes * prices.backup_gb_month,
        million_reads=read * prices.read_million,
        million_writes=(write + 2 * index) * prices.write_million,
        traffic=traffic,
        on_demand_reads=_monthly(traffic.read_units, prices.read_million) if traffic else 0.0,
        on_demand_writes=_monthly(traffic.write_units, prices.write_million) if traffic else 0.0,
        provisioned=_provisioned(traffic, prices) if traffic else 0.0,
        move_units=move_units,
        move=move_units * prices.write_million / 1e6,
        import_from_s3=JSON_GROWTH * items_gb * prices.import_gb,
    )


def _means(evidence: Evidence) -> tuple[float, float]:
    """Write and read units of one item, on average; of the smallest where there is none."""
    number = evidence.items.number
    if not number:
        return 1.0, 1.0
    return evidence.write_units / number, evidence.read_units / number


def _entry_units(evidence: Evidence) -> float:
    """Write units of putting all index entries of one item, on average."""
    return sum(each.units for each in evidence.entries) / max(evidence.items.number, 1)


def _traffic(rates: Rates, write: float, read: float, index: float, returned: float) -> Traffic:
    writes = rates.writes * write + (rates.inserts + rates.deletes + 2 * rates.updates) * index
    reads = rates.reads * read * returned + (rates.updates + rates.deletes) * read
    return Traffic(rates.reads, rates.writes, reads, writes, rates.source)


def _returned(shapes: Shapes) -> float:
    """Documents that a reading call returned on average; at least one is read."""
    seen = [calls for shape, calls in shapes.items() if shape.verb in ("find", "aggregate")]
    number = sum(calls.count for calls in seen)
    return max(1.0, sum(calls.returned for calls in seen) / number) if number else 1.0


def _monthly(units: float, million: float) -> float:
    return units * 3600 * MONTH * million / 1e6


def _provisioned(traffic: Traffic, prices: Prices) -> float:
    """With capacity for twice the average: steady traffic that auto scaling follows needs about that."""
    hour = traffic.write_units * prices.write_hour + traffic.read_units * prices.read_hour
    return 2 * hour * MONTH
