"""What a collection costs, line by line, as every rendering shows it."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.assess.costs import Costs, Traffic
from proxy.assess.wording import money, rate


def bill(costs: Costs, currency: str) -> Iterator[tuple[str, str, str]]:
    """What, how much of it, and its price."""
    yield "storage", f"{costs.gigabytes:,.3f} GB", f"{money(costs.storage, currency)} a month"
    yield from _of_traffic(costs, costs.traffic, currency) if costs.traffic else _of_millions(costs, currency)
    yield "the copy, once", f"{costs.move_units:,.0f} write units", money(costs.move, currency)
    yield "or the import from S3, once", "", money(costs.import_from_s3, currency)
    yield "point-in-time recovery", "", f"{money(costs.backup, currency)} a month"


def _of_traffic(costs: Costs, traffic: Traffic, currency: str) -> Iterator[tuple[str, str, str]]:
    reads = f"{rate(traffic.reads)} reads/s, {rate(traffic.read_units)} RCU"
    writes = f"{rate(traffic.writes)} writes/s, {rate(traffic.write_units)} WCU"
    yield "reads, on demand", reads, f"{money(costs.on_demand_reads, currency)} a month"
    yield "writes, on demand", writes, f"{money(costs.on_demand_writes, currency)} a month"
    yield "or provisioned", "at twice the average", f"{money(costs.provisioned, currency)} a month"


def _of_millions(costs: Costs, currency: str) -> Iterator[tuple[str, str, str]]:
    yield "a million reads", "MongoDB tells no traffic", money(costs.million_reads, currency)
    yield "a million writes", "MongoDB tells no traffic", money(costs.million_writes, currency)
