"""Rehearsals: cutovers that go back by themselves after a given time, and tell what came of it.

What a rehearsal intends is kept in the flag, so that the way back depends neither on the caller nor on the
replica that began it. Two flips stay spaced as all others are; the report is written before the flag forgets
the rehearsal, so it is written at least once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from proxy.core.errors import BadRequest, Reason
from proxy.core.exchange import DivergenceQuery
from proxy.core.flag import Flag, Job, Rehearsal, Replica
from proxy.core.ports import Control, DivergenceLog
from proxy.cutover.checks import LONGEST_OPERATION

KIND = "rehearsal"
"""The kind of job that keeps the report of a collection's latest rehearsal."""

LONGEST = 24 * 3600.0
"""Seconds: what is to stay longer is no rehearsal."""

_ROWS = 1000
"""How many divergences are looked at for a report, the latest first."""


@dataclass(frozen=True, slots=True)
class RehearsalReport:
    """What came of a rehearsal: `outcomes` of shadow reads while it ran, by name, of every replica that told;
    `divergences` by kind, of those last seen since it began."""

    rehearsal: Rehearsal
    outcomes: Mapping[str, int]
    divergences: Mapping[str, int]


class Tally:
    """What this replica has compared since it learned of each rehearsal, for the registry."""

    def __init__(self, outcomes: Callable[[str], Mapping[str, int]]) -> None:
        self._outcomes = outcomes
        self._before: dict[str, Counter[str]] = {}

    def count(self, flags: Iterable[Flag]) -> dict[str, dict[str, int]]:
        """Outcomes by name, by the id of the rehearsal."""
        known = {
            flag.rehearsal.id: Counter(self._outcomes(flag.collection)) for flag in flags if flag.rehearsal
        }
        self._before = {name: self._before.get(name, counts) for name, counts in known.items()}
        return {name: dict(counts - self._before[name]) for name, counts in known.items()}


def length_in_ms(seconds: float, lease: float) -> int:
    """The length of a rehearsal. Raises BadRequest where the way back would come too soon, or never."""
    shortest = lease + LONGEST_OPERATION
    if not shortest < seconds <= LONGEST:
        text = f"a rehearsal takes more than {shortest:g} s here, the spacing of two flips, and at most a day"
        raise BadRequest(text, Reason.INVALID_ARGUMENT, field="duration")
    return round(seconds * 1000)


def is_due(flag: Flag, now: int, lease: float) -> bool:
    """True when the way back may begin: its time has come, and the last publication is long enough ago."""
    if flag.rehearsal is None or flag.rehearsal.is_over or flag.change is not None:
        return False
    spaced_at = flag.published_at + round((lease + LONGEST_OPERATION) * 1000)
    return now >= flag.rehearsal.return_at and now > spaced_at


def end_early(flag: Flag, now: int) -> Flag:
    """The flag of a rehearsal that shall go back as soon as it may."""
    assert flag.rehearsal is not None
    return replace(flag, rehearsal=replace(flag.rehearsal, return_at=min(now, flag.rehearsal.return_at)))


def is_told(flag: Flag, replicas: Iterable[Replica]) -> bool:
    """True when every live replica has learned of the way back, and so told the registry all it compared."""
    alive = (replica for replica in replicas if replica.is_alive)
    return all(replica.seen.get(flag.collection, flag.serial) >= flag.serial for replica in alive)


async def write_report(control: Control, divergences: DivergenceLog, flag: Flag) -> RehearsalReport:
    """Keep what came of a rehearsal that is over; repeating it does no harm."""
    assert flag.rehearsal is not None
    outcomes: Counter[str] = Counter()
    for replica in await control.replicas():
        outcomes.update(replica.compared.get(flag.rehearsal.id, {}))
    rows = await divergences.list(DivergenceQuery(collection=flag.collection, limit=_ROWS))
    kinds = Counter(row.kind.value for row in rows if row.last_seen >= flag.rehearsal.started_at)
    report = RehearsalReport(flag.rehearsal, dict(outcomes), dict(kinds))
    await control.save_job(_to_job(flag, report, await control.now()))
    return report


def report_in(job: Job | None) -> RehearsalReport | None:
    """The report that a job keeps."""
    if job is None:
        return None
    data = json.loads(job.position)
    return RehearsalReport(Rehearsal(**data["rehearsal"]), data["outcomes"], data["divergences"])


def _to_job(flag: Flag, report: RehearsalReport, now: int) -> Job:
    return Job(
        collection=flag.collection,
        kind=KIND,
        state="finished",
        epoch=flag.epoch,
        started_at=report.rehearsal.started_at,
        updated_at=now,
        counts={},
        position=json.dumps(asdict(report)),
    )
