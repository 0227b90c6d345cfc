"""Repairs and explanations, as protobuf."""

from __future__ import annotations

import json

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.divergences import write_difference, write_divergence
from proxy.api.translate.operations import read_kind
from proxy.api.translate.paging import Pages, row_of
from proxy.core.exchange import DivergenceQuery
from proxy.core.version import Record
from proxy.reconcile.mender import Explanation
from proxy.reconcile.repair import RepairReport


def read_query(request: pb.RepairRequest, pages: Pages) -> DivergenceQuery:
    """The page of divergences to repair. Raises BadRequest."""
    size, after = pages.read(request)
    return DivergenceQuery(
        request.collection,
        read_kind(request.kind),
        limit=size,
        before=row_of(after) if after else None,
    )


def write_report(
    target: pb.RepairResponse, report: RepairReport, request: pb.RepairRequest, pages: Pages
) -> None:
    """Fill in what a repair did, and the token of the next page."""
    target.looked, target.closed = report.looked, report.closed
    target.unequal, target.unnamed = len(report.unequal), report.unnamed
    for result, count in report.results.items():
        target.results[result] = count
    if report.next is not None:
        target.next_page_token = pages.seal(request, json.dumps(report.next))


def write_explanation(target: pb.Explanation, found: Explanation) -> None:
    """Fill in what is known of a divergence."""
    write_divergence(target.divergence, found.row)
    target.looked, target.agrees = found.has_looked, found.agrees
    target.cause, target.advice = found.cause.text, found.cause.advice
    _write_record(target.primary_version, found.primary)
    _write_record(target.mirror_version, found.mirror)
    for difference in found.differences:
        write_difference(target.differences.add(), difference)
    for operations, ours, other in (
        (target.primary_operations, found.primary, found.mirror),
        (target.mirror_operations, found.mirror, found.primary),
    ):
        for op in reversed(ours.ops if ours else ()):
            operations.add(op=op, seen_by_other=other is not None and other.holds_op(op))


def _write_record(target: pb.Version, record: Record | None) -> None:
    if record is not None:
        target.SetInParent()
        target.epoch, target.revision = record.version
        target.op, target.tombstone = record.op, record.is_tombstone
