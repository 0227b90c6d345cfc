"""A whole assessment of a MongoDB in memory: verdicts, evidence, calls, costs, and every rendering."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from bson import ObjectId

from proxy.assess.assessor import Wish
from proxy.assess.calls import Served
from proxy.assess.findings import Fault, Severity, Verdict
from proxy.assess.markdown import as_markdown
from proxy.assess.page import as_page
from proxy.assess.plain import as_plain
from proxy.assess.report import CollectionReport, Report
from proxy.core.survey import (
    Calls,
    CollectionFacts,
    IndexFacts,
    Place,
    Rates,
    ServerFacts,
    Shape,
    ValidatorFacts,
)
from tests.unit.assess.samples import Shelf, assess, encoded, facts, index

PAIR = ("tenant", "name")
KEY = index(*PAIR, is_unique=True)
QUEUE = index("tenant", "due")


def plain_documents(number: int) -> list[dict[str, Any]]:
    return [{"_id": ObjectId(), "tenant": f"t{n % 4}", "name": f"n{n}", "due": n} for n in range(number)]


async def one(found: CollectionFacts, *documents: dict[str, Any], **shelf: Any) -> CollectionReport:
    report = await assess(Shelf([found], {found.name: encoded(documents)}, **shelf))
    [collection] = report.collections
    return collection


def kinds(report: CollectionReport) -> dict[str, Severity]:
    return {finding.kind: finding.severity for finding in report.findings}


async def test_what_is_fit_is_ready_and_counted() -> None:
    report = await one(facts(KEY, QUEUE, documents=300), *plain_documents(300))
    assert (report.verdict, report.is_complete, report.evidence.faults) == (Verdict.READY, True, {})
    assert report.evidence.read == 300
    assert report.partitions == 4
    assert 0.2 < report.evidence.heaviest.share < 0.3
    [entries] = report.evidence.entries
    assert (entries.count, entries.units) == (300, 300)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"blob": b"x" * 410_000}, Fault.TOO_LARGE),
        ({"blob": b"x" * 350_000}, None),
        ({"name": "x" * 1100}, Fault.KEY_TOO_LONG),
        ({"tenant": "x" * 2100}, Fault.KEY_TOO_LONG),
        ({"name": 5}, Fault.KEY_TYPE),
        ({"name": ""}, Fault.EMPTY_KEY),
        ({"due": "soon"}, Fault.INDEX_TYPE),
        ({"due": None}, Fault.INDEX_TYPE),
        ({"x" * 70_000: 1}, Fault.NAME_TOO_LONG),
        ({"inner": {"": 1}}, Fault.EMPTY_NAME),
    ],
)
async def test_a_document_that_does_not_fit_is_named(change: dict[str, Any], fault: Fault | None) -> None:
    odd = {"_id": "the odd one", "tenant": "t", "name": "odd", "due": 1} | change
    report = await one(facts(KEY, QUEUE, documents=201), *plain_documents(200), odd)
    seen = {kind: (examples.count, examples.kept) for kind, examples in report.evidence.faults.items()}
    assert seen == ({fault: (1, ["'the odd one'"])} if fault else {})
    fine = fault in (None, Fault.EMPTY_KEY, Fault.EMPTY_NAME)
    assert report.verdict is (Verdict.READY if fine else Verdict.AFTER_CHANGES)


async def test_a_document_without_its_key_is_named() -> None:
    report = await one(facts(KEY, documents=201), *plain_documents(200), {"_id": 7, "tenant": "t"})
    assert report.evidence.faults[Fault.KEY_MISSING].kept == ["7"]


@pytest.mark.parametrize(
    ("found", "kind", "verdict"),
    [
        (facts(KEY, is_capped=True), "capped", Verdict.CANNOT),
        (facts(KEY, collation="de"), "collation", Verdict.CANNOT),
        (facts(KEY, is_encrypted=True), "encrypted", Verdict.CANNOT),
        (CollectionFacts("shop", "v", Place.VIEW), "view", Verdict.CANNOT),
        (CollectionFacts("shop", "v", Place.TIME_SERIES), "time_series", Verdict.CANNOT),
        (facts(KEY, is_sharded=True), "sharded", Verdict.READY),
        (facts(KEY, validator=ValidatorFacts("{}", "strict", "error")), "validator", Verdict.READY),
        (
            facts(KEY, validator=ValidatorFacts("{}", "moderate", "error", "make it strict")),
            "validator",
            Verdict.AFTER_CHANGES,
        ),
        (facts(KEY, index("due", expires=60)), "ttl", Verdict.READY),
        (facts(KEY, index("due", is_unique=True)), "unique_index", Verdict.AFTER_CHANGES),
        (facts(KEY, index("due", is_unique=True, is_sparse=True)), "unique_index", Verdict.READY),
    ],
)
async def test_what_stands_in_the_way_of_a_collection(
    found: CollectionFacts, kind: str, verdict: Verdict
) -> None:
    report = await one(found, *plain_documents(30))
    assert kind in kinds(report)
    assert report.verdict is verdict


async def test_a_collection_that_cannot_move_is_not_declared() -> None:
    shelf = Shelf([facts(KEY, is_capped=True, name="log"), facts(KEY, name="jobs")], {})
    report = await assess(shelf)
    assert "jobs:" in report.declarations and "log:" not in report.declarations


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (ServerFacts("6.0.5", is_replica_set=False, is_sharded=False, uptime=1), "standalone"),
        (ServerFacts("5.0.9", is_replica_set=True, is_sharded=False, uptime=1), "old_version"),
    ],
)
async def test_a_deployment_without_change_streams_is_not_ready(server: ServerFacts, kind: str) -> None:
    report = await assess(Shelf([facts(KEY)], {"things": encoded(plain_documents(5))}, server=server))
    assert [finding.kind for finding in report.findings] == [kind]
    assert not report.is_ready


@pytest.mark.parametrize(
    ("shape", "served", "note"),
    [
        (Shape("find", PAIR), Served.ONE, ""),
        (Shape("insert"), Served.ONE, ""),
        (Shape("update", PAIR), Served.ONE, ""),
        (Shape("find", ("tenant",)), Served.TABLE, ""),
        (Shape("find", ("tenant",), (), ("other",), (("name", -1),)), Served.TABLE, ""),
        (Shape("find", ("tenant",), ("due",), (), (("due", 1),)), Served.LOCAL, ""),
        (Shape("find", ("other",)), Served.REFUSED, "no index"),
        (Shape("find"), Served.REFUSED, "no index"),
        (Shape("update", ("tenant",)), Served.UNSUPPORTED, "whole key: name"),
        (Shape("update", PAIR, is_multi=True), Served.UNSUPPORTED, "many documents"),
        (Shape("aggregate", (), (), ("$group",)), Served.UNSUPPORTED, "compute"),
        (Shape("find", (), (), ("$text",)), Served.UNSUPPORTED, "$text"),
    ],
)
async def test_how_a_recorded_call_is_served(shape: Shape, served: Served, note: str) -> None:
    often = {shape: Calls(2), Shape("find", PAIR): Calls(5000)}
    report = await one(facts(KEY, QUEUE), *plain_documents(30), shapes={"things": often})
    [fate] = [each for each in report.calls if each.shape == shape]
    assert fate.served is served
    assert note in fate.note


async def test_costs_are_units_times_prices_for_the_whole_collection() -> None:
    """1,000 items of about 1.5 KB stand for a million: two write units each, and one read unit."""
    documents = [each | {"blob": b"x" * 1400} for each in plain_documents(1000)]
    rates = {"shop.things": Rates(reads=100, inserts=10, updates=5, deletes=1, source="a guess")}
    report = await one(facts(KEY, documents=1_000_000), *documents, rates=rates)
    costs, traffic = report.costs, report.costs.traffic
    assert traffic is not None
    assert (traffic.write_units, traffic.read_units) == (16 * 2, 100 + 6)
    assert costs.on_demand_writes == pytest.approx(32 * 3600 * 730 * 0.625 / 1e6)
    assert costs.on_demand_reads == pytest.approx(106 * 3600 * 730 * 0.125 / 1e6)
    assert costs.provisioned == pytest.approx(2 * 730 * (32 * 0.00065 + 106 * 0.00013))
    assert costs.move_units == 2_000_000
    assert costs.move == pytest.approx(1.25)
    items = report.evidence.items.total * 1000
    assert costs.gigabytes == pytest.approx((items + 100 * 1_000_000) / 2**30)
    assert costs.storage == pytest.approx(costs.gigabytes * 0.25)
    assert costs.import_from_s3 == pytest.approx(1.25 * items / 2**30 * 0.15)
    assert not report.is_complete


async def test_an_index_costs_entries() -> None:
    rates = {"shop.things": Rates(reads=0, inserts=10, updates=5, deletes=1, source="a guess")}
    report = await one(facts(KEY, QUEUE, documents=500), *plain_documents(500), rates=rates)
    assert report.costs.traffic is not None
    assert report.costs.traffic.write_units == 16 + 11 + 2 * 5
    assert report.costs.move_units == 1000


async def test_where_no_traffic_is_known_a_million_calls_are_priced() -> None:
    report = await one(facts(KEY), *plain_documents(20))
    assert report.costs.traffic is None
    assert report.costs.million_writes == pytest.approx(0.625)
    assert report.costs.month == report.costs.storage


async def test_a_sample_bounds_what_is_read() -> None:
    shelf = Shelf([facts(KEY, documents=5000)], {"things": encoded(plain_documents(400))})
    report = await assess(shelf, Wish(sample=40))
    assert shelf.read == [("things", 40), ("things", 40)]
    assert report.collections[0].evidence.read == 40
    assert report.collections[0].scale == 125


async def test_only_what_is_named_is_read() -> None:
    shelf = Shelf([facts(KEY, name="a"), facts(KEY, name="b")], {})
    report = await assess(shelf, Wish(only=("shop.b",)))
    assert [each.facts.name for each in report.collections] == ["b"]
    assert {name for name, _ in shelf.read} == {"b"}
    assert not (await assess(shelf, Wish(only=("elsewhere",)))).collections


ODD = '<script>alert("x")</script>|`'


@pytest.fixture
async def report() -> Report:
    """Everything that a report can have, under names that must be escaped."""
    odd = IndexFacts(ODD, ((ODD, 1),), expires=60)
    found = facts(KEY, QUEUE, odd, name="things", documents=900)
    documents = [*plain_documents(200), {"_id": ODD, "tenant": "t", "name": 5, ODD: 1, "b": b"x" * 410_000}]
    shapes = {"things": {Shape("find", (ODD,)): Calls(3), Shape("find", ("tenant",)): Calls(50, 100, 100, 9)}}
    rates = {"shop.things": Rates(1, 2, 3, 4, "a guess")}
    broken = [b"\x05\0\0\0"]
    shelf = Shelf(
        [found, CollectionFacts("shop", "seen", Place.VIEW), facts(name="broken")],
        {"things": encoded(documents), "broken": broken},
        shapes,
        rates,
        ServerFacts("5.0.1", is_replica_set=True, is_sharded=False, uptime=9),
    )
    return await assess(shelf)


class Reader(HTMLParser):
    """Whether tags are balanced, and what they load."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.loaded += [str(value) for name, value in attributes if name in ("src", "href") and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_page_is_whole_and_needs_nothing_else(report: Report) -> None:
    page = as_page(report)
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert {"svg", "table", "pre", "style"} <= reader.seen
    assert "script" not in reader.seen and "link" not in reader.seen
    assert all(place.startswith("#") for place in reader.loaded)
    assert not re.search(r"url\(|@import|https?://", page)
    assert len(page) < 100_000


async def test_the_markdown_has_whole_tables(report: Report) -> None:
    text = as_markdown(report)
    widths: list[int] = []
    for line in text.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not (widths and cells) or widths[-1] == cells or widths[-1] == 0
        widths.append(cells)
    for part in ("## shop.things: after changes", "with a key field of another type", "**blocks**"):
        assert part in text


async def test_the_json_says_the_same(report: Report) -> None:
    plain = json.loads(json.dumps(as_plain(report)))
    assert plain["ready"] is False
    things = next(each for each in plain["collections"] if each["namespace"] == "shop.things")
    assert things["verdict"] == "after changes"
    assert {fault["kind"]: fault["count"] for fault in things["faults"]} == {"key_type": 1}
    assert [each["becomes"] for each in things["indexes"]] == ["nothing", "key", "local", "global"]
    assert things["calls"][0] == {
        "shape": "find tenant =",
        "count": 50,
        "returned": 100,
        "examined": 100,
        "milliseconds": 9,
        "served": "table",
        "index": "key",
        "note": "",
    }
    assert sum(things["item_bytes"]["counts"]) == things["read"] == 201
    assert plain["declarations"] == report.declarations
