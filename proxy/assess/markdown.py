"""A report as Markdown, for a ticket or a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from proxy.assess.bill import bill
from proxy.assess.calls import described
from proxy.assess.costs import Costs
from proxy.assess.findings import MEANINGS, Finding
from proxy.assess.report import CollectionReport, Report
from proxy.assess.tally import EDGES, Histogram
from proxy.assess.wording import money, share, size

SHOWN_CALLS = 25
_BAR = 30


def as_markdown(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield "# Can it move? MongoDB to DynamoDB"
    yield ""
    yield f"MongoDB {report.server.version}, assessed at {report.made_at}. Nothing was written."
    yield ""
    yield from _findings(report.findings)
    yield from _summary(report)
    for each in report.collections:
        yield from _collection(each, report)
    yield from _section("The collections file", 2)
    yield from ("```yaml", report.declarations.rstrip(), "```", "")
    yield f"Prices: {report.prices.source}; {report.prices.region}, {report.prices.as_of}."
    yield from (f"{database}: {told}." for database, told in report.profiles.items())


def _summary(report: Report) -> Iterator[str]:
    currency = report.prices.currency
    rows = [
        [
            f"`{each.facts.namespace}`",
            each.verdict.value,
            f"{each.facts.documents:,}",
            size(each.evidence.items.mean),
            _key(each),
            money(each.costs.month, currency) + ("" if each.costs.traffic else " (storage)"),
        ]
        for each in report.collections
    ]
    yield from _table(["collection", "verdict", "documents", "mean item", "key", "a month"], rows)


def _key(each: CollectionReport) -> str:
    if each.proposal.collection is None:
        return "none"
    key = each.proposal.collection.key
    partition, sort = "/".join(f.name for f in key.partition), "/".join(f.name for f in key.sort)
    return f"`{partition}`, sort `{sort}`" if sort else f"`{partition}`"


def _collection(each: CollectionReport, report: Report) -> Iterator[str]:
    yield from _section(f"{each.facts.namespace}: {each.verdict.value}", 2)
    yield from _findings(each.findings)
    yield from _documents(each)
    yield from _faults(each)
    yield from _indexes(each)
    yield from _calls(each)
    yield from _costs(each.costs, report.prices.currency)


def _documents(each: CollectionReport) -> Iterator[str]:
    evidence = each.evidence
    if not evidence.read:
        return
    part = "all" if each.is_complete else f"{evidence.read:,}, about {share(1 / each.scale)},"
    yield f"{each.facts.documents:,} documents, of which {part} were read. As items of DynamoDB:"
    yield from ("", "```", *_bars(evidence.items), "```", "")
    spread = f"the largest with {share(evidence.heaviest.share)} of the bytes"
    partitions = f"; about {each.partitions:,} partitions, {spread}" if each.proposal.collection else ""
    yield (
        f"Mean {size(evidence.items.mean)} (in BSON {size(evidence.documents.mean)}), median "
        f"{size(evidence.items.quantile(0.5))}, largest {size(evidence.items.largest)}"
        f"{partitions}."
    )
    yield ""


def _bars(histogram: Histogram) -> Iterator[str]:
    most = max(histogram.counts) or 1
    used = [place for place, count in enumerate(histogram.counts) if count] or [0]
    for place in range(used[0], used[-1] + 1):
        count = histogram.counts[place]
        label = f"to {size(EDGES[place])}" if place < len(EDGES) else "more"
        yield f"{label:>9} {'#' * max(round(_BAR * count / most), count > 0):<{_BAR}} {count:,}"


def _faults(each: CollectionReport) -> Iterator[str]:
    rows = [
        [str(seen.count), meaning.severity.value, meaning.text, meaning.remedy, _listed(seen.kept)]
        for fault, meaning in MEANINGS.items()
        if (seen := each.evidence.faults.get(fault))
    ]
    if rows:
        yield from _section("Documents that DynamoDB cannot hold as they are", 3)
        yield from _table(["documents", "severity", "what", "remedy", "_id of some"], rows)


def _indexes(each: CollectionReport) -> Iterator[str]:
    rows = [
        [
            f"`{fate.index.name}`" if fate.index else "recorded calls",
            ", ".join(name if way == 1 else f"{name} {way}" for name, way in fate.index.fields)
            if fate.index
            else "",
            fate.becomes.value + (f" `{fate.name}`" if fate.name not in ("", "key") else ""),
            fate.reason,
        ]
        for fate in each.proposal.fates
    ]
    if rows:
        yield from _section("What each index becomes", 3)
        yield from _table(["index", "fields", "becomes", "why"], rows)


def _calls(each: CollectionReport) -> Iterator[str]:
    rows = [
        [f"{call.calls.count:,}", described(call.shape), call.served.value, call.index, call.note]
        for call in each.calls[:SHOWN_CALLS]
    ]
    if rows:
        yield from _section("Recorded calls", 3)
        yield from _table(["calls", "what", "served as", "by", "note"], rows)


def _costs(costs: Costs, currency: str) -> Iterator[str]:
    yield from _section("Cost", 3)
    if costs.traffic:
        yield from (f"The traffic is from {costs.traffic.source}.", "")
    yield from _table(["what", "amount", "price"], [list(row) for row in bill(costs, currency)])


def _findings(findings: Iterable[Finding]) -> Iterator[str]:
    found = [f"* **{each.severity.value}** {each.text}. {_remedy(each)}".rstrip() for each in findings]
    yield from found
    yield from [""] * bool(found)


def _remedy(finding: Finding) -> str:
    return f"*{finding.remedy[:1].upper()}{finding.remedy[1:]}.*" if finding.remedy else ""


def _section(title: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} {title}"
    yield ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(_cell(word) for word in row)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def _listed(examples: Sequence[str]) -> str:
    return ", ".join(f"`{example.replace('`', chr(39))}`" for example in examples)
