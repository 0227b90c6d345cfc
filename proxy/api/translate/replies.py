"""Results of the core to protobuf replies."""

from __future__ import annotations

from crossfade.v1 import storage_pb2 as pb
from proxy.api.translate.documents import write_document
from proxy.core.collection import IndexKind
from proxy.core.exchange import Page
from proxy.core.query import Freshness, Plan
from proxy.core.version import Record, etag_of
from proxy.flow.mirror import MirrorOutcome
from proxy.flow.pipeline import Written

_MIRRORS = {
    MirrorOutcome.NONE: pb.MIRROR_NONE,
    MirrorOutcome.APPLIED: pb.MIRROR_APPLIED,
    MirrorOutcome.DEFERRED: pb.MIRROR_DEFERRED,
}
_FRESHNESS = {
    Freshness.STRONG: pb.FRESHNESS_STRONG,
    Freshness.EVENTUAL: pb.FRESHNESS_EVENTUAL,
}
_BEFORE = (pb.RETURN_DOCUMENT_BEFORE, pb.RETURN_DOCUMENT_BOTH)
_AFTER = (pb.RETURN_DOCUMENT_AFTER, pb.RETURN_DOCUMENT_BOTH)


def write_get(target: pb.GetResponse, record: Record | None) -> None:
    """Fill in the document and etag of a record; nothing where there is none."""
    if record is not None and record.document is not None:
        target.document.SetInParent()
        write_document(target.document, record.document)
        target.etag = etag_of(record)


def write_page(target: pb.QueryResponse, page: Page) -> None:
    """Fill in the documents of a page, in order."""
    for record in page.records:
        if record.document is not None:
            row = target.documents.add()
            row.document.SetInParent()
            write_document(row.document, record.document)
            row.etag = etag_of(record)


def write_plan(target: pb.Plan, plan: Plan) -> None:
    """Fill in how a query was served: "key" is the collection's own key, "scan" no index at all."""
    is_key = plan.index is not None and plan.index.kind is IndexKind.TABLE
    target.index = "key" if is_key else plan.index.name if plan.index else "scan"
    target.freshness = _FRESHNESS[plan.freshness]


def write_written(target: pb.WriteResponse, written: Written, wanted: pb.ReturnDocument) -> None:
    """Fill in what a write did, with the images that the client wants."""
    result = written.result
    target.mirror = _MIRRORS[written.mirror]
    if not result.matched:
        return
    target.matched = not result.inserted
    target.modified = _is_modified(written)
    target.inserted = result.inserted
    target.repeated = result.repeated
    target.op = written.op
    if result.after is not None and not result.after.is_tombstone:
        target.etag = etag_of(result.after)
    if wanted in _BEFORE and not result.repeated:
        _write_image(target, "before", result.before)
    if wanted in _AFTER:
        _write_image(target, "after", result.after)


def _is_modified(written: Written) -> bool:
    """Whether clients see a change. Without a pre-image it is taken for one: the version did change."""
    before, after = written.result.before, written.result.after
    if before is None or after is None:
        return not written.result.repeated
    return before.document != after.document


def _write_image(target: pb.WriteResponse, field: str, record: Record | None) -> None:
    if record is not None and record.document is not None:
        image = getattr(target, field)
        image.SetInParent()
        write_document(image, record.document)
