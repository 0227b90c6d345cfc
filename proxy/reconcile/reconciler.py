"""Keeps one collection's mirror converging: one replica at a time follows the primary's feed, by lease.

Invariants: no event falls between two positions. While there is no mirror yet, a position is kept fresh that
is older than any later publication; before a flip, one is secured in the feed of the primary to be. A feed
that is lost is said so, loudly and durably, until a full verify has looked at everything. Two reconcilers at
once are harmless, since everything they do is conditional.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from types import MappingProxyType

from proxy.core.errors import CrossfadeError
from proxy.core.exchange import FeedLost
from proxy.core.flag import Job
from proxy.core.ports import Door
from proxy.core.stage import Published, Stage, StoreName
from proxy.faultpoint import faultpoint
from proxy.reconcile.checkpoint import (
    FAILED,
    KIND,
    Health,
    Place,
    adopted_kind,
    feed_job,
    health_of,
    is_good_for_now,
    is_recent,
    place_in,
    secured_job,
    secured_kind,
)
from proxy.reconcile.feed_pass import FeedStatus, Pass
from proxy.reconcile.follower import Follower
from proxy.reconcile.lease import Lease
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.settler import Settler, Superseded
from proxy.reconcile.site import Site
from proxy.reconcile.tail import follow_tail

_log = logging.getLogger("crossfade.reconcile")

LEASE = 5.0
"""Seconds that the reconciler of a dead replica is missed for, at most."""
TICK = 0.25
"""Seconds between two looks at the stage and the lease."""
CHECKPOINT = 0.5
"""Seconds between two saved positions, while there is something to save."""
SIGN_OF_LIFE = 3.0
"""The same when nothing happens: the gate wants to hear of us."""
WARM_UP = 2.0
"""Seconds that a change of stage may spend on preparing its drain, before it holds writes."""
SECURED_FOR = 10.0
"""Seconds for which positions secured before a drain are good for it."""
TIP = 5.0
"""Seconds between two fresh positions while the collection has no mirror, on average, where they are few."""
TIPS = 5
"""Fresh positions that a replica takes a second, for all of its collections: it has other things to do. Those
of 500 collections are a minute or two old, and so is where the reconciler begins when one gets its mirror."""


class Reconciler:
    """One collection's reconciler on one replica: `run` it as a task, `drain` it from a cutover."""

    def __init__(self, site: Site, door: Door, collections: int = 1) -> None:
        """`collections` is how many the replica has in all."""
        self._site = site
        self._door = door
        self._tip_pause = max(TIP, collections / TIPS)
        self._quarantine = Quarantine()
        self._pass: Pass | None = None
        self._started = asyncio.Condition()
        self._wake = asyncio.Event()
        self._lease = Lease(site.control, f"reconciler/{site.name}", site.replica, LEASE)
        self._attend_until = 0.0
        self._takes_turns = False
        self._gaps = 0
        self._secured: tuple[int, float] | None = None  # the epoch, and when

    def status(self) -> FeedStatus:
        now = self._pass
        return FeedStatus(
            is_leading=self._lease.is_held,
            following=now.store if now else None,
            lag=now.follower.lag if now else None,
            quarantined=len(self._quarantine),
            bypass_at=now.bypass_at if now else 0,
            message=now.health.message if now else "",
            counts=MappingProxyType(now.counts() if now else {}),
        )

    def wake(self) -> None:
        """Look at the stage now instead of at the next tick."""
        self._wake.set()

    def attend(self, seconds: float) -> None:
        """Follow along for a while, even while another replica has the lease: a drain is then quicker."""
        self._attend_until = max(self._attend_until, _seconds() + seconds)
        self.wake()

    async def make_ready(self, seconds: float) -> None:
        """Do beforehand what a drain would take its time for: follow along for so many seconds, catch up
        once, and secure a position in each feed. What fails here, the drain does."""
        if self._door.published.stage.mirror is None:
            return
        self.attend(seconds)
        try:
            async with asyncio.timeout(WARM_UP):
                await asyncio.gather(self._pass_marker(), self._secure_both())
        except (TimeoutError, CrossfadeError, FeedLost) as error:
            _log.info("the drain of %s is not prepared: %r", self._site.name, error)

    async def run(self) -> None:
        """For ever; cancel it to stop. The lease is given up then."""
        try:
            while True:
                await self._run_once()
        finally:
            await self._lease.release()

    async def drain(self, timeout: float, *, gaps_known_at: int = 0) -> bool:
        """Wait until the mirror has everything that the primary took before this call, and secure a position
        in each feed. False after `timeout` seconds, or when that cannot be said: a document was refused by
        the mirror meanwhile, or the feed was lost. True where there is no mirror.

        A feed of MongoDB that was lost before counts too, until a verify: the gate may have been passed
        before that. Gaps declared before `gaps_known_at` (milliseconds) an operator has taken upon himself.
        DynamoDB's own feed may be lost, for MongoDB has what was acknowledged."""
        mirror = self._door.published.stage.mirror
        if mirror is None:
            return True
        gaps = self._gaps
        self.attend(timeout + 1.0)
        try:
            async with asyncio.timeout(timeout):
                (refused, followed), _ = await asyncio.gather(self._pass_marker(), self._secure_both())
        except (TimeoutError, CrossfadeError, FeedLost) as error:
            _log.warning("draining %s did not end: %r", self._site.name, error)
            return False
        if refused:
            _log.warning("draining %s: %d documents cannot reach the mirror", self._site.name, refused)
        is_new = followed.is_torn and followed.health.since >= gaps_known_at
        if is_new and followed.store is StoreName.MONGODB:
            _log.warning("draining %s: %s", self._site.name, followed.health.message)
            return False
        return not refused and gaps == self._gaps

    async def _pass_marker(self) -> tuple[int, Pass]:
        """Wait until everything before now is settled; how many documents were refused or not named, and in
        which pass."""
        while True:
            now = await self._following()
            before = now.unsettled
            marker = await self._site.feeds[now.store].mark()
            if await now.follower.wait_for(marker):
                return now.unsettled - before, now

    async def _secure_both(self) -> None:
        """Any position of this epoch is older than the next publication; a recent one is read up soon."""
        epoch, now = self._door.published.epoch, _seconds()
        if self._secured and self._secured[0] == epoch and now - self._secured[1] < SECURED_FOR:
            return
        await asyncio.gather(*map(self._secure, StoreName))
        self._secured = (epoch, now)

    async def _secure(self, store: StoreName) -> None:
        site = self._site
        position = await site.feeds[store].tip()
        job = secured_job(site.name, self._door.published.epoch, store, position, site.clock.now())
        await site.control.save_job(job)

    async def _following(self) -> Pass:
        """The running pass over the feed of the primary that is published."""
        async with self._started:
            await self._started.wait_for(self._is_following)
        assert self._pass is not None
        return self._pass

    def _is_following(self) -> bool:
        now = self._pass
        return bool(now and not now.follower.is_over and now.store is self._door.published.stage.primary)

    async def _run_once(self) -> None:
        published = self._door.published
        try:
            if await self._may_work(published):
                await self._work(published)
            elif published.stage.mirror is None:
                await self._rest_between_tips()
            else:
                await self._rest(1.0)
        except Superseded:
            await self._rest(TICK)
        except FeedLost as lost:
            await self._declare_gap(str(lost))
        except CrossfadeError as error:
            _log.warning("the reconciler of %s starts again: %s", self._site.name, error)
            await self._rest(TICK)
        except Exception:  # a fault of ours in one collection must not end its following for good
            _log.exception("the reconciler of %s failed", self._site.name)
            await self._rest(1.0)

    async def _may_work(self, published: Published) -> bool:
        if published.stage is Stage.DYNAMO_ONLY:
            return False
        return await self._lease.hold() or (
            published.stage.mirror is not None and _seconds() < self._attend_until
        )

    async def _work(self, published: Published) -> None:
        if published.stage.mirror is None:
            await self._keep_tip()
        else:
            await self._follow(published)

    async def _keep_tip(self) -> None:
        """Save a position that is older than any publication still to come: the stage is read after it."""
        site = self._site
        if not self._takes_turns:
            self._takes_turns = True
            if is_good_for_now(await site.control.job(site.name, KIND), site.clock.now()):
                await self._rest_between_tips()  # all collections start at once, and this one can wait
                return
        position = await site.feeds[StoreName.MONGODB].tip()
        flag = await site.control.flag(site.name)
        if flag.stage is not Stage.MONGO_ONLY:  # published, and the door is about to learn of it
            await self._rest(TICK)
            return
        now = site.clock.now()
        place = Place(StoreName.MONGODB, position, position)
        await site.control.save_job(feed_job(site.name, flag.epoch, place, Health(now), {}, now))
        await self._rest_between_tips()

    async def _follow(self, published: Published) -> None:
        now = await self._start_pass(published)
        now.task = asyncio.create_task(now.follower.run(), name=f"reconcile.{self._site.name}")
        tail = asyncio.create_task(self._follow_tail(now), name=f"tail.{self._site.name}")
        try:
            await self._announce(now)
            await self._tend(now)
        finally:
            self._pass = None
            now.task.cancel()
            tail.cancel()
            await asyncio.gather(now.task, tail, return_exceptions=True)
        if not now.task.cancelled() and (error := now.task.exception()):
            raise error

    async def _follow_tail(self, now: Pass) -> None:
        if now.store is StoreName.MONGODB:
            await follow_tail(self._site, now.settler)

    async def _tend(self, now: Pass) -> None:
        """Watch stage and lease, and save positions, until this pass is over."""
        assert now.task is not None
        while not now.task.done():
            await self._rest(TICK, now.task)
            stage = self._door.published.stage
            if stage.primary is not now.store or stage.mirror is None:
                return
            if not await self._lease.hold() and _seconds() >= self._attend_until:
                return
            if self._lease.is_held:
                if not now.is_leading:
                    return  # it began behind what is to be looked at once more, the leader's business
                await self._save(now)

    async def _start_pass(self, published: Published) -> Pass:
        site, store = self._site, published.stage.primary
        job = await site.control.job(site.name, KIND)
        place = place_in(job, store)
        health = health_of(job, site.clock.now())
        if place is None:
            place = await self._secured_place(published)
        if place is None:
            place, health = await self._begin_anew(published, job, health)
        pair = site.pair(published)
        assert pair is not None, "only a stage with a mirror is followed"
        settler = Settler(site, pair, self._quarantine)
        is_leading = self._lease.is_held
        purged = place.purged if is_leading else place.applied
        follower = Follower(site.feeds[store], place.applied, purged, settler.settle, site.clock)
        counts = Counter(job.counts if job else {})
        return Pass(published, is_leading, follower, settler, health, counts, counts["bypass_at"])

    async def _secured_place(self, published: Published) -> Place | None:
        """In the feed of a store that has just become the primary: before the change that made it so, and
        before anything that was adopted in that change."""
        control, name, store = self._site.control, self._site.name, published.stage.primary
        adopted = await control.job(name, adopted_kind(store)) if store is StoreName.DYNAMODB else None
        if adopted and (adopted.epoch == published.epoch - 1 or is_recent(adopted, self._site.clock.now())):
            return place_in(adopted, store)
        return place_in(await control.job(name, secured_kind(store)), store)

    async def _begin_anew(
        self, published: Published, job: Job | None, health: Health
    ) -> tuple[Place, Health]:
        """From the feed's tip. Only before there was anything to mirror is that no gap."""
        store = published.stage.primary
        position = await self._site.feeds[store].tip()
        if job is not None or store is not StoreName.MONGODB:
            health = self._gap(f"no position was kept in the feed of {store.value}")
        place = Place(store, position, position)
        await self._save_place(published, place, health, Counter(job.counts if job else {}))
        return place, health

    async def _save(self, now: Pass) -> None:
        """Save the position soon after something was done, and from time to time otherwise."""
        handled, waited = now.follower.handled, _seconds() - now.saved_at
        if waited < (SIGN_OF_LIFE if handled == now.handled else CHECKPOINT):
            return
        if now.follower.blind > now.blind:
            now.health = self._gap(f"{now.follower.blind} events named no document")
            now.before["blind"] += now.follower.blind - now.blind
            now.blind = now.follower.blind
        now.health = await self._heal(now.health)
        await faultpoint("feed.before_checkpoint")
        await self._save_place(self._door.published, now.place(), now.health, now.counts())
        now.handled, now.saved_at = handled, _seconds()

    async def _save_place(
        self, published: Published, place: Place, health: Health, counts: Counter[str]
    ) -> None:
        site = self._site
        job = feed_job(site.name, published.epoch, place, health, counts, site.clock.now())
        await site.control.save_job(job)

    async def _heal(self, health: Health) -> Health:
        """A full verify that began after the gap has looked at everything that was missed."""
        if health.state != FAILED:
            return health
        verify = await self._site.control.job(self._site.name, "verify")
        if verify and verify.state == "finished" and verify.started_at > health.since:
            _log.warning("the gap in the feed of %s is closed by a verify", self._site.name)
            return Health(health.since)
        return health

    async def _declare_gap(self, reason: str) -> None:
        """The position is lost: go on from the tip, and have it known that something may be missing."""
        site, published = self._site, self._door.published
        self._site.signals.count("crossfade.feed.lost", collection=site.name)
        health = self._gap(f"the feed was lost: {reason}")
        with contextlib.suppress(CrossfadeError):  # else the same position is lost again, and we are back
            job = await site.control.job(site.name, KIND)
            counts = Counter(job.counts if job else {})
            counts["gaps"] += 1
            position = await site.feeds[published.stage.primary].tip()
            place = Place(published.stage.primary, position, position)
            await self._save_place(published, place, health, counts)
            return
        await self._rest(TICK)

    def _gap(self, reason: str) -> Health:
        self._gaps += 1
        message = f"{reason}; run a full verify, promotion is blocked until then"
        _log.error("the mirror of %s may have missed changes: %s", self._site.name, message)
        return Health(self._site.clock.now(), message)

    async def _announce(self, now: Pass) -> None:
        self._pass = now
        async with self._started:
            self._started.notify_all()

    async def _rest_between_tips(self) -> None:
        """At random, so that the collections of a replica do not all want something at once."""
        await self._rest(self._tip_pause * (0.5 + self._site.clock.random()))

    async def _rest(self, seconds: float, task: asyncio.Task[None] | None = None) -> None:
        """Sleep, unless woken or the task ends."""
        woken = asyncio.create_task(self._wake.wait())
        try:
            watched = {woken, task} if task else {woken}
            await asyncio.wait(watched, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            self._wake.clear()


def _seconds() -> float:
    return asyncio.get_running_loop().time()
