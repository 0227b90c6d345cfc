"""A report as plain data, for `--json`. Its words are described in docs/assess.md; they change with care."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from proxy.assess.calls import CallFate, described
from proxy.assess.findings import MEANINGS, Finding
from proxy.assess.proposal import Fate
from proxy.assess.report import CollectionReport, Report
from proxy.assess.tally import EDGES, Histogram


def as_plain(report: Report) -> dict[str, Any]:
    """Only maps, lists, texts, numbers, booleans and null."""
    return {
        "made_at": report.made_at,
        "ready": report.is_ready,
        "server": asdict(report.server),
        "findings": [_finding(each) for each in report.findings],
        "profiler": dict(report.profiles),
        "collections": [_collection(each) for each in report.collections],
        "declarations": report.declarations,
        "prices": asdict(report.prices),
    }


def _collection(each: CollectionReport) -> dict[str, Any]:
    facts, evidence = each.facts, each.evidence
    return {
        "namespace": facts.namespace,
        "place": facts.place.value,
        "verdict": each.verdict.value,
        "documents": facts.documents,
        "read": evidence.read,
        "complete": each.is_complete,
        "bson_bytes": _sizes(evidence.documents),
        "item_bytes": _sizes(evidence.items),
        "partitions": evidence.partitions.estimate,
        "largest_partition_share": round(evidence.heaviest.share, 6),
        "faults": [_fault(each, fault.value) for fault in MEANINGS if fault in evidence.faults],
        "findings": [_finding(found) for found in each.findings],
        "proposal": {"name": each.proposal.name, **each.proposal.declaration}
        if each.proposal.collection
        else None,
        "refused_keys": list(each.proposal.refused_keys),
        "indexes": [_fate(fate) for fate in each.proposal.fates],
        "calls": [_call(call) for call in each.calls],
        "cost": {"month": each.costs.month, **asdict(each.costs)},
    }


def _sizes(histogram: Histogram) -> dict[str, Any]:
    return {
        "mean": round(histogram.mean, 1),
        "median": histogram.quantile(0.5),
        "p99": histogram.quantile(0.99),
        "largest": histogram.largest,
        "up_to": [*EDGES, None],
        "counts": list(histogram.counts),
    }


def _fault(each: CollectionReport, kind: str) -> dict[str, Any]:
    fault, meaning = next((f, m) for f, m in MEANINGS.items() if f.value == kind)
    seen = each.evidence.faults[fault]
    return {
        "kind": kind,
        "severity": meaning.severity.value,
        "count": seen.count,
        "meaning": meaning.text,
        "remedy": meaning.remedy,
        "examples": list(seen.kept),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "severity": finding.severity.value,
        "text": finding.text,
        "remedy": finding.remedy,
    }


def _fate(fate: Fate) -> dict[str, Any]:
    index = fate.index
    return {
        "mongodb": index.name if index else None,
        "fields": [list(pair) for pair in index.fields] if index else [],
        "unique": bool(index and index.is_unique),
        "becomes": fate.becomes.name.lower(),
        "name": fate.name,
        "reason": fate.reason,
    }


def _call(call: CallFate) -> dict[str, Any]:
    return {
        "shape": described(call.shape),
        "count": call.calls.count,
        "returned": call.calls.returned,
        "examined": call.calls.examined,
        "milliseconds": call.calls.milliseconds,
        "served": call.served.name.lower(),
        "index": call.index,
        "note": call.note,
    }
