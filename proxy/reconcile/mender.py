"""What operators do about recorded divergences: have them repaired, and learn what may have happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from proxy.core.comparison import MATCH, compare
from proxy.core.divergence import Divergence, FieldDifference, diff
from proxy.core.document import Document
from proxy.core.errors import NotFound, Reason, Refused
from proxy.core.exchange import DivergenceQuery
from proxy.core.explaining import Cause, find_cause
from proxy.core.finding import key_named
from proxy.core.flag import AuditEntry
from proxy.core.ports import DivergenceLog
from proxy.core.version import Record
from proxy.reconcile.repair import RepairReport, repair_page
from proxy.reconcile.site import Outlook, Site

_HIDDEN = Cause(
    "The log shows no document: its key is redacted, or the divergence is a query's.",
    "Run a verify: it compares all documents, and closes this one if it finds nothing.",
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """`has_looked`: the stores were read; `differences` are redacted where the collection wants it."""

    row: Divergence
    cause: Cause
    has_looked: bool = False
    agrees: bool = False
    primary: Record | None = None
    mirror: Record | None = None
    differences: tuple[FieldDifference, ...] = ()


class Mender:
    """Repairs and explains the divergences of every collection that this process knows."""

    def __init__(
        self, sites: Mapping[str, Site], outlooks: Mapping[str, Outlook], divergences: DivergenceLog
    ) -> None:
        self._sites = sites
        self._outlooks = outlooks
        self._divergences = divergences

    async def repair(
        self, query: DivergenceQuery, ids: Sequence[str], *, by_verify: bool, actor: str, reason: str = ""
    ) -> RepairReport:
        """Repair one page of the unclosed divergences of a collection, or those of these ids; with
        `by_verify` only what was seen since its last verify began. What was done is audited.

        Raises NotFound for an unknown collection, Refused where there is no mirror or no verify has run.
        """
        site, outlook = self._site(query.collection), self._outlooks[query.collection]
        query = replace(query, is_unclosed=True)
        if by_verify:
            query = replace(query, since=await _last_verify(site))
        report = await repair_page(site, outlook, query, ids)
        if report.looked:
            await site.control.record_audit(await _entry(site, outlook, report, actor, reason))
        return report

    async def explain(self, collection: str, divergence: str) -> Explanation:
        """What can be known of it. Raises NotFound where it is not recorded, and the stores' errors."""
        site, published = self._site(collection), self._outlooks[collection].published
        row = (await self._divergences.get([divergence])).get(divergence)
        if row is None or row.collection != collection:
            text = f"{collection} has no divergence {divergence!r}"
            raise NotFound(text, Reason.NOT_FOUND, field="id")
        key = key_named(site.collection, row.key) if row.key else None
        pair = site.pair(published)
        if key is None or pair is None:
            return Explanation(row, _HIDDEN if key is None else _no_mirror(published.stage.value))
        [mirror] = await pair.mirror.get([key])
        [primary] = await pair.primary.get([key])
        return Explanation(
            row,
            find_cause(row, primary, mirror, published.stage.primary),
            has_looked=True,
            agrees=compare(primary, mirror) == MATCH,
            primary=primary,
            mirror=mirror,
            differences=diff(_document(primary), _document(mirror), site.collection.settings.redact),
        )

    def _site(self, collection: str) -> Site:
        if collection not in self._sites:
            text = f"there is no collection named {collection!r}"
            raise NotFound(text, Reason.UNKNOWN_COLLECTION, field="collection")
        return self._sites[collection]


async def _last_verify(site: Site) -> int:
    job = await site.control.job(site.name, "verify")
    if job is None:
        raise Refused(f"no verify of {site.name} has run", Reason.STAGE_NOT_ALLOWED)
    return job.started_at


async def _entry(site: Site, outlook: Outlook, report: RepairReport, actor: str, reason: str) -> AuditEntry:
    stage = outlook.published.stage.value
    details = {
        "looked": report.looked,
        "closed": report.closed,
        "unequal": len(report.unequal),
        **report.results,
    }
    return AuditEntry(await site.control.now(), actor, "repair", site.name, reason, stage, stage, details)


def _document(record: Record | None) -> Document | None:
    return record.document if record else None


def _no_mirror(stage: str) -> Cause:
    return Cause(f"There is no mirror in {stage} to compare with.", "Nothing need be done.")
