"""What scenarios wait for and look at: acknowledged writes, deaths, alarms, epochs; and how they flip."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from crossfade import CrossfadeError, DeadlineExceeded, GateClosed, Stage, Unavailable
from crossfade.cli.alarms import alarms
from crossfade.v1 import migration_pb2 as pb
from tests.faults.site import JOBS, TASKS, Replica, Site
from tests.faults.traffic import Traffic
from tests.faults.verdict import Evidence
from tests.fixtures.waiting import until

PATIENCE = 240.0
"""Seconds that anything may take to come about, on a machine that has other things to do."""

PAUSE = 0.1
"""Seconds between two looks: most of them ask every replica, which has other things to do."""
WITNESS = 1
"""The replica that nothing ever happens to, unless it happens to all: 0 is armed, 2 is stopped or cut off."""

Look = Callable[[pb.Collection], bool]


async def written(traffic: Traffic, count: int) -> None:
    """Wait until the clients have had so many more writes acknowledged."""
    goal = traffic.books.acknowledged + count
    await until(lambda: traffic.books.acknowledged >= goal, timeout=PATIENCE, pause=PAUSE)


async def killed(site: Site, number: int, evidence: Evidence) -> None:
    """Wait until an armed replica has killed itself, and the registry has noticed."""
    child = site.replicas[number].child
    await until(lambda: child.has_exited, timeout=PATIENCE, pause=PAUSE)
    evidence.expect(child.process.returncode == -9, "the armed replica was killed")
    await given_up(site, number, evidence)


async def given_up(site: Site, number: int, evidence: Evidence) -> None:
    """The alarm of a replica that is gone: the others see it dead once its lease has run out."""
    await _listed(site, number, is_alive=False)
    evidence.notes.append("seen dead")


async def _listed(site: Site, number: int, *, is_alive: bool) -> None:
    """Until the registry says so of a replica, asked by another one, which may have just come back itself."""
    replica, witness = site.replicas[number], site.replicas[number - 1]

    async def is_so() -> bool:
        try:
            found = {one.id: one.alive for one in await witness.operator.list_replicas()}
        except (Unavailable, DeadlineExceeded):
            return False
        return found.get(replica.name, False) == is_alive

    await until(is_so, timeout=PATIENCE, pause=PAUSE)


async def all_alive(site: Site) -> None:
    """Until every replica is in the registry."""
    await asyncio.gather(*(_listed(site, number, is_alive=True) for number in range(len(site.replicas))))


async def mirrors_are(site: Site, is_so: Look, at: Sequence[Replica] = ()) -> None:
    """Until this is true of the collection at every replica, or at those named."""

    async def are_all() -> bool:
        found = await _statuses(at or site.replicas)
        return bool(found) and all(map(is_so, found))

    await until(are_all, timeout=PATIENCE, pause=PAUSE)


async def _statuses(replicas: Sequence[Replica]) -> list[pb.Collection]:
    """What each replica says of the collection; nothing while one of them has only just come back."""
    try:
        return await asyncio.gather(*(one.status(TASKS) for one in replicas))
    except (Unavailable, DeadlineExceeded):
        return []


async def breakers_open(site: Site, at: Sequence[Replica] = ()) -> None:
    await mirrors_are(site, lambda one: one.mirror.breaker != pb.MirrorHealth.CLOSED, at)


async def breakers_closed(site: Site) -> None:
    await mirrors_are(site, lambda one: one.mirror.breaker == pb.MirrorHealth.CLOSED)


async def deferred(site: Site) -> int:
    """How many mirror writes all replicas have left to the reconciler."""
    found = await asyncio.gather(*(one.status(TASKS) for one in site.replicas))
    return sum(one.mirror.deferred for one in found)


async def behind(site: Site, evidence: Evidence) -> None:
    """The alarm of a reconciler that cannot reach the mirror: the lag, in seconds and in documents."""
    await mirrors_are(site, lambda one: one.mirror.lag.ToSeconds() >= 1 and one.mirror.pending > 0)
    evidence.notes.append("the lag told so")


async def caught_up(site: Site) -> None:
    """Until the reconciler is no further behind than live traffic on a busy machine makes it."""
    await mirrors_are(site, lambda one: one.mirror.lag.ToSeconds() < 3)


async def alarmed(site: Site, evidence: Evidence) -> None:
    """The alarm of a lost feed, as `crossfade status` tells it."""
    await mirrors_are(site, lambda one: any("feed failed" in told.text for told in alarms([one])))
    evidence.notes.append("ALARM: the feed was lost")


async def agreed(site: Site, evidence: Evidence) -> None:
    """Every replica knows the same epoch again."""

    async def agree() -> bool:
        return len({(one.epoch, one.stage) for one in await _statuses(site.replicas)}) == 1

    await until(agree, timeout=PATIENCE, pause=PAUSE)
    evidence.notes.append("all replicas agree on the epoch")


async def is_refused(work: Awaitable[object], *reasons: str) -> bool:
    """Whether a call fails for one of these reasons."""
    try:
        await work
    except CrossfadeError as error:
        return error.reason.name in reasons
    return False


async def gate(site: Site, collection: str, target: Stage) -> set[str]:
    """The names of the checks that fail for a move now; the collection stays where it is."""
    operator = site.replicas[-1].operator
    response = await operator.move_stage(collection, target, dry_run=True)
    return {check.name for check in response.checks if check.result == pb.Check.FAILED}


async def is_shut(site: Site, collection: str, target: Stage) -> bool:
    """Whether a move that nobody overrides is refused by the gate."""
    try:
        await site.replicas[-1].operator.move_stage(collection, target)
    except GateClosed:
        return True
    return False


async def flipped(
    site: Site, evidence: Evidence, what: str = "flipped", names: Sequence[str] = (TASKS, JOBS)
) -> None:
    """Move collections to the other primary, reservations and all, and note how long writes waited.

    A change that was aborted, since on a busy machine a step took too long, is ordered again.
    """
    holds = await asyncio.gather(*(_flip(site, name) for name in names))
    evidence.notes.append(f"{what}, writes held {' and '.join(f'{hold:.0f}' for hold in holds)} ms")


async def _flip(site: Site, collection: str) -> float:
    target = other(await site.replicas[WITNESS].status(collection))
    deadline = time.monotonic() + PATIENCE
    while True:
        response = await site.move(collection, target, by=WITNESS)
        if response.collection.stage == target.value:
            return response.hold.ToNanoseconds() / 1e6
        assert time.monotonic() < deadline, f"{collection} cannot be moved: every change is aborted"


def other(collection: pb.Collection) -> Stage:
    """The primary's other place."""
    is_mongo = collection.stage == Stage.MONGO_PRIMARY.value
    return Stage.DYNAMO_PRIMARY if is_mongo else Stage.MONGO_PRIMARY
