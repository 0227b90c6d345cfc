"""Processes that die or stand still at the worst moment, and wake up with writes of the past in hand."""

from __future__ import annotations

import asyncio
import time

from crossfade import CrossfadeError, Stage
from tests.faults.bypass import Bypass
from tests.faults.looks import (
    PATIENCE,
    PAUSE,
    WITNESS,
    agreed,
    all_alive,
    flipped,
    given_up,
    killed,
    written,
)
from tests.faults.site import TASKS, Site
from tests.faults.traffic import Traffic
from tests.faults.verdict import Evidence
from tests.fixtures.waiting import until


async def kill_replica(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """Its replica 0 is armed: it dies with a write in its hands, in one store or in both."""
    await killed(site, 0, evidence)
    await written(traffic, 100)
    await site.revive(0)
    await all_alive(site)


async def kill_reconciler(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """Replica 0 is armed, and dies once it reconciles: what bypasses the proxy gives it enough to do."""
    async with Bypass(site, traffic.books.ledger, traffic.deployment) as bypass:
        await _leads(site, 0, evidence)
        await bypass.written(60)
    await written(traffic, 50)
    bypass.tell(evidence)
    await site.revive(0)
    await all_alive(site)


async def _leads(site: Site, number: int, evidence: Evidence) -> None:
    """Have all others stand still until it has taken the reconciler's lease over, and with it its death."""
    others = [one for one in site.replicas if one is not site.replicas[number]]
    for one in others:
        one.stop()
    child = site.replicas[number].child
    try:
        await until(lambda: child.has_exited, timeout=PATIENCE, pause=PAUSE)
    finally:
        for one in others:
            one.resume()
    await killed(site, number, evidence)


async def kill_coordinator(target: Stage, site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """Its replica 0 is armed, and dies as the coordinator of a change; the others bring it to an end.

    On a busy machine a change may be aborted before that moment, or by the successor: both are ends.
    """
    before = await site.replicas[WITNESS].status(TASKS)
    while not await _dies_of(site, target):
        before = await site.replicas[WITNESS].status(TASKS)
    began = time.monotonic()

    async def is_over() -> bool:
        now = await site.replicas[WITNESS].status(TASKS)
        return now.epoch > before.epoch and not now.HasField("change")

    await until(is_over, timeout=PATIENCE, pause=PAUSE)
    took, now = time.monotonic() - began, await site.replicas[WITNESS].status(TASKS)
    ended = "finished" if now.stage == target.value else "aborted"
    evidence.notes.append(f"{ended} by another {took:.1f} s after the death")
    await _is_audited(site, "published" if ended == "finished" else "aborted")
    await killed(site, 0, evidence)
    await site.revive(0)
    await all_alive(site)


async def _dies_of(site: Site, target: Stage) -> bool:
    """Whether replica 0 died of a move that it was asked for; else the move was aborted before."""
    try:
        await site.move(TASKS, target, by=0)
    except CrossfadeError:
        child = site.replicas[0].child
        await until(lambda: child.has_exited, timeout=PATIENCE, pause=PAUSE)
        return True
    return False


async def _is_audited(site: Site, action: str) -> None:
    """Until the audit tells how the change ended, whoever ended it."""

    async def is_told() -> bool:
        [last, *_] = await site.replicas[WITNESS].operator.list_audit_entries(collection=TASKS, limit=1)
        return last.action == action

    await until(is_told, timeout=PATIENCE, pause=PAUSE)


async def stop_through_flip(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """A replica stands still while the primary changes, and wakes up after it."""
    stopped = site.replicas[2]
    stopped.stop()
    await _pass_by(site, traffic, evidence, 2)


async def stop_with_write(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """Replica 0 stops itself with a write in one store; it is delivered to the other after the flip."""
    await until(site.replicas[0].is_stopped, timeout=PATIENCE, pause=PAUSE)
    await _pass_by(site, traffic, evidence, 0)


async def _pass_by(site: Site, traffic: Traffic, evidence: Evidence, number: int) -> None:
    """Let the primary change past a replica that stands still."""
    await flipped(site, evidence, "flipped without it")
    await given_up(site, number, evidence)
    await written(traffic, 30)
    site.replicas[number].resume()
    await agreed(site, evidence)


async def stop_coordinator(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """The coordinator, replica 0, stops itself before the fence; others take over; then it wakes up."""
    before = await site.replicas[WITNESS].status(TASKS)
    moving = asyncio.create_task(site.move(TASKS, Stage.DYNAMO_PRIMARY, by=0))
    await until(lambda: site.replicas[0].is_stopped() or moving.done(), timeout=PATIENCE, pause=PAUSE)
    evidence.expect(site.replicas[0].is_stopped(), "it stood still")

    async def is_over() -> bool:
        return (await site.replicas[WITNESS].status(TASKS)).epoch > before.epoch

    await until(is_over, timeout=PATIENCE, pause=PAUSE)
    await written(traffic, 30)
    site.replicas[0].resume()
    await asyncio.gather(moving, return_exceptions=True)
    await agreed(site, evidence)


async def die_everywhere(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """All replicas die at one moment, and come back: nothing was kept in their memory alone."""
    for replica in site.replicas:
        replica.kill()
    await asyncio.gather(*(site.revive(number) for number in range(len(site.replicas))))
    evidence.notes.append("all replicas killed and started again")
    await all_alive(site)
