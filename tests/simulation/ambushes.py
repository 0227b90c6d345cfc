"""Where traps are set for a change of the stage: each plan makes one kind of bad history likely."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tests.simulation.kinds import Ambush
from tests.simulation.links import BEFORE_APPLY, BEFORE_WRITE
from tests.simulation.replica import SimulatedReplica

if TYPE_CHECKING:
    from tests.simulation.nemesis import Harm, Nemesis

STORES = ("mongo", "dynamo")
STEPS = ("cutover.hold", "cutover.fence", "cutover.drain", "cutover.publish", "cutover.abort")
WRITES = ("pipeline.between_stores", "mirror.before_write")
RECONCILING = (
    "reconcile.between_reads",
    "reconcile.before_apply",
    "reconcile.before_restamp",
    "reconcile.before_purge",
    "feed.after_apply",
    "feed.before_checkpoint",
)
JOBS = ("backfill.after_copy", "backfill.before_checkpoint", "verify.after_chunk")

Plan = Callable[["Nemesis", SimulatedReplica], None]
"""Sets its traps; told who will coordinate the change."""


def strike(nemesis: Nemesis, _: SimulatedReplica) -> None:
    """Kill, freeze or cut off whoever reaches some moment first."""
    moment = nemesis.rng.choice(nemesis.rng.choice([STEPS, STEPS, WRITES, WRITES, RECONCILING, JOBS]))
    harm = nemesis.rng.choice([nemesis.crash, nemesis.freeze, nemesis.freeze, nemesis.isolate])
    nemesis.trap(moment, harm)


def anywhere(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """Whoever coordinates, or another, is killed or stands still between any two awaits of the change."""
    victim = nemesis.rng.choice([coordinator, coordinator, *nemesis.others(coordinator)])
    harm = nemesis.rng.choice([nemesis.crash, nemesis.crash, nemesis.freeze])
    nemesis.cause(nemesis.between_two_steps(harm), victim)


def stop(nemesis: Nemesis, _: SimulatedReplica) -> None:
    """A replica stands still until after the change, often with a write in its hands."""
    if nemesis.rng.random() < 0.7:
        nemesis.trap(nemesis.rng.choice([BEFORE_WRITE, BEFORE_APPLY]), nemesis.nap)
    else:
        nemesis.trap("cutover.hold", _on_another(nemesis, nemesis.nap))


def hands_full(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """Calls pile up in a replica; it stands still with all of them when its next write is under way, and
    wakes up after the change, alone with the old primary, or while the others are without it."""
    if not (others := nemesis.others(coordinator)):
        return
    victim, (old, new) = nemesis.rng.choice(others), nemesis.roles()
    is_lonely = nemesis.rng.random() < 0.6

    async def stand_still(one: SimulatedReplica) -> None:
        one.links[new].is_cut = is_lonely
        await nemesis.nap(one)
        await asyncio.sleep(nemesis.rng.uniform(0.1, 0.4))
        for way in STORES:
            one.links[way].heal()

    async def divide(_: SimulatedReplica) -> None:
        await asyncio.gather(*(nemesis.cut(one, old) for one in nemesis.others(victim)))

    queueing = nemesis.rng.choice([0.02, 0.04, 0.08])
    for way in STORES:
        victim.links[way].queueing = queueing
    nemesis.crowd_at(victim)
    nemesis.trap(BEFORE_WRITE, stand_still, victim)
    if not is_lonely:
        nemesis.trap("cutover.publish", divide)


def sleeper(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """The same, and it wakes up in between: with MongoDB alone between drain and fence, while nobody reaches
    the new primary, or with DynamoDB just before the publication, of which it hears late."""
    if not (others := nemesis.others(coordinator)):
        return
    victim, (old, new) = nemesis.rng.choice(others), nemesis.roles()
    is_lonely = old == "mongo"

    async def sleep(one: SimulatedReplica) -> None:
        one.links[new].is_cut = is_lonely
        one.links["control"].news_delay = 0.4
        await nemesis.nap(one)
        await asyncio.sleep(1.0)
        for link in one.links.values():
            link.heal()

    async def wake(reacher: SimulatedReplica) -> None:
        if is_lonely:
            for one in nemesis.others(victim):
                nemesis.cause(nemesis.cut_shortly(new), one)
        reacher.process.freeze()
        victim.thaw()
        await asyncio.sleep(nemesis.rng.uniform(0.05, 0.15))
        reacher.thaw()

    for way in STORES:
        victim.links[way].queueing = 0.08
    nemesis.crowd_at(victim)
    nemesis.trap(BEFORE_WRITE, sleep, victim)
    moment = nemesis.rng.choice(["cutover.fence", "cutover.drain"]) if is_lonely else "cutover.publish"
    nemesis.trap(moment, wake)


def forgotten(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """A replica stands still with its calls until all is over, and the old primary misses what is written."""
    if not (others := nemesis.others(coordinator)):
        return
    victim, (old, _) = nemesis.rng.choice(others), nemesis.roles()

    async def divide(_: SimulatedReplica) -> None:
        those = [one.links[old] for one in nemesis.others(victim)]
        for link in those:
            link.is_cut = True
        await asyncio.sleep(nemesis.rng.uniform(1.0, 2.5))
        for link in those:
            link.heal()

    for way in STORES:
        victim.links[way].queueing = 0.05
    nemesis.crowd_at(victim)
    nemesis.trap(BEFORE_WRITE, nemesis.nap, victim)
    nemesis.trap("cutover.publish", divide)


def cut_off(nemesis: Nemesis, _: SimulatedReplica) -> None:
    """One replica is on its own when the hold begins."""
    nemesis.trap("cutover.hold", _on_another(nemesis, nemesis.isolate))


def late_news(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """One replica hears of the change late, while the others cannot reach one of the stores after it."""
    if not (others := nemesis.others(coordinator)):
        return
    late = nemesis.rng.choice(others)
    nemesis.crowd_at(late)

    async def divide(_: SimulatedReplica) -> None:
        await asyncio.gather(nemesis.slow(late), _divide(nemesis, nemesis.others(late)))

    if nemesis.rng.random() < 0.7:
        nemesis.cause(nemesis.slow, late)
    nemesis.trap("cutover.publish", divide)


def left_behind(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """One replica has lost the control store alone, and does not find it before the others have gone on."""
    if not (others := nemesis.others(coordinator)):
        return
    victim = nemesis.rng.choice(others)
    nemesis.crowd_at(victim)
    nemesis.cause(_lose_control(4.0), victim)
    nemesis.trap("cutover.publish", lambda _: _divide(nemesis, nemesis.others(victim)))


def mirror_away(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """Nobody reaches the mirror from shortly before the change until some time in it."""
    _, mirror = nemesis.roles()

    async def cut(one: SimulatedReplica) -> None:
        await nemesis.cut(one, mirror)

    for one in (coordinator, *nemesis.others(coordinator)):
        nemesis.cause(cut, one)


def come_back(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """A replica loses the control store for the change, and finds it again slowly, while the others cannot
    reach one of the stores."""
    if not (others := nemesis.others(coordinator)):
        return
    victim = nemesis.rng.choice(others)
    nemesis.crowd_at(victim)

    async def find(_: SimulatedReplica) -> None:
        victim.links["control"].is_cut = False
        await asyncio.gather(nemesis.slow(victim), _divide(nemesis, nemesis.others(victim)))

    nemesis.cause(_lose_control(4.0), victim)
    nemesis.trap("cutover.publish", find)


def deaf(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """One replica hears of the hold late, and is slow to reach one of the stores."""

    async def be_slow(one: SimulatedReplica) -> None:
        one.links[nemesis.rng.choice(["mongo", "dynamo"])].slowness = nemesis.rng.uniform(0.02, 0.1)
        await nemesis.slow(one)
        for link in one.links.values():
            link.heal()

    if others := nemesis.others(coordinator):
        nemesis.cause(be_slow, nemesis.rng.choice(others))


def newcomer(nemesis: Nemesis, _: SimulatedReplica) -> None:
    """A replica starts while the primary changes."""
    moment = nemesis.rng.choice(["cutover.hold", "cutover.fence", "cutover.drain", "cutover.publish"])
    nemesis.trap(moment, lambda _: nemesis.newcomer())


def late_start(nemesis: Nemesis, coordinator: SimulatedReplica) -> None:
    """A replica starts before the change and is slow to register; it does so when all is over."""

    async def begin(_: SimulatedReplica) -> None:
        await nemesis.newcomer(nemesis.rng.uniform(0.05, 0.25))

    old = [coordinator, *nemesis.others(coordinator)]
    nemesis.cause(begin, coordinator)
    nemesis.trap("cutover.publish", lambda _: _divide(nemesis, old))


def _lose_control(seconds: float) -> Harm:
    async def lose(one: SimulatedReplica) -> None:
        one.links["control"].is_cut = True
        await asyncio.sleep(seconds)
        one.links["control"].is_cut = False

    return lose


async def _divide(nemesis: Nemesis, those: Sequence[SimulatedReplica]) -> None:
    """Those cannot reach one of the stores for a while: mostly the one that is to be the mirror, so that the
    old primary goes on without what the new one has."""
    store = nemesis.rng.choice([*[nemesis.roles()[0]] * 6, "mongo", "dynamo"])
    await asyncio.gather(*(nemesis.cut(one, store) for one in those))


def _on_another(nemesis: Nemesis, harm: Harm) -> Harm:
    async def strike_another(reacher: SimulatedReplica) -> None:
        if others := nemesis.others(reacher):
            await harm(nemesis.rng.choice(others))

    return strike_another


PLANS: Mapping[Ambush, Plan] = {
    Ambush.STRIKE: strike,
    Ambush.ANYWHERE: anywhere,
    Ambush.STOP: stop,
    Ambush.CUT_OFF: cut_off,
    Ambush.LATE_NEWS: late_news,
    Ambush.RETURN: come_back,
    Ambush.DEAF: deaf,
    Ambush.NEWCOMER: newcomer,
    Ambush.LATE_START: late_start,
    Ambush.HANDS_FULL: hands_full,
    Ambush.SLEEPER: sleeper,
    Ambush.FORGOTTEN: forgotten,
    Ambush.LEFT_BEHIND: left_behind,
    Ambush.MIRROR_AWAY: mirror_away,
}
