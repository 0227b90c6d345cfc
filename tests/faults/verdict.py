"""What a scenario proved: the books of the clients against both stores and against one register a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from crossfade import DivergenceKind
from examples.demo.checker import Findings, check
from tests.faults.site import Site
from tests.faults.traffic import Books, Traffic
from tests.simulation.history import History
from tests.simulation.registers import first_contradiction, is_linearizable

SETTLE = 120.0
"""Seconds that the reconciler has to make both stores equal, on a machine that has other things to do."""

FALSE = (
    DivergenceKind.TRUE_MISMATCH,
    DivergenceKind.VERSION_CONFLICT,
    DivergenceKind.GHOST_IN_MIRROR,
    DivergenceKind.MIRROR_AHEAD,
    DivergenceKind.QUERY_MISMATCH,
    DivergenceKind.ERROR_PARITY,
)
"""What nobody may report here, since no fault changes a document: a mirror can only be late."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of the table. `faults` are sentences; none means that the fault was survived."""

    name: str
    acknowledged: int
    unknown: int
    lost: int
    longest_ms: float
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    took: float = 0.0
    histories: Mapping[str, str] = field(default_factory=dict)
    """By key what its calls were and how they ended, of registers that nothing explains."""


@dataclass(slots=True)
class Evidence:
    """What a scenario itself found: `wrong` fails it, `notes` are shown. With `is_finished` MongoDB is out of
    use, and what it holds counts no more."""

    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_finished: bool = False

    def expect(self, is_true: bool, sentence: str) -> None:
        """Note an alarm that sounded, or a promise that was kept; else it is wrong."""
        (self.notes if is_true else self.wrong).append(sentence if is_true else f"not so: {sentence}")


async def judge(name: str, site: Site, traffic: Traffic, evidence: Evidence) -> Verdict:
    """Wait until both stores are equal, at most `SETTLE` seconds, and compare all with what was promised."""
    books = traffic.books
    findings = await check(site.stack, books.ledger, patience=0.0 if evidence.is_finished else SETTLE)
    if evidence.is_finished:
        broken = findings.broken if findings.dynamodb.lost else ()
        findings = replace(findings, mongodb=findings.dynamodb, unequal={}, broken=broken)
    finals = await traffic.finals()
    reported = [] if evidence.is_finished else await _false_alarms(site, traffic.began_at)
    crooked = await asyncio.to_thread(crooked_keys, books.history, finals)
    wrong = [*evidence.wrong, *books.complaints[:3], *_faults(findings, crooked, books), *reported]
    longest = max((one.took for one in books.samples if one.is_write), default=0.0)
    return Verdict(
        name=name,
        acknowledged=books.acknowledged,
        unknown=books.unknown,
        lost=findings.lost + len(crooked),
        longest_ms=longest * 1000,
        faults=tuple(wrong),
        notes=tuple(evidence.notes),
        histories={key: _told(key, books.history, finals[key]) for key in crooked},
    )


async def _false_alarms(site: Site, since: float) -> list[str]:
    """Divergences in the log, and fences that fell, since a time, that cannot have been; as sentences."""
    operator, told = site.replicas[-1].operator, list[str]()
    for kind in FALSE:
        for found in await operator.list_divergences(kind=kind, limit=1000):
            if found.last_seen_time.ToNanoseconds() / 1e9 >= since:
                told.append(f"false alarm: {kind.name} {found.collection} {found.description}")
    for entry in await operator.list_audit_entries(limit=1000):
        if entry.action == "fence_restored" and entry.time.ToNanoseconds() / 1e9 >= since:
            told.append(f"false alarm: {entry.collection}: {entry.reason}")
    return told[:5]


def crooked_keys(history: History, finals: Mapping[str, int | None]) -> list[str]:
    """The keys whose history no single register could have had."""
    began = time.monotonic()
    crooked = [key for key, final in finals.items() if not is_linearizable(history.of(key), None, final)]
    assert time.monotonic() - began < 60, "the histories are too long to be checked"
    return crooked


def _told(key: str, history: History, final: int | None) -> str:
    """A register's calls, in seconds of the clock that proxies log by, and where they go wrong."""
    calls = history.of(key)
    lag = time.time() - time.monotonic()
    moved = [replace(call, called=call.called + lag, returned=call.returned + lag) for call in calls]
    wrong = first_contradiction(moved, None)
    first = f"certain by {wrong}" if wrong else "only the end does not fit"
    return "\n".join([first, *map(str, moved), f"final value: {final}", ""])


def _faults(findings: Findings, crooked: list[str], books: Books) -> list[str]:
    found = {
        f"{findings.lost} acknowledged writes are lost: {findings.broken[:3]}": findings.lost,
        f"{findings.doubled} writes were applied twice: {findings.broken[:3]}": findings.doubled,
        f"the stores differ: {dict(findings.kinds)} {list(findings.unequal)[:3]}": len(findings.unequal),
        f"no register explains {', '.join(crooked)}": len(crooked),
        "a job had two owners": books.ledger.collisions(),
        "nothing was written": not books.acknowledged,
    }
    stories = [f"{name[-1]}: {line}" for name in findings.broken[:2] for line in books.stories.get(name, ())]
    return [sentence for sentence, count in found.items() if count] + stories
