"""Three charts as SVG without script: sizes, how calls are served, and what a month costs."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.assess.calls import CallFate, Served, share_by
from proxy.assess.markup import Markup, element, join
from proxy.assess.report import CollectionReport
from proxy.assess.tally import EDGES, Histogram
from proxy.assess.wording import money, share, size

_LIMIT = len(EDGES) - 1  # the last bucket that DynamoDB holds
_STEP, _HEIGHT, _TOP, _FOOT = 56, 130, 18, 24

_CALL_CLASSES = {
    Served.ONE: "one",
    Served.TABLE: "table",
    Served.LOCAL: "local",
    Served.GLOBAL: "global",
    Served.REFUSED: "refused",
    Served.UNSUPPORTED: "unsupported",
}


def sizes(histogram: Histogram) -> Markup:
    """Items by size, on a scale that doubles; what is too large for DynamoDB stands in another colour."""
    used = [place for place, count in enumerate(histogram.counts) if count] or [0]
    places = range(max(min(used) - 1, 0), max(*used, min(used) + 5) + 1)
    places = range(places.start, min(places.stop, len(histogram.counts)))
    width, most = _STEP * len(places) + 8, max(histogram.counts) or 1
    bars = [_bar(histogram.counts[place], most, place, at) for at, place in enumerate(places)]
    return _svg(join(bars), width, _TOP + _HEIGHT + _FOOT, f"{histogram.number:,} items by size", "sizes")


def _bar(count: int, most: int, place: int, at: int) -> Markup:
    x, height = 4 + at * _STEP, max(_HEIGHT * count / most, 2 if count else 0)
    is_large = place > _LIMIT
    label = f"≤ {size(EDGES[place])}" if not is_large else "> 400 KB"
    y = _TOP + _HEIGHT - height
    return join(
        (
            element("rect", x=x + 3, y=round(y, 1), width=_STEP - 6, height=round(height, 1), rx=2,
                    class_="bar too-large" if is_large else "bar"),
            element("text", _short(count), x=x + _STEP / 2, y=round(y - 5, 1), class_="count"),
            element("text", label, x=x + _STEP / 2, y=_TOP + _HEIGHT + 15, class_="label"),
        )
    )  # fmt: skip


def calls(fates: Sequence[CallFate]) -> Markup:
    """One bar of all recorded calls, by how they would be served, and its legend."""
    parts = [(served, part) for served, part in share_by(fates).items() if part]
    bars, at = [], 0.0
    for served, part in parts:
        bars.append(
            element("rect", element("title", f"{served.value}: {share(part)}"), x=round(at, 2), y=0,
                    width=round(part * 600, 2), height=22, class_=f"served {_CALL_CLASSES[served]}")
        )  # fmt: skip
        at += part * 600
    legend = [(_CALL_CLASSES[served], f"{served.value} {share(part)}") for served, part in parts]
    return join(
        (_svg(join(bars), 600, 22, "recorded calls by how they are served", "calls"), _legend(legend))
    )


def costs(collections: Sequence[CollectionReport], currency: str) -> Markup:
    """A month of each collection: storage, reads and writes on demand."""
    shown = sorted(collections, key=lambda each: -each.costs.month)[:12]
    most = max((each.costs.month for each in shown), default=0.0) or 1.0
    rows = [_cost_row(each, at, most, currency) for at, each in enumerate(shown)]
    chart = _svg(join(rows), 720, 28 * len(rows), "cost of a month by collection", "costs")
    return join((chart, _legend([("storage", "storage"), ("reads", "reads"), ("writes", "writes")])))


def _cost_row(each: CollectionReport, at: int, most: float, currency: str) -> Markup:
    y, x = 28 * at, 200.0
    parts = [element("text", _cut(each.facts.namespace), x=190, y=y + 18, class_="name")]
    for kind, amount in (
        ("storage", each.costs.storage),
        ("reads", each.costs.on_demand_reads),
        ("writes", each.costs.on_demand_writes),
    ):
        width, told = 420 * amount / most, f"{kind}: {money(amount, currency)}"
        parts.append(element("rect", element("title", told), x=round(x, 1), y=y + 5,
                             width=round(width, 1), height=18, class_=f"cost {kind}"))  # fmt: skip
        x += width
    parts.append(
        element("text", money(each.costs.month, currency), x=round(x + 8, 1), y=y + 18, class_="amount")
    )
    return join(parts)


def _legend(entries: Sequence[tuple[str, str]]) -> Markup:
    return element(
        "p", *(element("span", element("i", class_=kind), text) for kind, text in entries), class_="legend"
    )


def _svg(content: Markup, width: float, height: float, title: str, kind: str) -> Markup:
    return element(
        "svg", element("title", title), content, viewBox=f"0 0 {width:g} {height:g}", width=f"{width:g}",
        role="img", class_=f"chart {kind}",
    )  # fmt: skip


def _short(count: int) -> str:
    if not count:
        return ""
    for unit, word in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if count >= unit:
            return f"{count / (1000 if word == 'k' else unit):.3g}{word}"
    return f"{count:,}"


def _cut(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:12]}…{name[-13:]}"
