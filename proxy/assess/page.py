"""A report as one HTML page that needs nothing else: no network, no script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from proxy.assess import charts
from proxy.assess.bill import bill
from proxy.assess.calls import CallFate, described
from proxy.assess.costs import Costs
from proxy.assess.filing import collection_lines
from proxy.assess.findings import MEANINGS, Finding, Verdict
from proxy.assess.markdown import SHOWN_CALLS
from proxy.assess.markup import Markup, element, join
from proxy.assess.proposal import Becomes, Fate
from proxy.assess.report import CollectionReport, Report
from proxy.assess.style import STYLE
from proxy.assess.wording import money, share, size
from proxy.core.survey import IndexFacts

_VERDICT_CLASSES = {Verdict.READY: "ready", Verdict.AFTER_CHANGES: "after", Verdict.CANNOT: "cannot"}
_BECOMES_CLASSES = {
    Becomes.KEY: "key",
    Becomes.SERVED: "served-by",
    Becomes.LOCAL: "local-index",
    Becomes.GLOBAL: "global-index",
    Becomes.NOTHING: "nothing",
}


def as_page(report: Report) -> str:
    title = "Can it move? MongoDB to DynamoDB"
    head = element(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    body = element(
        "main",
        *_opening(title, report),
        *(_collection(each, report) for each in report.collections),
        _file(report),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body), lang='en')}\n"


def _opening(title: str, report: Report) -> Iterator[Markup | None]:
    about = f"MongoDB {report.server.version}, assessed at {report.made_at}. Nothing was written."
    yield element("h1", title)
    yield element("p", about, class_="soft")
    yield _findings(report.findings)
    yield _tiles(report)
    yield _summary(report)
    yield element(
        "section",
        element("header", element("h2", "What a month costs")),
        charts.costs(report.collections, report.prices.currency),
        element("p", f"Prices: {report.prices.source}; {report.prices.region}, {report.prices.as_of}. "
                "Without backups and discounts; traffic as far as MongoDB tells.", class_="soft"),
    )  # fmt: skip


def _tiles(report: Report) -> Markup:
    verdicts = Counter(each.verdict for each in report.collections)
    documents = sum(each.facts.documents for each in report.collections)
    month = sum(each.costs.month for each in report.collections)
    tiles = [
        (f"{verdicts[Verdict.READY]} of {len(report.collections)}", "collections can move as they are"),
        (f"{verdicts[Verdict.AFTER_CHANGES]}", "after changes"),
        (f"{verdicts[Verdict.CANNOT]}", "cannot"),
        (f"{documents:,}", "documents"),
        (money(month, report.prices.currency), "a month on DynamoDB"),
    ]
    return element(
        "div",
        *(element("div", element("b", big), small, class_="tile") for big, small in tiles),
        class_="tiles",
    )


def _summary(report: Report) -> Markup:
    rows = [
        (
            element("a", each.facts.namespace, href=f"#{each.facts.namespace}"),
            _pill(each.verdict.value, _VERDICT_CLASSES[each.verdict]),
            _number(f"{each.facts.documents:,}"),
            _number(size(each.evidence.items.mean) if each.evidence.read else "–"),
            _key(each),
            _number(money(each.costs.month, report.prices.currency)),
        )
        for each in report.collections
    ]
    heads = ("collection", "verdict", _number("documents", "th"), _number("mean item", "th"), "key proposed",
             _number("a month", "th"))  # fmt: skip
    return element("section", element("header", element("h2", "Collections")), _table(heads, rows))


def _key(each: CollectionReport) -> Markup:
    if each.proposal.collection is None:
        return element("span", "none", class_="soft")
    key = each.proposal.collection.key
    parts = [element("code", "/".join(field.name for field in key.partition))]
    if key.sort:
        parts += [
            Markup("<br><small>sort</small> "),
            element("code", "/".join(field.name for field in key.sort)),
        ]
    return join(parts)


def _collection(each: CollectionReport, report: Report) -> Markup:
    header = element(
        "header",
        element("h2", each.facts.namespace),
        _pill(each.verdict.value, _VERDICT_CLASSES[each.verdict]),
        element("span", _read(each), class_="soft"),
    )
    parts = (header, _findings(each.findings), _sizes_and_costs(each, report), _faults(each), _indexes(each))
    proposal = _proposal(each) if each.proposal.collection else None
    return element("section", *parts, _calls(each.calls), proposal, id=each.facts.namespace)


def _read(each: CollectionReport) -> str:
    if not each.evidence.read:
        return "no documents were read"
    part = "all read" if each.is_complete else f"{each.evidence.read:,} read, {share(1 / each.scale)}"
    return f"{each.facts.documents:,} documents, {part}"


def _sizes_and_costs(each: CollectionReport, report: Report) -> Markup | None:
    if not each.evidence.read:
        return None
    return element("div", _sizes(each), _costs(each.costs, report.prices.currency), class_="columns")


def _sizes(each: CollectionReport) -> Markup:
    items = each.evidence.items
    told = (
        f"Mean {size(items.mean)} ({size(each.evidence.documents.mean)} in BSON), median "
        f"{size(items.quantile(0.5))}, largest {size(items.largest)}. "
    )
    if each.proposal.collection:
        largest = share(each.evidence.heaviest.share)
        told += f"About {each.partitions:,} partitions; the largest has {largest} of the bytes."
    return element(
        "div", element("h3", "Items by size"), charts.sizes(items), element("p", told, class_="soft")
    )


def _costs(costs: Costs, currency: str) -> Markup:
    rows = [
        (join((what, element("small", Markup("<br>"), amount) if amount else None)), _number(price))
        for what, amount, price in bill(costs, currency)
    ]
    source = element("p", f"Traffic: {costs.traffic.source}.", class_="soft") if costs.traffic else None
    return element("div", element("h3", "Cost"), _table((), rows), source)


def _faults(each: CollectionReport) -> Markup | None:
    rows = [
        (
            _number(f"{seen.count:,}"),
            _pill(meaning.severity.value, meaning.severity.value),
            join((meaning.text, ". ", element("span", _sentence(meaning.remedy), class_="remedy"))),
            join(element("div", element("code", example)) for example in seen.kept),
        )
        for fault, meaning in MEANINGS.items()
        if (seen := each.evidence.faults.get(fault))
    ]
    heads = (_number("documents", "th"), "", "what they are, and the remedy", "_id of some")
    return _titled("Documents that DynamoDB cannot hold as they are", heads, rows)


def _indexes(each: CollectionReport) -> Markup | None:
    rows = [(*_index_cells(fate), fate.reason) for fate in each.proposal.fates]
    return _titled("What each index becomes", ("index of MongoDB", "becomes", "why"), rows)


def _index_cells(fate: Fate) -> tuple[Markup, Markup]:
    made = _pill(fate.becomes.value, _BECOMES_CLASSES[fate.becomes])
    if fate.name not in ("", "key"):
        made = join((made, Markup("<br>"), element("code", fate.name)))
    if fate.index is None:
        return element("span", "recorded calls", class_="soft"), made
    fields = ", ".join(name if way == 1 else f"{name} {way}" for name, way in fate.index.fields)
    words = ", ".join(_words(fate.index))
    told = element("small", Markup("<br>"), words) if words else None
    return join((element("code", fields), told)), made


def _words(index: IndexFacts) -> Iterator[str]:
    """What is said of an index beside its fields."""
    if index.is_unique:
        yield "unique"
    if index.is_sparse:
        yield "sparse"
    if index.only:
        yield f"partial: {index.only}"
    if index.expires is not None:
        yield f"TTL {index.expires:,.0f} s"


def _calls(fates: Sequence[CallFate]) -> Markup | None:
    if not fates:
        return None
    rows = [
        (
            _number(f"{fate.calls.count:,}"),
            element("code", described(fate.shape)),
            join(
                (
                    fate.served.value,
                    *([" ", element("code", fate.index)] if fate.index not in ("", "key") else []),
                )
            ),
            element("span", fate.note, class_="soft"),
        )
        for fate in fates[:SHOWN_CALLS]
    ]
    heads = (_number("calls", "th"), "what was asked", "served as", "note")
    table = _table(heads, rows)
    return join((element("h3", "Recorded calls"), charts.calls(fates), table))


def _proposal(each: CollectionReport) -> Markup:
    return join((element("h3", "Proposed declaration"), element("pre", collection_lines(each.proposal))))


def _file(report: Report) -> Markup:
    profiles = [
        element("p", f"{database}: {told}.", class_="soft") for database, told in report.profiles.items()
    ]
    return element(
        "section",
        element("header", element("h2", "The collections file")),
        element("pre", report.declarations),
        *profiles,
    )


def _findings(findings: Sequence[Finding]) -> Markup | None:
    if not findings:
        return None
    items = (
        element(
            "li",
            element("span", _pill(each.severity.value, each.severity.value)),
            element(
                "span", _sentence(each.text), " ", element("span", _sentence(each.remedy), class_="remedy")
            ),
        )
        for each in findings
    )
    return element("ul", *items, class_="findings")


def _titled(title: str, heads: Sequence[object], rows: Sequence[Sequence[object]]) -> Markup | None:
    return join((element("h3", title), _table(heads, rows))) if rows else None


def _table(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    head = element("thead", element("tr", *(_cell(each, "th") for each in heads))) if heads else None
    body = element("tbody", *(element("tr", *(_cell(each, "td") for each in row)) for row in rows))
    return element("div", element("table", head, body), class_="scroll")


def _cell(content: object, name: str) -> Markup:
    is_cell = isinstance(content, Markup) and content.startswith((f"<{name} ", f"<{name}>"))
    return Markup(content) if is_cell else element(name, content)


def _number(text: str, name: str = "td") -> Markup:
    return element(name, text, class_="number")


def _pill(text: str, kind: str) -> Markup:
    return element("span", text, class_=f"pill {kind}")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
